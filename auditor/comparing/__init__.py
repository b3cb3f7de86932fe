"""How far the figures of two audits lie apart, with an interval of the change."""
