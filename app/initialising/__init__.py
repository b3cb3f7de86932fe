"""A first audit file and policy from a model file and a data file: what each shows, and what only a person can say."""
