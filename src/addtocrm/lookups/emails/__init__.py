"""Verifying and finding email addresses."""
