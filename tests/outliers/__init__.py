"""Scores of foreign and of attacked rows, what they are measured by, and an attack that knows them."""
