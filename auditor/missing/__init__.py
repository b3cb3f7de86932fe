"""Values that are missing: which are taken out, what is put in their place, and what the model then says."""
