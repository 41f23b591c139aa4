"""HTTP to vendors: the one way out, with its deadlines, quotas, circuits and what it tells of itself."""
