"""Attio's REST API v2 as its documentation says it is: https://docs.attio.com/rest-api, https://api.attio.com/openapi/api.

Beyond the OpenAPI document: attribute types and their filters (docs.attio.com/docs/attribute-types), rate limits
(rest-api/guides/rate-limiting), merging (records/merge-two-records), and that a person's email domain makes or matches
a company (standard-objects/standard-objects-people). That `$contains` ignores case, the texts of `uniqueness_conflict`,
`validation_type` and `unknown_filter_attribute_slug` answers, and where PATCH puts new values are as public clients
saw them.
"""

import re
import time
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any, NamedTuple

from vendors.attio_filters import LOCATION, TYPES, Filters, UnknownAttribute
from vendors.base import Refuse, Vendor, every, route
from vendors.wire import Answer, Request

WORKSPACE = "ffffffff-0000-4000-8000-000000000001"
FREE_DOMAINS = ("gmail.com", "outlook.com")
COUNTRIES = ("AT", "BR", "CH", "DE", "ES", "FR", "GB", "IE", "IN", "JP", "NL", "PL", "SE", "US")


class Attribute(NamedTuple):
    type: str
    multi: bool = False
    unique: bool = False
    writable: bool = True
    custom: bool = False


STANDARD: dict[str, dict[str, Attribute]] = {
    "people": {
        "record_id": Attribute("text", writable=False),
        "name": Attribute("personal-name"),
        "email_addresses": Attribute("email-address", multi=True, unique=True),
        "description": Attribute("text"),
        "company": Attribute("record-reference"),
        "job_title": Attribute("text"),
        "phone_numbers": Attribute("phone-number", multi=True),
        "primary_location": Attribute("location"),
        "linkedin": Attribute("text"),
        "twitter_follower_count": Attribute("number", writable=False),
        "created_at": Attribute("timestamp", writable=False),
    },
    "companies": {
        "record_id": Attribute("text", writable=False),
        "domains": Attribute("domain", multi=True, unique=True),
        "name": Attribute("text"),
        "description": Attribute("text"),
        "team": Attribute("record-reference", multi=True),
        "categories": Attribute("select", multi=True),
        "primary_location": Attribute("location"),
        "linkedin": Attribute("text"),
        "employee_range": Attribute("select", writable=False),
        "created_at": Attribute("timestamp", writable=False),
    },
}
PAGES = {"people": "person", "companies": "company"}


class Said(Exception):
    """An answer that a correct request may get."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(str(answer.body))
        self.answer = answer


def problem(status: int, code: str, message: str, type: str = "invalid_request_error", **more: Any) -> Answer:
    return Answer(status, {"status_code": status, "type": type, "code": code, "message": message, **more})


def refuse(why: str) -> Refuse:
    return Refuse(why, problem(400, "validation_type", "Body payload validation error.", validation_errors=[]))


def invalid(slug: str, message: str, *path: str) -> Said:
    return Said(
        problem(
            400,
            "validation_type",
            f'An invalid value was passed to attribute with slug "{slug}".',
            validation_errors=[{"code": "invalid", "path": list(path), "message": message}],
        )
    )


def missing(what: str) -> Said:
    return Said(problem(404, "not_found", f"{what} not found."))


class AttioServer(Vendor):
    write_quota: tuple[int, float] | None = None
    """As `quota`, which is that of reads."""

    def __init__(self) -> None:
        super().__init__()
        self.attributes = {name: dict(slugs) for name, slugs in STANDARD.items()}
        self.options = {"categories": ["SaaS", "Retail"], "employee_range": ["1-10", "11-50"]}
        self.records: dict[str, dict[str, dict[str, list[dict[str, Any]]]]] = {"people": {}, "companies": {}}
        self._filters = Filters(self.attributes, self.records)
        self.owner = self.uuid()
        self.lists_: dict[str, dict[str, Any]] = {}
        self.entries: list[tuple[str, str]] = []
        self.notes_: list[dict[str, Any]] = []
        self.tasks_: list[dict[str, Any]] = []
        self.no_scope: set[str] = set()
        self._reads, self._writes = self._times, type(self._times)()
        self._writing = False

    def uuid(self) -> str:
        return f"{int(self.id()):08d}-0000-4000-8000-000000000000"

    # Signing in, quotas, scopes.

    def unauthorized(self) -> Answer:
        return problem(401, "unauthorized", "The access token could not be verified.", "auth_error")

    def throttled(self) -> Answer:
        body = problem(429, "rate_limit_exceeded", "Rate limit exceeded, please try again later", "rate_limit_error")
        return body._replace(headers={"Retry-After": formatdate(int(time.time()) + 1, usegmt=True)})

    def no_such_route(self, request: Request) -> Answer:
        return problem(404, "not_found", f'Could not find endpoint "{request.method} {request.path}".')

    def _answer(self, request: Request) -> Answer:
        self._writing = request.method != "GET" and not request.path.endswith("/query")
        try:
            return super()._answer(request)
        except Said as said:
            return said.answer
        except UnknownAttribute as unknown:
            message = f"Unknown attribute slug: {unknown}"
            return problem(400, "unknown_filter_attribute_slug", message, path=list(unknown.path))

    def _over(self) -> bool:
        """Reads and writes have windows of their own."""
        usual = self.quota
        self._times = self._writes if self._writing else self._reads
        self.quota = self.write_quota if self._writing else usual
        try:
            return super()._over()
        finally:
            self.quota = usual

    def scope(self, *names: str) -> None:
        for name in names:
            if name in self.no_scope:
                raise Said(problem(403, "unauthorized", f"The token lacks the scope {name}.", "auth_error"))

    @route("POST", "/oauth/token", public=True)
    def token(self, request: Request) -> Answer:
        if extra := set(request.form) - {"client_id", "client_secret", "grant_type", "code", "redirect_uri"}:
            raise refuse(f"the token endpoint takes no {extra}")
        if request.form.get("grant_type") != "authorization_code":
            return self.grant_refused("unsupported_grant_type")
        return self.grant(request, refresh=False, expires=False)

    @route("GET", "/v2/self", public=True)
    def self_(self, request: Request) -> Answer:
        if not self.tokens.get(self.token_of(request), 0) > self.now():
            return Answer(200, {"active": False})
        return Answer(
            200,
            {
                "active": True,
                "scope": "record_permission:read-write",
                "token_type": "Bearer",
                "exp": None,
                "workspace_id": WORKSPACE,
                "workspace_name": "Lantern Works",
                "workspace_slug": "lantern-works",
                "authorized_by_workspace_member_id": self.owner,
            },
        )

    @route("GET", "/v2/workspace_members")
    def members_(self, request: Request) -> Answer:
        self.scope("user_management:read")
        names = {"first_name": "Olga", "last_name": "Owner", "email_address": "olga@example.com"}
        data = [
            {"id": {"workspace_id": WORKSPACE, "workspace_member_id": self.owner}, **names, "access_level": "admin"}
        ]
        gone = {"workspace_id": WORKSPACE, "workspace_member_id": self.uuid()}
        data.append({**data[0], "id": gone, "email_address": "gone@example.com", "access_level": "suspended"})
        return Answer(200, {"data": data})

    # Attributes.

    def attribute(self, object: str, slug: str) -> dict[str, Any]:
        one = self.attributes[object][slug]
        return {
            "id": {"workspace_id": WORKSPACE, "object_id": object, "attribute_id": f"id-of-{slug}"},
            "title": slug.replace("_", " ").capitalize(),
            "api_slug": slug,
            "type": one.type,
            "is_system_attribute": not one.custom,
            "is_writable": one.writable,
            "is_required": False,
            "is_unique": one.unique,
            "is_multiselect": one.multi,
            "is_archived": False,
        }

    @route("GET", "/v2/objects/{object}/attributes")
    def attributes_(self, request: Request, object: str) -> Answer:
        self.scope("object_configuration:read")
        self._object(object)
        return Answer(200, {"data": [self.attribute(object, slug) for slug in self.attributes[object]]})

    @route("POST", "/v2/objects/{object}/attributes")
    def make_attribute(self, request: Request, object: str) -> Answer:
        self.scope("object_configuration:read-write")
        needed = {"title", "description", "api_slug", "type", "is_required", "is_unique", "is_multiselect", "config"}
        data = self._data(request, needed, needed | {"default_value"})
        slug, type = data["api_slug"], data["type"]
        if type not in TYPES or type in ("domain", "email-address", "personal-name"):
            raise refuse(f"attributes of type {type} cannot be made")
        if not re.fullmatch(r"[a-z0-9_-]+", slug) or (
            data["is_multiselect"] and type in ("text", "number", "checkbox")
        ):
            raise refuse("api_slug is snake case, and texts are single-select")
        if slug in self.attributes[object]:
            return problem(409, "slug_conflict", "An attribute with the same API slug already exists on this object.")
        self.attributes[object][slug] = Attribute(type, multi=data["is_multiselect"], custom=True)
        self.options[slug] = []
        return Answer(200, {"data": self.attribute(object, slug)})

    @route("GET", "/v2/objects/{object}/attributes/{slug}/options")
    def options_(self, request: Request, object: str, slug: str) -> Answer:
        if self.attributes[self._object(object)][slug].type != "select":
            raise refuse("this attribute is not a select attribute")
        data = [{"id": {"option_id": f"{slug}-{t}"}, "title": t, "is_archived": False} for t in self.options[slug]]
        data.append({"id": {"option_id": "old"}, "title": "Former", "is_archived": True})
        return Answer(200, {"data": data})

    @route("POST", "/v2/objects/{object}/attributes/{slug}/options")
    def make_option(self, request: Request, object: str, slug: str) -> Answer:
        self.options[slug].append(self._data(request, {"title"}, {"title"})["title"])
        return Answer(200, {"data": {"id": {"option_id": "new"}, "title": self.options[slug][-1]}})

    # Records.

    def _object(self, object: str) -> str:
        if object not in self.records:
            raise missing(f'Object with slug/ID "{object}"')
        return object

    def _record(self, object: str, id: str) -> dict[str, list[dict[str, Any]]]:
        if id not in self.records[self._object(object)]:
            raise missing(f'Record with ID "{id}"')
        return self.records[object][id]

    def _data(self, request: Request, needed: set[str], allowed: set[str]) -> dict[str, Any]:
        if not isinstance(request.json, dict) or set(request.json) != {"data"}:
            raise refuse("the body is {data}")
        data = request.json["data"]
        if set(data) - allowed or needed - set(data):
            raise refuse(f"data has {sorted(data)}, needs {sorted(needed)}")
        return data

    def _shown(self, object: str, id: str) -> Answer:
        values = {
            slug: [{"active_from": "2026-01-01T00:00:00.000000000Z", "attribute_type": one.type, **v} for v in held]
            for slug, one in self.attributes[object].items()
            for held in [self.records[object][id].get(slug, [])]
        }
        return {
            "id": {"workspace_id": WORKSPACE, "object_id": object, "record_id": id},
            "created_at": values["created_at"][0]["value"],
            "web_url": f"https://app.attio.com/lantern-works/{PAGES[object]}/{id}",
            "values": values,
        }  # type: ignore[return-value]

    @route("GET", "/v2/objects/{object}/records/{id}")
    def get_record(self, request: Request, object: str, id: str) -> Answer:
        self.scope("record_permission:read", "object_configuration:read")
        if not re.fullmatch(r"[0-9a-f-]{36}", id):
            raise refuse("record_id is a UUID")
        self._record(object, id)
        return Answer(200, {"data": self._shown(object, id)})

    @route("POST", "/v2/objects/{object}/records")
    def create(self, request: Request, object: str) -> Answer:
        self.scope("record_permission:read-write")
        values = self._values(self._object(object), self._data(request, {"values"}, {"values"})["values"])
        return Answer(200, {"data": self._shown(object, self._create(object, values))})

    @route("PATCH", "/v2/objects/{object}/records/{id}")
    def patch(self, request: Request, object: str, id: str) -> Answer:
        return self._write(request, object, id, append=True)

    @route("PUT", "/v2/objects/{object}/records/{id}")
    def put(self, request: Request, object: str, id: str) -> Answer:
        return self._write(request, object, id, append=False)

    def _write(self, request: Request, object: str, id: str, *, append: bool) -> Answer:
        self.scope("record_permission:read-write")
        held = self._record(object, id)
        values = self._values(object, self._data(request, {"values"}, {"values"})["values"])
        self._unique(object, values, id)
        for slug, given in values.items():
            now = held.get(slug, [])
            if append and self.attributes[object][slug].multi:
                given = [one for one in given if one not in now] + now
            held[slug] = given
        return Answer(200, {"data": self._shown(object, id)})

    def _create(self, object: str, values: dict[str, list[dict[str, Any]]], *, typed: bool = False) -> str:
        self._unique(object, values, "")
        id = self.uuid()
        made = f"2020-01-01T00:00:00.{int(id[:8]):09d}Z" if typed else f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f000Z}"
        self.records[object][id] = {"record_id": [{"value": id}], "created_at": [{"value": made}], **values}
        domain = first(values, "email_addresses", "email_domain")
        if domain and domain not in FREE_DOMAINS and not typed:
            self.records[object][id].setdefault("company", reference(self._company_of(domain)))
        return id

    def _company_of(self, domain: str) -> str:
        for id, held in self.records["companies"].items():
            if any(domain == one["domain"] for one in held.get("domains", [])):
                return id
        named = {"name": domain.partition(".")[0].capitalize(), "domains": [domain]}
        return self._create("companies", self._values("companies", named))

    def _unique(self, object: str, values: dict[str, list[dict[str, Any]]], id: str) -> None:
        for slug, given in values.items():
            if not self.attributes[object][slug].unique:
                continue
            for other, held in self.records[object].items():
                both = [one for one in given if one in held.get(slug, [])]
                if other != id and both:
                    property = TYPES[self.attributes[object][slug].type].properties[0]
                    value = f'{{"{property}":"{both[0][property]}"}}'
                    why = (
                        f'The value "{value}" provided for attribute with ID "id-of-{slug}" conflicts with one already'
                    )
                    raise Said(problem(400, "uniqueness_conflict", f"{why} in the system."))

    def _values(self, object: str, values: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
        found = {}
        for slug, given in values.items():
            one = self.attributes[object].get(slug)
            if one is None:
                raise Said(problem(400, "value_not_found", f'Cannot find attribute with slug/ID "{slug}".'))
            if not one.writable:
                raise refuse(f"{slug} cannot be written")
            if one.multi and not isinstance(given, list):
                raise refuse(f"the multi-select attribute {slug} expects an array")
            several = given if isinstance(given, list) else [] if given is None else [given]
            if not one.multi and len(several) > 1:
                raise refuse(f"{slug} has one value")
            values_ = [self._value(object, slug, one.type, value) for value in several]
            found[slug] = [value for index, value in enumerate(values_) if value not in values_[:index]]
        return found

    def _value(self, object: str, slug: str, type: str, given: Any) -> dict[str, Any]:
        property = TYPES[type].properties[0]
        plain = given
        if isinstance(given, dict) and type not in ("personal-name", "location", "record-reference", "actor-reference"):
            plain = given.get("original_phone_number", given.get(property))
        match type:
            case "text" | "date" | "timestamp" if isinstance(plain, str):
                if len(plain.encode()) > 10 * 2**20:
                    raise invalid(slug, "Text is too long")
                return {"value": plain}
            case "number" if isinstance(plain, int | float) and not isinstance(plain, bool):
                return {"value": plain}
            case "checkbox" if isinstance(plain, bool):
                return {"value": plain}
            case "select" if isinstance(plain, str):
                if plain not in self.options[slug]:
                    raise Said(problem(400, "value_not_found", f'Cannot find select option with title "{plain}".'))
                return {"option": {"id": {"option_id": f"{slug}-{plain}"}, "title": plain, "is_archived": False}}
            case "email-address" if isinstance(plain, str):
                if not re.fullmatch(r"[^@\s\"]+@[\w-]+(\.[\w-]+)+", plain):
                    raise invalid(slug, "Invalid email address")
                return {"email_address": plain.lower(), "email_domain": plain.lower().partition("@")[2]}
            case "domain" if isinstance(plain, str):
                host = re.sub(r"^https?://", "", plain.lower()).partition("/")[0]
                if not re.fullmatch(r"[\w-]+(\.[\w-]+)+", host):
                    raise invalid(slug, "Invalid domain")
                return {"domain": host, "root_domain": ".".join(host.split(".")[-2:])}
            case "phone-number" if isinstance(plain, str):
                number = re.sub(r"[\s()./-]", "", plain)
                if not re.fullmatch(r"\+[1-9]\d{6,14}", number):
                    raise invalid(slug, "Invalid phone number, possibly due to missing country information", property)
                return {"original_phone_number": number, "normalized_phone_number": number, "country_code": "GB"}
            case "personal-name" if isinstance(given, dict):
                if set(given) != {"first_name", "last_name", "full_name"} or not all(
                    isinstance(v, str) for v in given.values()
                ):
                    raise refuse("a name has its three parts")
                return given
            case "location" if isinstance(given, dict):
                if set(given) != set(LOCATION) or not all(v is None or isinstance(v, str) for v in given.values()):
                    raise refuse("a location has its ten properties, texts or null")
                if given["country_code"] not in (None, *COUNTRIES):
                    raise invalid(slug, "Invalid enum value", "country_code")
                return given
            case "record-reference" if isinstance(given, dict) and set(given) == {"target_object", "target_record_id"}:
                if given["target_record_id"] not in self.records[given["target_object"]]:
                    raise Said(
                        problem(400, "value_not_found", f'Record with ID "{given["target_record_id"]}" not found.')
                    )
                return given
            case "actor-reference" if isinstance(given, dict):
                if given != {"referenced_actor_type": "workspace-member", "referenced_actor_id": self.owner}:
                    raise Said(problem(400, "value_not_found", "Workspace member not found."))
                return given
        raise refuse(f"{slug} of type {type} is not written as {given!r}")

    # Queries.

    @route("POST", "/v2/objects/{object}/records/query")
    def query(self, request: Request, object: str) -> Answer:
        self.scope("record_permission:read", "object_configuration:read")
        return Answer(200, {"data": self._queried(self._object(object), request.json or {})})

    def _queried(self, object: str, body: dict[str, Any]) -> list[Any]:
        if set(body) - {"filter", "sorts", "limit", "offset"} or not 1 <= body.get("limit", 500) <= 500:
            raise refuse("a query has filter, sorts, limit up to 500, and offset")
        found = [id for id, _ in every(self.records[object]) if self._filters.holds(object, id, body.get("filter", {}))]
        for sort in reversed(body.get("sorts", [])):
            if sort.get("direction") != "asc" or sort.get("attribute") not in ("created_at", "record_id"):
                raise refuse(f"no sort of these tests: {sort}")
            found.sort(key=lambda id: self.records[object][id][sort["attribute"]][0]["value"])
        first = body.get("offset", 0)
        return [self._shown(object, id) for id in found[first : first + body.get("limit", 500)]]

    # Lists, notes, tasks.

    @route("GET", "/v2/lists")
    def all_lists(self, request: Request) -> Answer:
        self.scope("list_configuration:read")
        return Answer(200, {"data": list(self.lists_.values())})

    @route("POST", "/v2/lists")
    def make_list(self, request: Request) -> Answer:
        needed = {"name", "api_slug", "parent_object", "workspace_access", "workspace_member_access"}
        data = self._data(request, needed, needed)
        if data["workspace_access"] != "full-access" or not re.fullmatch(r"[a-z0-9_]+", data["api_slug"]):
            raise refuse("somebody needs full access, and the slug is snake case")
        if any(one["api_slug"] == data["api_slug"] for one in self.lists_.values()):
            return problem(409, "slug_conflict", "A list with the same API slug already exists.")
        return Answer(200, {"data": self.lists_[self.put_list(data["name"], data["parent_object"], data["api_slug"])]})

    def put_list(self, name: str, parent: str = "people", slug: str = "") -> str:
        id = self.uuid()
        ids = {"workspace_id": WORKSPACE, "list_id": id}
        self.lists_[id] = {"id": ids, "name": name, "api_slug": slug or f"list_{id[:8]}", "parent_object": [parent]}
        return id

    @route("POST", "/v2/lists/{list}/entries/query")
    def query_entries(self, request: Request, list: str) -> Answer:
        path, constraints = request.json["filter"]["path"], request.json["filter"]["constraints"]
        if list not in self.lists_:
            raise missing(f'List with slug/ID "{list}"')
        if path[0] != [list, "parent_record"]:
            raise refuse("the path begins at the list")
        found = [r for on, r in self.entries if on == list and self._filters.along("people", r, path[1:], constraints)]
        return Answer(200, {"data": [{"parent_record_id": id, "parent_object": "people"} for id in found]})

    @route("PUT", "/v2/lists/{list}/entries")
    def assert_entry(self, request: Request, list: str) -> Answer:
        self.scope("list_entry:read-write")
        needed = {"parent_record_id", "parent_object", "entry_values"}
        data = self._data(request, needed, needed)
        if list not in self.lists_:
            raise missing(f'List with slug/ID "{list}"')
        self._record(data["parent_object"], data["parent_record_id"])
        entry = (list, data["parent_record_id"])
        if self.entries.count(entry) > 1:
            return problem(400, "multiple_match_results", "Multiple entries were found for the given parent record.")
        if entry not in self.entries:
            self.entries.append(entry)
        return Answer(200, {"data": {"id": {"entry_id": self.uuid()}, **data}})

    @route("GET", "/v2/notes")
    def all_notes(self, request: Request) -> Answer:
        if set(request.query) - {"limit", "offset", "parent_object", "parent_record_id"}:
            raise refuse("an unknown parameter")
        limit, first = int(request.query.get("limit", 10)), int(request.query.get("offset", 0))
        if not 1 <= limit <= 50:
            raise refuse("at most 50 notes a page")
        found = [one for one in self.notes_ if one["parent_record_id"] == request.query["parent_record_id"]]
        return Answer(200, {"data": found[first : first + limit]})

    @route("POST", "/v2/notes")
    def make_note(self, request: Request) -> Answer:
        self.scope("note:read-write")
        needed = {"parent_object", "parent_record_id", "title", "format", "content"}
        data = self._data(request, needed, needed | {"created_at"})
        self._record(data["parent_object"], data["parent_record_id"])
        if data["format"] not in ("plaintext", "markdown"):
            raise refuse("format is plaintext or markdown")
        note = {"id": {"note_id": self.uuid()}, **data, "content_plaintext": data["content"]}
        self.notes_.append(note)
        return Answer(200, {"data": note})

    @route("POST", "/v2/tasks")
    def make_task(self, request: Request) -> Answer:
        self.scope("task:read-write")
        needed = {"content", "format", "deadline_at", "is_completed", "linked_records", "assignees"}
        data = self._data(request, needed, needed)
        if data["format"] != "plaintext" or data["is_completed"] is not False:
            raise refuse("a new task is plain text and to be done")
        if data["deadline_at"] and not re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d", data["deadline_at"]):
            raise refuse("deadline_at is ISO 8601")
        for one in data["linked_records"]:
            self._record(one["target_object"], one["target_record_id"])
        if any(one["referenced_actor_id"] != self.owner for one in data["assignees"]):
            raise Said(problem(404, "not_found", "Workspace member not found."))
        task = {"id": {"task_id": self.uuid()}, **data}
        self.tasks_.append(task)
        return Answer(200, {"data": task})

    # The test's view.

    def contacts(self) -> list[dict[str, Any]]:
        found = []
        for id, held in every(self.records["people"]):
            name = next(iter(held.get("name", [])), {})
            emails = [one["email_address"] for one in held.get("email_addresses", [])]
            fields = {
                "email": emails[0] if emails else None,
                "other_emails": emails[1:],
                "linkedin_url": first(held, "linkedin", "value"),
                "first_name": name.get("first_name"),
                "last_name": name.get("last_name"),
                "job_title": first(held, "job_title", "value"),
                "phone": first(held, "phone_numbers", "normalized_phone_number"),
                "city": first(held, "primary_location", "locality"),
                "company_id": first(held, "company", "target_record_id"),
            }
            found.append({"id": id, **{name: value for name, value in fields.items() if value}})
        return found

    def companies(self) -> list[dict[str, Any]]:
        return [
            {"id": id, "name": first(held, "name", "value"), "domain": first(held, "domains", "domain")}
            for id, held in every(self.records["companies"])
        ]

    def _typed(self, fields: dict[str, Any], held: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
        names = dict(next(iter(held.get("name", [])), {"first_name": "", "last_name": ""}))
        names |= {part: fields.pop(part) for part in ("first_name", "last_name") if part in fields}
        values: dict[str, Any] = {
            "linkedin": fields.pop("linkedin_url", None),
            "job_title": fields.pop("job_title", None),
        }
        if any(names.get(part) for part in ("first_name", "last_name")):
            values["name"] = names | {"full_name": f"{names['first_name']} {names['last_name']}".strip()}
        if "city" in fields:
            values["primary_location"] = dict.fromkeys(LOCATION) | {"locality": fields.pop("city")}
        if "phone" in fields:
            values["phone_numbers"] = [fields.pop("phone")]
        if emails := [fields.pop("email", None), *fields.pop("other_emails", [])]:
            values["email_addresses"] = [one for one in emails if one] or None
        if "company_id" in fields:
            values["company"] = {"target_object": "companies", "target_record_id": fields.pop("company_id")}
        return self._values("people", {k: v for k, v in {**values, **fields}.items() if v is not None})

    def put_contact(self, **fields: Any) -> str:
        with self.lock:
            return self._create("people", self._typed(fields, {}), typed=True)

    def put_company(self, **fields: Any) -> str:
        if "domain" in fields:
            fields["domains"] = [fields.pop("domain")]
        with self.lock:
            return self._create("companies", self._values("companies", fields))

    def change_contact(self, id: str, **fields: Any) -> None:
        with self.lock:
            self.records["people"][id] |= self._typed(fields, self.records["people"][id])

    def delete_contact(self, id: str) -> None:
        with self.lock:
            del self.records["people"][id]
            self.entries = [one for one in self.entries if one[1] != id]

    def merge_contacts(self, kept: str, gone: str) -> None:
        """A new record has the values of both, those of `kept` first; neither of the two can be read any more."""
        with self.lock:
            people, new = self.records["people"], self.uuid()
            second, primary = people.pop(gone), people.pop(kept)
            people[new] = {**second, **{slug: values for slug, values in primary.items() if values}}
            people[new] |= {"record_id": [{"value": new}]}
            for slug, one in self.attributes["people"].items():
                if one.multi:
                    both = primary.get(slug, []) + second.get(slug, [])
                    people[new][slug] = [value for index, value in enumerate(both) if value not in both[:index]]
            for each in self.notes_:
                each["parent_record_id"] = new if each["parent_record_id"] in (kept, gone) else each["parent_record_id"]
            self.entries = list(dict.fromkeys((on, new if id in (kept, gone) else id) for on, id in self.entries))

    def add_field(self, slug: str, type: str = "text", *, multi: bool = False, options: tuple[str, ...] = ()) -> None:
        self.attributes["people"][slug] = Attribute(type, multi=multi, custom=True)
        self.options[slug] = list(options)

    def remove_field(self, name: str) -> None:
        with self.lock:
            del self.attributes["people"][name]

    def notes(self, contact_id: str) -> list[str]:
        return [one["content"] for one in self.notes_ if one["parent_record_id"] == contact_id]

    def tasks(self, contact_id: str) -> list[str]:
        linked = [{"target_object": "people", "target_record_id": contact_id}]
        return [one["content"].partition("\n")[0] for one in self.tasks_ if one["linked_records"] == linked]

    def members(self, list_name: str) -> list[str]:
        return [id for on, id in self.entries if self.lists_[on]["name"] == list_name]


def first(held: dict[str, list[dict[str, Any]]], slug: str, property: str) -> Any:
    return next((one[property] for one in held.get(slug, [])), None)


def reference(company: str) -> list[dict[str, Any]]:
    return [{"target_object": "companies", "target_record_id": company}]
