"""Tests of what two samples are compared by."""
