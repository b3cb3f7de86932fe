"""Whether explanations hold: against chance, random weights, small moves and each other, on the same parts."""
