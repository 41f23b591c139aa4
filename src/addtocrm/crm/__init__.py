"""Contacts, companies, notes and tasks, written to the account's one active CRM."""
