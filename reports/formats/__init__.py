"""A file a format, for pipelines and tables: record -> text or bytes. All of them tell of the same findings."""
