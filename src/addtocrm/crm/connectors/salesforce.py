"""Salesforce: its REST API, with SOQL to find and read, and collections and composite requests to write together.

What is relied on, and where Salesforce says so (`D` is https://developer.salesforce.com/docs, `R` is
D/atlas.en-us.262.0.api_rest.meta/api_rest):
- Version 66.0 (Spring '26) is supported for 3 years at least: D/platform/connect-rest-api/guide/intro_api_eol.html
- Collections take 200 rows, and a row fails alone: R/resources_composite_sobjects_collections_create.htm
- A composite request is one call for the quota, with 25 subrequests, of which 5 are queries; a subrequest takes any
  header but Accept, Authorization, Content-Type: R/resources_composite_composite_post.htm
- `If-Unmodified-Since` on a PATCH, else 412: R/intro_rest_conditional_requests.htm. It is compared to the last change,
  and tells seconds apart.
- A SOQL statement holds 100,000 characters, a text in it 4,000: D/atlas.en-us.salesforce_app_limits_cheatsheet.meta/
  salesforce_app_limits_cheatsheet/salesforce_app_limits_platform_soslsoql.htm
- An address holds 16,384 bytes, so queries go into composite requests: https://help.salesforce.com/s/articleView?id=000386264
- Escapes in SOQL: D/atlas.en-us.254.0.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_quotedstringescapes.htm
- A daily quota per org (REQUEST_LIMIT_EXCEEDED), and 25 requests longer than 20 s at a time, 5 in a trial org:
  D/platform/salesforce-app-limits-cheatsheet/guide/salesforce-app-limits-platform-api.html
- Notes and their links: D/atlas.en-us.api.meta/api/sforce_api_objects_contentnote.htm
- A new field is seen by those whose profile's permission set says so (FieldPermissions):
  D/atlas.en-us.252.0.object_reference.meta/object_reference/sforce_api_objects_fieldpermissions.htm
- OAuth endpoints: https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_endpoints.htm
Not confirmed: the body of a 412 (it is not read); that an unknown field in a collection refuses the whole request (it
may also refuse the row alone); that ContentNote may stand in a composite request ("all sObject resources" may).
"""

import asyncio
import base64
import hashlib
import html
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from email.utils import format_datetime
from typing import Any, NamedTuple, NoReturn, TypeAlias, TypeVar, cast
from urllib.parse import quote

import msgspec

from addtocrm.core import times
from addtocrm.core.outgoing.client import Method, Reply
from addtocrm.core.outgoing.vendor import Quota, Vendor
from addtocrm.crm.contract import (
    Access,
    Changed,
    Changes,
    CrmAccount,
    CrmList,
    Definition,
    Duplicate,
    Expired,
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
from addtocrm.crm.several import parts

T = TypeVar("T")
OBJECTS: dict[Kind, str] = {"contact": "Contact", "lead": "Lead", "company": "Account"}
KINDS: dict[str, Kind] = {"003": "contact", "00Q": "lead", "001": "company"}
"""By the beginning of an id."""
UNKNOWN = "[not provided]"
"""What a field holds that must not be empty, and of which nothing is known; it is read as empty."""
REQUIRED = {"Contact": ("LastName",), "Lead": ("LastName", "Company"), "Account": ("Name",)}
TYPES: dict[str, str] = {
    **dict.fromkeys(("string", "textarea", "email", "phone", "url", "combobox"), "text"),
    **dict.fromkeys(("int", "long", "double", "currency", "percent"), "number"),
    "boolean": "boolean",
    "date": "date",
    "reference": "reference",
    "picklist": "choice",
    "multipicklist": "choices",
}
MADE: dict[str, dict[str, Any]] = {
    "text": {"type": "Text", "length": 255},
    "number": {"type": "Number", "precision": 18, "scale": 2},
    "boolean": {"type": "Checkbox", "defaultValue": "false"},
    "date": {"type": "Date"},
}
"""How fields are made, by our type."""
LINKEDIN = "LinkedIn_URL__c"


def _rules(*rules: str) -> tuple[Rule, ...]:
    """Rules of the form `their field: ours, ours`; `<` before theirs says that it is read only."""
    split = [rule.split(": ") for rule in rules]
    return tuple(
        Rule(field=theirs.lstrip("<"), from_=tuple(ours.split(", ")), read_only=theirs.startswith("<"))
        for theirs, ours in split
    )


BOTH = (f"{LINKEDIN}: linkedin_url", "OwnerId: owner", "Phone: phone")
PERSON = (*BOTH, "Email: email", "FirstName: first_name", "LastName: last_name", "Title: job_title")
PLACE = (("City", "city"), ("State", "region"), ("Country", "country"))
MAPPING: dict[Kind, tuple[Rule, ...]] = {
    "contact": _rules(
        *PERSON,
        *(f"Mailing{theirs}: {ours}" for theirs, ours in PLACE),
        "Department: department",
        "AccountId: company_id",
        "<Account.Name: company_name",
        "<Account.Website: company_domain",
    ),
    "lead": _rules(
        *PERSON, *(f"{theirs}: {ours}" for theirs, ours in PLACE), "Company: company_name", "Website: company_domain"
    ),
    "company": _rules(
        *BOTH,
        *(f"Billing{theirs}: {ours}" for theirs, ours in PLACE),
        "Name: name",
        "Website: website, domain",
        "NumberOfEmployees: employee_count",
        "Description: description",
    ),
}


LINKEDIN_FIELDS: dict[Kind, Field] = {
    kind: Field(name=LINKEDIN, label="LinkedIn URL", type="text", custom=True, max_length=255) for kind in MAPPING
}


class Picked(msgspec.Struct):
    value: str | None = None
    label: str | None = None
    active: bool = True


class Described(msgspec.Struct, rename="camel"):
    """A field as Salesforce describes it."""

    name: str
    type: str
    label: str = ""
    length: int = 0
    custom: bool = False
    createable: bool = False
    updateable: bool = False
    filterable: bool = True
    relationship_name: str | None = None
    picklist_values: list[Picked] = []


class DescribedObject(msgspec.Struct):
    fields: list[Described]


def fields_of(kind: Kind, described: list[Described]) -> list[Field]:
    by_name = {one.name: one for one in described}
    found = [_field(kind, one, by_name.get(f"{one.name}Code")) for one in described if one.type in TYPES]
    linked = [rule for rule in MAPPING[kind] if "." in rule.field]
    return found + [
        Field(name=rule.field, label=rule.field.replace(".", " "), type="text", writable=False) for rule in linked
    ]


def _field(kind: Kind, one: Described, code: Described | None) -> Field:
    """The field as ours. Of a state or country whose code is a picklist, the names are the choices."""
    named = code if code and code.type == "picklist" and one.type == "string" else None
    type = "choice" if named else TYPES[one.type]
    picked = [pick for pick in (named or one).picklist_values if pick.active and pick.value]
    options = {(pick.label if named else pick.value) or "": pick.label or pick.value or "" for pick in picked}
    return Field(
        name=one.name,
        label=one.label or one.name,
        type=cast(Any, type),
        custom=one.custom,
        writable=one.createable and one.updateable,
        max_length=one.length or None if type == "text" else None,
        form="single" if one.type in ("email", "phone") else None,
        options=[Option(value, label) for value, label in options.items()],
    )


def new_field(name: str, field: Field) -> dict[str, Any]:
    """What makes the custom field; one for LinkedIn URLs is an external id, so that it is indexed."""
    if field.type not in MADE:
        raise Rejected(field.name, f"A field of type {field.type} has to be made in Salesforce.")
    indexed = {"externalId": True} if field.name == LINKEDIN else {}
    return {"FullName": f"{name}.{field.name}", "Metadata": {"label": field.label, **MADE[field.type], **indexed}}


def sent(name: str, changes: Changes, *, new: bool = False) -> dict[str, Any]:
    """The fields as they are sent; what must not be empty is unknown where it would be."""
    body: dict[str, Any] = dict.fromkeys(REQUIRED[name], None) if new else {}
    body |= {field: _plain(value) for field, value in changes.items()}
    return body | {field: UNKNOWN for field in REQUIRED[name] if field in body and body[field] in (None, "")}


def _plain(value: Value | None) -> Value | None:
    return ";".join(value) if isinstance(value, list) else value


def read(row: dict[str, Any]) -> dict[str, Value]:
    """The fields of a row that are not empty, those of a record that it refers to as `Account.Name`."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{inner}": held for inner, held in cast(dict[str, Any], value).items()}
        else:
            flat[name] = value
    return {
        name: value
        for name, value in flat.items()
        if not name.startswith("attributes.")
        and isinstance(value, str | int | float | bool)
        and value not in ("", UNKNOWN)
    }


GONE = ("ENTITY_IS_DELETED", "NOT_FOUND", "CANNOT_UPDATE_CONVERTED_LEAD")
NO_REFERENCE = ("INVALID_CROSS_REFERENCE_KEY", "MALFORMED_ID")
PASSING = ("UNABLE_TO_LOCK_ROW", "QUERY_TIMEOUT", "SERVER_UNAVAILABLE", "PROCESSING_HALTED", "UNKNOWN_EXCEPTION")
FORBIDDEN = ("NOT_FOUND", "INVALID_TYPE", "API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED", "FUNCTIONALITY_NOT_ENABLED")


class Problem(msgspec.Struct, rename="camel"):
    """What Salesforce says is wrong; the code has one name in collections and another elsewhere."""

    message: str = ""
    status_code: str = ""
    error_code: str = ""
    fields: list[str] | None = None
    duplicate_result: Any = None
    duplicate_resut: Any = None

    @property
    def code(self) -> str:
        return self.status_code or self.error_code

    @property
    def unknown_field(self) -> str | None:
        match = re.search(r"No such column '([^']+)'", self.message) if self.code == "INVALID_FIELD" else None
        return match and match[1]

    @property
    def like(self) -> str | None:
        """The id of the record that is there already, where Salesforce says it."""
        matched = msgspec.json.encode(self.duplicate_result or self.duplicate_resut).decode()
        match = re.search(r'"Id":"(\w{15,18})"', matched) or re.search(r"with id: (\w{15,18})", self.message)
        return match and match[1]


LOCKED = Problem(status_code="UNABLE_TO_LOCK_ROW", message="The record is locked.")
Outcome: TypeAlias = str | Problem | Failure
"""Of one row: its id, or what is wrong."""


class Saved(msgspec.Struct):
    id: str | None = None
    success: bool = False
    errors: list[Problem] = []

    @property
    def outcome(self) -> Outcome:
        return self.id if self.success and self.id else self.errors[0] if self.errors else Rejected("", "not saved")


class Answer(msgspec.Struct, rename="camel"):
    http_status_code: int
    body: Any = None


class Answers(msgspec.Struct, rename="camel"):
    composite_response: list[Answer]


class Page(msgspec.Struct, rename="camel"):
    records: list[dict[str, Any]]
    next_records_url: str | None = None


class Resources(msgspec.Struct):
    identity: str = ""


def shaped(type: type[T], data: Any) -> T:
    try:
        return msgspec.convert(data, type)
    except msgspec.ValidationError:
        lost()


def lost() -> NoReturn:
    """The answer is of another shape than agreed."""
    raise Unavailable(maybe_done=True)


def problem_of(data: Any) -> Problem:
    return (shaped(list[Problem], data) or lost())[0]


def changed(status: int, data: Any) -> Outcome:
    """What became of a PATCH."""
    return "" if status in (200, 204) else Changed() if status == 412 else problem_of(data)


def failure(problem: Problem | Failure, name: str, what: str = "", **about: str) -> Failure:
    """What a connector raises. `name` is the object, `what` the record that was written to, `about` says what the
    fields refer to."""
    if isinstance(problem, Failure):
        return problem
    code, message = problem.code, problem.message[:500] or problem.code
    field = problem.fields[0] if problem.fields else ""
    if code in ("DUPLICATES_DETECTED", "DUPLICATE_VALUE"):
        kinds: dict[str, Kind] = {called: kind for kind, called in OBJECTS.items()}
        return Duplicate(problem.like, KINDS.get((problem.like or "")[:3]) or kinds.get(name, "contact"))
    if code in PASSING:
        return Unavailable(5)
    if field in about and code in (*NO_REFERENCE, *GONE):
        return NotFound(about[field])
    if what and (code in GONE or (code in NO_REFERENCE and not field)):
        return NotFound(what)
    if code in FORBIDDEN or code.startswith("INSUFFICIENT_ACCESS"):
        return Rejected(field, f"The Salesforce user may not do this with {name}: give it a permission set for it.")
    if problem.unknown_field:
        return UnknownField(problem.unknown_field, message)
    return Rejected(field, message)


ESCAPES = {"\\": r"\\", "'": r"\'", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\b": r"\b", "\f": r"\f"}
REFERENCE = "@{"
"""Begins what a composite request replaces by a part of another answer, in whatever text it stands."""
NAME = re.compile(r"[A-Za-z]\w*(?:\.[A-Za-z]\w*)?", re.ASCII)
LONGEST = 40_000
"""So many characters of conditions in a query, where 100,000 may be: Salesforce adds to them before it counts."""
LONGEST_TEXT = 4_000
TEXTS = 100
ROWS, ROWS_OF_A_NAME = 2000, 100


class Query(NamedTuple):
    """Rows of the object `name` for which one of `terms` holds, if there are any, and `also` does."""

    name: str
    fields: tuple[str, ...]
    terms: Sequence[Term] = ()
    also: str = ""
    end: str = ""

    def __str__(self) -> str:
        either = f"({' OR '.join(map(condition, self.terms))})" if self.terms else ""
        where = " AND ".join(part for part in (self.also, either) if part)
        return f"SELECT {', '.join(self.fields)} FROM {self.name}{where and f' WHERE {where}'}{self.end}"


def quoted(value: str) -> str:
    escaped = "".join(ESCAPES.get(char, char) for char in value)
    return "'" + escaped.replace(REFERENCE, r"\u0040{") + "'"


def condition(term: Term) -> str:
    return "(" + " AND ".join(f"{field} IN ({', '.join(map(quoted, texts))})" for field, texts in term.items()) + ")"


def searches(name: str, fields: tuple[str, ...], terms: Iterable[Term], also: str = "") -> list[Query]:
    """Queries for the terms, the oldest rows first. Names are asked for apart from keys: they may find very many."""
    keys, names = _joined(terms)
    found = [(part, ROWS) for part in parts(keys, LONGEST, lambda term: len(condition(term)))]
    for part in parts(names, LONGEST, lambda term: len(condition(term))):
        found.append((part, min(ROWS, ROWS_OF_A_NAME * len(part))))
    return [Query(name, fields, part, also, f" ORDER BY CreatedDate, Id LIMIT {most}") for part, most in found]


def _joined(terms: Iterable[Term]) -> tuple[list[Term], list[Term]]:
    """The terms on one field, those on the same together, and those on several."""
    alone: dict[str, dict[str, None]] = {}
    several: list[Term] = []
    for term in terms:
        held = {field: tuple(one for one in texts if one and len(one) <= LONGEST_TEXT) for field, texts in term.items()}
        if all(held.values()) and len(held) > 1 and held not in several:
            several.append(held)
        elif len(held) == 1:
            for field, texts in held.items():
                alone.setdefault(field, {}).update(dict.fromkeys(texts))
    return [{field: tuple(part)} for field, texts in alone.items() for part in parts(list(texts), TEXTS)], several


API = "/services/data/v66.0"
COLLECTION, SUBREQUESTS, QUERIES = 200, 25, 5
LONGEST_TITLE = 255
NOT_CONVERTED = "IsConverted = false"
LOCK_WAITS = (0.2, 0.5, 1.5)
DAILY_SECONDS, CONCURRENT_SECONDS = 900.0, 5.0
"""The daily quota is that of the last 24 hours, so some of it comes back all the time."""


class Salesforce:
    def __init__(self, access: Access) -> None:
        assert access.calls
        self._calls = access.calls
        self._reads = access.reads
        self._pages = access.page_url or access.calls.url
        self._described: dict[str, list[Described]] = {}

    async def info(self) -> CrmAccount:
        rows = await self._rows([Query("Organization", ("Id", "Name"), end=" LIMIT 1")])
        if not rows:
            raise Unavailable
        return CrmAccount(rows[0]["Id"], str(rows[0].get("Name")), self._calls.url)

    async def fields(self, kind: Kind) -> list[Field]:
        try:
            described = await self._describe(OBJECTS[kind])
        except Rejected:
            if kind != "lead":
                raise
            # Many orgs do without leads, and their users may not see them.
            return []
        return fields_of(kind, described)

    async def owners(self) -> list[Owner]:
        only, end = "IsActive = true AND UserType = 'Standard'", " ORDER BY Name, Id LIMIT 2000"
        rows = await self._rows([Query("User", ("Id", "Email", "Name"), also=only, end=end)])
        me = await self._me()
        return [Owner(row["Id"], row.get("Email"), row.get("Name"), row["Id"][:15] == me) for row in rows]

    async def find(self, kind: Kind, sought: Sequence[Sought]) -> list[Record]:
        queries: list[Query] = []
        for one in _people(kind):
            known = set(self._wanted(one))
            queries += self._searches(one, (term for each in sought for term in each.terms if known.issuperset(term)))
        rows = await self._rows(queries)
        rows.sort(key=lambda row: (str(row.get("CreatedDate")), row["Id"]))
        return list({row["Id"]: self._record(row) for row in rows}.values())

    async def get(self, kind: Kind, ids: Sequence[str]) -> dict[str, Record]:
        asked = {id[:15]: id for id in ids if re.fullmatch(r"\w{15}(?:\w{3})?", id, re.ASCII)}
        queries: list[Query] = []
        for one in _people(kind):
            own: list[Term] = [{"Id": (id,)} for id in asked if KINDS.get(id[:3]) == one]
            queries += self._searches(one, own)
        rows = await self._rows(queries)
        return {asked[row["Id"][:15]]: self._record(row) for row in rows if row["Id"][:15] in asked}

    async def page(self, kind: Kind, after: str | None, limit: int) -> list[Record]:
        also = [f"Id > {quoted(after)}"] if after else []
        also += [NOT_CONVERTED] if kind == "lead" else []
        end = f" ORDER BY Id LIMIT {limit}"
        rows = await self._rows([Query(OBJECTS[kind], self._wanted(kind), also=" AND ".join(also), end=end)])
        return [self._record(row) for row in rows]

    async def create(self, kind: Kind, rows: Sequence[Fields]) -> list[Record | Failure]:
        name = OBJECTS[kind]
        outcomes = await self._insert(name, [sent(name, row, new=True) for row in rows])
        return [
            Record(kind=kind, id=one, url=self._url(name, one), fields=dict(row)) if isinstance(one, str) else one
            for row, one in zip(rows, outcomes, strict=True)
        ]

    async def update(self, kind: Kind, updates: Sequence[Update]) -> list[Record | Failure]:
        subs = [_patch(one, f"r{i}") for i, one in enumerate(updates)]

        async def alone(sub: dict[str, Any]) -> Outcome:
            call = {"json": sub["body"], "headers": sub["httpHeaders"], "idempotent": True}
            reply = await self._ask("PATCH", sub["url"], **call)
            return changed(reply.status, reply.data)

        async def once(part: Sequence[int]) -> list[Outcome]:
            together = [i for i in part if len(part) > 1 and REFERENCE not in str(subs[i]["body"])]
            answers = await self._composite([subs[i] for i in together], idempotent=True) if together else []
            told = iter(changed(one.http_status_code, one.body) for one in answers)
            return [next(told) if i in together else await _caught(alone(subs[i])) for i in part]

        outcomes = await _unlocked(len(updates), SUBREQUESTS, once)
        return [
            _updated(one) if isinstance(done, str) else failure(done, OBJECTS[one.record.kind], _called(one.record))
            for one, done in zip(updates, outcomes, strict=True)
        ]

    async def create_field(self, kind: Kind, field: Field) -> Field:
        """Makes the field and lets the user's own profile see it: a new field is one that nobody sees."""
        name, api = OBJECTS[kind], field.name if field.name.endswith("__c") else f"{field.name}__c"
        body = new_field(name, msgspec.structs.replace(field, name=api))
        reply = await self._ask("POST", f"{API}/tooling/sobjects/CustomField", json=body)
        if reply.status != 201 and (problem := problem_of(reply.data)).code != "DUPLICATE_DEVELOPER_NAME":
            raise failure(problem, "the making of fields")
        users = await self._rows([Query("User", ("Id", "ProfileId"), [{"Id": (await self._me(),)}])])
        profiles: list[Term] = [{"ProfileId": (str(row.get("ProfileId")),)} for row in users]
        access = {"SobjectType": name, "Field": f"{name}.{api}", "PermissionsRead": True, "PermissionsEdit": True}
        for row in await self._rows([Query("PermissionSet", ("Id",), profiles)]):
            [seen] = await self._insert("FieldPermissions", [{"ParentId": row["Id"], **access}])
            if isinstance(seen, Failure) and not isinstance(seen, Duplicate):
                raise seen
        self._described.pop(name, None)
        found = [one for one in await self.fields(kind) if one.name == api]
        return found[0] if found else lost()

    async def add_note(self, contact_id: str, text: str) -> str:
        content = "".join(f"<p>{html.escape(line, quote=False) or '<br>'}</p>" for line in text.splitlines())
        note = {"Title": _title(text), "Content": base64.b64encode(content.encode()).decode()}
        link = {"ContentDocumentId": "@{note.id}", "LinkedEntityId": contact_id, "ShareType": "I"}
        subs = [_sub("POST", "sobjects/ContentNote", "note", note)]
        subs += [_sub("POST", "sobjects/ContentDocumentLink", "link", link)]
        answers = await self._composite(subs, all_or_none=True)
        problems = [problem_of(one.body) for one in answers if one.http_status_code >= 300]
        if problems:
            told = next((one for one in problems if one.code != "PROCESSING_HALTED"), problems[0])
            raise failure(told, "notes", LinkedEntityId=f"contact {contact_id}")
        return shaped(Saved, answers[0].body).id or lost()

    async def has_note(self, contact_id: str, text: str) -> bool:
        of: Term = {"LinkedEntityId": (contact_id,), "ContentDocument.Title": (_title(text),)}
        return bool(await self._rows([Query("ContentDocumentLink", ("Id",), [of], end=" LIMIT 1")]))

    async def add_task(self, contact_id: str, task: Task) -> str:
        day = task.due_at and task.due_at.date().isoformat()
        row = {"Subject": task.title, "Description": task.description, "ActivityDate": day, "OwnerId": task.owner}
        held = {name: value for name, value in row.items() if value}
        [made] = await self._insert("Task", [held | {"WhoId": contact_id}], WhoId=f"contact {contact_id}")
        return _made(made)

    async def lists(self) -> list[CrmList]:
        rows = await self._rows([Query("Campaign", ("Id", "Name"), end=" ORDER BY Name, Id LIMIT 2000")])
        return [CrmList(row["Id"], str(row.get("Name"))) for row in rows]

    async def create_list(self, name: str) -> CrmList:
        [made] = await self._insert("Campaign", [{"Name": name, "IsActive": True}])
        return CrmList(_made(made), name)

    async def in_list(self, list_id: str, contact_ids: Sequence[str]) -> set[str]:
        queries: list[Query] = []
        for part in parts(list(contact_ids), COLLECTION):
            for field in ("ContactId", "LeadId"):
                own = tuple(id for id in part if _member(id) == field)
                of: Term = {"CampaignId": (list_id,), field: own}
                queries += [Query("CampaignMember", ("Id", field), [of])] if own else []
        on = {str(row.get("ContactId") or row.get("LeadId"))[:15] for row in await self._rows(queries)}
        return {id for id in contact_ids if id[:15] in on}

    async def add_to_list(self, list_id: str, contact_ids: Sequence[str]) -> None:
        rows = [{"CampaignId": list_id, _member(id): id} for id in dict.fromkeys(contact_ids)]
        about = {"CampaignId": f"list {list_id}", "ContactId": "contact", "LeadId": "contact"}
        for one in await self._insert("CampaignMember", rows, **about):
            if isinstance(one, Failure) and not isinstance(one, Duplicate):
                raise one

    # Reading.

    async def _me(self) -> str:
        """The first 15 characters of the id of the user that we are."""
        reply = await self._ask("GET", f"{API}/")
        return shaped(Resources, reply.data).identity.rpartition("/")[2][:15] if reply.status == 200 else ""

    def _searches(self, kind: Kind, terms: Iterable[Term]) -> list[Query]:
        return searches(OBJECTS[kind], self._wanted(kind), terms, NOT_CONVERTED if kind == "lead" else "")

    def _wanted(self, kind: Kind) -> tuple[str, ...]:
        names = set(self._reads.get(kind) or (rule.field for rule in MAPPING[kind]))
        names = {name for name in names if NAME.fullmatch(name)}
        return ("Id", "CreatedDate", "SystemModstamp", *sorted(names - {"Id", "CreatedDate", "SystemModstamp"}))

    async def _rows(self, queries: Sequence[Query], *, again: bool = True) -> list[dict[str, Any]]:
        """The rows of all queries. A field that is not there (any more) is left out, and leads where there are none."""
        rows: list[dict[str, Any]] = []
        refused: list[Query] = []
        for part in parts(queries, QUERIES):
            subs = [_sub("GET", f"query?q={quote(str(one), safe='')}", f"q{i}") for i, one in enumerate(part)]
            answers = await self._composite(subs, idempotent=True)
            for query, answer in zip(part, answers, strict=True):
                if answer.http_status_code == 200:
                    rows += await self._all(shaped(Page, answer.body))
                    continue
                problem = problem_of(answer.body)
                if problem.code == "INVALID_FIELD" and again:
                    refused.append(query)
                elif (problem.code, query.name) != ("INVALID_TYPE", "Lead"):
                    raise failure(problem, query.name)
        known = [query for one in refused if (query := await self._known(one))]
        return rows + (await self._rows(known, again=False) if known else [])

    async def _all(self, page: Page) -> list[dict[str, Any]]:
        rows = page.records
        while page.next_records_url:
            if not page.next_records_url.startswith("/services/data/"):
                lost()
            reply = await self._ask("GET", page.next_records_url)
            page = shaped(Page, reply.data)
            rows += page.records
        return rows if all(isinstance(row.get("Id"), str) for row in rows) else lost()

    async def _known(self, query: Query) -> Query | None:
        """The query without the fields that its object does not have."""
        described = await self._describe(query.name)
        known = {one.name for one in described} | {one.relationship_name for one in described}
        filtered = known - {one.name for one in described if not one.filterable}
        fields = tuple(field for field in query.fields if field.partition(".")[0] in known)
        terms = [term for term in query.terms if all(field.partition(".")[0] in filtered for field in term)]
        return query._replace(fields=fields, terms=terms) if terms or not query.terms else None

    async def _describe(self, name: str) -> list[Described]:
        if name not in self._described:
            reply = await self._ask("GET", f"{API}/sobjects/{name}/describe")
            if reply.status != 200:
                raise failure(problem_of(reply.data), name)
            self._described[name] = shaped(DescribedObject, reply.data).fields
        return self._described[name]

    def _record(self, row: dict[str, Any]) -> Record:
        kind, version = KINDS.get(row["Id"][:3], "contact"), row.get("SystemModstamp")
        fields = read(row)
        return Record(kind=kind, id=row["Id"], url=self._url(OBJECTS[kind], row["Id"]), fields=fields, version=version)

    def _url(self, name: str, id: str) -> str:
        return f"{self._pages}/lightning/r/{name}/{id}/view"

    # Writing.

    async def _insert(self, name: str, rows: Sequence[dict[str, Any]], **about: str) -> list[str | Failure]:
        """The id of each new row, or why there is none; `about` as `failure` takes it."""

        async def alone(row: dict[str, Any]) -> Outcome:
            reply = await self._ask("POST", f"{API}/sobjects/{name}", json=row)
            return shaped(Saved, reply.data).id or lost() if reply.status == 201 else problem_of(reply.data)

        async def once(part: Sequence[int]) -> list[Outcome]:
            if len(part) == 1:
                return [await alone(rows[part[0]])]
            done = await self._collection([{"attributes": {"type": name}, **rows[i]} for i in part])
            for at, one in enumerate(done):
                # A collection does not say which record is like the new one.
                if isinstance(one, Problem) and one.code == "DUPLICATES_DETECTED":
                    done[at] = await _caught(alone(rows[part[at]]))
            return done

        outcomes = await _unlocked(len(rows), COLLECTION, once)
        return [one if isinstance(one, str) else failure(one, name, **about) for one in outcomes]

    async def _collection(self, records: list[dict[str, Any]]) -> list[Outcome]:
        """What becomes of each. A request that is refused for some of its rows is sent again without them."""
        if not records:
            return []
        body = {"allOrNone": False, "records": records}
        reply = await self._ask("POST", f"{API}/composite/sobjects", json=body)
        if reply.status == 200:
            saved = shaped(list[Saved], reply.data)
            return [one.outcome for one in saved] if len(saved) == len(records) else lost()
        problem = problem_of(reply.data)
        if reply.status != 400 or len(records) == 1:
            return [problem] * len(records)
        guilty = [problem.unknown_field in record for record in records]
        if not any(guilty):
            half = len(records) // 2
            return await self._part(records[:half]) + await self._part(records[half:])
        rest = iter(await self._part([one for one, bad in zip(records, guilty, strict=True) if not bad]))
        return [problem if bad else next(rest) for bad in guilty]

    async def _part(self, records: list[dict[str, Any]]) -> list[Outcome]:
        """As `_collection`, where others may have been written already."""
        try:
            return await self._collection(records)
        except Failure as failed:
            return [failed] * len(records)

    async def _composite(
        self, subs: list[dict[str, Any]], *, all_or_none: bool = False, idempotent: bool = False
    ) -> list[Answer]:
        body = {"allOrNone": all_or_none, "compositeRequest": subs}
        reply = await self._ask("POST", f"{API}/composite", json=body, idempotent=idempotent)
        if reply.status != 200:
            raise failure(problem_of(reply.data), "this request")
        answers = shaped(Answers, reply.data).composite_response
        return answers if len(answers) == len(subs) else lost()

    async def _ask(self, method: Method, path: str, **call: Any) -> Reply:
        reply = await self._calls.ask(method, path, **call)
        if reply.status == 403:
            problem = problem_of(reply.data)
            if problem.code == "REQUEST_LIMIT_EXCEEDED":
                concurrent = "concurrent" in problem.message.lower()
                raise await self._calls.limited(CONCURRENT_SECONDS if concurrent else DAILY_SECONDS)
            if problem.code == "INVALID_SESSION_ID":
                raise Expired(self._calls.token)
        return reply


def _people(kind: Kind) -> tuple[Kind, ...]:
    """The kinds that are looked at for `kind`."""
    return ("company",) if kind == "company" else ("contact", "lead")


def _member(id: str) -> str:
    return "LeadId" if KINDS.get(id[:3]) == "lead" else "ContactId"


def _called(record: Record) -> str:
    return f"{record.kind} {record.id}"


def _sub(method: Method, path: str, reference: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    sub: dict[str, Any] = {"method": method, "url": f"{API}/{path}", "referenceId": reference}
    return sub if body is None else {**sub, "body": body}


def _patch(update: Update, reference: str) -> dict[str, Any]:
    record, name = update.record, OBJECTS[update.record.kind]
    path = f"sobjects/{name}/{quote(record.id, safe='')}"
    sub = _sub("PATCH", path, reference, sent(name, update.changes))
    guard = format_datetime(times.parse(record.version), usegmt=True) if update.guarded and record.version else None
    return {**sub, "httpHeaders": {"If-Unmodified-Since": guard} if guard else {}}


def _updated(update: Update) -> Record:
    fields = {**update.record.fields, **update.changes}
    held = {name: value for name, value in fields.items() if value is not None}
    return msgspec.structs.replace(update.record, fields=held, version=None)


def _title(text: str) -> str:
    """A note's title, by which just this text is found again: a note's own text cannot be asked for."""
    line = " ".join(text.split())
    if line == text and len(line) <= LONGEST_TITLE and REFERENCE not in line:
        return line
    line = line.replace(REFERENCE, "{")
    return f"{line[: LONGEST_TITLE - 20]} ({hashlib.sha256(text.encode()).hexdigest()[:12]})"


def _made(outcome: str | Failure) -> str:
    if isinstance(outcome, Failure):
        raise outcome
    return outcome


async def _caught(work: Awaitable[Outcome]) -> Outcome:
    try:
        return await work
    except Failure as failed:
        return failed


async def _unlocked(count: int, most: int, once: Callable[[Sequence[int]], Awaitable[list[Outcome]]]) -> list[Outcome]:
    """What becomes of each of `count` rows by `once`, which takes `most`, and again those that others hold locked.

    What was done is told also where a later request fails.
    """
    done: list[Outcome] = [LOCKED] * count
    for wait in (0.0, *LOCK_WAITS):
        left = [i for i, one in enumerate(done) if _locked(one)]
        await asyncio.sleep(wait if left else 0)
        for part in parts(left, most):
            try:
                outcomes = await once(part)
            except Failure as failed:
                if not any(isinstance(one, str) for one in done):
                    raise
                return [failed if _locked(one) else one for one in done]
            for i, one in zip(part, outcomes, strict=True):
                done[i] = one
    return done


def _locked(outcome: Outcome) -> bool:
    return isinstance(outcome, Problem) and outcome.code == LOCKED.code


LOGIN = "https://login.salesforce.com"

connector = Definition(
    name="salesforce",
    label="Salesforce",
    vendor=Vendor(name="salesforce", quota=Quota(concurrency=5)),
    api_url=LOGIN,
    hosts=(".salesforce.com", ".force.com", ".salesforce.mil"),
    token=TokenAuth(
        where="Setup, External Client App Manager, an app with the client credentials flow: consumer key and secret.",
        grant="client_credentials",
    ),
    oauth=OAuth(
        authorize_url=f"{LOGIN}/services/oauth2/authorize",
        token_url=f"{LOGIN}/services/oauth2/token",
        revoke_url=f"{LOGIN}/services/oauth2/revoke",
        scopes=("api", "refresh_token"),
        pkce=True,
        api_key="instance_url",
    ),
    capabilities=(
        "contacts",
        "companies",
        "notes",
        "tasks",
        "owners",
        "lists",
        "create_lists",
        "custom_fields",
        "create_fields",
    ),
    mapping=MAPPING,
    linkedin=LINKEDIN_FIELDS,
    options={"contact_object": ("contact", "lead")},
    batch=200,
    open=Salesforce,
)
