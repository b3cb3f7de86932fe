"""Demos: each writes an ordinary audit file with its model and data, from what installed packages bring."""
