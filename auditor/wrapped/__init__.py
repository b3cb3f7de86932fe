"""Defences that need no training: a module around the model's own, one file each, which also fits programs."""
