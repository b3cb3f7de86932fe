"""Whether an explanation holds: what hiding its parts does, what it owes to the weights, how still it stands."""
