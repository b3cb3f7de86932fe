"""Attacks, one file each: f(model, x, y, ...) gives adversarial inputs inside the bounds. No verdicts here."""
