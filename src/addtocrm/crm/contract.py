"""What a connector to a CRM is: its declaration as data, and small operations without rules of their own.

Matching, merging and locking are ours (`matching`, `merge`, `writer`); a connector finds, reads and writes.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

import msgspec

from addtocrm.core.db.pool import Connection, Pool
from addtocrm.core.outgoing.client import Outgoing
from addtocrm.core.outgoing.vendor import Vendor
from addtocrm.core.settings import Settings

Kind = Literal["contact", "company"]
Value: TypeAlias = str | int | float | bool | list[str]
Values: TypeAlias = Mapping[str, Value]
"""Fields by our names (see `fields`); a CRM's own field is `custom_fields.<its name>`. Never a null."""

Changes: TypeAlias = Mapping[str, Value | None]
"""As `Values`, where None empties the field."""

CUSTOM = "custom_fields."

Capability = Literal[
    "contacts", "companies", "notes", "tasks", "owners", "lists", "create_lists", "custom_fields", "open_custom_fields"
]
"""`create_lists`: a list is made by naming it; `open_custom_fields`: so is a custom field."""


class Failure(Exception):
    """What a connector may raise: one of the five below."""


class Expired(Failure):
    """The CRM no longer takes our credentials; the account has to be connected again."""


class RateLimited(Failure):
    """The CRM asks to wait `retry_after` seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"rate limited for {retry_after:g} s")
        self.retry_after = retry_after


class Unavailable(Failure):
    """The CRM did not answer, or failed; it may answer in `retry_after` seconds."""

    def __init__(self, retry_after: float = 30) -> None:
        super().__init__("unavailable")
        self.retry_after = retry_after


class Rejected(Failure):
    """The CRM refuses a value. `field` is our name of it, "" where it is not known which."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class NotFound(Failure):
    """The CRM has no record with this id. `what` says what was looked for: `contact cco_…`."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class NoAuth(msgspec.Struct, frozen=True, tag="none"):
    """Nothing to give."""


class TokenAuth(msgspec.Struct, frozen=True, tag="token"):
    """A token that the CRM's user makes; `where` says where."""

    where: str


class OAuth(msgspec.Struct, frozen=True, tag="oauth"):
    """OAuth 2.0, authorization code grant (RFC 6749 §4.1)."""

    authorize_url: str
    token_url: str
    scopes: tuple[str, ...]


class CrmAccount(msgspec.Struct, frozen=True):
    """The CRM's own account behind the credentials."""

    id: str
    name: str


class Field(msgspec.Struct, frozen=True):
    """A field of the CRM. `name` is the CRM's, `maps_to` ours where it has one."""

    name: str
    label: str
    type: Literal["text", "number", "boolean", "list", "date", "choice", "reference"]
    maps_to: str | None = None
    custom: bool = False
    writable: bool = True
    choices: list[str] = []


class Owner(msgspec.Struct, frozen=True):
    """A user of the CRM who can own records; the default one owns new records where none is named."""

    id: str
    email: str | None
    name: str | None
    is_default: bool = False


class CrmList(msgspec.Struct, frozen=True):
    """A list (segment, audience) of contacts in the CRM."""

    id: str
    name: str


class Record(msgspec.Struct, frozen=True):
    """A contact or company as the CRM has it: `url` is its page there, `values` what is not empty."""

    id: str
    url: str | None
    values: Values


class Task(msgspec.Struct, frozen=True):
    """Something to do about a contact; `owner` is an owner's id."""

    title: str
    description: str | None = None
    due_at: datetime | None = None
    owner: str | None = None


class Access(msgspec.Struct, frozen=True):
    """What a connector is opened with.

    `vendor_account` is the vendor's own name of the account, whose quota is asked for. `secret` is the token in clear.
    `outgoing` is the way to the vendor (see `calling.ask`), in `bulk` after single calls. `db` is for the built-in CRM
    alone; where `writing`, it is the one connection whose transaction the writer commits.
    """

    account_id: str
    vendor_account: str
    settings: Settings
    secret: str | None
    outgoing: Outgoing
    db: Connection | Pool
    writing: bool = False
    bulk: bool = False


class Connector(Protocol):
    """One account's CRM, open for one piece of work.

    Every method may raise Expired, RateLimited, Unavailable, Rejected or NotFound, and nothing else.
    """

    async def info(self) -> CrmAccount:
        """Whose CRM this is; asked once, when it is connected."""
        ...

    async def fields(self, kind: Kind) -> list[Field]: ...

    async def owners(self) -> list[Owner]: ...

    async def lists(self) -> list[CrmList]: ...

    async def find(self, kind: Kind, values: Values) -> list[Record]:
        """Every record that could be the one that `values` describe, the oldest first.

        All that have one of its keys (contact: `linkedin_url`, `email`; company: `domain`, `linkedin_url`), and of
        those of the same name (contact: at the same company) the two oldest, and the oldest that has no key: two are
        enough to know that the name does not decide. More than these does no harm: `matching` judges.
        """
        ...

    async def get(self, kind: Kind, id: str) -> Record: ...

    async def page(self, kind: Kind, after: str | None, limit: int) -> list[Record]:
        """Up to `limit` records in a stable order, from the one after the record with the id `after`."""
        ...

    async def create(self, kind: Kind, values: Values) -> Record: ...

    async def update(self, kind: Kind, id: str, values: Changes) -> Record:
        """The record with `values` written (None empties a field) and its other fields as they were."""
        ...

    async def add_note(self, contact_id: str, text: str) -> str:
        """The new note's id."""
        ...

    async def has_note(self, contact_id: str, text: str) -> bool:
        """Whether the contact has a note with just this text."""
        ...

    async def add_task(self, contact_id: str, task: Task) -> str:
        """The new task's id."""
        ...

    async def create_list(self, name: str) -> CrmList: ...

    async def in_list(self, list_id: str, contact_id: str) -> bool: ...

    async def add_to_list(self, list_id: str, contact_id: str) -> None:
        """Adds the contact; no error where it is in the list already."""
        ...


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """A CRM as data, and `open`, which makes no request of its own.

    `vendor` is how it is called; None for the built-in CRM, whose records are rows of our own database.
    `mapping` has, for each kind, our field names and the CRM's; a field that is not in it is not written.
    """

    name: str
    label: str
    auth: NoAuth | TokenAuth | OAuth
    vendor: Vendor | None
    capabilities: tuple[Capability, ...]
    mapping: Mapping[Kind, Mapping[str, str]]
    open: Callable[[Access], Connector]
