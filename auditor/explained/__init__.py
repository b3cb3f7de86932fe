"""The rows that an audit explains: who they are, what plays in them, and how what methods say of them is shown."""
