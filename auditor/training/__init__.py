"""How a copy of a model is trained further: the loop that all defences by training share."""
