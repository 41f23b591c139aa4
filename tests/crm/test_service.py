"""Writing to a CRM that is not ours: failures, switches, tokens, and one contact under concurrency."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from memory_crm import TOKEN, Store, definition

from addtocrm.core import secrets
from addtocrm.core.caller import Caller
from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError
from addtocrm.core.settings import Settings
from addtocrm.crm import connections, contacts, opening, registry, service, setup, values
from addtocrm.crm import store as crm_store
from addtocrm.crm.failures import Expired, Failure, NotFound, RateLimited, Rejected, Unavailable
from addtocrm.crm.model import CompanyWrite, ContactWrite, NoteWrite, WriteResult
from addtocrm.events import service as events
from addtocrm.privacy import service as privacy
from addtocrm.tenants.accounts import service as accounts

JANE = {"linkedin_url": "https://www.linkedin.com/in/jane", "full_name": "Jane Doe", "company_name": "Acme"}


class World:
    """One account that writes to the CRM in memory."""

    def __init__(self, url: str, folder: Path, store: Store) -> None:
        self.url, self.store, self.settings = url, store, Settings(data_dir=folder)
        self.pool: Pool
        self.crm: setup.Setup
        self.caller: Caller

    def run(self, work: Callable[["World"], Awaitable[Any]], *, token: str | None = TOKEN) -> Any:
        async def opened() -> Any:
            async with setup.opened(self.url, self.settings, size=10) as self.crm:
                self.pool = self.crm.pool
                account = await accounts.create(self.pool, "owner@example.com")
                self.caller = Caller(account.id, "operator", "request-1")
                if token:
                    await self.connect(token)
                return await work(self)

        return asyncio.run(opened())

    async def connect(self, token: str = TOKEN, crm: str = "memory") -> Any:
        return await connections.connect(self.crm, self.caller.account_id, crm, token=token)

    async def write(self, person: Any = JANE, **more: Any) -> WriteResult:
        body = msgspec.convert({"person": person, **more}, ContactWrite)
        return await contacts.upsert(self.crm, self.caller, body)

    async def events(self) -> list[str]:
        return [one.type for one in (await events.page(self.pool, self.caller.account_id)).data]


@pytest.fixture
def world(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(crm_store, "LOCK_SECONDS", 300)
    store = Store()
    known = registry.load()
    known["memory"], known["second"] = definition(store), definition(store, "second")
    yield World(database_url, tmp_path, store)
    del known["memory"], known["second"]


async def refused(work: Awaitable[Any]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        await work
    return caught.value


@pytest.mark.parametrize(
    ("failure", "type", "seconds"),
    [
        (RateLimited(6.2), "crm_rate_limit", 7),
        (RateLimited(0), "crm_rate_limit", 1),
        (Unavailable(), "crm_unavailable", 30),
        (Rejected("m_job_title", "is too long for this CRM."), "validation_error", None),
        (NotFound("contact 9"), "not_found", None),
        (Expired(TOKEN), "crm_token_expired", None),
    ],
)
def test_a_failure_is_told_as_it_is(world: World, failure: Failure, type: str, seconds: int | None) -> None:
    async def work(world: World) -> ApiError:
        world.store.failure = failure
        error = await refused(world.write({"full_name": "Jane Doe", "job_title": "Head of Sales"}))
        assert [one for one in await world.events() if one.startswith("crm.contact")] == []
        return error

    error = world.run(work)
    assert (error.type, error.retry_after_seconds) == (type, seconds)
    if isinstance(failure, Rejected):
        assert error.details[0].path == "person.job_title"


def test_a_token_that_ends_is_told_once_and_until_it_is_connected_again(world: World) -> None:
    async def work(world: World) -> None:
        world.store.failure = Expired(TOKEN)
        errors = await asyncio.gather(*(refused(world.write({"full_name": f"Jane {n}"})) for n in range(8)))
        assert {one.type for one in errors} == {"crm_token_expired"}
        assert (await connections.info(world.pool, world.caller.account_id)).status == "token_expired"
        world.store.failure = None
        calls = len(world.store.calls)
        assert (await refused(world.write())).type == "crm_token_expired"
        assert len(world.store.calls) == calls
        await world.connect()
        assert (await world.write()).action == "created"
        assert (await world.events())[:3] == ["crm.connected", "crm.token_expired", "crm.connected"]

    world.run(work)


def test_the_token_is_sealed_and_never_told(world: World) -> None:
    async def work(world: World) -> None:
        row = await world.pool.fetchrow("select * from crm_connections")
        assert TOKEN not in str(dict(row)) and TOKEN.encode() not in row["secret"]
        feed = await events.page(world.pool, world.caller.account_id)
        assert TOKEN not in str(feed)
        error = await refused(world.connect("wrong-token-2"))
        assert error.details[0].path == "token"
        assert "wrong-token-2" not in error.message
        assert (await world.write()).action == "created"
        assert await connections.rotate_key(world.pool, world.settings) == 1
        assert (await world.write()).action == "unchanged"
        (world.settings.data_dir / secrets.FILE).unlink()
        assert (await refused(world.write())).type == "crm_unavailable", "which is the fault of this host alone"
        assert not (world.settings.data_dir / secrets.FILE).exists()
        secrets.seal(world.settings.data_dir, "something else", "test")
        assert (await refused(world.write())).type == "crm_unavailable", "also where it has another file"
        assert (await connections.info(world.pool, world.caller.account_id)).status == "connected"
        (world.settings.data_dir / secrets.FILE).unlink()
        (world.settings.data_dir / secrets.FILE).mkdir()
        assert (await refused(world.write())).type == "crm_unavailable", "also where it is there and cannot be read"

    world.run(work)


@pytest.mark.parametrize("token", ["tök", "a\nb"])
def test_what_no_header_can_hold_is_no_token(world: World, token: str) -> None:
    async def work(world: World) -> None:
        before = len(world.store.calls)
        error = await refused(world.connect(token))
        assert error.details[0].path == "token" and token not in error.message
        assert len(world.store.calls) == before, "the CRM is not asked"

    world.run(work)


def test_connecting_needs_what_the_crm_needs(world: World) -> None:
    async def work(world: World) -> None:
        account_id = world.caller.account_id
        for crm, token, path in (
            ("none", None, "crm"),
            ("memory", None, "token"),
            ("builtin", "t", "token"),
        ):
            error = await refused(connections.connect(world.crm, account_id, crm, token=token))
            assert error.details[0].path == path
        assert (await refused(world.write())).type == "crm_not_connected"
        assert (await refused(connections.disconnect(world.crm, account_id))).type == "crm_not_connected"
        assert await world.events() == []

    world.run(work, token=None)


def test_a_switch_is_one_event_and_waits_for_what_is_being_written(world: World) -> None:
    async def work(world: World) -> None:
        async def write(number: int) -> WriteResult | ApiError:
            try:
                return await world.write({"full_name": f"Jane {number}"}, expected_crm="memory")
            except ApiError as error:
                return error

        writes = [asyncio.create_task(write(number)) for number in range(12)]
        await asyncio.sleep(0)
        await world.connect(crm="second")
        done = await asyncio.gather(*writes)
        written = [one for one in done if isinstance(one, WriteResult)]
        refusals = [one for one in done if isinstance(one, ApiError)]
        assert {one.crm for one in written} <= {"memory"}
        assert {one.details[0].path for one in refusals} <= {"expected_crm"}
        assert len(world.store.records["contact"]) == len(written)
        feed = [one for one in await world.events() if not one.startswith("crm.contact")]
        assert feed == ["crm.connected", "crm.switched"]

    world.run(work)


def test_a_write_that_waits_for_a_switch_goes_to_the_new_crm(world: World) -> None:
    waits = """select exists (select from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock' and query like '%for share%')"""

    async def work(world: World) -> None:
        await world.connect(crm="second")
        kept = await world.pool.fetchval("select id from crm_connections where crm = 'memory'")
        async with world.pool.acquire() as db, db.transaction():
            await crm_store.activate(db, world.caller.account_id, kept)
            write = asyncio.create_task(world.write())
            while not await world.pool.fetchval(waits):
                await asyncio.sleep(0.01)
        assert (await write).crm == "memory"

    world.run(work)


def test_the_same_person_at_once_is_one_contact_in_any_crm(world: World) -> None:
    async def work(world: World) -> None:
        by_email = {**JANE, "linkedin_url": None, "email": "jane@example.com"}
        people = [JANE, by_email, {**by_email, **JANE}] * 12
        done = await asyncio.gather(*(world.write(one) for one in people))
        assert len({one.contact_id for one in done}) == len(world.store.records["contact"]) == 1
        assert len(world.store.records["company"]) == 1
        assert (await world.events()).count("crm.contact.created") == 1

    world.run(work)


def test_who_is_forgotten_while_writes_wait_is_not_written(world: World) -> None:
    """A batch and a single write were begun before, and wait for another who writes the same person into the built-in
    CRM; who forgets waits for none of them."""
    bob = {**JANE, "linkedin_url": "https://www.linkedin.com/in/bob", "full_name": "Bob Roe"}
    asked = [msgspec.convert({"person": one}, ContactWrite) for one in (bob, JANE)]
    waiting = """select count(*) from pg_locks join pg_database on pg_database.oid = database
        where datname = current_database() and locktype = 'advisory' and not granted"""

    async def work(world: World) -> None:
        account_id = world.caller.account_id
        await connections.connect(world.crm, account_id, "builtin")
        async with opening.writing(world.crm, account_id, opening.Expected()) as other:
            await other.hold(other.locks("contact", values.of_person(asked[1].person)))
            batch = asyncio.create_task(
                contacts.upsert_many(
                    world.crm, account_id, opening.Expected(), [contacts.Asked(world.caller, one) for one in asked]
                )
            )
            single = asyncio.create_task(refused(world.write()))
            while await world.pool.fetchval(waiting) < 2:
                await asyncio.sleep(0.01)
            await privacy.forget(world.pool, JANE["linkedin_url"])
        written, refusal = await batch
        assert written.action == "created"
        assert isinstance(refusal, ApiError) and "asked to be forgotten" in refusal.message
        assert "asked to be forgotten" in (await single).message
        rows = await world.pool.fetch("select full_name from crm_contacts")
        assert [row["full_name"] for row in rows] == ["Bob Roe"]

    world.run(work, token=None)


def test_what_the_crm_has_no_place_for_is_left_out(world: World) -> None:
    async def work(world: World) -> None:
        done = await world.write({**JANE, "headline": "Sells", "skills": ["a"]}, list="newsletter")
        assert not {"headline", "skills"} & {*done.fields_written, *done.fields_kept}
        assert "list" in done.fields_written
        assert (await world.write({**JANE, "headline": "Sells"})).action == "unchanged"
        for more, path in (
            ({"custom_fields": {"nope": 1}}, "custom_fields.nope"),
            ({"list": "No such list"}, "list"),
            ({"owner": "nobody@example.com"}, "owner"),
        ):
            for dry_run in (True, False):
                error = await refused(world.write({"full_name": "New"}, dry_run=dry_run, **more))
                assert error.details[0].path == path
        done = await world.write(JANE, custom_fields={"tier": "gold"}, owner="REP@example.com")
        assert sorted(done.fields_written) == ["custom_fields.tier", "owner"]

    world.run(work)


def test_what_is_told_while_the_caller_leaves_is_told_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tell, entered, released = opening._tell_alone, asyncio.Event(), asyncio.Event()

    async def slow(*what: Any) -> None:
        entered.set()
        await released.wait()
        await tell(*what)

    monkeypatch.setattr(opening, "_tell_alone", slow)

    async def work(world: World) -> None:
        writer = asyncio.create_task(world.write())
        await entered.wait()
        writer.cancel()
        released.set()
        await asyncio.gather(writer, return_exceptions=True)
        while "crm.company.created" not in await world.events():
            await asyncio.sleep(0.05)
        assert (await world.events()).count("crm.company.created") == 1

    world.run(work)


def test_companies_and_notes_fail_alike(world: World) -> None:
    async def work(world: World) -> None:
        world.store.failure = Rejected("m_domain", "is blocked.")
        company = msgspec.convert({"company": {"domain": "acme.example.com"}}, CompanyWrite)
        error = await refused(service.upsert_company(world.crm, world.caller, company))
        assert error.details[0].path == "company.domain"
        person = {"full_name": "Jane Doe", "company": {"domain": "acme.example.com"}}
        assert (await refused(world.write(person))).details[0].path == "person.company.domain"
        error = await refused(world.write({"full_name": "Jane Doe"}, company={"domain": "acme.example.com"}))
        assert error.details[0].path == "company.domain"
        world.store.failure = Unavailable(3)
        note = NoteWrite(contact_id="1", text="x")
        error = await refused(service.add_note(world.crm, world.caller, note))
        assert (error.type, error.retry_after_seconds) == ("crm_unavailable", 3)

    world.run(work)


def test_what_a_crm_cannot_do_is_not_asked_of_it(world: World) -> None:
    async def work(world: World) -> None:
        await world.connect(crm="bare")
        calls = len(world.store.calls)
        note = NoteWrite(contact_id="1", text="x")
        assert (await refused(service.add_note(world.crm, world.caller, note))).status == 400
        assert (await refused(world.write(note="x"))).details[0].path == "note"
        company = msgspec.convert({"company": {"domain": "acme.example.com"}}, CompanyWrite)
        error = await refused(service.upsert_company(world.crm, world.caller, company))
        assert error.details[0].path == "company"
        account_id = world.caller.account_id
        assert await service.owners(world.crm, account_id, None, 50) == ([], None)
        assert await service.lists(world.crm, account_id, None, 50) == ([], None)
        assert len(world.store.calls) == calls
        done = await world.write()
        assert (done.action, done.company_id) == ("created", None)
        assert world.store.records["company"] == {}

    registry.load()["bare"] = definition(world.store, "bare", capabilities=("contacts",))
    try:
        world.run(work)
    finally:
        del registry.load()["bare"]
