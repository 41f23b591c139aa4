"""E-mail verification and finding, with our own engine."""
