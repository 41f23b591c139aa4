"""Several connections of an account, one of them active: switching, disconnecting, and each one's mapping."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from memory_crm import Store, definition
from test_service import World, refused

from addtocrm.core.settings import Settings
from addtocrm.crm import connections, credentials, mappings, oauth, registry, service, store
from addtocrm.crm.contract import Field, Option, Rule
from addtocrm.crm.model import FieldMapping, MappingWrite
from addtocrm.crm.oauth import Tokens
from addtocrm.crm.setup import opened
from addtocrm.tenants.accounts import service as accounts

LINKEDIN = Field(name="m_linkedin_url", label="LinkedIn", type="text", custom=True)
JANE = {"full_name": "Jane Doe", "email": "jane@acme.example.com"}


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    store = Store()
    capabilities = (*definition(store).capabilities, "create_fields")
    known = registry.load()
    known["memory"], known["second"] = (
        definition(store, name, linkedin={"contact": LINKEDIN}, capabilities=capabilities)
        for name in ("memory", "second")
    )
    yield World(database_url, tmp_path, store)
    del known["memory"], known["second"]


async def crms(world: World) -> list[str]:
    return [one.crm for one in await connections.all_of(world.pool, world.caller.account_id)]


async def put(world: World, *rules: Any, **more: Any) -> FieldMapping:
    body = {**({"rules": list(rules)} if rules else {}), **more}
    return await mappings.put(world.crm, world.caller.account_id, msgspec.convert(body, MappingWrite))


async def rules(world: World) -> FieldMapping:
    return await mappings.get(world.crm, world.caller.account_id, "contact")


def test_a_crm_that_was_connected_before_is_switched_to_again(world: World) -> None:
    async def work(world: World) -> None:
        account_id = world.caller.account_id
        await world.connect(crm="second")
        assert await crms(world) == ["second", "memory"]
        assert (await connections.switch(world.pool, account_id, "memory")).crm == "memory"
        assert await crms(world) == ["memory", "second"]
        assert (await connections.switch(world.pool, account_id, "memory")).crm == "memory"
        assert (await world.write(JANE)).crm == "memory"
        assert (await refused(connections.switch(world.pool, account_id, "third"))).type == "crm_not_connected"
        told = [one for one in await world.events() if not one.startswith("crm.contact")]
        assert told == ["crm.connected", "crm.switched", "crm.switched"], "the second time nothing changed"

    world.run(work)


def test_an_export_is_of_the_crm_that_it_began_with(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "EXPORT_PAGE", 2)

    async def names(world: World, first: str, then: str) -> list[str | None]:
        await connections.switch(world.pool, world.caller.account_id, first)
        found: list[str | None] = []
        async for page in service.all_contacts(world.crm, world.caller.account_id):
            found += [one.full_name for one in page]
            await connections.switch(world.pool, world.caller.account_id, then)
        return found

    async def work(world: World) -> None:
        for number in range(5):
            await world.write({"full_name": f"There {number}"})
        await connections.connect(world.crm, world.caller.account_id, "builtin")
        for number in range(5):
            await world.write({"full_name": f"Own {number}"})
        assert sorted(map(str, await names(world, "memory", "builtin"))) == [f"There {number}" for number in range(5)]
        assert sorted(map(str, await names(world, "builtin", "memory"))) == [f"Own {number}" for number in range(5)]
        pages = service.all_contacts(world.crm, world.caller.account_id)
        assert len(await anext(pages)) == 2
        await connections.disconnect(world.crm, world.caller.account_id)
        assert (await refused(anext(pages))).type == "crm_not_connected"

    world.run(work)


def test_of_two_accounts_at_one_crm_one_is_named(world: World) -> None:
    async def work(world: World) -> None:
        account_id = world.caller.account_id
        world.store.portal = "portal-2"
        await world.connect()
        for work in (
            connections.switch(world.pool, account_id, "memory"),
            connections.disconnect(world.crm, account_id, "memory"),
        ):
            error = await refused(work)
            assert error.type == "validation_error" and "portal-1" in error.message and "portal-2" in error.message
        assert (await connections.switch(world.pool, account_id, "portal-1")).account_id == "portal-1"
        assert (await connections.switch(world.pool, account_id, "portal-2")).account_id == "portal-2"

    world.run(work)


def test_a_kept_crm_is_disconnected_and_the_active_one_stays(world: World) -> None:
    async def work(world: World) -> None:
        account_id = world.caller.account_id
        await world.connect(crm="second")
        assert (await connections.disconnect(world.crm, account_id, "memory")).crm == "memory"
        assert await crms(world) == ["second"]
        assert (await connections.info(world.pool, account_id)).crm == "second"
        assert (await refused(connections.disconnect(world.crm, account_id, "memory"))).type == "crm_not_connected"
        await world.connect()
        assert (await connections.disconnect(world.crm, account_id)).crm == "memory"
        assert (await refused(world.write(JANE))).type == "crm_not_connected", "the kept one does not step in"
        assert (await connections.switch(world.pool, account_id, "second")).crm == "second"
        assert (await world.write(JANE)).crm == "second"
        told = [one for one in await world.events() if one.endswith("connected")]
        assert told == ["crm.connected", "crm.disconnected", "crm.disconnected"]

    world.run(work)


def test_a_connection_keeps_its_mapping_and_links_until_it_is_ended(world: World) -> None:
    async def work(world: World) -> None:
        made = await world.write(JANE)
        await put(world, {"field": "tier", "constant": "gold"})
        await world.connect(crm="second")
        assert (await rules(world)).is_default
        await world.connect()
        assert [rule.field for rule in (await rules(world)).rules] == ["tier"]
        assert (await world.write(JANE)).contact_id == made.contact_id
        await connections.disconnect(world.crm, world.caller.account_id)
        assert await world.pool.fetchval("select count(*) from crm_links") == 0
        await world.connect()
        assert (await rules(world)).is_default

    world.run(work)


def test_own_rules_say_what_is_written(world: World) -> None:
    world.store.fields["contact"]["size"] = Field(
        name="size",
        label="Size",
        type="choice",
        custom=True,
        options=[Option("s", "Small"), Option("l", "Large")],
    )

    async def work(world: World) -> None:
        usual = await rules(world)
        assert usual.is_default and Rule(field="m_email", from_=("email",)) in usual.rules
        own = await put(
            world,
            {"field": "m_full_name", "from": ["full_name"]},
            {"field": "m_email", "from": ["email"]},
            {"field": "tier", "constant": "gold"},
            {"field": "m_job_title", "from": ["job_title", "headline"]},
            {"field": "size", "from": ["seniority"], "values": {"junior": "s", "senior": "Large"}},
        )
        assert not own.is_default and len(own.rules) == 5
        first = await world.write({**JANE, "job_title": " ", "headline": "Sells", "seniority": "Senior", "phone": "1"})
        there = world.store.records["contact"]
        assert there[first.contact_id or ""] == {
            "m_full_name": "Jane Doe",
            "m_email": JANE["email"],
            "tier": "gold",
            "m_job_title": "Sells",
            "size": "l",
        }
        second = await world.write(
            {"full_name": "Bob Roe", "job_title": "CTO", "headline": "Leads", "seniority": "junior"}
        )
        assert there[second.contact_id or ""]["m_job_title"] == "CTO"
        assert there[second.contact_id or ""]["size"] == "s"
        assert (await world.write({"full_name": "Bob Roe", "job_title": "CTO"})).action == "unchanged"
        there[second.contact_id or ""]["tier"] = "silver"
        kept = await world.write({"full_name": "Bob Roe"})
        assert (kept.action, kept.fields_kept) == ("unchanged", []), "a constant fills, and nobody sent it"
        error = await refused(world.write({"full_name": "Ann Poe", "seniority": "owner"}))
        assert error.details[0].path == "person.seniority" and "Small, Large" in error.message
        assert (await put(world)).is_default
        assert (await world.write({"full_name": "Cy Coe", "phone": "1"})).fields_written[-1] == "phone"

    world.run(work)


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ({"field": "nope", "from": ["email"]}, "rules[1].field"),
        ({"field": "m_full_name", "from": ["full_name"]}, "rules[1].field"),
        ({"field": "locked", "from": ["email"]}, "rules[1].field"),
        ({"field": "m_email", "from": ["mail"]}, "rules[1].from"),
        ({"field": "m_email"}, "rules[1]"),
        ({"field": "score", "constant": "many"}, "rules[1].constant"),
        ({"field": "vip", "from": ["seniority"], "values": {"owner": "perhaps"}}, "rules[1].values"),
    ],
)
def test_a_rule_that_the_crm_cannot_have_is_refused_by_its_path(world: World, rule: Any, path: str) -> None:
    world.store.fields["contact"]["locked"] = Field(name="locked", label="Locked", type="text", writable=False)

    async def work(world: World) -> None:
        error = await refused(put(world, {"field": "m_full_name", "from": ["full_name"]}, rule))
        assert (error.type, error.details[0].path) == ("validation_error", path)
        assert (await rules(world)).is_default

    world.run(work)


def test_a_field_for_linkedin_urls_is_made_on_request(world: World) -> None:
    del world.store.fields["contact"]["m_linkedin_url"]

    async def work(world: World) -> None:
        assert not any("linkedin_url" in rule.from_ for rule in (await rules(world)).rules)
        made = await put(world, create_linkedin_field=True)
        assert made.is_default and Rule(field="m_linkedin_url", from_=("linkedin_url",)) in made.rules
        assert (await put(world, create_linkedin_field=True)).rules == made.rules
        assert world.store.calls.count("create_field") == 1
        fields, _ = await service.fields(world.crm, world.caller.account_id, "contact", None, 100)
        assert [one.name for one in fields if one.maps_to == "linkedin_url"] == ["m_linkedin_url"]

    world.run(work)


def test_the_newest_tokens_are_taken_back(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process renews the tokens while the connection is ended."""
    taken: list[Tokens] = []

    async def revoke(outgoing: Any, settings: Any, definition: Any, tokens: Tokens, auth_url: Any) -> None:
        taken.append(tokens)

    async def run() -> None:
        async with opened(database_url, Settings(data_dir=tmp_path), size=6) as setup:
            account = await accounts.create(setup.pool, "renewed@example.com", "pro")

            def sealed(name: str) -> bytes:
                return credentials.seal(setup, account.id, Tokens(access_token=name, refresh_token=name))

            names = {"id": "ccn_1", "account_id": account.id, "crm": "hubspot", "name": "HubSpot", "options": "{}"}
            async with setup.pool.acquire() as db:
                made = {**names, "crm_account_id": "1", "crm_account_name": "x", "secret": sealed("old")}
                await store.connect(db, made)
            row = await store.connection(setup.pool, "ccn_1")
            assert row
            disconnect = store.disconnect

            async def renewed_before(db: Any, id: str) -> Any:
                await store.renew(setup.pool, id, row["connected_at"], sealed("new"))
                return await disconnect(db, id)

            monkeypatch.setattr(store, "disconnect", renewed_before)
            await connections.disconnect(setup, account.id)

    monkeypatch.setattr(oauth, "revoke", revoke)
    asyncio.run(run())
    assert [one.refresh_token for one in taken] == ["new"]
