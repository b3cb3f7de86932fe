"""The sections of a report that belong to no pillar, and the order of all of them."""
