"""Attacks on rows of tables, one file each: changes that keep what is said of the columns."""
