"""A whole audit in a process that can reach nothing else: `parent` starts it and judges, `child` loads and measures."""
