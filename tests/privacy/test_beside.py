"""Forgetting beside those who write just then: nobody writes the person back, and nothing of them is overlooked."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from addtocrm.core.caller import Caller
from addtocrm.core.db.pool import Connection, Pool
from addtocrm.core.errors import ApiError
from addtocrm.core.individuals import digest
from addtocrm.core.settings import Settings
from addtocrm.crm import connections, contacts
from addtocrm.crm import store as crm_store
from addtocrm.crm.model import ContactWrite, PersonInput
from addtocrm.crm.setup import Setup, opened
from addtocrm.jobs import service as jobs
from addtocrm.lists import service as lists
from addtocrm.lists import store as lists_store
from addtocrm.lists.model import NewList
from addtocrm.privacy import service as privacy
from addtocrm.privacy import store
from addtocrm.sources.dataset import service as dataset
from addtocrm.sources.dataset import store as dataset_store
from addtocrm.tenants.accounts import service as accounts

URL = "https://www.linkedin.com/in/gone-example"
STAYS = "https://www.linkedin.com/in/stays-example"
EMAIL = "gone@example.com"
GONE = PersonInput(email=EMAIL, linkedin_url=URL, full_name="Gone Person")
WAITING = """select exists (select from pg_locks where not granted
    and (classid = $1::int and database = (select oid from pg_database where datname = current_database())
         or locktype = 'transactionid' and $1::int = 0))"""
THE_LIST, PEOPLE, A_CONTACT, A_ROW = 1096041286, 1096041289, 79, 0
"""The locks for which somebody waits: three advisory ones, and that of a row."""


@asynccontextmanager
async def world(database_url: str, folder: Path) -> AsyncIterator[tuple[Setup, "asyncpg.Connection[Any]"]]:
    """The services on a database with somebody on the list, and a connection beside them."""
    async with opened(database_url, Settings(data_dir=folder), size=8) as setup:
        await privacy.forget(setup.pool, "somebody.else@example.com")
        beside = await asyncpg.connect(database_url)
        try:
            yield setup, beside
        finally:
            await beside.close()


async def until_waiting(pool: Pool, lock: int) -> None:
    async with asyncio.timeout(60):
        while not await pool.fetchval(WAITING, lock):
            await asyncio.sleep(0.02)


async def account_with_contacts(setup: Setup, email: str = "a@example.com") -> Caller:
    account = await accounts.create(setup.pool, email, "pro")
    await connections.connect(setup, account.id, "builtin")
    return Caller(account.id, "operator", "req_1")


async def list_of(setup: Setup, caller: Caller, *people: PersonInput) -> str:
    made = await lists.create(setup.pool, caller, NewList("People"))
    await lists.add(setup.pool, caller, made.id, people)
    return made.id


async def hold_contacts(beside: "asyncpg.Connection[Any]", when: str = "true") -> None:
    """Contacts are written from now on, and not committed before the lock is free."""
    await beside.execute(
        f"""create function held() returns trigger language plpgsql as $$
            begin perform pg_advisory_xact_lock_shared(79, 0); return null; end $$;
            create trigger held after insert on crm_contacts for each row when ({when}) execute function held()"""
    )
    await beside.execute("select pg_advisory_lock(79, 0)")


async def let_contacts_go(beside: "asyncpg.Connection[Any]") -> None:
    await beside.execute("select pg_advisory_unlock(79, 0)")


def test_a_write_that_waited_for_a_forgetting_is_refused(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writers: list[asyncio.Task[Any]] = []

    async def run() -> None:
        async with world(database_url, tmp_path) as (setup, beside):
            caller = await account_with_contacts(setup)
            await hold_contacts(beside)
            add = store.add

            async def add_beside_a_write(connection: Connection, digests: Any) -> None:
                await add(connection, digests)
                if not writers:
                    writers.append(asyncio.create_task(contacts.upsert(setup, caller, ContactWrite(person=GONE))))
                    await until_waiting(setup.pool, THE_LIST)

            monkeypatch.setattr(store, "add", add_beside_a_write)
            await privacy.forget(setup.pool, EMAIL)
            await let_contacts_go(beside)
            with pytest.raises(ApiError, match="asked"):
                await writers[0]
            assert await beside.fetchval("select count(*) from crm_contacts") == 0

    asyncio.run(run())


def test_what_is_known_late_is_listed_before_anything_is_cleared(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The URL comes to be known between the first search and the list, and is written alone beside the clearing."""
    writers: list[asyncio.Task[Any]] = []

    async def run() -> None:
        async with world(database_url, tmp_path) as (setup, beside):
            caller, other = await account_with_contacts(setup), await account_with_contacts(setup, "b@example.com")
            await hold_contacts(beside, "new.email is null")
            lock, hold = store.lock_exclusively, store.hold_feed

            async def lock_late(connection: Connection) -> None:
                if not writers:
                    await contacts.upsert(setup, caller, ContactWrite(person=GONE))
                await lock(connection)

            async def hold_beside_a_write(connection: Connection) -> None:
                await hold(connection)
                if not writers:
                    alone = ContactWrite(person=PersonInput(linkedin_url=URL))
                    writers.append(asyncio.create_task(contacts.upsert(setup, other, alone)))
                    await until_waiting(setup.pool, A_CONTACT)

            monkeypatch.setattr(store, "lock_exclusively", lock_late)
            monkeypatch.setattr(store, "hold_feed", hold_beside_a_write)
            forgetting = asyncio.create_task(privacy.forget(setup.pool, EMAIL))
            await until_waiting(setup.pool, THE_LIST)
            await let_contacts_go(beside)
            await forgetting
            await asyncio.gather(*writers, return_exceptions=True)
            assert await beside.fetchval("select count(*) from crm_contacts") == 0

    asyncio.run(run())


def test_a_push_that_begins_just_then_has_nothing_of_the_person(database_url: str, tmp_path: Path) -> None:
    async def run() -> None:
        async with world(database_url, tmp_path) as (setup, beside):
            caller = await account_with_contacts(setup)
            list_id = await list_of(setup, caller, GONE, PersonInput(email="stays@example.com"))
            async with setup.pool.acquire() as connection, connection.transaction():
                query = lists_store.MEMBERS_TO_PUSH
                made = await jobs.create_selected(connection, caller, "lists.push", "lists", {}, query, list_id)
                forgetting = asyncio.create_task(privacy.forget(setup.pool, URL))
                await until_waiting(setup.pool, THE_LIST)
            assert (await forgetting).removed["job_items"] == 1
            items = await beside.fetch("select input from job_items where job_id = $1 order by position", made.id)
            assert ["gone" in item["input"] for item in items] == [False, False]

    asyncio.run(run())


def test_a_link_that_is_told_just_then_does_not_stay(database_url: str, tmp_path: Path) -> None:
    async def run() -> None:
        async with world(database_url, tmp_path) as (setup, beside):
            account = await accounts.create(setup.pool, "a@example.com", "pro")
            await setup.pool.execute(
                """insert into crm_connections (id, account_id, crm, name, crm_account_id, crm_account_name, secret)
                   values ('ccn_1', $1, 'hubspot', 'HubSpot', '1', 'x', 'x')""",
                account.id,
            )
            known = digest(f"email:{EMAIL}")
            async with setup.pool.acquire() as db, db.transaction():
                await crm_store.link(db, "ccn_1", "contact", [(known, "email", "r1", "contact", known, None)])
                forgetting = asyncio.create_task(privacy.forget(setup.pool, EMAIL))
                await until_waiting(setup.pool, THE_LIST)
            assert (await forgetting).removed["crm_links"] == 1
            assert await beside.fetchval("select count(*) from crm_links") == 0

    asyncio.run(run())


def test_who_changes_the_list_just_then_and_the_forgetting_both_end(database_url: str, tmp_path: Path) -> None:
    async def run() -> None:
        async with world(database_url, tmp_path) as (setup, beside):
            caller = await account_with_contacts(setup)
            list_id = await list_of(setup, caller, GONE)
            member_id = await beside.fetchval("select id from list_members")
            async with setup.pool.acquire() as connection, connection.transaction():
                await lists_store.lock(connection, caller.account_id, list_id)
                forgetting = asyncio.create_task(privacy.forget(setup.pool, URL))
                await until_waiting(setup.pool, A_ROW)
                assert await lists_store.lock_member(connection, list_id, member_id)
            assert (await forgetting).removed["list_members"] == 1

    asyncio.run(run())


@pytest.mark.parametrize("late", [False, True])
def test_an_import_of_the_person_just_then_and_the_forgetting_both_end(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    """The forgetting comes when the import has written one of its rows, or all of them."""
    forgettings: list[asyncio.Task[Any]] = []

    def file(name: str, title: str, company: str) -> Path:
        people = f"{URL},{title},Old,old.example.com", f"{STAYS},CTO,{company},{company.lower()}.example.com"
        path = tmp_path / name
        path.write_text("\n".join(["linkedin_url,job_title,company_name,company_domain", *people]) + "\n")
        return path

    async def run() -> None:
        async with world(database_url, tmp_path) as (setup, beside):
            await dataset.import_people(setup.pool, file("a.csv", "CEO", "Old"), lambda _: None)
            name = "_write" if late else "_end_employments"
            step = getattr(dataset_store, name)

            async def step_beside_a_forgetting(*arguments: Any) -> Any:
                done = await step(*arguments)
                if not forgettings:
                    forgettings.append(asyncio.create_task(privacy.forget(setup.pool, URL)))
                    await until_waiting(setup.pool, PEOPLE)
                return done

            monkeypatch.setattr(dataset_store, name, step_beside_a_forgetting)
            done = await dataset.import_people(setup.pool, file("b.csv", "President", "New"), lambda _: None)
            assert (await forgettings[0]).removed["people"] == 1
            assert (done.updated, done.suppressed) == (1, 1)
            assert [row["identity"] for row in await beside.fetch("select identity from people")] == [
                "in:stays-example"
            ]

    asyncio.run(run())
