"""Pipedrive: contacts are its persons, companies its organizations, lists its person labels, tasks its activities.

Reference of both API versions, with the cost of each endpoint in tokens: https://developers.pipedrive.com/docs/api/v1.
- v2 has persons, organizations, activities, fields and search, v1 alone notes and users. v2 is strict about names and
  types and says what it refuses as `Validation failed: <field>: <why>` (https://github.com/pipedrive/client-nodejs/
  issues/651; `Unknown key '…'` is seen in public clients). Shapes, soft deletion, channels, `participants`:
  https://pipedrive.readme.io/docs/pipedrive-api-v2-migration-guide.
- Quotas: https://pipedrive.readme.io/docs/core-api-concepts-rate-limiting. From 20 requests in 2 s (API token, Lite) to
  480 (OAuth, Ultimate), as `x-ratelimit-limit` says; `x-ratelimit-reset` are seconds (seen: https://github.com/
  DavidRouyer/pipedrive-dotnet/issues/36); a day's budget of 30,000 tokens × plan × seats.
  `x-daily-ratelimit-token-remaining` is seen, not documented; when the day ends for the vendor is not told.
- Search has a quota of its own, 10 in 2 s, and only the other endpoints keep to the general one:
  https://developers.pipedrive.com/changelog/post/announcing-search-api-rate-limit.
- Tokens last 60 minutes, refresh tokens 60 days since their last use and stay the same; `api_domain`, Basic:
  https://pipedrive.readme.io/docs/marketplace-oauth-authorization; revoking: …/docs/app-uninstallation. The scopes are
  those of the app; that a `scope` parameter is ignored is not confirmed.
- Names of custom fields (40 characters), 255 characters in a text field, 65,000 in a long one, and the fields that only
  Contact Sync makes (403 without it, seen): https://pipedrive.readme.io/docs/core-api-concepts-custom-fields.
- `ids` takes 100, `limit` 500, a search term 2 characters or 1 where it is exact: the reference.
- Not confirmed: for how long search lags (10 s is a guess), that the list endpoint does not lag, that a search over all
  fields sees `website` and `linkedin`, that a search that is not exact matches anywhere in a value (documented of
  `itemSearch/field`, which minds the case).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal, NamedTuple, TypeVar, cast

import msgspec

from addtocrm.core.outgoing.client import Method
from addtocrm.core.outgoing.vendor import Lesson, Quota, Vendor, Window
from addtocrm.crm.contract import (
    Access,
    Changed,
    Changes,
    CrmAccount,
    CrmList,
    Definition,
    Failure,
    Field,
    Fields,
    Kind,
    NotFound,
    OAuth,
    Option,
    Owner,
    Record,
    Rejected,
    Rule,
    Sought,
    Task,
    Term,
    TokenAuth,
    Unavailable,
    UnknownField,
    Update,
    Value,
)
from addtocrm.crm.several import all_together, parts, together
from addtocrm.crm.texts import as_html, plain

T = TypeVar("T")
Raw = dict[str, Any]
ENTITY: Mapping[str, str] = {"contact": "persons", "company": "organizations"}
SINGULAR: Mapping[str, str] = {"contact": "person", "company": "organization"}
KEY = re.compile(r"[0-9a-f]{40}")
REASON = re.compile(r"Validation failed: ([\w.\[\]]+): (.+?)(?:; [\w.\[\]]+: .*)?", re.DOTALL)
NAMED_KEY = re.compile(r"(?:Unknown key|custom field) '(\w+)'")
SCALARS = (str, int, float)
CHANNELS = ("emails", "phones")
NUMBERED = ("owner_id", "org_id", "industry")
CONTACT_SYNC = ("job_title", "birthday", "notes", "postal_address")
DATA = ("industry", "annual_revenue", "employee_count")
READ: Mapping[str, tuple[str, ...]] = {
    "contact": ("name", "first_name", "last_name", "owner_id", "org_id", "label_ids", *CHANNELS, *CONTACT_SYNC),
    "company": ("name", "owner_id", "label_ids", "address", "website", "linkedin", *DATA),
}
SEARCHED: Mapping[str, str] = {"emails": "email", "phones": "phone", "website": "", "linkedin": "", "name": "name"}
"""Where search looks for a field, "" for everywhere; the first decides where a term has several."""
TYPES: Mapping[str, Literal["text", "number", "date", "choice", "choices"]] = {
    **dict.fromkeys(("varchar", "varchar_auto", "text", "phone"), "text"),
    **dict.fromkeys(("double", "int", "user", "org", "people"), "number"),
    "date": "date",
    "enum": "choice",
    "set": "choices",
}
LENGTHS: Mapping[str, int] = {"varchar": 255, "varchar_auto": 255, "text": 65_000}
MADE: Mapping[str, str] = {"text": "varchar", "number": "double", "date": "date", "choice": "enum", "choices": "set"}
ADDRESS = ("locality", "admin_area_level_1", "country")
OTHER_PARTS = (
    "value until currency timezone_name admin_area_level_2 sublocality route street_number subpremise postal_code"
)
SENT = frozenset((*ADDRESS, *OTHER_PARTS.split()))
"""The parts of composites that can be written."""
LONGEST_TERM = 255
AT_ONCE = 4
PAGE = 100
RECENT = timedelta(minutes=5)
WINDOW_SECONDS = 2.0
DAY_SECONDS = 3600.0
"""So long it rests when the day's budget is used up; when its day ends is not told, and more can be bought."""

MAPPING: Mapping[Kind, tuple[Rule, ...]] = {
    "contact": (
        Rule(field="name", from_=("full_name",)),
        Rule(field="first_name", from_=("first_name",), read_only=True),
        Rule(field="last_name", from_=("last_name",), read_only=True),
        Rule(field="emails", from_=("email", "other_emails")),
        Rule(field="phones", from_=("phone", "other_phones")),
        Rule(field="job_title", from_=("job_title",)),
        Rule(field="postal_address.locality", from_=("city",)),
        Rule(field="postal_address.admin_area_level_1", from_=("region",)),
        Rule(field="postal_address.country", from_=("country",)),
        Rule(field="org_id", from_=("company_id",)),
        Rule(field="owner_id", from_=("owner",)),
        Rule(field="organization.name", from_=("company_name",), read_only=True),
        Rule(field="organization.website", from_=("company_domain",), read_only=True),
    ),
    "company": (
        Rule(field="name", from_=("name",)),
        Rule(field="website", from_=("website", "domain")),
        Rule(field="linkedin", from_=("linkedin_url",)),
        Rule(field="employee_count", from_=("employee_count",)),
        Rule(field="address.locality", from_=("city",)),
        Rule(field="address.admin_area_level_1", from_=("region",)),
        Rule(field="address.country", from_=("country",)),
        Rule(field="owner_id", from_=("owner",)),
    ),
}
ALWAYS: Mapping[str, tuple[Field, ...]] = {
    "contact": (
        Field(name="name", label="Name", type="text", max_length=255),
        Field(name="first_name", label="First name", type="text", writable=False),
        Field(name="last_name", label="Last name", type="text", writable=False),
        Field(name="emails", label="Email", type="list"),
        Field(name="phones", label="Phone", type="list"),
        Field(name="org_id", label="Organization", type="reference"),
        Field(name="owner_id", label="Owner", type="reference"),
        Field(name="organization.name", label="Organization's name", type="text", writable=False),
        Field(name="organization.website", label="Organization's website", type="text", writable=False),
    ),
    "company": (
        Field(name="name", label="Name", type="text", max_length=255),
        Field(name="owner_id", label="Owner", type="reference"),
    ),
}


class Answer(msgspec.Struct):
    success: bool = False
    data: Any = None
    additional_data: dict[str, Any] | None = None
    error: str | None = None


class Choice(msgspec.Struct):
    label: str
    id: int | str


class Part(msgspec.Struct):
    field_code: str


class Meta(msgspec.Struct):
    """A field as Pipedrive describes it."""

    field_code: str
    field_name: str
    field_type: str
    options: list[Choice] | None = None
    subfields: list[Part] | None = None
    is_custom_field: bool = False
    is_writable: bool = True


class User(msgspec.Struct):
    id: int
    name: str | None = None
    email: str | None = None
    active_flag: bool = True
    is_you: bool = False
    company_id: int | None = None
    company_name: str | None = None
    company_domain: str | None = None


class Made(msgspec.Struct):
    id: int


class Found(msgspec.Struct):
    item: Made


class Hits(msgspec.Struct):
    items: list[Found]


class Channel(msgspec.Struct):
    value: str = ""
    primary: bool = False
    label: str | None = None


class Note(msgspec.Struct):
    content: str | None = None


class ActivityType(msgspec.Struct):
    key_string: str
    active_flag: bool = True


class Question(NamedTuple):
    where: str
    text: str
    exact: bool


class Pipedrive:
    """The Connector of one account."""

    def __init__(self, access: Access) -> None:
        assert access.calls
        self._calls, self._reads = access.calls, access.reads
        self._page_url = access.page_url
        self._metas: dict[str, list[Meta]] = {}

    async def info(self) -> CrmAccount:
        me = convert((await self._ask("GET", "/api/v1/users/me")).data, User)
        if me.company_id is None:
            raise Unavailable
        domain = me.company_domain or ""
        page = f"https://{domain}.pipedrive.com" if re.fullmatch(r"[\w-]+", domain, re.ASCII) else None
        return CrmAccount(str(me.company_id), me.company_name or domain, page)

    async def fields(self, kind: Kind) -> list[Field]:
        return [*ALWAYS[kind], *(field for meta in await self._described(kind) for field in described(kind, meta))]

    async def owners(self) -> list[Owner]:
        users = convert((await self._ask("GET", "/api/v1/users")).data, list[User])
        return [Owner(str(one.id), one.email, one.name, one.is_you) for one in users if one.active_flag]

    async def lists(self) -> list[CrmList]:
        answer = await self._ask("GET", "/api/v2/personFields/label_ids")
        return [CrmList(str(one.id), one.label) for one in convert(answer.data, Meta).options or []]

    async def find(self, kind: Kind, sought: Sequence[Sought]) -> list[Record]:
        terms = [term for one in sought for term in one.terms]
        if not terms:
            return []
        questions = sorted({question for term in terms for question in asked(term)})
        recent = await self._recent(kind)
        hits = await all_together(questions, partial(self._search, kind), AT_ONCE)
        found = {id for answer in hits for id in answer}
        fresh = [
            raw for id, raw in recent.items() if id in found or any(holds(term, read(kind, raw)) for term in terms)
        ]
        return await self._records(kind, [*fresh, *await self._read(kind, sorted(found - recent.keys()))])

    async def get(self, kind: Kind, ids: Sequence[str]) -> dict[str, Record]:
        return {record.id: record for record in await self._records(kind, await self._read(kind, ids))}

    async def page(self, kind: Kind, after: str | None, limit: int) -> list[Record]:
        rows: list[Raw] = []
        query = {"limit": str(500 if after else min(limit, 500))}
        while len(rows) < limit:
            answer = await self._list(kind, **query)
            rows += [raw for raw in raws_of(answer.data) if after is None or raw["id"] > int(after)]
            if not (cursor := next_cursor(answer)):
                break
            query["cursor"] = cursor
        return await self._records(kind, rows[:limit])

    async def create(self, kind: Kind, rows: Sequence[Fields]) -> list[Record | Failure]:
        return await together(rows, partial(self._create, kind), AT_ONCE)

    async def update(self, kind: Kind, updates: Sequence[Update]) -> list[Record | Failure]:
        return await together(updates, partial(self._update, kind), AT_ONCE)

    async def create_field(self, kind: Kind, field: Field) -> Field:
        type = "text" if (field.max_length or 0) > 255 and field.type == "text" else MADE.get(field.type)
        if type is None:
            raise Rejected(field.name, f"Pipedrive has no custom field of the type {field.type}.")
        body: Raw = {"field_name": field.label, "field_type": type}
        if field.options:
            body["options"] = [{"label": option.label} for option in field.options]
        answer = await self._ask("POST", f"/api/v2/{SINGULAR[kind]}Fields", json=body)
        self._metas.pop(kind, None)
        return described(kind, convert(answer.data, Meta))[0]

    async def add_note(self, contact_id: str, text: str) -> str:
        body = {"content": as_html(text), "person_id": number("", contact_id)}
        answer = await self._ask("POST", "/api/v1/notes", json=body, what=f"contact {contact_id}")
        return str(convert(answer.data, Made).id)

    async def has_note(self, contact_id: str, text: str) -> bool:
        start = 0
        while True:
            query = {"person_id": contact_id, "sort": "add_time DESC", "start": str(start), "limit": str(PAGE)}
            answer = await self._ask("GET", "/api/v1/notes", params=query)
            notes = convert(answer.data or [], list[Note])
            if any(plain(note.content or "") == plain(as_html(text)) for note in notes):
                return True
            paging = (answer.additional_data or {}).get("pagination")
            if len(notes) < PAGE or not isinstance(paging, dict):
                return False
            start += PAGE

    async def add_task(self, contact_id: str, task: Task) -> str:
        who = [{"person_id": number("", contact_id), "primary": True}]
        body: Raw = {"subject": task.title, "type": "task", "participants": who}
        if task.description:
            body["note"] = as_html(task.description)
        if task.owner:
            body["owner_id"] = number("owner", task.owner)
        if task.due_at:
            due = task.due_at.astimezone(UTC)
            body["due_date"] = due.strftime("%Y-%m-%d")
            if due.hour or due.minute:
                body["due_time"] = due.strftime("%H:%M")
        try:
            answer = await self._ask("POST", "/api/v2/activities", json=body, what=f"contact {contact_id}")
        except Rejected as refusal:
            if refusal.field != "type":
                raise
            # Accounts may have deleted the type that is there from the beginning.
            types = convert((await self._ask("GET", "/api/v1/activityTypes")).data, list[ActivityType])
            kept = next((one.key_string for one in types if one.active_flag), None)
            answer = await self._ask("POST", "/api/v2/activities", json={**body, "type": kept})
        return str(convert(answer.data, Made).id)

    async def create_list(self, name: str) -> CrmList:
        for there in await self.lists():
            if there.name.casefold() == name.casefold():
                return there
        answer = await self._ask("POST", "/api/v2/personFields/label_ids/options", json=[{"label": name}])
        made = convert(answer.data, list[Choice])
        if not made:
            raise Unavailable
        return CrmList(str(made[0].id), made[0].label)

    async def in_list(self, list_id: str, contact_ids: Sequence[str]) -> set[str]:
        raws = await self._read("contact", contact_ids)
        return {str(raw["id"]) for raw in raws if list_id in map(str, raw.get("label_ids") or [])}

    async def add_to_list(self, list_id: str, contact_ids: Sequence[str]) -> None:
        label = number("", list_id)
        raws = await self._read("contact", contact_ids)

        async def add(raw: Raw) -> None:
            body: Raw = {"label_ids": [*(raw.get("label_ids") or []), label]}
            path, what = f"/api/v2/persons/{raw['id']}", f"contact {raw['id']}"
            await self._ask("PATCH", path, json=body, idempotent=True, what=what)

        await all_together([raw for raw in raws if label not in (raw.get("label_ids") or [])], add, AT_ONCE)
        if missing := set(contact_ids) - {str(raw["id"]) for raw in raws}:
            raise NotFound(f"contact {min(missing)}")

    async def _ask(
        self, method: Method, path: str, *, what: str = "", vendor: Vendor | None = None, **call: Any
    ) -> Answer:
        reply = await self._calls.ask(method, path, vendor=vendor, **call)
        try:
            answer = msgspec.convert(reply.data, Answer)
        except msgspec.ValidationError:
            raise Unavailable(maybe_done=True) from None
        if reply.status < 300 and answer.success:
            return answer
        raise failure(reply.status, answer.error or "", call.get("json"), what)

    async def _described(self, kind: Kind) -> list[Meta]:
        """All fields as Pipedrive describes them, asked once."""
        if kind not in self._metas:
            metas: list[Meta] = []
            query = {"limit": "500"}
            while True:
                answer = await self._ask("GET", f"/api/v2/{SINGULAR[kind]}Fields", params=query)
                metas += convert(answer.data, list[Meta])
                if not (cursor := next_cursor(answer)):
                    break
                query["cursor"] = cursor
            self._metas[kind] = metas
        return self._metas[kind]

    async def _list(self, kind: Kind, **query: str) -> Answer:
        return await self._ask("GET", f"/api/v2/{ENTITY[kind]}", params={"include_option_labels": "true", **query})

    async def _recent(self, kind: Kind) -> dict[str, Raw]:
        """What was written last, which search may not know of yet."""
        since = (datetime.now(UTC) - RECENT).strftime("%Y-%m-%dT%H:%M:%SZ")
        order = {"sort_by": "update_time", "sort_direction": "desc"}
        answer = await self._list(kind, updated_since=since, limit=str(PAGE), **order)
        return {str(raw["id"]): raw for raw in raws_of(answer.data)}

    async def _search(self, kind: Kind, question: Question) -> list[str]:
        query = {"term": question.text, "limit": str(PAGE)}
        query |= {"fields": question.where} if question.where else {}
        query |= {"exact_match": "true"} if question.exact else {}
        answer = await self._ask("GET", f"/api/v2/{ENTITY[kind]}/search", vendor=SEARCH, params=query)
        return [str(one.item.id) for one in convert(answer.data, Hits).items]

    async def _read(self, kind: Kind, ids: Sequence[str]) -> list[Raw]:
        ids = [id for id in ids if re.fullmatch(r"[0-9]{1,15}", id)]
        if len(ids) == 1:
            query = {"include_option_labels": "true"}
            try:
                answer = await self._ask("GET", f"/api/v2/{ENTITY[kind]}/{ids[0]}", params=query)
            except NotFound:
                return []
            return raws_of([answer.data])

        async def some(part: Sequence[str]) -> Answer:
            return await self._list(kind, ids=",".join(part), limit=str(PAGE))

        answers = await all_together(parts(ids, PAGE), some, AT_ONCE)
        return [raw for answer in answers for raw in raws_of(answer.data)]

    async def _records(self, kind: Kind, raws: Iterable[Raw]) -> list[Record]:
        """The records, the oldest first; contacts with what is wanted of their organizations."""
        known = {raw["id"]: raw for raw in raws}
        organizations: dict[str, Raw] = {}
        if kind == "contact" and any(name.startswith("organization.") for name in self._reads["contact"]):
            linked = {str(raw["org_id"]) for raw in known.values() if raw.get("org_id")}
            organizations = {str(raw["id"]): raw for raw in await self._read("company", sorted(linked))}
        records: list[Record] = []
        for _, raw in sorted(known.items()):
            organization = organizations.get(str(raw.get("org_id")), {})
            more = {f"organization.{name}": organization.get(name) for name in ("name", "website")}
            records.append(self._record(kind, raw, {name: value for name, value in more.items() if value}))
        return records

    def _record(self, kind: Kind, raw: Raw, more: Fields) -> Record:
        url = f"{self._page_url}/{SINGULAR[kind]}/{raw['id']}" if self._page_url else None
        version = raw.get("update_time")
        fields = {**read(kind, raw), **more}
        return Record(kind=kind, id=str(raw["id"]), url=url, fields=fields, version=version and str(version))

    async def _create(self, kind: Kind, row: Fields) -> Record:
        body = await self._body(kind, row, {}, {})
        if not body.get("name"):
            body["name"] = next((text for name in CHANNELS for text in texts_of(row.get(name))), "-")
        answer = await self._ask("POST", f"/api/v2/{ENTITY[kind]}", json=body)
        return self._record(kind, raw_of(answer.data), row)

    async def _update(self, kind: Kind, update: Update) -> Record:
        record, changes, what = update.record, update.changes, f"{update.record.kind} {update.record.id}"
        if not changes:
            return record
        before: Raw = {}
        if update.guarded or any(name in changes for name in CHANNELS):
            there = await self._read(kind, [record.id])
            if not there:
                raise NotFound(what)
            before = there[0]
            if update.guarded and record.version not in (None, before.get("update_time")):
                raise Changed
        body = await self._body(kind, changes, record.fields, before)
        path = f"/api/v2/{ENTITY[kind]}/{record.id}"
        raw = raw_of((await self._ask("PATCH", path, json=body, idempotent=True, what=what)).data)
        if raw.get("is_deleted"):
            raise NotFound(what)
        fields = {name: value for name, value in {**record.fields, **changes}.items() if value is not None}
        return msgspec.structs.replace(record, fields=fields, version=self._record(kind, raw, {}).version)

    async def _body(self, kind: Kind, changes: Changes, before: Fields, raw: Raw) -> Raw:
        """What is sent for `changes` of a record that is `raw`, in our form `before`."""
        body: Raw = {name: value for name, value in changes.items() if "." not in name}
        for head in dict.fromkeys(name.partition(".")[0] for name in changes if "." in name):
            body[head] = composite(head, changes, before)
        custom: Raw = {}
        for name, value in list(body.items()):
            if KEY.fullmatch(name):
                custom[name] = await self._custom(kind, name, body.pop(name))
            else:
                body[name] = standard(name, value, raw)
        return {**body, "custom_fields": custom} if custom else body

    async def _custom(self, kind: Kind, name: str, value: Any) -> Any:
        if isinstance(value, list):
            return [number(name, text) for text in texts_of(value)] or None
        if not isinstance(value, str) or not value.isdecimal():
            return value
        type = next((meta.field_type for meta in await self._described(kind) if meta.field_code == name), "")
        return int(value) if type in ("enum", "double", "user", "org", "people") else value


def convert(data: Any, type: type[T]) -> T:
    try:
        return msgspec.convert(data, type)
    except msgspec.ValidationError:
        raise Unavailable(maybe_done=True) from None


def raw_of(data: Any) -> Raw:
    raw = convert(data, dict[str, Any])
    if not isinstance(raw.get("id"), int):
        raise Unavailable(maybe_done=True)
    return raw


def raws_of(data: Any) -> list[Raw]:
    """The records of an answer that were not deleted."""
    return [raw for raw in map(raw_of, convert(data, list[Any])) if not raw.get("is_deleted")]


def next_cursor(answer: Answer) -> str | None:
    return (answer.additional_data or {}).get("next_cursor") or None


def failure(status: int, text: str, sent: Any, what: str) -> Failure:
    """What an answer that is no success means; `text` is the vendor's."""
    if status == 404:
        return NotFound(what or "record")
    if status == 402:
        return Rejected("", "The Pipedrive account is not open. Check its subscription in Pipedrive.")
    synced = next((name for name in CONTACT_SYNC if name in (cast(Raw, sent) if isinstance(sent, dict) else {})), None)
    if status == 403 and synced and "scope" not in text.casefold():
        return UnknownField(synced, "Pipedrive takes this field only while Contact Sync is on.")
    if status == 403:
        return Rejected(
            "", f"The Pipedrive user or app may not do this ({text or 'forbidden'}). Allow it in Pipedrive."
        )
    if not text or status < 300:
        return Unavailable(maybe_done=True)
    reason = REASON.fullmatch(text)
    field, why = (re.split(r"[.\[]", reason[1])[0], reason[2]) if reason else ("", text)
    named = NAMED_KEY.search(why)
    if "not allowed for this request" in why or "Unknown key" in why:
        return UnknownField(named[1] if named else field, why)
    return Rejected(named[1] if named else field, why)


def asked(term: Term) -> list[Question]:
    """The searches of which one finds whatever the term holds for; none where search cannot look for its fields."""
    if "name" not in term and "first_name" in term and "last_name" in term:
        term = {**term, "name": tuple(f"{a} {b}" for a in term["first_name"] for b in term["last_name"])}
    custom = next((name for name in term if KEY.fullmatch(name.partition(".")[0])), None)
    by = custom or next((name for name in SEARCHED if name in term), None)
    if by is None:
        return []
    texts = {text.strip().lower() for text in term[by]} - {""}
    short = {one for one in texts if not any(two != one and two in one for two in texts)}
    exact = short == texts
    where = SEARCHED.get(by, "custom_fields")
    return [Question(where, text, exact) for text in short if (1 if exact else 2) <= len(text) <= LONGEST_TERM]


def holds(term: Term, fields: Fields) -> bool:
    """Whether a record that has just been written may be meant; of its organization nothing is known here."""
    for name, texts in term.items():
        if name.startswith("organization."):
            continue
        there = {text.casefold() for text in texts_of(fields.get(name))}
        if not there & {text.strip().casefold() for text in texts}:
            return False
    return True


def read(kind: Kind, raw: Raw) -> dict[str, Value]:
    """A record's fields as the contract has them, without what is empty."""
    fields: dict[str, Value] = {}
    standard = {name: raw.get(name) for name in READ[kind]}
    custom = cast(Raw, raw.get("custom_fields")) if isinstance(raw.get("custom_fields"), dict) else {}
    for name, value in {**standard, **custom}.items():
        fields.update(value_of(name, value))
    return fields


def value_of(name: str, value: Any) -> dict[str, Value]:
    if isinstance(value, dict):
        parts = cast(Raw, value)
        if parts.keys() >= {"id", "label"}:
            return {name: str(parts["id"])}
        return {f"{name}.{part}": one for part, one in parts.items() if isinstance(one, SCALARS) and one != ""}
    if isinstance(value, list):
        many = cast(list[Any], value)
        if name in CHANNELS:
            many = [one.value for one in sorted(convert(many, list[Channel]), key=lambda one: not one.primary)]
        texts = [str(cast(Raw, one).get("id") if isinstance(one, dict) else one) for one in many if one]
        return {name: texts} if texts else {}
    if isinstance(value, SCALARS) and value != "":
        return {name: str(value) if name in NUMBERED else value}
    return {}


def composite(head: str, changes: Changes, before: Fields) -> Raw | None:
    """All parts of a field, changed: Pipedrive empties the parts that are not sent. An address needs its full text."""
    prefix = f"{head}."
    old = {name.removeprefix(prefix): value for name, value in before.items() if name.startswith(prefix)}
    changed = {name.removeprefix(prefix): value for name, value in changes.items() if name.startswith(prefix)}
    new = {part: value for part, value in {**old, **changed}.items() if value is not None and part in SENT}
    if "value" not in changed and old.get("value", "") == full_text(old):
        new["value"] = full_text(new)
    return new if any(new.values()) else None


def full_text(parts: Mapping[str, Any]) -> str:
    return ", ".join(str(parts[part]) for part in ("route", *ADDRESS) if parts.get(part))


def standard(name: str, value: Any, raw: Raw) -> Any:
    """A standard field's value as Pipedrive takes it; channels keep the labels that they have."""
    if name in CHANNELS:
        labels = {one.value.casefold(): one.label for one in convert(raw.get(name) or [], list[Channel])}
        return [
            {"value": text, "primary": at == 0, "label": labels.get(text.casefold()) or "work"}
            for at, text in enumerate(texts_of(value))
        ]
    if name == "label_ids":
        return [number(name, text) for text in texts_of(value)]
    return number(name, str(value)) if name in NUMBERED and value is not None else value


def texts_of(value: Any) -> list[str]:
    return [str(one) for one in (cast(list[Any], value) if isinstance(value, list) else [value]) if one is not None]


def number(field: str, id: str) -> int:
    if not re.fullmatch(r"[0-9]{1,15}", id):
        raise Rejected(field, f"{id!r} is no id of Pipedrive.")
    return int(id)


def described(kind: Kind, meta: Meta) -> list[Field]:
    """The fields that one of Pipedrive's is, of which a composite has several; none where we do not read it."""
    name, label = meta.field_code, meta.field_name
    if any(name == one.name for one in ALWAYS[kind]) or not (meta.is_custom_field or name in READ[kind]):
        return []
    if type := TYPES.get(meta.field_type):
        field = Field(
            name=name,
            label=label,
            type=type,
            custom=meta.is_custom_field,
            writable=meta.is_writable,
            max_length=LENGTHS.get(meta.field_type),
            options=[Option(str(one.id), one.label) for one in meta.options or []],
        )
        return [field]
    return [
        Field(
            name=f"{name}.{part.field_code}",
            label=f"{label}: {part.field_code.replace('_', ' ')}",
            type="number" if meta.field_type == "monetary" and part.field_code == "value" else "text",
            custom=meta.is_custom_field,
            writable=meta.is_writable and part.field_code in SENT,
        )
        for part in meta.subfields or [Part("value")]
    ]


def learn(headers: Mapping[str, str]) -> Lesson | None:
    limit = headers.get("x-ratelimit-limit", "")
    return Lesson(within(int(limit))) if re.fullmatch(r"[1-9]\d{0,3}", limit) else None


def throttled(headers: Mapping[str, str], _: Any) -> float | None:
    """When a 429 ends: with the window, or, where the day's budget is used up, at some time that is not told."""
    if re.fullmatch(r"0|-\d+", headers.get("x-daily-ratelimit-token-remaining", "")):
        return DAY_SECONDS
    reset = headers.get("x-ratelimit-reset", "")
    return float(reset) if re.fullmatch(r"\d{1,3}(\.\d+)?", reset) else None


def within(requests: int) -> Quota:
    return Quota((Window(requests, WINDOW_SECONDS),))


VENDOR = Vendor(name="pipedrive", quota=within(20), learn=learn, throttled=throttled)
SEARCH = Vendor(name="pipedrive-search", quota=within(10), part_of=VENDOR, throttled=throttled)

connector = Definition(
    name="pipedrive",
    label="Pipedrive",
    vendor=VENDOR,
    api_url="https://api.pipedrive.com",
    hosts=(".pipedrive.com",),
    token=TokenAuth(where="Pipedrive: Personal preferences, API.", header="x-api-token", scheme=""),
    oauth=OAuth(
        authorize_url="https://oauth.pipedrive.com/oauth/authorize",
        token_url="https://oauth.pipedrive.com/oauth/token",  # noqa: S106
        scopes=("base", "contacts:full", "contact-fields:full", "activities:full", "users:read"),
        basic=True,
        api_key="api_domain",
        revoke_url="https://oauth.pipedrive.com/oauth/revoke",
    ),
    capabilities=(
        *("contacts", "companies", "notes", "tasks", "owners", "lists", "create_lists", "custom_fields"),
        "create_fields",
    ),
    mapping=MAPPING,
    linkedin={
        kind: Field(name="linkedin_url", label="LinkedIn URL", type="text", custom=True, max_length=255)
        for kind in MAPPING
    },
    search_lag=10.0,
    batch=10,
    open=Pipedrive,
)
