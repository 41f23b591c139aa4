"""The product beside a vendor, with a connected account, at which scenarios are played."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from vendors.base import Vendor

from addtocrm.core.caller import Caller
from addtocrm.core.errors import ApiError
from addtocrm.core.settings import Settings
from addtocrm.crm import calling, connections, contacts, registry, store, writer
from addtocrm.crm.contacts import Asked
from addtocrm.crm.contract import Rule
from addtocrm.crm.model import ContactWrite, WriteResult
from addtocrm.crm.opening import Expected
from addtocrm.crm.setup import Setup, opened
from addtocrm.tenants.accounts import service as accounts

JANE: dict[str, Any] = {
    "linkedin_url": "https://www.linkedin.com/in/jane-doe-example",
    "first_name": "Jane",
    "last_name": "Doe",
    "full_name": "Jane Doe",
    "job_title": "Head of Sales",
    "email": "jane.doe@acme.example.com",
    "company": {"name": "Acme", "domain": "acme.example.com"},
}
WHO = {"first_name": "Jane", "last_name": "Doe", "full_name": "Jane Doe"}
HARD = "O'Neil \"Zoë\" \\ 李; a,b(c) {{x}} %41 <b>&amp; ' or 1=1 -- \\' * ?"
PRIVATE = "private-token-1"
SETTLE_SECONDS = 3600.0
"""Which no test waits for: see `Desk.settled`."""


class Desk:
    """The product on one to three hosts beside a vendor, with a connected account."""

    def __init__(self, vendor: Any, crm: str, account_id: str, setups: list[Setup]) -> None:
        self.vendor, self.crm, self.account_id, self.setups = vendor, crm, account_id, setups
        self.setup = setups[0]
        self.caller = Caller(account_id, "operator", "request-1")

    async def write(self, person: dict[str, Any], host: int = 0, **more: Any) -> WriteResult:
        body = msgspec.convert({"person": person, **more}, ContactWrite)
        return await contacts.upsert(self.setups[host % len(self.setups)], self.caller, body)

    async def fails(self, type: str, person: dict[str, Any], **more: Any) -> ApiError:
        """The error of a write, which is of this type."""
        try:
            done = await self.write(person, **more)
        except ApiError as error:
            assert error.type == type, error
            return error
        raise AssertionError(f"it was written: {done}")

    async def write_many(self, people: list[dict[str, Any]], **more: Any) -> list[Any]:
        asked = [Asked(self.caller, msgspec.convert({"person": one, **more}, ContactWrite)) for one in people]
        return await contacts.upsert_many(self.setup, self.account_id, Expected(), asked)

    async def another(self) -> "Desk":
        """As this one, with another account of ours that has connected the same account of the CRM."""
        account = await accounts.create(self.setup.pool, "other@example.com")
        await connections.connect(self.setup, account.id, self.crm, token=PRIVATE)
        return Desk(self.vendor, self.crm, account.id, self.setups)

    async def settled(self) -> None:
        """Lets the time pass for which the CRM may still be at what it was asked to make."""
        await self.setup.pool.execute(
            "update crm_links set at = at - make_interval(secs => $1) where record_id is null", SETTLE_SECONDS + 60
        )

    async def events(self) -> list[str]:
        rows = await self.setup.pool.fetch("select type from events_outbox order by id")
        return [row["type"] for row in rows]


def people(count: int, companies: int) -> list[dict[str, Any]]:
    """So many people, who work at so many companies in turn."""
    return [
        {
            "linkedin_url": f"https://www.linkedin.com/in/person-{turn}",
            "full_name": f"Person Number{turn}",
            "email": f"person{turn}@acme{turn % companies}.example.com",
            "company": {"name": f"Acme {turn % companies}", "domain": f"acme{turn % companies}.example.com"},
        }
        for turn in range(count)
    ]


Work = Callable[[Desk], Awaitable[None]]


WITHOUT_FULL = {"first_name": "Jane", "last_name": "Doe"}


class AtADesk:
    """`writes` matches the `METHOD /path` of every request that changes a contact, `creates` of those that make one."""

    crm: str
    server: type[Vendor]
    creates: str
    writes: str
    picklist: tuple[str, str]
    """A custom field of contacts with options, and one of these; the server of the tests has it."""
    text_field: str
    """A custom text field of contacts."""
    date_field: str
    """A custom field of contacts for a date."""
    looks: str | None
    """Matches the request at which the CRM last tells what a person typed meanwhile: the write, where that takes a
    precondition, or the look before it; None where the CRM has no way to tell."""
    time_field: str | None = None
    """A custom field of contacts for a time; None where the vendor has none, or it is not written."""
    lists_emails = False
    """Whether all addresses of a contact are in one field."""
    secondary: Rule | None = None
    """What an account adds to the usual rules to keep other addresses, where the vendor has no field of its own."""
    oauth_refreshes = True
    unique_emails = True
    """Whether the vendor takes no two contacts with one address."""
    renames_merged = False
    """Whether a merge gives the record a new id."""
    tells_survivor = False
    """Whether the vendor says which record is left of one that was merged into it."""
    rotates = True
    """Whether a refresh token may be good for one refresh only."""
    first_name_length: int | None = None
    """The characters of a first name that the vendor holds, where a hard one has more."""
    one_name = False
    """Whether a contact's name is one field, of which the vendor itself makes the first and the last name."""
    owner_field: str | None = None
    """The account's own field for the owner of a contact, where the CRM has none by itself."""
    unique_company_names = False
    """Whether the CRM takes no two companies of one name."""
    linkedin_field: str | None = None
    """The contacts' field for LinkedIn URLs that the server of the tests has and an account may do without; None where
    the server has none, or no account is without."""
    site: str | None = None
    """What the server's `put_company` takes for a website with a path, where a company is known by its website."""
    many = 150
    """Namesakes that are more than one answer of the vendor, or what is read of several names together."""
    makes_companies = False
    """Whether the CRM itself makes a company of the domain of a new person's address."""

    @pytest.fixture
    def vendor(self) -> Iterator[Any]:
        with self.server() as vendor:
            self.prepare(vendor)
            yield vendor

    def prepare(self, vendor: Any) -> None:
        """Gives the vendor's account the fields that `picklist` and `text_field` name."""

    @pytest.fixture
    def run(
        self, vendor: Any, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[Callable[..., None]]:
        """Does some work at a desk; afterwards the vendor has refused nothing."""
        monkeypatch.setattr(writer, "LOOK_AGAIN_SECONDS", (0.2, 0.4))
        # For whom the machine stops meanwhile, the time at which a caller is told to come again is not over.
        monkeypatch.setattr(calling, "SINGLE_WAIT_SECONDS", 30.0)
        monkeypatch.setattr(store, "LOCK_SECONDS", 120)
        known = registry.load()
        soon = msgspec.structs.replace(known[self.crm], search_lag=min(known[self.crm].search_lag, 1.5))
        monkeypatch.setitem(known, self.crm, soon)

        def run(work: Work, *, hosts: int = 1, oauth: bool = False, refused: bool = False, **options: str) -> None:
            async def beside() -> None:
                async with self.desk(vendor, database_url, tmp_path, hosts, oauth, options) as desk:
                    await work(desk)

            asyncio.run(beside())
            assert refused or vendor.refused == []

        yield run

    @asynccontextmanager
    async def desk(
        self, vendor: Any, url: str, folder: Path, hosts: int, oauth: bool, options: dict[str, str]
    ) -> AsyncIterator[Desk]:
        name = self.crm.upper()
        client = {f"{name}_CLIENT_ID": "app-1", f"{name}_CLIENT_SECRET": "hush-app-secret"}
        settings = Settings(
            data_dir=folder,
            allow_private_networks=True,
            crm_settle_seconds=SETTLE_SECONDS,
            vendors={f"{name}_URL": vendor.url, **client},
        )
        async with AsyncExitStack() as stack:
            setups = [await stack.enter_async_context(opened(url, settings, size=8)) for _ in range(hosts)]
            account = await accounts.create(setups[0].pool, "owner@example.com")
            desk = Desk(vendor, self.crm, account.id, setups)
            if oauth:
                begun = await connections.begin(setups[0], account.id, self.crm, options=options)
                back = vendor.authorize(begun.authorize_url)
                await connections.finish(setups[0], self.crm, dict(parse_qsl(urlsplit(back).query)))
            else:
                await connections.connect(setups[0], account.id, self.crm, token=PRIVATE, options=options)
            yield desk
