"""Accounts and their plan."""
