"""People and their enrichment."""
