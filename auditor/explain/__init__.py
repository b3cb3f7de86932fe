"""Attributions, one file a method: f(model, x, target) gives a share for every input element. No verdicts here."""
