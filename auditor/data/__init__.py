"""A file becomes samples: arrays, image folders and tables, read in batches; targets and groups by name."""
