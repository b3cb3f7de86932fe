"""Two audits as changes: every figure's, what of them can be told from none, and the page that shows them."""
