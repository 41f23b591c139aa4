"""Forgetting a person among many people, events, results, contacts and members."""

import asyncio
import time
from pathlib import Path

from addtocrm.core.db.pool import open_pool
from addtocrm.privacy import service
from bench.deployment import Deployment
from bench.figure import Figure

PEOPLE = 100_000
ROUNDS = 10
FILL = """
with n as (select generate_series($1::int, $2::int) as n),
     k as (select n, 'https://www.linkedin.com/in/g' || n as url, 'g' || n || '@g.example.com' as email from n),
     s as (select *, array[sha256(('linkedin:' || url)::bytea), sha256(('email:' || email)::bytea)] as subjects,
                  json_build_object('linkedin_url', url, 'email', email) as data from k),
     a as (insert into people (id, identity, email, data)
           select 'per_g' || n, 'in:g' || n, email, data::jsonb from s),
     b as (insert into results (account_id, operation, lookup_key, data, expires_at, subjects)
           select 'acc', 'people.enrich', url, data, now() + interval '30 days', subjects from s),
     c as (insert into events (account_id, inserted, id, type, actor, data, subjects)
           select 'acc', now(), 'evt_g' || n, 'person.enriched', 'a', data, subjects from s),
     d as (insert into list_members (id, list_id, identity, person, subjects)
           select 'mem_g' || n, 'lst_bench', 'in:g' || n, data, subjects from s)
insert into crm_contacts (id, account_id, linkedin_url, subjects) select 'cco_g' || n, 'acc', url, subjects from s
"""


async def measure(deployment: Deployment) -> tuple[float, float]:
    """Seconds to forget one at each size."""
    session = await service.session(deployment.url, Path(deployment.folder))
    pool = await open_pool(deployment.url, session=session)
    await pool.execute("insert into lists (id, account_id, name) values ('lst_bench', $1, 'L')", deployment.account_id)
    taken: list[float] = []
    done = 0
    for size in (PEOPLE, 10 * PEOPLE):
        for start in range(done, size, PEOPLE // 2):
            await pool.execute(FILL, start, start + PEOPLE // 2 - 1, timeout=600)
        await pool.execute("vacuum analyze", timeout=600)
        begun = time.perf_counter()
        for number in range(size // 2, size // 2 + ROUNDS):
            forgotten = await service.forget(pool, f"g{number}@g.example.com")
            assert sum(forgotten.removed.values()) == 5, forgotten
        taken.append((time.perf_counter() - begun) / ROUNDS * 1000)
        done = size
    await pool.close()
    return taken[0], taken[1]


def figure(deployment: Deployment) -> Figure:
    small, large = asyncio.run(measure(deployment))
    return Figure("forgetting one of 100,000 people in five places (ms)", large, small, large / small, "≤ 1.5")
