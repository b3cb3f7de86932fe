"""Tests of the defend."""
