"""A file becomes a model: recognise it by its bytes, read its weights safely, look at what it gives out."""
