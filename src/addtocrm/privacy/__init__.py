"""People who asked to be forgotten: never returned, cached, written or found again."""
