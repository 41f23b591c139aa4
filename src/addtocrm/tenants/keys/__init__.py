"""API keys: making, checking and revoking them."""
