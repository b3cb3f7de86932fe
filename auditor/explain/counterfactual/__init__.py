"""The smallest admissible change of a row that gets another answer, and what it is worth."""
