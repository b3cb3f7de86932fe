"""The rules of LRP, one file a family of functions; `table.py` says which function has which."""
