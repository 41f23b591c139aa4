"""Who may, and what is left."""
