"""Rows of a table: their values in units of the file, and what a changed row must keep."""
