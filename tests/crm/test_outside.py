"""A CRM that is another's, over HTTP: what is held while it is asked, and the tokens that it gives (OAuth)."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

import asyncpg
import msgspec
import pytest
from memory_crm import TOKEN, MemoryCrm, Store, definition
from vendor_server import Talk, VendorServer

from addtocrm.core import secrets
from addtocrm.core.caller import Caller
from addtocrm.core.errors import ApiError
from addtocrm.core.outgoing import leases
from addtocrm.core.outgoing.client import Outgoing
from addtocrm.core.outgoing.vendor import Vendor
from addtocrm.core.settings import Settings
from addtocrm.crm import calling, connections, contacts, registry, service, setup, store
from addtocrm.crm.contract import Access, Definition, OAuth
from addtocrm.crm.model import ContactWrite
from addtocrm.crm.oauth import Tokens
from addtocrm.events import service as events
from addtocrm.tenants.accounts import service as accounts

VENDOR = Vendor(name="outside", connections=1000, account_connections=1000, read_seconds=500, connect_seconds=60)


class OutsideCrm(MemoryCrm):
    """The CRM in memory, behind an HTTP server that is asked before each answer."""

    def __init__(self, store: Store, access: Access) -> None:
        super().__init__(store, TOKEN)
        assert access.calls
        self._calls = access.calls

    async def _call(self, name: str) -> Store:
        await self._calls.ask("GET", f"/{name}", within=500)
        return await super()._call(name)


class Outside:
    """The vendor's server: `good` are the tokens that it takes; what is asked at `waits_at` waits for `released`."""

    def __init__(self) -> None:
        self.store, self.good = Store(), {"access-1"}
        self.waits_at = "/find"
        self.released = asyncio.Event()
        self.released.set()
        self.asked: list[str] = []
        self.refreshes: list[dict[str, list[str]]] = []
        self.trouble: tuple[int, bytes, dict[str, str]] | None = None
        self.trouble_at = "/"
        self.answering = asyncio.Event()
        self.answering.set()
        self.refusal: tuple[int, bytes] | None = None

    async def script(self, talk: Talk) -> None:
        self.asked.append(talk.path)
        if talk.path == "/token":
            self.refreshes.append(parse_qs(talk.body.decode()))
            await self.answering.wait()
            if self.refusal:
                return await talk.answer(*self.refusal)
            self.good = {f"access-{len(self.refreshes) + 1}"}
            new = {"access_token": next(iter(self.good)), "refresh_token": "refresh-2", "expires_in": 3600}
            return await talk.answer(200, msgspec.json.encode(new))
        if talk.headers["authorization"].removeprefix("Bearer ") not in self.good:
            return await talk.answer(401, b"{}")
        if self.trouble and talk.path.startswith(self.trouble_at):
            status, body, headers = self.trouble
            return await talk.answer(status, body, **headers)
        if talk.path == self.waits_at:
            await self.released.wait()
        await talk.answer(200, b"{}")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    vendors = {"OUTSIDE_CLIENT_ID": "app-1", "OUTSIDE_CLIENT_SECRET": "hush"}
    return Settings(data_dir=tmp_path, allow_private_networks=True, vendors=vendors)


@pytest.fixture
def run(database_url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Runs work beside the vendor, with so many hosts; the account is connected with `tokens`. Whoever waits for others
    waits as long as they take."""
    monkeypatch.setattr(calling, "SINGLE_WAIT_SECONDS", 300.0)
    monkeypatch.setattr(store, "LOCK_SECONDS", 300)

    def run(work: Callable[..., Awaitable[None]], tokens: Tokens, hosts: int = 1, size: int = 4) -> None:
        async def beside() -> None:
            vendor = Outside()
            async with VendorServer(vendor.script) as server:
                registry.load()["outside"] = outside(vendor, server.url)
                async with opened(database_url, settings, hosts, size) as crms:
                    account = await accounts.create(crms[0].pool, "owner@example.com")
                    await connect(crms[0], account.id, tokens)
                    await work(vendor, Caller(account.id, "operator", "request-1"), *crms)

        asyncio.run(beside())

    yield run
    del registry.load()["outside"]


@asynccontextmanager
async def opened(url: str, settings: Settings, hosts: int, size: int) -> AsyncIterator[list[setup.Setup]]:
    if not hosts:
        yield []
        return
    async with setup.opened(url, settings, size=size) as crm, opened(url, settings, hosts - 1, size) as others:
        yield [crm, *others]


def outside(vendor: Outside, url: str) -> Definition:
    return definition(
        vendor.store,
        "outside",
        token=None,
        oauth=OAuth(authorize_url=f"{url}/authorize", token_url=f"{url}/token", scopes=("contacts",)),
        vendor=VENDOR,
        api_url=url,
        open=lambda access: OutsideCrm(vendor.store, access),
    )


async def connect(crm: setup.Setup, account_id: str, tokens: Tokens) -> None:
    secret = msgspec.json.encode(tokens).decode()
    sealed = secrets.seal(crm.settings.data_dir, secret, f"crm connection of {account_id}")
    await crm.pool.execute(
        """insert into crm_connections (id, account_id, crm, name, crm_account_id, crm_account_name, secret)
           values ('ccn_1', $1, 'outside', 'Outside', 'portal-1', 'Portal of example.com', $2)""",
        account_id,
        sealed,
    )


async def write(crm: setup.Setup, caller: Caller, name: str, **more: Any) -> str:
    person = {"full_name": name, "email": f"{name.lower().replace(' ', '.')}@example.com"}
    body = msgspec.convert({"person": person, **more}, ContactWrite)
    return (await contacts.upsert(crm, caller, body)).action


async def refused(work: Awaitable[Any]) -> str:
    with pytest.raises(ApiError) as caught:
        await work
    return caught.value.type


FRESH = Tokens(access_token="access-1", refresh_token="refresh-1", expires_at=time.time() + 86_400)
ENDING = msgspec.structs.replace(FRESH, expires_at=time.time() + 10)


def test_five_hundred_writers_at_a_slow_vendor_hold_no_connection(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They have as long as a busy machine takes until all have asked, and for writing all."""
    defaults: Any = Outgoing.call.__kwdefaults__
    monkeypatch.setitem(defaults, "within", 600.0)
    monkeypatch.setattr(leases, "TTL_SECONDS", 600.0)

    async def work(vendor: Outside, caller: Caller, crm: setup.Setup) -> None:
        vendor.released.clear()
        writers = [asyncio.create_task(write(crm, caller, f"Jane {number}")) for number in range(500)]
        while vendor.asked.count("/find") < 500:
            await asyncio.sleep(0.05)
        while crm.pool.get_idle_size() < crm.pool.get_size():
            await asyncio.sleep(0.01)
        await connections.info(crm.pool, caller.account_id)
        vendor.released.set()
        assert await asyncio.gather(*writers) == ["created"] * 500
        assert len(vendor.store.records["contact"]) == 500
        assert await crm.pool.fetchval("select count(*) from leases") == 0

    run(work, FRESH, size=2)


def test_one_person_sent_at_once_to_many_hosts_is_one_contact(run: Callable[..., None]) -> None:
    async def work(vendor: Outside, caller: Caller, *crms: setup.Setup) -> None:
        actions = await asyncio.gather(*(write(crm, caller, "Jane Doe") for crm in crms for _ in range(10)))
        assert sorted(actions) == ["created", *["unchanged"] * 29]
        assert len(vendor.store.records["contact"]) == 1
        told = [one.type for one in (await events.page(crms[0].pool, caller.account_id)).data]
        assert told == ["crm.contact.created"]

    run(work, FRESH, hosts=3)


def test_a_token_that_ends_is_refreshed_once_for_all_hosts(run: Callable[..., None]) -> None:
    async def work(vendor: Outside, caller: Caller, *crms: setup.Setup) -> None:
        people = [write(crm, caller, f"Jane {place} {n}") for place, crm in enumerate(crms) for n in range(10)]
        assert await asyncio.gather(*people) == ["created"] * 20
        assert [one["refresh_token"] for one in vendor.refreshes] == [["refresh-1"]]
        assert vendor.refreshes[0]["client_id"] == ["app-1"] and vendor.refreshes[0]["client_secret"] == ["hush"]
        row = await crms[0].pool.fetchrow("select status, secret from crm_connections")
        assert row is not None and row["status"] == "connected" and b"access-2" not in row["secret"]
        opened = secrets.unseal(crms[0].settings.data_dir, row["secret"], f"crm connection of {caller.account_id}")
        assert msgspec.json.decode(opened, type=Tokens).refresh_token == "refresh-2"

    run(work, ENDING, hosts=2)


def test_a_token_that_was_taken_back_early_is_refreshed_and_the_call_repeated(run: Callable[..., None]) -> None:
    async def work(vendor: Outside, caller: Caller, *crms: setup.Setup) -> None:
        vendor.good = {"another"}
        people = [write(crm, caller, f"Jane {place} {n}") for place, crm in enumerate(crms) for n in range(5)]
        assert await asyncio.gather(*people) == ["created"] * 10
        assert len(vendor.refreshes) == 1
        assert len(vendor.store.records["contact"]) == 10

    run(work, FRESH, hosts=2)


def test_a_token_that_is_refused_also_when_it_is_new_ends_the_connection(run: Callable[..., None]) -> None:
    async def work(vendor: Outside, caller: Caller, crm: setup.Setup) -> None:
        vendor.trouble = (401, b"{}", {})
        assert await refused(write(crm, caller, "Jane Doe")) == "crm_token_expired"
        assert await refused(write(crm, caller, "Jane Doe")) == "crm_token_expired"
        assert (await connections.info(crm.pool, caller.account_id)).status == "token_expired"
        assert len(vendor.refreshes) == 1
        told = [one.type for one in (await events.page(crm.pool, caller.account_id)).data]
        assert told == ["crm.token_expired"]

    run(work, FRESH)


@pytest.mark.parametrize("reading", [True, False])
@pytest.mark.parametrize(
    ("refusal", "type", "status"),
    [
        ((400, b'{"error":"invalid_grant"}'), "crm_token_expired", "token_expired"),
        ((401, b'{"error":"invalid_client"}'), "crm_unavailable", "connected"),
        ((400, b'{"error":"slow_down"}'), "crm_rate_limit", "connected"),
        ((500, b"{}"), "crm_unavailable", "connected"),
        ((503, b"{}"), "crm_unavailable", "connected"),
        ((200, b"{}"), "crm_unavailable", "connected"),
    ],
)
def test_only_a_refused_grant_ends_the_connection(
    run: Callable[..., None], refusal: tuple[int, bytes], type: str, status: str, reading: bool
) -> None:
    async def work(vendor: Outside, caller: Caller, crm: setup.Setup) -> None:
        vendor.refusal = refusal
        work = service.owners(crm, caller.account_id, None, 50) if reading else write(crm, caller, "Jane Doe")
        assert await refused(work) == type
        assert (await connections.info(crm.pool, caller.account_id)).status == status
        assert len(vendor.refreshes) == 1, "a refresh is not tried twice"
        told = [one.type for one in (await events.page(crm.pool, caller.account_id)).data]
        assert told == (["crm.token_expired"] if status == "token_expired" else [])

    run(work, ENDING)


@pytest.mark.parametrize(
    ("trouble", "type", "seconds"),
    [
        ((429, b"{}", {"retry_after": "1200"}), "crm_rate_limit", 1200),
        ((503, b"{}", {"retry_after": "2400"}), "crm_unavailable", 2400),
        ((200, b"<html>", {}), "crm_unavailable", 30),
    ],
)
def test_what_the_vendor_is_in_trouble_with_is_told(
    run: Callable[..., None], trouble: tuple[int, bytes, dict[str, str]], type: str, seconds: int
) -> None:
    async def work(vendor: Outside, caller: Caller, crm: setup.Setup) -> None:
        vendor.trouble = trouble
        with pytest.raises(ApiError) as caught:
            await write(crm, caller, "Jane Doe")
        assert caught.value.type == type
        assert seconds * 0.9 <= (caught.value.retry_after_seconds or 0) <= seconds
        assert (await connections.info(crm.pool, caller.account_id)).status == "connected"

    run(work, FRESH)


def test_what_was_made_is_told_also_where_a_later_step_fails(run: Callable[..., None]) -> None:
    async def work(vendor: Outside, caller: Caller, crm: setup.Setup) -> None:
        vendor.trouble, vendor.trouble_at = (503, b"{}", {}), "/add_to_list"
        assert await refused(write(crm, caller, "Jane Doe", list="Newsletter")) == "crm_unavailable"
        (told,) = (await events.page(crm.pool, caller.account_id)).data
        assert told.type == "crm.contact.created"

    run(work, FRESH)


def test_new_tokens_are_kept_also_when_nobody_waits_for_them_any_more(run: Callable[..., None]) -> None:
    async def work(vendor: Outside, caller: Caller, crm: setup.Setup) -> None:
        vendor.answering.clear()
        writer = asyncio.create_task(write(crm, caller, "Jane Doe"))
        while not vendor.refreshes:
            await asyncio.sleep(0.01)
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)
        vendor.answering.set()
        assert await write(crm, caller, "Jane Doe") == "created"
        assert len(vendor.refreshes) == 1

    run(work, ENDING)


def test_a_refusal_of_old_tokens_does_not_end_the_connection_that_has_new_ones(run: Callable[..., None]) -> None:
    async def work(vendor: Outside, caller: Caller, crm: setup.Setup) -> None:
        vendor.refusal = (400, b'{"error":"invalid_grant"}')
        vendor.answering.clear()
        writer = asyncio.create_task(refused(write(crm, caller, "Jane Doe")))
        while not vendor.refreshes:
            await asyncio.sleep(0.01)
        new = msgspec.json.encode(msgspec.structs.replace(FRESH, access_token="access-9")).decode()
        sealed = secrets.seal(crm.settings.data_dir, new, f"crm connection of {caller.account_id}")
        await crm.pool.execute("update crm_connections set secret = $1", sealed)
        vendor.good = {"access-9"}
        vendor.answering.set()
        await writer
        assert await write(crm, caller, "Jane Doe") == "created"
        assert (await connections.info(crm.pool, caller.account_id)).status == "connected"

    run(work, ENDING)


def test_one_person_whom_the_vendor_fails_at_does_not_stop_the_others(run: Callable[..., None]) -> None:
    async def work(vendor: Outside, caller: Caller, crm: setup.Setup) -> None:
        vendor.trouble = (503, b"{}", {})
        for _ in range(2):
            assert await refused(write(crm, caller, "Jane Doe")) == "crm_unavailable"
        vendor.trouble = None
        assert await write(crm, caller, "Joe Doe") == "created"

    run(work, FRESH)


def test_a_crm_of_oauth_takes_no_token(run: Callable[..., None]) -> None:
    async def work(vendor: Outside, caller: Caller, crm: setup.Setup) -> None:
        assert (
            await refused(connections.connect(crm, caller.account_id, "outside", token="access-1"))
            == "validation_error"
        )
        assert await write(crm, caller, "Jane Doe") == "created"

    run(work, FRESH)


def test_what_was_made_while_the_database_was_away_is_told_when_it_is_back(
    run: Callable[..., None], database_url: str
) -> None:
    async def work(vendor: Outside, caller: Caller, crm: setup.Setup) -> None:
        parts = urlsplit(database_url)
        name = parts.path.removeprefix("/")
        operator = await asyncpg.connect(urlunsplit(parts._replace(path="/postgres")))
        vendor.waits_at = "/create"
        vendor.released.clear()
        writer = asyncio.create_task(write(crm, caller, "Jane Doe"))
        while "/create" not in vendor.asked:
            await asyncio.sleep(0.01)
        await operator.execute(f'alter database "{name}" allow_connections false')
        await operator.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
        vendor.released.set()
        await asyncio.sleep(1)
        assert not writer.done()
        await operator.execute(f'alter database "{name}" allow_connections true')
        await operator.close()
        assert await writer == "created"
        assert [one.type for one in (await events.page(crm.pool, caller.account_id)).data] == ["crm.contact.created"]

    run(work, FRESH)


def test_who_lost_the_lease_writes_no_note(run: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "PROLONG_SECONDS", 0.05)

    async def work(vendor: Outside, caller: Caller, crm: setup.Setup) -> None:
        vendor.waits_at = "/has_note"
        vendor.released.clear()
        writer = asyncio.create_task(refused(write(crm, caller, "Jane Doe", note="Hello")))
        while "/has_note" not in vendor.asked:
            await asyncio.sleep(0.01)
        held = list(crm.leases._held.values())
        await crm.pool.execute("delete from leases")
        while any(lease.ends for lease in held):
            await asyncio.sleep(0.01)
        vendor.released.set()
        assert await writer == "crm_unavailable"
        assert vendor.store.notes == []

    run(work, FRESH)
