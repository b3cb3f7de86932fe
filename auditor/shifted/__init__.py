"""How far the audited data lie from the reference: by columns, by a classifier, by labels, by what it costs."""
