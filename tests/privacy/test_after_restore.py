"""Who was forgotten stays so through a restore and an upgrade."""

import asyncio
import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
from alembic import command
from alembic.config import Config
from forgetting import World
from harness import ADDTOCRM, Server, cli
from sqlalchemy import create_engine, make_url

from addtocrm.core.db import migrations

URL, EMAIL = "https://www.linkedin.com/in/rita-restored-example", "rita@restored.example.com"


def execute(url: str, sql: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute(sql)
        await connection.close()

    asyncio.run(run())


def restored(world: World, file: Path) -> Any:
    world.server.stop()
    done = cli("db", "restore", str(file), "--replace", environment=world.server.environment)
    world.server.start()
    return done


def test_a_restore_brings_nobody_back(new_server: Callable[..., Server], tmp_path: Path) -> None:
    world = World(new_server(), tmp_path)
    world.imported({"linkedin_url": URL, "email": EMAIL, "full_name": "Rita Restored"})
    world.imported({"linkedin_url": "in/other-restored-example", "full_name": "Other"})
    world.new_list({"email": EMAIL}, {"email": "other@restored.example.com"})
    assert world.post("/v1/crm/contacts", {"person": {"linkedin_url": URL}}).status_code == 201
    once = {"headers": {"idempotency-key": "rita"}}
    assert world.post("/v1/people/enrich", {"linkedin_url": URL}, **once).status_code == 200
    file = tmp_path / "before.backup"
    cli("db", "backup", str(file), environment=world.server.environment)
    world.forget(URL)

    done = restored(world, file)

    assert done["forgotten_rows"] >= 5
    assert not world.mentions(EMAIL, "rita-restored")
    assert world.post("/v1/people/enrich", {"linkedin_url": URL}).status_code == 404
    assert world.post("/v1/people/enrich", {"email": EMAIL}).status_code == 404
    assert world.post("/v1/people/enrich", {"linkedin_url": "in/other-restored-example"}).status_code == 200
    assert world.server.query("select to_regclass('carried.suppressions')::text as there")[0]["there"] is None


def test_two_lists_with_two_keys_are_refused(new_server: Callable[..., Server], tmp_path: Path) -> None:
    first = new_server()
    cli("people", "forget", EMAIL, environment=first.environment)
    file = tmp_path / "first.backup"
    cli("db", "backup", str(file), environment=first.environment)
    first.query("delete from suppressions returning 1")
    first.query("delete from suppression_key returning 1")
    cli("people", "forget", URL, environment=first.environment)
    before = first.query("select hash from suppressions")
    refused = subprocess.run(
        [ADDTOCRM, "db", "restore", str(file), "--replace"], env=first.environment, capture_output=True, text=True
    )
    assert refused.returncode == 1
    assert "another key" in " ".join(refused.stderr.split())
    assert first.query("select hash from suppressions") == before


def migrate_to(url: str, revision: str) -> None:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    config = Config()
    config.set_main_option("script_location", migrations.__path__[0])
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.commit()
    engine.dispose()


def of(identifier: str) -> str:
    return f"'\\x{hashlib.sha256(identifier.encode()).hexdigest()}'"


def test_an_upgrade_sweeps_and_keeps_former_forms(
    new_server: Callable[..., Server], new_database: Callable[[], str], tmp_path: Path
) -> None:
    """A list that was made before one form of every identifier, and rows that its search missed."""
    url = new_database()
    execute(url, "drop schema public cascade; create schema public")
    migrate_to(url, "0010")
    answer = json.dumps({"email": "Uwe@bücher-old.example", "result": "deliverable"})
    execute(
        url,
        f"""insert into suppressions (hash) values
                ({of("email:kim@strasse-old.example")}), ({of("email:uwe@xn--bcher-old-q9a.example")}),
                ({of(f"linkedin:{URL}")});
            insert into accounts (id, email, plan, available, period_credits, period_start, period_end)
            values ('acc', 'acc@example.com', 'pro', 0, 0, now(), now());
            insert into results (account_id, operation, lookup_key, data, expires_at) values
                ('acc', 'emails.verify', 'Uwe@bücher-old.example', '{answer}', now() + interval '1 day');
            insert into lists (id, account_id, name) values ('lst', 'acc', 'L');
            insert into list_members (id, list_id, identity, person) values
                ('mem_1', 'lst', 'in:x', '{{"linkedin_url": "in/Rita-Restored-Example"}}'),
                ('mem_2', 'lst', 'em:a@strasse-old.example', '{{"email": "Kim@straße-old.example"}}'),
                ('mem_3', 'lst', 'em:b@strasse-old.example', '{{"email": "b@straße-old.example"}}')""",
    )
    world = World(new_server(url), tmp_path)
    assert world.server.query("select id from list_members") == [("mem_3",)]
    assert world.server.query("select count(*)::int as n from results")[0]["n"] == 0
    for email in ("kim@straße-old.example", "KIM@strasse-old.example", "uwe@bücher-old.example"):
        assert world.post("/v1/emails/verify", {"email": email}).status_code == 404, email
    world.forget("b@strasse-old.example")
    list_id = world.new_list({"email": "b@straße-old.example"})
    assert len(world.members(list_id)) == 1


def test_answers_stored_before_an_upgrade_are_found(
    new_server: Callable[..., Server], new_database: Callable[[], str], tmp_path: Path
) -> None:
    url = new_database()
    execute(url, "drop schema public cascade; create schema public")
    migrate_to(url, "0030")
    rita, other = json.dumps({"data": {"linkedin_url": URL}}), json.dumps({"data": {"email": "o@other.example.com"}})
    execute(
        url,
        f"""insert into idempotency (owner, key, fingerprint, status, body, outcome) values
                ('key_1', 'answer', '', 200, '{rita}', null), ('key_1', 'outcome', '', null, null, '{rita}'),
                ('key_1', 'other', '', 200, '{other}', null), ('key_1', 'text', '', 200, '\\xff', null),
                ('key_1', 'begun', '', null, null, null)""",
    )
    world = World(new_server(url), tmp_path)
    world.forget(URL)
    kept = world.server.query("select key from idempotency order by key")
    assert [row["key"] for row in kept] == ["begun", "other", "text"]
