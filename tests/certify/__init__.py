"""Tests of bounds that are certain."""
