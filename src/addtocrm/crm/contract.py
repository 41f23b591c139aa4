"""What a connector to a CRM is: its declaration as data, and small operations without rules of their own.

Matching, merging, mapping and locking are ours (`matching`, `merge`, `mapping`, `writer`); a connector finds, reads and
writes. It speaks in the CRM's own fields, by the names that `fields` lists, with a composite field's parts as
`location.city`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias

import msgspec

from addtocrm.core.db.pool import Connection, Pool
from addtocrm.core.outgoing.vendor import Vendor
from addtocrm.core.settings import Settings
from addtocrm.crm.calling import Calls
from addtocrm.crm.failures import Failure
from addtocrm.crm.kinds import Kind

Value: TypeAlias = str | int | float | bool | list[str]
Values: TypeAlias = Mapping[str, Value]
"""Fields by our names (see `values`); a CRM's own field is `custom_fields.<its name>`. Never a null."""
Fields: TypeAlias = Mapping[str, Value]
"""Fields by the CRM's names; what is empty is left out."""
Changes: TypeAlias = Mapping[str, Value | None]
"""As `Fields`, where None empties the field."""

CUSTOM = "custom_fields."

Capability = Literal[
    "contacts",
    "companies",
    "notes",
    "tasks",
    "owners",
    "lists",
    "create_lists",
    "custom_fields",
    "open_custom_fields",
    "create_fields",
]
"""`create_lists`: a list is made by naming it; `open_custom_fields`: so is a custom field; `create_fields`: a field
is made on request."""


class TokenAuth(msgspec.Struct, frozen=True, kw_only=True):
    """A token that the CRM's user makes; `where` says where.

    It goes into `header`, after `scheme`. `grant`: it is not the token itself, but what one is got for at the OAuth
    token address: `CLIENT_ID:CLIENT_SECRET`, with `@HOST` where that is at a host of its own, for client credentials
    (RFC 6749 §4.4), a code of the deployment's app for authorization_code. Another text is a token itself.
    """

    where: str
    header: str = "authorization"
    scheme: str = "Bearer"
    grant: Literal["client_credentials", "authorization_code"] | None = None


Refusal = Literal["grant", "app", "often"]
"""What a token endpoint refuses: the code or token that was given, the deployment's app, or to be asked so often."""


class OAuth(msgspec.Struct, frozen=True, kw_only=True):
    """OAuth 2.0, authorization code grant (RFC 6749 §4.1).

    `pkce`: with S256 (RFC 7636). `basic`: the app names itself to `token_url` by HTTP Basic, else in the body. `extra`
    are further parameters of the authorization request. `api_key` is the name under which the token answer has the
    address to go on at, `auth_key` that under which the callback has the address of the token endpoint. `revoke_url`
    takes a token back (RFC 7009). `refusals` are texts of the token endpoint's answers by which it refuses, where they
    are not those of RFC 6749 §5.2.
    """

    authorize_url: str
    token_url: str
    scopes: tuple[str, ...]
    separator: str = " "
    pkce: bool = False
    basic: bool = False
    scheme: str = "Bearer"
    extra: Mapping[str, str] = {}
    api_key: str | None = None
    auth_key: str | None = None
    revoke_url: str | None = None
    refusals: Mapping[str, Refusal] = {}


class CrmAccount(msgspec.Struct, frozen=True):
    """The CRM's own account behind the credentials. `page_url` is where its pages are, for links to records."""

    id: str
    name: str
    page_url: str | None = None


class Option(msgspec.Struct, frozen=True):
    """A choice of a field: what is written, and what people see."""

    value: str
    label: str


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A field of the CRM. `name` is the CRM's; `maps_to` is ours that goes there by the rules in force, which no
    connector says.

    `form` is a form that the CRM insists on: of a phone number E.164, of a country ISO 3166-1 alpha-2; `single` is one
    address or number, whole: the first of several.
    """

    name: str
    label: str
    type: Literal["text", "number", "boolean", "list", "date", "datetime", "choice", "choices", "reference"]
    maps_to: str | None = None
    custom: bool = False
    writable: bool = True
    max_length: int | None = None
    options: list[Option] = []
    form: Literal["e164", "iso2", "single"] | None = None


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


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A contact, lead or company as the CRM has it: `url` is its page there, `fields` what is not empty.

    `version` is what the CRM tells changes by, for `Update.version`; `created_at` is when it was made (ISO 8601), None
    where the CRM does not say.
    """

    kind: Kind
    id: str
    url: str | None
    fields: Fields
    version: str | None = None
    created_at: str | None = None


Term: TypeAlias = Mapping[str, tuple[str, ...]]
"""Fields of the CRM, each with the texts of which it has one (in any case); all of the fields hold."""


class Sought(msgspec.Struct, frozen=True):
    """Somebody, or a company, to look for: by our names, and as terms of the CRM's fields, of which one holds.

    `within` is a term too, whose texts may be any part of what a field has.
    """

    values: Values
    terms: tuple[Term, ...]
    within: Term = {}


class Found(list[Record]):
    """The records that a connector found. `cut` are terms of which it did not read all, those of one field by some of
    their texts."""

    def __init__(self, records: Iterable[Record] = (), cut: Sequence[Term] = ()) -> None:
        super().__init__(records)
        self.cut = cut

    def is_cut(self, term: Term) -> bool:
        """Whether there may be more for which the term holds."""
        return any(
            one.keys() == term.keys() and all(set(one[name]) <= set(term[name]) for name in one) for one in self.cut
        )


class Update(msgspec.Struct, frozen=True):
    """What to change in a record that was read as `record`; where `guarded` and the CRM can, only if it is still so."""

    record: Record
    changes: Changes
    guarded: bool = False

    def done(self, version: str | None) -> Record:
        """The record with the changes, as it is from `version` on."""
        fields = {name: value for name, value in {**self.record.fields, **self.changes}.items() if value is not None}
        return msgspec.structs.replace(self.record, fields=fields, version=version)


class Task(msgspec.Struct, frozen=True):
    """Something to do about a contact; `owner` is an owner's id."""

    title: str
    description: str | None = None
    due_at: datetime | None = None
    owner: str | None = None


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """What a connector is opened with.

    `calls` is the way to the vendor, None for the built-in CRM, for which `db` is: where `writing`, the one connection
    whose transaction the writer commits. `reads` are the CRM's fields that records are wanted with; more do no harm.
    `page_url` is that of the connection's CrmAccount, `options` are its settings (see `Definition.options`).
    """

    account_id: str
    settings: Settings
    db: Connection | Pool
    calls: Calls | None = None
    reads: Mapping[Kind, set[str]] = msgspec.field(
        default_factory=lambda: {"contact": set(), "company": set(), "lead": set()}
    )
    options: Mapping[str, str] = {}
    page_url: str | None = None
    writing: bool = False


class Connector(Protocol):
    """One account's CRM, open for one piece of work.

    Every method may raise a Failure, and nothing else. Those that take several do them together where the CRM has a
    way, in as many requests as it needs; what fails alone is given as its Failure, in its place.
    """

    async def info(self) -> CrmAccount:
        """Whose CRM this is; asked once, when it is connected."""
        ...

    async def fields(self, kind: Kind) -> list[Field]: ...

    async def owners(self) -> list[Owner]: ...

    async def lists(self) -> list[CrmList]: ...

    async def find(self, kind: Kind, sought: Sequence[Sought]) -> Found:
        """Every record for which a term of one of `sought` holds, each once, the oldest first.

        For contacts, leads too where the CRM has them. More than these does no harm: `matching` judges. Where there are
        so many of one name that an answer is full, each name is asked for alone; of one that is still too much, the
        oldest are given, and the term in `Found.cut`.
        """
        ...

    async def get(self, kind: Kind, ids: Sequence[str]) -> dict[str, Record]:
        """The records by id, without those that there are not. For contacts, leads too. In place of one that was merged
        into another comes that one, where the CRM says which."""
        ...

    async def page(self, kind: Kind, after: str | None, limit: int) -> list[Record]:
        """Up to `limit` records in a stable order, from the one after the record with the id `after`."""
        ...

    async def create(self, kind: Kind, rows: Sequence[Fields]) -> list[Record | Failure]:
        """The new records, with the fields that were sent at least."""
        ...

    async def update(self, kind: Kind, updates: Sequence[Update]) -> list[Record | Failure]:
        """The records with the changes written and their other fields as they were."""
        ...

    async def create_field(self, kind: Kind, field: Field) -> Field:
        """Makes a field, and gives it as `fields` does. With the capability `create_fields`."""
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

    async def in_list(self, list_id: str, contact_ids: Sequence[str]) -> set[str]:
        """Those of the contacts that are on the list."""
        ...

    async def add_to_list(self, list_id: str, contact_ids: Sequence[str]) -> None:
        """Adds the contacts; no error where they are on the list already."""
        ...


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one field of the CRM, `field`, gets: the first of ours in `from_` that is not empty (a list takes all of
    them), else `constant`. `values` says what of ours becomes what of the CRM's. `read_only`: it is read, not written.
    """

    field: str
    from_: tuple[str, ...] = msgspec.field(default=(), name="from")
    constant: Value | None = None
    values: Mapping[str, str] = {}
    read_only: bool = False


class Pace(msgspec.Struct, frozen=True):
    """What a push asks of the CRM, about: requests for each contact, and contacts in a second at the usual quota."""

    requests_a_contact: float
    contacts_a_second: float


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """A CRM as data, and `open`, which makes no request of its own. `needs` says what it takes to connect it.

    `vendor` is how it is called; None for the built-in CRM, whose records are rows of our own database. `api_url` is
    where; an address that it gives is followed where its host is one of `hosts` (a name with a dot before it: any
    below it). `mapping` is what accounts begin with; a rule for a field that the account's CRM does not have is left
    out. `linkedin` is the field that is made on request where there is none for LinkedIn URLs. `options` are the
    connection's settings with the values they take, the first is the default. `forbids` says of a 401's body that the
    token lacks a permission, not that it ended. `search_lag` are the seconds that its search may be behind its writes.
    `batch` contacts are written together; `pace` is that of a push, None for the built-in CRM.
    """

    name: str
    label: str
    vendor: Vendor | None
    needs: str = ""
    api_url: str = ""
    hosts: tuple[str, ...] = ()
    token: TokenAuth | None = None
    oauth: OAuth | None = None
    capabilities: tuple[Capability, ...]
    mapping: Mapping[Kind, tuple[Rule, ...]]
    linkedin: Mapping[Kind, Field] = {}
    options: Mapping[str, tuple[str, ...]] = {}
    forbids: Callable[[Any], bool] | None = None
    search_lag: float = 0.0
    batch: int = 1
    pace: Pace | None = None
    open: Callable[[Access], Connector]
