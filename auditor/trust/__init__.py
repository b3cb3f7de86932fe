"""Signs that an attack failed without the model being robust: rules R1 to R9, each a function of the same runs."""
