"""Durable work: bulk look-ups and pushes to the CRM."""
