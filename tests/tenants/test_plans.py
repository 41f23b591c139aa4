"""Plans and numbers of credits: granted once a period, in any number, and the ledger's sum is the balance."""

import asyncio
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from harness import ADDTOCRM, Account, Server, cli
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from addtocrm.core.caller import Caller
from addtocrm.core.db.pool import Pool, open_pool
from addtocrm.core.ids import new_id
from addtocrm.lookups import store
from addtocrm.lookups.model import Ref
from addtocrm.tenants.accounts import service as accounts

PLAN = {"free": 50, "pro": 1000}
EVENT = ("person.enriched", "operator", "{}")


def remaining(account: Account) -> int:
    return account.usage()["credits"]["remaining"]


def test_a_plans_credits_come_once_a_period(server: Server) -> None:
    server.add_people("plan-1-example")
    account = server.account()
    assert account.enrich("plan-1-example").json()["credits_remaining"] == 999
    for _ in range(3):
        account.set_plan("free")
        account.set_plan("pro")
    assert account.usage()["credits"] == {"limit": 1000, "used": 1, "held": 0, "remaining": 999, "monthly": 1000}


def test_an_upgrade_brings_the_difference_once(database_url: str, tmp_path: Path) -> None:
    environment = {**os.environ, "ADDTOCRM_DATABASE_URL": database_url, "ADDTOCRM_DATA_DIR": str(tmp_path)}
    assert cli("accounts", "create", "up@example.com", environment=environment)["credits_available"] == 50
    for plan, expected in (("pro", 1000), ("free", 1000), ("pro", 1000)):
        changed = cli("accounts", "set-plan", "up@example.com", plan, environment=environment)
        assert (changed["plan"], changed["credits_available"]) == (plan, expected)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (("grant 500", "pro"), [550, 1500]),
        (("pro", "grant 500"), [1000, 1500]),
        (("grant 5000", "pro"), [5050, 6000]),
        (("pro", "free", "grant 500", "pro", "free", "pro"), [1000, 1000, 1500, 1500, 1500, 1500]),
        (("grant 1", "set 10", "grant 5", "pro"), [51, 10, 15, 15]),
    ],
)
def test_granted_credits_are_beside_the_plans(
    steps: tuple[str, ...], expected: list[int], database_url: str, tmp_path: Path
) -> None:
    environment = {**os.environ, "ADDTOCRM_DATABASE_URL": database_url, "ADDTOCRM_DATA_DIR": str(tmp_path)}
    cli("accounts", "create", "granted@example.com", environment=environment)
    left = []
    for step in steps:
        verb, _, credits = step.rpartition(" ")
        command = f"{verb}-credits" if verb else "set-plan"
        done = cli("accounts", command, "granted@example.com", credits, environment=environment)
        left.append(done["credits_available"])
    assert left == expected


def test_a_new_period_brings_the_credits_of_the_plan_of_its_beginning(server: Server) -> None:
    account = server.account()
    account.set_plan("free")
    server.query(
        """update accounts set anchor = anchor - interval '40 days', period_start = period_start - interval '40 days',
                  period_end = period_end - interval '40 days' where id = $1 returning id""",
        account.id,
    )
    row = server.query(
        "select available from credits_claim('hld', $1, 'o', 'k', 'r', null, null, 1, false, null, '{}')", account.id
    )
    assert row[0]["available"] == 49
    account.set_plan("pro")
    assert account.usage()["credits"]["limit"] == 1000


def test_half_a_billion_credits(server: Server) -> None:
    server.add_people("rich-1-example", "rich-2-example")
    account = server.account(credits=10)
    for credits in (500_000_000, 1_000_000_000):
        account.set_credits(credits)
        answer = account.enrich("rich-1-example", refresh=True)
        assert (answer.status_code, answer.json()["credits_remaining"]) == (200, credits - 1)
    server.query(  # from before there was a bound
        """update accounts set available = 2147483647, custom_credits = 2147483647, period_credits = 2147483647
           where id = $1 returning id""",
        account.id,
    )
    assert account.enrich("rich-2-example").json()["credits_remaining"] == 2147483646
    assert account.usage()["credits"]["limit"] == 2147483647


@pytest.mark.parametrize(
    "arguments",
    [("create", "many@example.com", "--credits=1000000001"), ("set-credits", "many@example.com", "9" * 20)],
)
def test_too_many_credits_are_a_sentence(arguments: tuple[str, ...], database_url: str, tmp_path: Path) -> None:
    environment = {**os.environ, "ADDTOCRM_DATABASE_URL": database_url, "ADDTOCRM_DATA_DIR": str(tmp_path)}
    done = subprocess.run([ADDTOCRM, "accounts", *arguments], env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert "a whole number from 0 to 1,000,000,000" in done.stderr
    assert "Traceback" not in done.stderr


class Books:
    """An account and what is expected of it, step by step."""

    def __init__(self, pool: Pool, account_id: str, email: str) -> None:
        self.pool, self.id, self.email = pool, account_id, email
        self.held: list[str] = []
        self.plan, self.custom = "free", False
        self.best, self.granted = PLAN["free"], 0

    async def step(self, step: tuple[str, Any]) -> None:
        kind, value = step
        if kind == "plan":
            await accounts.set_plan(self.pool, self.email, value)
            self.plan = value
            self.best = max(self.best, PLAN[value])
        elif kind == "credits":
            await accounts.set_credits(self.pool, self.email, value)
            self.custom = True
        elif kind == "grant":
            await accounts.grant_credits(self.pool, self.email, value)
            self.granted += value
        elif kind == "claim":
            ref = Ref(self.id, "people.enrich", new_id("key"))
            caller = Caller(self.id, "operator", "request")
            hold = new_id("hld")
            claim = await store.claim(self.pool, hold, ref, caller, 1, False, ())
            if claim.state == "held":
                self.held.append(hold)
            else:
                assert (claim.state, claim.available) == ("insufficient", 0)
        elif kind == "capture" and self.held:
            event = (new_id("evt"), *EVENT)
            expiry = await self.pool.fetchval("select now() + interval '1 day'")
            await store.capture(self.pool, self.held.pop(), new_id("led"), event, "{}", expiry, ())
        elif kind == "release" and self.held:
            await store.release(self.pool, self.held.pop(0))
        elif kind == "months":
            await self.pool.execute(
                """update accounts set anchor = anchor - $2 * interval '31 days',
                       period_start = period_start - $2 * interval '31 days',
                       period_end = period_end - $2 * interval '31 days' where id = $1""",
                self.id,
                value,
            )
            await accounts.begin_due_period(self.pool, self.id)
            self.best, self.granted = PLAN[self.plan], 0

    async def check(self) -> None:
        row = await self.pool.fetchrow(
            """select available, period_credits, period_end > now() as current,
                      (select coalesce(sum(amount), 0)::bigint from ledger where account_id = a.id) as ledger,
                      (select count(*) from holds where account_id = a.id) as holds,
                      (select count(*) from ledger where account_id = a.id and kind = 'charge') as charges,
                      (select coalesce(sum(credits), 0)::bigint from usage where account_id = a.id) as used
               from accounts a where id = $1""",
            self.id,
        )
        assert row is not None
        assert row["current"]
        assert row["available"] >= 0
        assert row["ledger"] == row["available"] + row["holds"]
        assert row["used"] == row["charges"]
        if not self.custom:
            assert row["period_credits"] == self.best + self.granted


STEPS = st.one_of(
    st.tuples(st.just("plan"), st.sampled_from(["free", "pro"])),
    st.tuples(st.just("credits"), st.integers(0, 5)),
    st.tuples(st.just("grant"), st.integers(1, 2000)),
    st.tuples(st.sampled_from(["claim", "capture", "release"]), st.none()),
    st.tuples(st.just("months"), st.integers(1, 3)),
)


def test_the_books_are_right_after_any_steps(database_url: str) -> None:
    runner = asyncio.Runner()
    pool = runner.run(open_pool(database_url, size=2))

    async def run(steps: list[tuple[str, Any]]) -> None:
        email = f"{new_id('books')}@example.com"
        account = await accounts.create(pool, email)
        books = Books(pool, account.id, email)
        for step in steps:
            await books.step(step)
            await books.check()

    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(STEPS, max_size=25))
    def check(steps: list[tuple[str, Any]]) -> None:
        runner.run(run(steps))

    check()
    runner.run(pool.close())
    runner.close()
