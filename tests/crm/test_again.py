"""Writing again: which contact it is by what was written before, by an id, and by what alone may find it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from memory_crm import Store, definition
from test_service import World, refused

from addtocrm.crm import registry, service
from addtocrm.crm.failures import Unavailable
from addtocrm.crm.model import CompanyWrite

URL = "https://www.linkedin.com/in/jane"
JANE = {"linkedin_url": URL, "full_name": "Jane Doe", "email": "jane@acme.example.com"}


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    store = Store()
    known = registry.load()
    known["memory"], known["slow"] = definition(store), definition(store, "slow", search_lag=3600.0)
    yield World(database_url, tmp_path, store)
    del known["memory"], known["slow"]


def without_linkedin(world: World) -> None:
    del world.store.fields["contact"]["m_linkedin_url"]


def test_a_link_finds_whose_crm_has_no_linkedin_field_and_whose_email_changed(world: World) -> None:
    async def work(world: World) -> None:
        made = await world.write(JANE)
        assert (made.action, made.matched_by) == ("created", None)
        assert "m_linkedin_url" not in world.store.records["contact"][made.contact_id or ""]
        again = await world.write({**JANE, "email": "jane@globex.example.com", "phone": "+1 555 0100"})
        assert (again.contact_id, again.action, again.matched_by) == (made.contact_id, "updated", "linkedin_url")
        assert (again.fields_written, again.fields_kept) == (["phone"], ["email"])
        bare = await world.write({"linkedin_url": URL})
        assert (bare.contact_id, bare.action) == (made.contact_id, "unchanged")
        assert await world.pool.fetchval("select count(*) from crm_links where record_id is null") == 0

    without_linkedin(world)
    world.run(work)


def test_a_link_to_a_contact_that_became_another_person_finds_nobody(world: World) -> None:
    async def work(world: World) -> None:
        person = {"full_name": "Jane Doe", "email": "office@acme.example.com"}
        made = await world.write(person)
        world.store.records["contact"][made.contact_id or ""] |= {
            "m_full_name": "Bob Roe",
            "m_email": "bob@x.example.com",
        }
        again = await world.write(person)
        assert again.action == "created" and again.contact_id != made.contact_id

    world.run(work)


def test_a_link_to_a_contact_that_was_deleted_is_dropped(world: World) -> None:
    async def work(world: World) -> None:
        made = await world.write(JANE)
        del world.store.records["contact"][made.contact_id or ""]
        again = await world.write(JANE)
        assert again.action == "created"
        left = await world.pool.fetch("select distinct record_id from crm_links where kind = 'contact'")
        assert [row["record_id"] for row in left] == [again.contact_id]

    world.run(work)


@pytest.mark.parametrize("crm", ["memory", "slow"])
def test_an_attempt_left_by_a_killed_create_is_found_and_told_as_created(world: World, crm: str) -> None:
    async def work(world: World) -> None:
        await world.connect(crm=crm)
        world.store.after_create = asyncio.Event()
        writer = asyncio.create_task(world.write(JANE))
        while not world.store.records["contact"]:
            await asyncio.sleep(0.01)
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)
        world.store.after_create.set()
        assert await world.pool.fetchval("select count(*) from crm_links where record_id is null") > 0
        assert [one for one in await world.events() if one.startswith("crm.contact")] == []

        done = await world.write(JANE)
        assert (done.action, list(world.store.records["contact"])) == ("created", [done.contact_id])
        assert (await world.events()).count("crm.contact.created") == 1
        assert await world.pool.fetchval("select count(*) from crm_links where record_id is null") == 0
        assert (await world.write(JANE)).action == "unchanged"

    world.run(work)


def test_who_was_typed_in_after_a_failed_create_is_not_told_as_created(world: World) -> None:
    async def work(world: World) -> None:
        world.store.failure = Unavailable(maybe_done=True)
        assert (await refused(world.write({**JANE, "phone": "+15550100100"}))).type == "crm_unavailable"
        world.store.failure = None
        names = {"m_full_name": "Jane Doe", "m_first_name": "Jane", "m_last_name": "Doe"}
        world.store.records["contact"]["typed"] = {**names, "m_email": JANE["email"]}
        done = await world.write({**JANE, "phone": "+15550100100"})
        assert (done.contact_id, done.action, done.fields_written) == ("typed", "updated", ["linkedin_url", "phone"])
        assert [one for one in await world.events() if one.startswith("crm.contact")] == ["crm.contact.updated"]

    world.run(work)


def test_who_may_have_been_made_where_search_is_behind_is_not_made_again(world: World) -> None:
    async def work(world: World) -> None:
        await world.connect(crm="slow")
        world.store.after_create = asyncio.Event()
        writer = asyncio.create_task(world.write(JANE))
        while not (made := dict(world.store.records["contact"])):
            await asyncio.sleep(0.01)
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)
        world.store.after_create.set()
        world.store.records["contact"].clear()  # The search does not know of it yet.
        error = await refused(world.write(JANE))
        assert error.type == "crm_unavailable" and 3000 < (error.retry_after_seconds or 0) <= 3600 + 120
        assert (await world.write(JANE, dry_run=True)).action == "created"
        assert world.store.records["contact"] == {}
        world.store.records["contact"].update(made)
        assert (await world.write(JANE)).contact_id in made

    world.run(work)


def test_a_contact_is_written_to_by_its_id(world: World) -> None:
    async def work(world: World) -> None:
        jane = await world.write(JANE)
        bob = await world.write({"full_name": "Bob Roe", "email": "bob@acme.example.com"})
        done = await world.write({**JANE, "phone": "+1 555 0100"}, contact_id=bob.contact_id)
        assert (done.contact_id, done.matched_by, done.action) == (bob.contact_id, "contact_id", "updated")
        assert {"linkedin_url", "email", "full_name"} <= set(done.fields_kept), "keys of another stay another's"
        over = await world.write(JANE, contact_id=bob.contact_id, on_conflict="overwrite")
        assert over.contact_id == bob.contact_id and {"linkedin_url", "email"} <= set(over.fields_kept)
        there = world.store.records["contact"]
        assert there[bob.contact_id or ""]["m_email"] == "bob@acme.example.com"
        assert there[jane.contact_id or ""]["m_email"] == JANE["email"]
        assert (await refused(world.write(JANE, contact_id="404"))).type == "not_found"
        assert len(there) == 2

    world.run(work)


def test_only_what_is_named_may_find_one(world: World) -> None:
    async def work(world: World) -> None:
        made = await world.write(JANE)
        by_email = {"full_name": "Jane Doe", "email": JANE["email"]}
        found = await world.write(by_email)
        assert (found.contact_id, found.matched_by) == (made.contact_id, "email")
        other = await world.write(by_email, match_by=["linkedin_url"])
        assert other.action == "created" and other.contact_id != made.contact_id
        assert other.fields_kept == ["email"], "it is the first one's"
        for match_by, matched_by in ((["email"], "email"), (["email", "linkedin_url"], "linkedin_url")):
            again = await world.write(JANE, match_by=match_by)
            assert (again.contact_id, again.matched_by) == (made.contact_id, matched_by)

    world.run(work)


def test_a_contact_is_found_by_its_name_and_company(world: World) -> None:
    async def work(world: World) -> None:
        person = {"full_name": "Jane Doe", "company_name": "Acme"}
        made = await world.write({**person, "email": JANE["email"]})
        found = await world.write(person)
        assert (found.contact_id, found.matched_by) == (made.contact_id, "name")
        other = await world.write({**person, "linkedin_url": URL}, match_by=["linkedin_url", "email"])
        assert other.action == "created"

    world.run(work)


def test_a_name_that_several_have_finds_none_of_them_also_by_a_link(world: World) -> None:
    async def work(world: World) -> None:
        person = {"full_name": "Jane Doe", "company_name": "Acme"}
        ids = {(await world.write({**person, "email": f"jane{n}@acme.example.com"})).contact_id for n in range(2)}
        new = await world.write(person)
        assert new.action == "created" and new.contact_id not in ids
        again = await world.write(person)
        assert (again.contact_id, again.action, again.matched_by) == (new.contact_id, "unchanged", "name")

    world.run(work)


def test_a_company_says_what_found_it(world: World) -> None:
    async def work(world: World) -> None:
        async def write(company: Any, **more: Any) -> Any:
            body = msgspec.convert({"company": company, **more}, CompanyWrite)
            return await service.upsert_company(world.crm, world.caller, body)

        made = await write({"name": "Acme", "domain": "acme.example.com"})
        assert (made.action, made.matched_by) == ("created", None)
        assert (await write({"domain": "acme.example.com"})).matched_by == "domain"
        by_name = await write({"name": "ACME Inc."}, dry_run=True)
        assert (by_name.company_id, by_name.matched_by, by_name.values) == (made.company_id, "name", {})

    world.run(work)


def test_a_dry_run_answers_the_values_that_would_be_sent(world: World) -> None:
    async def work(world: World) -> None:
        new = await world.write(
            {"full_name": "Jane Doe", "phone": "+1 555 0100"}, dry_run=True, owner="rep@example.com"
        )
        assert new.values == {
            "m_full_name": "Jane Doe",
            "m_first_name": "Jane",
            "m_last_name": "Doe",
            "m_phone": "+1 555 0100",
            "m_owner": "7",
        }
        made = await world.write({**JANE, "company_name": "Acme", "job_title": "CTO"})
        assert made.values is None
        moved = {**JANE, "company_name": "Globex"}
        there = dict(world.store.records["contact"][made.contact_id or ""])
        told = await world.write(moved, on_conflict="overwrite", dry_run=True, custom_fields={"Score": "7"})
        assert told.values == {"m_company_name": "Globex", "m_company_id": "(new)", "m_job_title": None, "score": 7}
        assert world.store.records["contact"] == {made.contact_id: there}
        assert await world.pool.fetchval("select count(*) from crm_links where record_id is null") == 0

    world.run(work)
