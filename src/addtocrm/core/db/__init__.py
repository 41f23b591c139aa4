"""The database: the embedded server, the pool, notices, migrations and backup."""
