"""Single calls for one domain share connections, and none of them suffers from the others."""

import asyncio
import contextlib
from collections import Counter
from typing import Any

import httpx2 as httpx
import pytest
from harness import Account, Server, until
from smtp_server import greylisting
from world import World, WorldBeside, in_world

from addtocrm.mail.desk import BULK, SINGLE, Desk, Manner
from addtocrm.mail.model import Verification

VERIFY = "/v1/emails/verify"
PIPELINING = "250-mx.test\r\n250 PIPELINING"


@pytest.fixture
def account(mail_server: Server) -> Account:
    return mail_server.account(credits=200)


def at_once(accounts: list[Account], addresses: list[str]) -> list[Any]:
    """What each account is told of each address, all asked for at the same time."""

    async def run() -> list[httpx.Response]:
        async with contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(one.server.async_client(one.token)) for one in accounts]
            return await asyncio.gather(
                *(client.post(VERIFY, json={"email": address}) for address in addresses for client in clients)
            )

    answers = asyncio.run(run())
    assert {answer.status_code for answer in answers} == {200}, answers[0].text
    return [answer.json() for answer in answers]


def test_sixty_calls_for_a_slow_domain_all_get_their_verdict(account: Account, mail: WorldBeside) -> None:
    """One reply of its server takes 0.1 s: each with a dialogue of its own, 57 would be answered in 20 s."""
    people = [f"p{number}@slow.test" for number in range(60)]
    server = mail.server("slow.test", mailboxes=set(people[::2]), delay=0.1)
    answers = at_once([account], people)
    assert Counter(one["data"]["result"] for one in answers) == {"deliverable": 30, "undeliverable": 30}
    assert [one["data"]["email"] for one in answers] == people
    assert sum(one["credits_deducted"] for one in answers) == account.usage()["credits"]["used"] == 60
    assert len(server.sessions) < 30 and server.most_open <= 2
    assert all(server.recipients().count(one) == 1 for one in people)


def test_two_tenants_ask_about_the_same_address(mail_server: Server, mail: WorldBeside) -> None:
    people = [f"p{number}@both.test" for number in range(5)]
    server = mail.server("both.test", mailboxes=set(people), delay=0.1)
    accounts = [mail_server.account(credits=9) for _ in range(2)]
    answers = at_once(accounts, people)
    assert {(one["data"]["result"], one["credits_deducted"]) for one in answers} == {("deliverable", 1)}
    assert server.most_open <= 2


def test_who_goes_away_finds_the_answer_when_back(account: Account, mail: WorldBeside) -> None:
    people = [f"p{number}@left.test" for number in range(6)]
    server = mail.server("left.test", mailboxes=set(people), delay=0.3)

    async def run() -> list[Any]:
        async with account.server.async_client(account.token) as client:
            tasks = [asyncio.create_task(client.post(VERIFY, json={"email": one})) for one in people]
            while not server.sessions:
                await asyncio.sleep(0.01)
            for task in tasks[::2]:
                task.cancel()
            return await asyncio.gather(*tasks, return_exceptions=True)

    answers = asyncio.run(run())
    assert [one.json()["data"]["result"] for one in answers[1::2]] == ["deliverable"] * 3
    sent = [one for one in people[::2] if account.server.query("select from holds where lookup_key = $1", one)]
    for one in sent:
        until(lambda one=one: not account.server.query("select from holds where lookup_key = $1", one))
        assert account.client.post(VERIFY, json={"email": one}).json()["cached"] is True


def test_the_calls_for_a_domain_that_does_not_exist_share_the_answer(account: Account) -> None:
    answers = at_once([account], [f"p{number}@nowhere.test" for number in range(20)])
    assert {one["data"]["reason"] for one in answers} == {"domain_not_found"}


async def verified(desk: Desk, addresses: list[str]) -> list[Verification]:
    checked = await asyncio.gather(*(desk.check_one(address) for address in addresses))
    return [one.verification for one in checked]


PEOPLE = [f"p{number}@acme.test" for number in range(10)]


def results(found: list[Verification]) -> list[tuple[str, str]]:
    return [(one.email.partition("@")[0], one.result) for one in found]


@pytest.mark.parametrize("manner", [SINGLE, BULK])
@in_world
async def test_recipients_are_sent_together_where_the_server_takes_them(world: World, manner: Manner) -> None:
    server = await world.server("acme.test", mailboxes=set(PEOPLE[:5]), ehlo=PIPELINING)
    found = await verified(Desk(world.engine(), manner), PEOPLE)
    await server.left()
    assert [one.result for one in found] == ["deliverable"] * 5 + ["undeliverable"] * 5
    assert server.ahead >= 7 and len(server.sessions) <= 2
    for session in server.sessions:
        assert [line.partition(" ")[0] for line in session][:2] == ["EHLO", "MAIL"]
        assert sum(line.startswith("MAIL") for line in session) == 1 and session[-2:] == ["RSET", "QUIT"]


def test_a_batch_at_slow_servers_leaves_connections_to_the_single_calls_of_others(
    account: Account, mail_server: Server, mail: WorldBeside
) -> None:
    """Each reply of the servers takes 6 s, so that a connection of the batch lasts as long as the batch allows."""
    domains = [f"slow{number}.test" for number in range(60)]
    servers = [mail.server(domain, delay=6) for domain in domains]
    addresses = [f"p{number}@{domain}" for domain in domains for number in range(20)]
    neighbour = mail_server.account(credits=2_000)
    id = neighbour.client.post("/v1/batch/emails-verify", json={"items": addresses}).json()["data"]["id"]
    until(lambda: sum(server.open for server in servers) >= 100)
    mail.server("quick.test", mailboxes={"jane@quick.test"})
    answer = account.client.post(VERIFY, json={"email": "jane@quick.test"}).json()["data"]
    assert (answer["result"], sum(server.open for server in servers)) == ("deliverable", 100)
    neighbour.client.post(f"/v1/jobs/{id}/cancel")


@in_world
async def test_nothing_is_sent_ahead_where_it_is_not_offered(world: World) -> None:
    server = await world.server("acme.test", mailboxes=set(PEOPLE))
    assert {one.result for one in await verified(Desk(world.engine(), BULK), PEOPLE)} == {"deliverable"}
    assert server.ahead == 0


@in_world
async def test_a_server_that_loses_what_it_is_sent_together_is_asked_one_by_one(world: World) -> None:
    server = await world.server("acme.test", mailboxes=set(PEOPLE), ehlo=PIPELINING, curt=True)
    found = await verified(Desk(world.engine(), BULK), PEOPLE)
    assert {one.result for one in found} == {"deliverable"}
    assert len(server.sessions) == 2


@pytest.mark.parametrize("ehlo", [PIPELINING, "250 mx.test"])
@pytest.mark.parametrize("poison", [{0}, {4}, {0, 1}, {3, 9}])
@in_world
async def test_an_address_at_which_the_server_hangs_up_fails_alone(world: World, ehlo: str, poison: set[int]) -> None:
    bad = {PEOPLE[number] for number in poison}
    await world.server(
        "acme.test", mailboxes=set(PEOPLE), ehlo=ehlo, rcpt=lambda address: None if address in bad else ""
    )
    found = await verified(Desk(world.engine(), BULK), PEOPLE)
    assert {one.email for one in found if one.result == "deliverable"} == set(PEOPLE) - bad
    assert {one.reason for one in found if one.email in bad} == {"connection_failed"}


@pytest.mark.parametrize("ehlo", [PIPELINING, "250 mx.test"])
@in_world
async def test_a_server_that_closes_after_three_is_asked_on(world: World, ehlo: str) -> None:
    asked: Counter[int] = Counter()

    def rcpt(address: str) -> str:
        asked[len(server.sessions)] += 1
        return "" if asked[len(server.sessions)] <= 3 else "421 4.7.0 Too many recipients, closing"

    server = await world.server("acme.test", mailboxes=set(PEOPLE), ehlo=ehlo, rcpt=rcpt)
    found = await verified(Desk(world.engine(), BULK), PEOPLE)
    assert {one.result for one in found} == {"deliverable"}


@in_world
async def test_a_server_that_hangs_up_on_everybody_is_soon_left_alone(world: World) -> None:
    server = await world.server("acme.test", rcpt=lambda address: None)
    found = await verified(Desk(world.engine(), BULK), PEOPLE)
    assert {(one.result, one.reason) for one in found} == {("unknown", "connection_failed")}
    assert len(server.sessions) <= 3


@in_world
async def test_each_is_answered_within_its_own_budget(world: World) -> None:
    await world.server("acme.test", silent=True)
    desk = Desk(world.engine(), Manner(8, 0, patient=False))
    found = await verified(desk, PEOPLE)
    assert {(one.result, one.reason) for one in found} == {("unknown", "timeout")}
    assert found[0].mx_host == "mx.acme.test"


@in_world
async def test_a_short_greylisting_is_waited_for_by_all(world: World) -> None:
    await world.server("acme.test", mailboxes=set(PEOPLE), rcpt=greylisting())
    found = await verified(Desk(world.engine(), SINGLE), PEOPLE)
    assert results(found) == [(f"p{number}", "deliverable") for number in range(10)]


@in_world
async def test_an_answer_that_nothing_can_change_waits_for_nobody(world: World) -> None:
    """The server falls silent at the second address: the first one's answer is there before that ends."""
    hangs = asyncio.Event()

    async def fall_silent() -> None:
        await hangs.wait()

    server = await world.server("acme.test")
    server.rcpt = lambda address: fall_silent() if address == PEOPLE[1] else ""  # type: ignore[assignment]
    desk = Desk(world.engine(), BULK)
    first, second = (asyncio.create_task(desk.check_one(one)) for one in PEOPLE[:2])
    assert (await first).verification.reason == "no_such_user"
    assert not second.done()
    hangs.set()
    assert (await second).verification.result == "unknown"
