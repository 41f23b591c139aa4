"""Migrations carry along what a deployment has."""

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from alembic import command
from alembic.config import Config
from harness import with_pool
from sqlalchemy import create_engine, make_url

import addtocrm.core.db.migrations
from addtocrm.cli.database import _newest
from addtocrm.core.db.migrate import migrate


def migrate_to(url: str, revision: str) -> None:
    """Brings an empty database to an earlier schema."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    config = Config()
    config.set_main_option("script_location", addtocrm.core.db.migrations.__path__[0])
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()
    engine.dispose()


def with_connection(url: str, work: Callable[[asyncpg.Connection], object]) -> object:
    async def run() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await work(connection)  # type: ignore[misc]
        finally:
            await connection.close()

    return asyncio.run(run())


def empty_database(postgres: str, name: str) -> str:
    server = urlunsplit(urlsplit(postgres)._replace(path="/postgres"))
    with_connection(server, lambda connection: connection.execute(f"create database {name}"))
    return urlunsplit(urlsplit(postgres)._replace(path=f"/{name}"))


def test_earlier_charges_are_added_up(postgres: str) -> None:
    url = empty_database(postgres, "earlier_charges")
    migrate_to(url, "0007")
    with_connection(
        url,
        lambda connection: connection.execute(
            """insert into accounts (id, email, plan, available, period_credits, period_start, period_end)
               values ('acc_1', 'a@example.com', 'pro', 990, 1000, '2026-01-31T00:00Z', '2999-01-01T00:00Z');
               insert into ledger (id, account_id, at, kind, amount, operation, request_id, key_id, period_start)
               select 'led_' || n, 'acc_1', '2026-01-31T23:30Z'::timestamptz + n * interval '10 minutes', 'charge', -1,
                      'people.enrich', 'r', case when n > 8 then 'key_1' end, '2026-01-31T00:00Z'
               from generate_series(1, 10) n;
               insert into ledger (id, account_id, kind, amount, period_start)
               values ('led_0', 'acc_1', 'grant', 1000, '2026-01-31T00:00Z')"""
        ),
    )
    migrate(url)
    rows = with_connection(
        url,
        lambda connection: connection.fetch(
            "select day::text, actor, sum(credits)::int as credits from usage group by 1, 2 order by 1, 2 nulls first"
        ),
    )
    assert [tuple(row) for row in rows] == [  # type: ignore[attr-defined]
        ("2026-01-31", None, 2),
        ("2026-02-01", None, 6),
        ("2026-02-01", "key:key_1", 2),
    ]


def test_a_migrated_database_is_seen_to_be_so(postgres: str) -> None:
    """Whatever the numbers of the files: else every command would begin with a migration."""
    assert with_pool(postgres, lambda pool: pool.fetchval("select version_num from alembic_version")) == _newest()


def test_credits_granted_before_are_beside_the_plans(postgres: str) -> None:
    url = empty_database(postgres, "earlier_grants")
    migrate_to(url, "0030")
    with_connection(
        url,
        lambda connection: connection.execute(
            """insert into accounts (id, email, plan, available, period_credits, period_start, period_end)
               values ('acc_1', 'a@example.com', 'free', 550, 550, now() - interval '2 days', now() + interval '1 day'),
                      ('acc_2', 'b@example.com', 'free', 50, 50, now() - interval '2 days', now() + interval '1 day');
               insert into audit (id, account_id, at, actor, action, detail, address)
               select 'aud_' || n, 'acc_1', now() - n * interval '1 day', 'operator', action, detail, ''
               from (values (1, 'operator.credits_granted', '{"before": 40, "after": 540, "reason": ""}'::json),
                            (3, 'operator.credits_granted', '{"before": 0, "after": 70, "reason": ""}'),
                            (0, 'operator.plan_set', '{"before": "pro", "after": "free", "reason": ""}'))
                   as done (n, action, detail)"""
        ),
    )
    migrate(url)
    rows = with_connection(url, lambda connection: connection.fetch("select extra_credits from accounts order by id"))
    assert [row["extra_credits"] for row in rows] == [500, 0]  # type: ignore[attr-defined]
