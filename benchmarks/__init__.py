"""What the auditor costs and what it can open, measured; each file is a script of its own (`make bench`)."""
