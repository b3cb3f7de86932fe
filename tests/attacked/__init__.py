"""Tests of what the checks of robustness share."""
