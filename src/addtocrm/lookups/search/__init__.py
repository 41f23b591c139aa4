"""People search."""
