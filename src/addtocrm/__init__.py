"""Turns a LinkedIn URL into a CRM contact."""
