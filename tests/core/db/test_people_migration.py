"""What was stored before every identifier had one form is found in that form."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, make_url

from addtocrm.core.db import migrations
from addtocrm.core.db.migrate import migrate
from addtocrm.core.db.migrations.versions import __path__ as versions

URL = "https://www.linkedin.com/in/old-example"
STORED = """
insert into accounts (id, email, plan, available, period_credits, period_start, period_end)
values ('acc', 'acc@example.com', 'pro', 0, 0, now(), now());
insert into people (id, identity, email, name_key, data) values
    ('per_1', 'em:Old@example.com', 'Old@example.com', 'old', '{"email": "Old@example.com", "headline": "x"}'),
    ('per_2', 'em:old@example.com', 'old@example.com', 'old', '{"email": "old@example.com", "job_title": "y"}'),
    ('per_3', 'in:old-example', 'OLD@example.com', 'old',
     '{"linkedin_url": "https://www.linkedin.com/in/old-example"}');
insert into results (account_id, operation, lookup_key, data, expires_at) values
    ('acc', 'emails.verify', 'Old@bücher.example', '{"email": "Old@bücher.example"}', now() + interval '1 day');
insert into lists (id, account_id, name) values ('lst', 'acc', 'L'), ('lst_2', 'acc', 'M');
insert into list_members (id, list_id, identity, person) values
    ('mem_1', 'lst', 'in:old-example', '{"linkedin_url": "in/Old-Example"}'),
    ('mem_2', 'lst', 'nc:no|', '{"full_name": "No"}');
insert into list_members (id, list_id, identity, email, person) values
    ('mem_3', 'lst_2', 'em:Ann@strasse.test', 'Ann@strasse.test', '{"email": "Ann@straße.test", "full_name": "Ann A"}'),
    ('mem_4', 'lst_2', 'em:ann@strasse.test', 'ann@strasse.test', '{"email": "ann@straße.test"}'),
    ('mem_5', 'lst_2', 'em:ben@x.test', 'ben@x.test', '{"email": "ben@x.test", "full_name": "Ben B"}');
insert into crm_contacts (id, account_id, email, other_emails, company_name, custom) values
    ('cco_1', 'acc', 'a@example.com', '{OLD@bücher.example}', 'Acme Inc.', '{"tier": "see x@example.com"}');
insert into crm_notes (id, account_id, contact_id, text) values ('cno_1', 'acc', 'cco_1', 'Mail <OLD@example.com>.');
insert into jobs (id, account_id, kind, scope, caller, options, total)
values ('job', 'acc', 'people.enrich', 'enrich', '{}', '{}', 1);
insert into job_items (job_id, position, input) values ('job', 1, '"de.linkedin.com/in/Old-Example/?x=1"');
insert into events (account_id, inserted, id, type, actor, data) values
    ('acc', now(), 'evt_1', 'email.verified', 'operator', '{"email": "Old@bücher.example"}');
"""


def digest(identifier: str) -> bytes:
    return hashlib.sha256(identifier.encode()).digest()


def before() -> str:
    """The revision before the one that is tested."""
    text = (Path(versions[0]) / "0011_people.py").read_text()
    return text.split('down_revision = "')[1].split('"')[0]


@pytest.fixture
def url(postgres: str) -> str:
    """A database as it was before, with rows."""
    url = urlunsplit(urlsplit(postgres)._replace(path="/before_people"))

    async def create() -> None:
        connection = await asyncpg.connect(urlunsplit(urlsplit(postgres)._replace(path="/postgres")))
        await connection.execute("drop database if exists before_people")
        await connection.execute("create database before_people")
        await connection.close()

    async def fill() -> None:
        connection = await asyncpg.connect(url)
        await connection.execute(STORED)
        await connection.close()

    asyncio.run(create())
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    config = Config()
    config.set_main_option("script_location", migrations.__path__[0])
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, before())
        connection.commit()
    engine.dispose()
    asyncio.run(fill())
    return url


def test_stored_rows_are_carried_along(url: str) -> None:
    migrate(url)

    async def look() -> dict[str, list[Any]]:
        connection = await asyncpg.connect(url)
        asked = {
            "people": "select identity, email, data::text from people order by identity",
            "results": "select lookup_key, subjects from results",
            "members": "select id, subjects from list_members where list_id = 'lst' order by id",
            "known": "select id, identity, email from list_members where list_id = 'lst_2' order by id",
            "counters": "select id, members from lists order by id",
            "contacts": "select company_key, subjects, mentions from crm_contacts",
            "notes": "select mentions from crm_notes",
            "items": "select subjects from job_items",
            "events": "select subjects from events",
            "fields": "select kind, name, type from crm_custom_fields",
        }
        found = {name: [tuple(row) for row in await connection.fetch(sql)] for name, sql in asked.items()}
        await connection.close()
        return found

    found = asyncio.run(look())
    old, unicode = "email:old@example.com", "email:old@xn--bcher-kva.example"
    (one, by_url) = found["people"]
    assert one[:2] == ("em:old@example.com|old", "old@example.com")
    assert {"headline", "job_title"} <= json.loads(one[2]).keys()
    assert by_url[:2] == ("in:old-example", "old@example.com")
    assert found["results"] == [("Old@xn--bcher-kva.example", [digest(unicode)])]
    assert found["members"] == [("mem_1", [digest(f"linkedin:{URL}")]), ("mem_2", None)]
    assert found["counters"] == [("lst", 2), ("lst_2", 2)]
    assert found["known"] == [
        ("mem_3", "em:ann@xn--strae-oqa.test|ann a", "ann@xn--strae-oqa.test"),
        ("mem_5", "em:ben@x.test|ben b", "ben@x.test"),
    ]
    ((company_key, subjects, mentions),) = found["contacts"]
    assert (company_key, mentions) == ("acme", [digest("email:x@example.com")])
    assert set(subjects) == {digest("email:a@example.com"), digest(unicode)}
    assert found["notes"] == [([digest(old)],)]
    assert found["items"] == [([digest(f"linkedin:{URL}")],)]
    assert found["events"] == [([digest(unicode)],)]
    assert found["fields"] == [("contact", "tier", "string")]
