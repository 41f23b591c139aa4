"""Forgetting reads no table that grows: the plans of its statements, on tables that are full."""

import asyncio
import json
from typing import Any

import asyncpg

from addtocrm.privacy import store

ROWS = 20_000
FILL = """
insert into people (id, identity, email, data)
select 'per_' || n, 'in:p' || n, 'p' || n || '@example.com',
       jsonb_build_object('emails', jsonb_build_array(jsonb_build_object('email', 'p' || n || '@example.com'),
                          jsonb_build_object('email', 'q' || n || '@example.com')))
from generate_series(1, {rows}) n;
insert into results (account_id, operation, lookup_key, data, expires_at, subjects)
select 'acc', 'people.enrich', 'p' || n, '{{}}', now() + interval '1 day', array[sha256(('p' || n)::bytea)]
from generate_series(1, {rows}) n;
insert into accounts (id, email, plan, available, period_credits, period_start, period_end)
values ('acc', 'acc@example.com', 'pro', 0, 0, now(), now());
insert into lists (id, account_id, name) select 'lst_' || n, 'acc', 'L' from generate_series(1, {rows}) n;
insert into jobs (id, account_id, kind, scope, caller, options, total, status)
select 'job_' || n, 'acc', 'people.enrich', 'enrich', '{{}}', '{{}}', 1, 'completed' from generate_series(1, {rows}) n;
insert into list_members (id, list_id, identity, person, subjects)
select 'mem_' || n, 'lst_7', 'in:p' || n, '{{}}', array[sha256(('p' || n)::bytea)] from generate_series(1, {rows}) n;
insert into crm_contacts (id, account_id, subjects, mentions)
select 'cco_' || n, 'acc', array[sha256(('p' || n)::bytea)], array[sha256(('q' || n)::bytea)]
from generate_series(1, {rows}) n;
insert into crm_companies (id, account_id, mentions)
select 'cca_' || n, 'acc', array[sha256(('q' || n)::bytea)] from generate_series(1, {rows}) n;
insert into crm_notes (id, account_id, contact_id, text, mentions)
select 'cno_' || n, 'acc', 'cco_' || n, 't', array[sha256(('q' || n)::bytea)] from generate_series(1, {rows}) n;
insert into crm_tasks (id, account_id, contact_id, title, mentions)
select 'cta_' || n, 'acc', 'cco_' || n, 't', array[sha256(('q' || n)::bytea)] from generate_series(1, {rows}) n;
insert into events (account_id, inserted, id, type, actor, data, subjects)
select 'acc', now() + n * interval '1 microsecond', 'evt_' || n, 'person.enriched', 'a', '{{}}',
       array[sha256(('p' || n)::bytea)] from generate_series(1, {rows}) n;
insert into job_items (job_id, position, input, subjects)
select 'job_7', n, '{{}}', array[sha256(('p' || n)::bytea)] from generate_series(1, {rows}) n;
insert into idempotency (owner, key, fingerprint, status, body, subjects)
select 'key_1', 'k' || n, '', 200, '{{}}', array[sha256(('p' || n)::bytea)] from generate_series(1, {rows}) n;
"""
KEYS = {
    "people": ["per_7"],
    "results": ['["acc", "people.enrich", "p7"]'],
    "list_members": ["mem_7"],
    "crm_contacts": ["cco_7"],
    "job_items": ['["job_7", 7]'],
    "events": ['["acc", "2026-01-01T00:00:00Z", "evt_7"]'],
}


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(node for part in plan.get("Plans", []) for node in nodes(part))]


def test_no_statement_scans_a_table_that_grows(database_url: str) -> None:

    async def scanned() -> dict[str, list[str]]:
        connection = await asyncpg.connect(database_url)
        await connection.execute(FILL.format(rows=ROWS))
        await connection.execute("analyze")
        told = ["linkedin:https://www.linkedin.com/in/p7", "email:p7@example.com", "email:q8@example.com"]
        statements: dict[str, tuple[str, tuple[Any, ...]]] = {
            **{f"find {p}": (s, store.arguments(p, told)) for p, s in store.SPOKEN_OF.items() if p != "events_outbox"},
            **{f"clear {place}": (store.PLACES[place], (keys,)) for place, keys in KEYS.items()},
            "drop answers": (store.DROP_ANSWERS, ([b"x" * 32],)),
            "mentions": (store.MENTIONS, ([b"x" * 32],)),
        }
        found: dict[str, list[str]] = {}
        for name, (statement, values) in statements.items():
            plan = json.loads(await connection.fetchval(f"explain (format json) {statement}", *values))
            scans = [node for node in nodes(plan[0]["Plan"]) if node["Node Type"] == "Seq Scan"]
            if scans:
                found[name] = [node["Relation Name"] for node in scans]
        await connection.close()
        return found

    assert asyncio.run(scanned()) == {}
