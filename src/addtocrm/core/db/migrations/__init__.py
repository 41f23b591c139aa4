"""Alembic migrations, in SQL; forward only."""
