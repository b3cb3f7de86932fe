"""Tests of values that are missing."""
