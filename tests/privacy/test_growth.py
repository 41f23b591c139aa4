"""Forgetting, enriching and searching read no table that grows: plans of their statements, on tables that are full."""

import asyncio
import json
from typing import Any, cast

import asyncpg

from addtocrm.privacy import store
from addtocrm.sources.contract import PersonQuery
from addtocrm.sources.providers.dataset import Dataset

ROWS = 20_000
FILL = """
insert into people (id, identity, email, name_key, company_domain, company_key, data)
select 'per_' || n, 'in:p' || n, 'p' || n || '@example.com',
       case n % 20 when 7 then 'p example' else 'p' || n end, 'c' || n || '.test', 'c' || n,
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


QUERIES = {
    "by URL": PersonQuery(linkedin_url="https://www.linkedin.com/in/p0"),
    "by email": PersonQuery(email="p7@example.com"),
    "by name and domain": PersonQuery(first_name="P", last_name="Example", company_domain="c7.test"),
    "by name and company": PersonQuery(first_name="P", last_name="Example", company_name="C7"),
}


class Noting:
    """A pool that notes what is asked of it, and finds nothing."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[Any, ...]]] = []

    async def fetch(self, statement: str, *values: Any) -> list[Any]:
        self.asked.append((statement, values))
        return []


async def statements_of_the_dataset() -> dict[str, tuple[str, tuple[Any, ...]]]:
    found: dict[str, tuple[str, tuple[Any, ...]]] = {}
    noting = Noting()
    dataset = Dataset(cast(Any, noting), candidates=lambda *_: ["per_7"])
    for name, query in QUERIES.items():
        await dataset.person(query)
        found |= {f"{name} {place}": asked for place, asked in enumerate(noting.asked)}
        noting.asked.clear()
    await dataset.people(["per_7"], "x")
    return {**found, "a page": noting.asked[0]}


def reads_others(node: dict[str, Any]) -> bool:
    """Whether a step of a plan reads rows that are not asked for: all, or all namesakes."""
    found_by = node.get("Recheck Cond") or node.get("Index Cond") or ""
    return node["Node Type"] == "Seq Scan" or ("name_key" in found_by and "Filter" in node)


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
            **await statements_of_the_dataset(),
        }
        assert len(statements) > 20
        found: dict[str, list[str]] = {}
        for name, (statement, values) in statements.items():
            plan = json.loads(await connection.fetchval(f"explain (format json) {statement}", *values))
            scanned = [node["Relation Name"] for node in nodes(plan[0]["Plan"]) if reads_others(node)]
            if set(scanned) - {"people_feed"}:  # which has one row
                found[name] = scanned
        await connection.close()
        return found

    assert asyncio.run(scanned()) == {}
