"""An item that cannot be digested fails alone."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from harness import Server, with_pool
from jobbing import ended, enrich, results

from addtocrm.core.caller import Caller
from addtocrm.core.db.pool import Pool
from addtocrm.jobs import service
from addtocrm.jobs.kind import Kind
from addtocrm.jobs.model import Item, NewItem
from addtocrm.jobs.runner import Runner
from addtocrm.jobs.under_way import UnderWay
from addtocrm.tenants.accounts import service as accounts

POISON = "🧛‍♀️" * 40


def test_poison_fails_alone(server: Server) -> None:
    """Ten jobs of names too long for an index, beside another tenant's."""
    server.add_people("beside-example")
    poisoned, other = server.account(credits=100), server.account(credits=100)
    item = {"first_name": POISON, "last_name": POISON, "company_name": POISON}
    ids = [enrich(poisoned, [item, "linkedin.com/in/beside-example"]) for _ in range(10)]
    assert ended(other, enrich(other, ["linkedin.com/in/beside-example"]))["succeeded"] == 1
    for id in ids:
        figures = ended(poisoned, id)
        assert (figures["status"], figures["succeeded"], figures["failed"]) == ("completed", 1, 1)
        assert results(poisoned, id)[0]["error"]["type"] == "not_found"


def test_what_the_database_refuses_fails_alone(server: Server) -> None:
    """An item that no statement takes (here: a NUL in a key) is not taken for a lost connection."""
    server.add_people("refused-example")
    account = server.account(credits=100)
    id = enrich(account, ["linkedin.com/in/refused-example"] * 1)
    ended(account, id)
    server.query(
        """update job_items set status = 'pending', result = null, cached = null, credits_deducted = null,
               input = '{"email": "x\\u0000y@example.com"}' where job_id = $1 returning 1""",
        id,
    )
    server.query(
        """insert into job_items (job_id, position, input) values ($1, 2, '{"linkedin_url": 5}'),
               ($1, 3, '"linkedin.com/in/refused-example"') returning 1""",
        id,
    )
    server.query(
        """update jobs set status = 'queued', total = 3, pending = 3, succeeded = 0, credits_deducted = 0
           where id = $1 returning 1""",
        id,
    )
    figures = ended(account, id)
    assert (figures["status"], figures["succeeded"], figures["failed"]) == ("completed", 1, 2)
    assert results(account, id)[1]["error"]["type"] == "internal_error"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/people/enrich", {"first_name": POISON, "last_name": POISON, "company_name": POISON}),
        ("/v1/companies/lookup", {"name": POISON}),
        ("/v1/emails/find", {"first_name": "ﷺ" * 200, "last_name": "ﷺ" * 200, "domain": "example.com"}),
        ("/v1/emails/verify", {"email": "🧛" * 900}),
        ("/v1/crm/contacts", {"person": {"full_name": POISON, "company_name": POISON}}),
        ("/v1/crm/companies", {"company": {"name": POISON}}),
    ],
)
def test_a_key_too_long_for_its_index_is_no_failure(server: Server, path: str, body: dict[str, Any]) -> None:
    account = server.account()
    account.connect_builtin()
    for _ in range(2):
        answer = account.client.post(path, json=body)
        assert answer.status_code in (200, 201, 404), answer.text


def test_a_list_takes_the_longest_name_once(server: Server) -> None:
    account = server.account()
    id = account.client.post("/v1/lists", json={"name": "Long"}).json()["data"]["id"]
    body = {"people": [{"full_name": POISON, "company_name": POISON}, {"full_name": POISON, "company_name": "Acme"}]}
    for status in (201, 200):
        assert account.client.post(f"/v1/lists/{id}/members", json=body).status_code == status


def test_an_item_whose_vendor_does_not_answer_in_time_fails_alone(database_url: str, tmp_path: Path) -> None:
    """It is tried a few times, and not taken for a lost database, for which all would wait."""
    tried: list[str] = []

    async def ask(_: Caller, __: dict[str, Any], item: Item) -> str:
        tried.append(item.input)
        if item.input == "slow":
            raise TimeoutError
        return "found"

    async def work(pool: Pool) -> None:
        account = await accounts.create(pool, "timeouts@example.com")
        caller = Caller(account.id, "operator", "request-1")
        items = [NewItem(name, name) for name in ("one", "slow", "two")]
        job = await service.submit(pool, caller, "ask", "enrich", items)
        stop = asyncio.Event()
        runner = Runner(pool, {"ask": Kind("ask", ask)}, 1, asyncio.Event(), UnderWay(tmp_path))
        running = asyncio.create_task(runner.run(stop))
        query = "select finished_at is not null as ended, status, succeeded, failed from jobs where id = $1"
        while not (figures := await pool.fetchrow(query, job.id))["ended"]:
            await asyncio.sleep(0.05)
        stop.set()
        await running
        assert tuple(figures) == (True, "completed", 2, 1)
        error = await pool.fetchval("select error from job_items where job_id = $1 and status = 'failed'", job.id)
        assert "internal_error" in str(error)
        assert tried.count("slow") == 3 and tried.count("one") == tried.count("two") == 1

    with_pool(database_url, work)
