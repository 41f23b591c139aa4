"""People who sign in to the dashboard."""
