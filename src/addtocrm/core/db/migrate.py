"""Migrations: Alembic, written in SQL, under an advisory lock so that many hosts may start at once."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, make_url, text

LOCK = 4_146_043_001


def migrate(url: str) -> None:
    """Brings the database at `url` to the newest schema. Safe to call on many hosts at the same time."""
    address = make_url(url).set(drivername="postgresql+psycopg")
    engine = create_engine(address)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    try:
        with engine.connect() as connection:
            connection.execute(text("select pg_advisory_lock(:lock)"), {"lock": LOCK})
            connection.commit()
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
    finally:
        engine.dispose()
