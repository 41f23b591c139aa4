"""People search: an index of the people table, built from it, followed from it, and never the truth."""
