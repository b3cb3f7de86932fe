"""Bounds that are certain: what a model can answer anywhere in a ball, by abstract interpretation."""
