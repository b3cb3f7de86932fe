"""Rows that a model was not made for, and scores that tell them from those that it was: one subject a file."""
