"""What the checks of robustness share of an audit: its rows attacked, and what the report shows of them."""
