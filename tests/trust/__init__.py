"""The rules of robustness.trust, and the attack unit test."""
