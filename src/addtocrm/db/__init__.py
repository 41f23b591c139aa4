"""The database: the embedded server, the pool, migrations and ids."""
