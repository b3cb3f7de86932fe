"""Tests of the explain."""
