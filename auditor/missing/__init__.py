"""Values that are missing: which, what is put in their place, and what the model says then."""
