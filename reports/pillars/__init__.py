"""The report's sections by topic, one file each: f(record) gives the section, None when no check of it ran."""
