"""What `auditor` can be told to do, a file a subject; engines are imported where they are used."""
