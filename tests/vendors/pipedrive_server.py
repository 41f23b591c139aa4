"""Pipedrive as a server, from its documentation: v2 of persons, organizations, activities, fields; v1 of notes, users.

Facts: https://developers.pipedrive.com/docs/api/v1 (reference of both versions, with the token cost of each endpoint),
https://pipedrive.readme.io/docs/pipedrive-api-v2-migration-guide (shapes), …/core-api-concepts-rate-limiting (quotas),
…/core-api-concepts-custom-fields (Contact Sync), …/marketplace-oauth-and-api-proxy-status-codes, …/app-uninstallation
(OAuth). Error texts of v2: https://github.com/pipedrive/client-nodejs/issues/651.
"""

import base64
import copy
import hashlib
import json
import re
from collections import deque
from datetime import UTC, datetime
from typing import Any

from vendors.base import Refuse, Vendor, every, route
from vendors.wire import Answer, Request

LONG_AGO = "2020-01-01T00:00:00Z"
ADDRESS = ["value", "country", "admin_area_level_1", "admin_area_level_2", "locality", "sublocality", "route"]
ADDRESS += ["street_number", "subpremise", "postal_code"]
CHANNELS = {"value": str, "primary": bool, "label": str}
COMMON = {"name": str, "owner_id": int, "visible_to": int, "label_ids": [int], "custom_fields": dict}
BODIES: dict[str, dict[str, Any]] = {
    "persons": COMMON
    | {"org_id": int, "emails": [CHANNELS], "phones": [CHANNELS]}
    | {"job_title": str, "notes": str, "birthday": str, "postal_address": dict.fromkeys(ADDRESS, str)},
    "organizations": COMMON
    | {"address": dict.fromkeys(ADDRESS, str), "website": str, "linkedin": str}
    | {"industry": int, "annual_revenue": int, "employee_count": int},
    "activities": {"subject": str, "type": str, "owner_id": int, "org_id": int, "due_date": str, "due_time": str}
    | {"duration": str, "done": bool, "note": str, "participants": [{"person_id": int, "primary": bool}]},
    "fields": {"field_name": str, "field_type": str, "options": [{"label": str}]},
}
CONTACT_SYNC = ("job_title", "notes", "birthday", "postal_address")
LISTED = {"ids", "updated_since", "sort_by", "sort_direction", "include_option_labels", "limit", "cursor"}
SEARCHED = {"term", "fields", "exact_match", "limit", "cursor"}
SEARCH_FIELDS = {
    "persons": {"custom_fields", "email", "notes", "phone", "name"},
    "organizations": {"address", "custom_fields", "notes", "name"},
}
SEARCHABLE = ("address", "varchar", "text", "varchar_auto", "double", "monetary", "phone")
COSTS = (
    (r"GET /api/v2/(persons|organizations)/search", 20),
    (r"GET /api/v2/\w+$", 10),
    (r"GET /api/v2/", 1),
    (r"\w+ /api/v2/", 5),
    (r"GET /api/v1/users/me", 2),
    (r"GET /api/v1/", 20),
    (r"POST /api/v1/notes", 10),
)
SCOPES = (
    (r"(POST|PATCH) /api/v2/(persons|organizations)", "contacts:full"),
    (r"POST /api/v2/\w+Fields$", "contact-fields:full"),
    (r"GET /api/v1/users$", "users:read"),
    (r"POST /api/v2/activities", "activities:full"),
)


def key_of(label: str) -> str:
    return hashlib.sha1(label.encode()).hexdigest()


def field(name: str, code: str, type: str, options: list[str] | None = None, custom: bool = False) -> dict[str, Any]:
    choices = [{"id": number, "label": label} for number, label in enumerate(options, 41)] if options else None
    parts = {"address": ADDRESS, "monetary": ("value", "currency")}.get(type)
    subfields = [{"field_code": one, "field_name": one, "field_type": "varchar"} for one in parts] if parts else None
    return {
        "field_name": name,
        "field_code": code,
        "field_type": type,
        "options": choices,
        "subfields": subfields,
        "is_custom_field": custom,
        "is_optional_response_field": False,
    }


def custom(name: str, type: str, options: list[str] | None = None) -> dict[str, Any]:
    return field(name, key_of(name), type, options, custom=True)


def failed(text: str, status: int = 400, code: str = "ERR_SCHEMA_VALIDATION_FAILED") -> Answer:
    return Answer(status, {"success": False, "error": text, "code": code})


def invalid(name: str, why: str) -> Refuse:
    return Refuse(f"{name}: {why}", failed(f"Validation failed: {name}: {why}"))


def given(data: Any, **more: Any) -> Answer:
    return Answer(200, {"success": True, "data": data, "additional_data": more or None})


class ValueRefused(Exception):
    """A value that only the account can tell to be wrong: answered, and no fault of the caller's."""


class PipedriveServer(Vendor):
    search_quota: tuple[int, float] = (10, 2.0)

    def __init__(self) -> None:
        super().__init__()
        self.contact_sync = True
        self.left: int | None = None
        """What is left of the day's token budget; None for more than can be used."""
        self.scopes: set[str] | None = None
        self.searches: deque[float] = deque()
        self.records: dict[str, dict[str, dict[str, Any]]] = {"persons": {}, "organizations": {}}
        self.index: dict[str, list[tuple[float, dict[str, list[str]] | None]]] = {}
        self.noted: list[dict[str, Any]] = []
        self.activities: list[dict[str, Any]] = []
        self.activity_types = ["call", "task"]
        self.users = [(1, "ada@example.com", "Ada Admin"), (2, "bo@example.com", "Bo Seller")]
        labels = field("Labels", "label_ids", "set", ["Customer", "Hot lead"])
        self.metadata: dict[str, list[dict[str, Any]]] = {
            "persons": [
                field("Name", "name", "varchar"),
                field("Email", "email", "varchar"),
                field("Phone", "phone", "phone"),
                labels,
                field("Organization", "org_id", "org"),
                field("Owner", "owner_id", "user"),
                field("Open deals", "open_deals_count", "int"),
                field("Job title", "job_title", "varchar"),
                field("Postal address", "postal_address", "address"),
                custom("LinkedIn URL", "varchar"),
                custom("Tier", "enum", ["Gold", "Silver"]),
                custom("Topics", "set", ["Sales", "Ops"]),
                custom("Score", "double"),
                custom("Remarks", "text"),
                custom("Home", "address"),
            ],
            "organizations": [
                field("Name", "name", "varchar"),
                field("Address", "address", "address"),
                copy.deepcopy(labels),
                field("Owner", "owner_id", "user"),
                field("Website", "website", "varchar"),
                field("LinkedIn", "linkedin", "varchar"),
                field("Industry", "industry", "enum", ["Software", "Retail"]),
                field("Number of employees", "employee_count", "int"),
                custom("Domain", "varchar"),
            ],
        }

    # OAuth.

    @route("POST", "/oauth/token", public=True)
    def token(self, request: Request) -> Answer:
        return self.grant(request, api_domain=self.url, scope="base,contacts:full")

    @route("POST", "/oauth/revoke", public=True)
    def revoke(self, request: Request) -> Answer:
        self.client_of(request)
        self.revoked.append(request.form["token"])
        self.refresh_tokens.discard(request.form["token"])
        return Answer(200, {"success": True})

    def client_of(self, request: Request) -> tuple[str, str]:
        kind, _, sent = request.headers.get("authorization", "").partition(" ")
        if kind != "Basic":
            raise Refuse("no Basic credentials", self.grant_refused("invalid_client"))
        user, _, secret = base64.b64decode(sent).decode().partition(":")
        return user, secret

    def token_of(self, request: Request) -> str:
        private = request.headers.get("x-api-token")
        if private is not None:
            return private if private == "private-token-1" else ""
        token = super().token_of(request)
        return token if token.startswith("access-") else ""

    # Quotas and errors.

    def _answer(self, request: Request) -> Answer:
        called = f"{request.method} {request.path}"
        known = self.tokens.get(self.token_of(request), 0) > self.now()
        needed = next((scope for where, scope in SCOPES if re.search(where, called)), None)
        if known and self.scopes is not None and needed and needed not in self.scopes:
            return failed("Scope and URL mismatch", 403, "ERR_FORBIDDEN")
        cost = next((cost for where, cost in COSTS if re.search(where, called)), 0)
        if known and self.left is not None:
            if cost > self.left:
                return self.throttled()._replace(headers={"x-daily-ratelimit-token-remaining": "0"})
            self.left -= cost
        if known and request.path.endswith("/search") and not self._searches():
            self.throttles += 1
            return self.throttled()
        answer = super()._answer(request)
        if self.quota and known:
            most = self.quota[0]
            headers = {"x-ratelimit-limit": str(most), "x-ratelimit-remaining": str(most - len(self._times))}
            answer = answer._replace(headers={**answer.headers, **headers, "x-ratelimit-reset": "2"})
        return answer

    def _searches(self) -> bool:
        most, seconds = self.search_quota
        now = self.now()
        while self.searches and self.searches[0] <= now - seconds:
            self.searches.popleft()
        self.searches.append(now)
        return len(self.searches) <= most

    def throttled(self) -> Answer:
        return failed("Request over limit", 429, "ERR_RATE_LIMITED")._replace(headers={"x-ratelimit-reset": "1"})

    def unauthorized(self) -> Answer:
        return Answer(401, {"success": False, "error": "unauthorized access", "errorCode": 401})

    # Persons and organizations.

    def _search(self, request: Request, entity: str) -> Answer:
        query = self._query(request, SEARCHED)
        exact = query.get("exact_match", "false") == "true"
        term = query.get("term", "").casefold()
        if len(term) < (1 if exact else 2):
            raise invalid("term", "is too short")
        wanted = set(query["fields"].split(",")) if "fields" in query else None
        if wanted and not wanted <= SEARCH_FIELDS[entity]:
            raise invalid("fields", "is none of those that are searched")
        items = []
        for id, raw in every(self.records[entity]):
            known = [texts for since, texts in self.index[id] if self.found(since)]
            texts = [
                text.casefold()
                for part, parts in (known[-1] or {} if known else {}).items()
                if wanted is None or part in wanted
                for text in parts
            ]
            if any(term == text if exact else term in text for text in texts):
                items.append({"result_score": 0.5, "item": {"id": int(id), "type": entity[:-1], "name": raw["name"]}})
        limit = int(query.get("limit", 100))
        start = int(base64.b64decode(query["cursor"])) if "cursor" in query else 0
        after = base64.b64encode(str(start + limit).encode()).decode() if len(items) > start + limit else None
        return given({"items": items[start : start + limit]}, next_cursor=after)

    @route("GET", "/api/v2/{entity}")
    def listing(self, request: Request, entity: str) -> Answer:
        if entity.endswith("Fields"):
            return given(self.metadata[entity.replace("Fields", "s")], next_cursor=None)
        query = self._query(request, LISTED)
        limit = int(query.get("limit", 100))
        if not 1 <= limit <= 500:
            raise invalid("limit", "must be from 1 to 500")
        since = query.get("updated_since", "")
        if since and not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", since):
            raise invalid("updated_since", "is not a valid datetime")
        ids = query["ids"].split(",") if "ids" in query else None
        if ids is not None and len(ids) > 100:
            raise invalid("ids", "are more than 100")
        by = query.get("sort_by", "id")
        if by not in ("id", "update_time", "add_time"):
            raise invalid("sort_by", "is no field to sort by")
        rows = sorted(
            (
                raw
                for id, raw in self.records[entity].items()
                if not raw["is_deleted"] and raw["update_time"] >= since and (ids is None or id in ids)
            ),
            key=lambda raw: (raw[by], raw["id"]),
            reverse=query.get("sort_direction") == "desc",
        )
        start = int(base64.b64decode(query["cursor"])) if "cursor" in query else 0
        after = base64.b64encode(str(start + limit).encode()).decode() if len(rows) > start + limit else None
        shown = [self._shown(entity, raw, query) for raw in rows[start : start + limit]]
        return given(shown, next_cursor=after)

    @route("POST", "/api/v2/{entity}")
    def create(self, request: Request, entity: str) -> Answer:
        if entity.endswith("Fields"):
            return self._add_field(request.json, entity.replace("Fields", "s"))
        self._query(request, set())
        if entity == "activities":
            return self._add_activity(request.json)
        if not request.json.get("name"):
            raise invalid("name", "is required")
        return self._write(entity, blank(self.id(), now()), request.json)

    @route("GET", "/api/v2/{entity}/{id}")
    def one(self, request: Request, entity: str, id: str) -> Answer:
        if entity.endswith("Fields"):
            found = [one for one in self.metadata[entity.replace("Fields", "s")] if one["field_code"] == id]
            return given(found[0]) if found else failed("Field not found", 404, "ERR_NOT_FOUND")
        if id == "search":
            return self._search(request, entity)
        query = self._query(request, {"include_option_labels"})
        raw = self._alive(entity, id)
        return given(self._shown(entity, raw, query)) if raw else self._missing(entity)

    @route("PATCH", "/api/v2/{entity}/{id}")
    def change(self, request: Request, entity: str, id: str) -> Answer:
        self._query(request, set())
        raw = self._alive(entity, id)
        return self._write(entity, raw, request.json) if raw else self._missing(entity)

    @route("POST", "/api/v2/{entity}Fields/{code}/options")
    def add_options(self, request: Request, entity: str, code: str) -> Answer:
        found = next(one for one in self.metadata[f"{entity}s"] if one["field_code"] == code)
        added = [{"id": int(self.id()), "label": one["label"]} for one in request.json]
        found["options"] += added
        return given(added)

    def _alive(self, entity: str, id: str) -> dict[str, Any] | None:
        raw = self.records[entity].get(id)
        return raw if raw and not raw["is_deleted"] else None

    def _missing(self, entity: str) -> Answer:
        return failed(f"{entity[:-1].capitalize()} not found", 404, "ERR_NOT_FOUND")

    def _query(self, request: Request, allowed: set[str]) -> dict[str, str]:
        for name in request.query.keys() - allowed:
            raise invalid(name, f"Parameter '{name}' is not allowed for this request")
        return request.query

    def _shown(self, entity: str, raw: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        shown = copy.deepcopy(raw)
        if query.get("include_option_labels") == "true":
            for one in self.metadata[entity]:
                labels = {choice["id"]: choice for choice in one["options"] or []}
                value = shown["custom_fields"].get(one["field_code"])
                if labels and value is not None:
                    chosen = [labels[id] for id in value] if isinstance(value, list) else labels[value]
                    shown["custom_fields"][one["field_code"]] = chosen
        return shown

    def _write(self, entity: str, raw: dict[str, Any], body: dict[str, Any]) -> Answer:
        conforms(body, BODIES[entity], "")
        if not self.contact_sync and (used := [name for name in CONTACT_SYNC if name in body]):
            return failed(f"Contact sync is required for: {used[0]}", 403, "ERR_FORBIDDEN")
        try:
            changed = self._changed(entity, raw, body)
        except ValueRefused as refusal:
            return failed(f"Validation failed: {refusal}")
        self._keep(entity, changed)
        return given(copy.deepcopy(changed))

    def _changed(self, entity: str, raw: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        changed = copy.deepcopy(raw)
        changed |= {name: value for name, value in body.items() if name != "custom_fields"}
        fields = {one["field_code"]: one for one in self.metadata[entity]}
        for name in ("name", "website", "linkedin", "job_title"):
            if len(changed.get(name) or "") > 255:
                raise ValueRefused(f"{name}: must be at most 255 characters long")
        for name in ("emails", "phones"):
            channels = [{"label": "work", "primary": False, **one} for one in changed.get(name) or []]
            if sum(one["primary"] for one in channels) > 1:
                raise invalid(name, "only one can be primary")
            if channels and not any(one["primary"] for one in channels):
                channels[0]["primary"] = True
            changed[name] = channels
        for name in ("address", "postal_address"):
            if body.get(name) and not body[name].get("value"):
                raise invalid(f"{name}.value", "is required")
        options = [one["id"] for one in fields["label_ids"]["options"]]
        if not set(changed["label_ids"] or []) <= set(options):
            raise ValueRefused("label_ids: a label does not exist")
        if changed.get("org_id") and not self._alive("organizations", str(changed["org_id"])):
            raise ValueRefused("org_id: organization does not exist")
        for key, value in (body.get("custom_fields") or {}).items():
            if key not in fields or not fields[key]["is_custom_field"]:
                raise ValueRefused(f"custom_fields: Unknown key '{key}'")
            if value is not None:
                fits(fields[key], value, entity[:-1])
            changed["custom_fields"][key] = value
        return changed

    def _keep(self, entity: str, raw: dict[str, Any], since: float | None = None) -> None:
        id = str(raw["id"])
        if entity == "persons":
            first, _, last = raw["name"].partition(" ")
            raw |= {"first_name": first, "last_name": last or None}
        raw["update_time"] = LONG_AGO if since is not None else now()
        self.records[entity][id] = raw
        types = {one["field_code"]: one["field_type"] for one in self.metadata[entity]}
        texts = {
            "name": [raw["name"]],
            "other": [raw.get("website") or "", raw.get("linkedin") or ""],
            "email": [one["value"] for one in raw.get("emails") or []],
            "phone": [one["value"] for one in raw.get("phones") or []],
            "address": [(raw.get("address") or {}).get("value") or ""],
            "custom_fields": [
                str(value["value"] if isinstance(value, dict) else value)
                for key, value in raw["custom_fields"].items()
                if value is not None and types.get(key) in SEARCHABLE
            ],
        }
        self.index.setdefault(id, []).append((self.now() if since is None else since, texts))

    def _add_field(self, body: dict[str, Any], entity: str) -> Answer:
        conforms(body, BODIES["fields"], "")
        labels = [one["label"] for one in body.get("options", [])]
        if body["field_type"] in ("enum", "set") and not labels:
            raise invalid("options", "is required")
        made = field(
            body["field_name"], key_of(body["field_name"] + self.id()), body["field_type"], labels, custom=True
        )
        self.metadata[entity].append(made)
        return given(made)

    def _add_activity(self, body: dict[str, Any]) -> Answer:
        conforms(body, BODIES["activities"], "")
        if body.get("type") not in (None, *self.activity_types):
            return failed("Validation failed: type: Activity type does not exist")
        if any(not self._alive("persons", str(one["person_id"])) for one in body.get("participants", [])):
            return failed("Validation failed: participants: person does not exist")
        if not re.fullmatch(r"(\d\d:\d\d)?", body.get("due_time", "")):
            raise invalid("due_time", "is no time")
        self.activities.append({"id": int(self.id()), **body})
        return given(self.activities[-1])

    # Notes and users, in v1.

    @route("POST", "/api/v1/notes")
    def add_note(self, request: Request) -> Answer:
        body = request.json
        if not isinstance(body.get("content"), str) or not isinstance(body.get("person_id"), int):
            raise Refuse("a note without content or person", failed("Content must be given."))
        if not self._alive("persons", str(body["person_id"])):
            return failed("Person not found.", 404)
        self.noted.append({"id": int(self.id()), "active_flag": True, **body})
        return given(self.noted[-1])

    @route("GET", "/api/v1/notes")
    def list_notes(self, request: Request) -> Answer:
        query = self._query(request, {"person_id", "start", "limit", "sort"})
        start, limit = int(query.get("start", 0)), int(query.get("limit", 100))
        notes = [one for one in self.noted if str(one["person_id"]) == query["person_id"]]
        more = len(notes) > start + limit
        pagination = {"start": start, "limit": limit, "more_items_in_collection": more, "next_start": start + limit}
        return given(notes[start : start + limit] or None, pagination=pagination)

    @route("GET", "/api/v1/activityTypes")
    def list_types(self, request: Request) -> Answer:
        return given([{"id": 1, "key_string": one, "active_flag": True} for one in self.activity_types])

    @route("GET", "/api/v1/users/me")
    def me(self, request: Request) -> Answer:
        id, email, name = self.users[0]
        company = {"company_id": 777, "company_name": "Example Sales", "company_domain": "example-sales"}
        return given({"id": id, "email": email, "name": name, "is_you": True, **company})

    @route("GET", "/api/v1/users")
    def list_users(self, request: Request) -> Answer:
        return given(
            [{"id": i, "email": e, "name": n, "active_flag": True, "is_you": i == 1} for i, e, n in self.users]
        )

    # The test's view.

    def _key(self, name: str, entity: str = "persons") -> str:
        label = "LinkedIn URL" if name == "linkedin_url" else name
        return next(
            (one["field_code"] for one in self.metadata[entity] if label in (one["field_name"], one["field_code"])),
            label,
        )

    def contacts(self) -> list[dict[str, Any]]:
        return [self._contact(raw) for _, raw in every(self.records["persons"]) if not raw["is_deleted"]]

    def _contact(self, raw: dict[str, Any]) -> dict[str, Any]:
        emails = sorted(raw["emails"], key=lambda one: not one["primary"])
        seen = {"id": str(raw["id"]), "first_name": raw["first_name"], "last_name": raw["last_name"]}
        seen |= {"email": emails[0]["value"] if emails else None, "other_emails": [one["value"] for one in emails[1:]]}
        seen |= {"phone": next((one["value"] for one in raw["phones"]), None), "job_title": raw.get("job_title")}
        seen |= {"linkedin_url": raw["custom_fields"].get(self._key("linkedin_url"))}
        seen |= {"city": (raw.get("postal_address") or {}).get("locality")}
        seen |= {"company_id": str(raw["org_id"]) if raw.get("org_id") else None}
        return {name: value for name, value in seen.items() if value not in (None, [])}

    def companies(self) -> list[dict[str, Any]]:
        return [
            {
                "id": id,
                "name": raw["name"],
                "domain": re.sub(r"^https?://(www\.)?", "", raw.get("website") or "") or None,
            }
            for id, raw in every(self.records["organizations"])
            if not raw["is_deleted"]
        ]

    def put_contact(self, **fields: Any) -> str:
        id = self.id()
        raw = blank(id, LONG_AGO) | {"name": "", "emails": [], "phones": []}
        self._typed(raw, fields)
        self._keep("persons", raw, since=float("-inf"))
        return id

    def put_company(self, **fields: Any) -> str:
        id = self.id()
        website = f"https://{fields['domain']}" if fields.get("domain") else None
        raw = blank(id, LONG_AGO) | {"name": fields["name"], "website": website}
        self._keep("organizations", raw, since=float("-inf"))
        return id

    def _typed(self, raw: dict[str, Any], fields: dict[str, Any]) -> None:
        if fields.keys() & {"first_name", "last_name"}:
            first, _, last = raw["name"].partition(" ")
            raw["name"] = f"{fields.get('first_name', first)} {fields.get('last_name', last)}".strip()
        if fields.keys() & {"email", "other_emails"}:
            old = [one["value"] for one in raw["emails"]]
            texts = [fields.get("email", old[0] if old else None), *fields.get("other_emails", old[1:])]
            emails = [{"value": text, "label": "home", "primary": False} for text in texts if text]
            raw["emails"] = emails and [{**emails[0], "primary": True}, *emails[1:]]
        if "phone" in fields:
            raw["phones"] = [{"value": fields["phone"], "label": "mobile", "primary": True}]
        if "city" in fields:
            raw["postal_address"] = dict.fromkeys(ADDRESS) | {"value": fields["city"], "locality": fields["city"]}
        raw |= {name: fields[name] for name in ("job_title", "name") if name in fields}
        if "company_id" in fields:
            raw["org_id"] = fields["company_id"] and int(fields["company_id"])
        if "linkedin_url" in fields:
            raw["custom_fields"][self._key("linkedin_url")] = fields["linkedin_url"]

    def change_contact(self, id: str, **fields: Any) -> None:
        raw = copy.deepcopy(self.records["persons"][id])
        self._typed(raw, fields)
        self._keep("persons", raw)

    def delete_contact(self, id: str) -> None:
        self.records["persons"][id]["is_deleted"] = True
        self.index[id].append((self.now(), None))

    def merge_contacts(self, kept: str, gone: str) -> None:
        into, other = copy.deepcopy(self.records["persons"][kept]), self.records["persons"][gone]
        known = {one["value"] for one in into["emails"]}
        into["emails"] += [{**one, "primary": not known} for one in other["emails"] if one["value"] not in known]
        into["custom_fields"] = other["custom_fields"] | into["custom_fields"]
        self._keep("persons", into)
        self.delete_contact(gone)

    def remove_field(self, name: str) -> None:
        key = self._key(name)
        self.metadata["persons"] = [one for one in self.metadata["persons"] if one["field_code"] != key]
        for raw in self.records["persons"].values():
            raw["custom_fields"].pop(key, None)

    def notes(self, contact_id: str) -> list[str]:
        return [one["content"] for one in self.noted if str(one["person_id"]) == contact_id]

    def tasks(self, contact_id: str) -> list[str]:
        return [
            one["subject"]
            for one in self.activities
            if any(str(who["person_id"]) == contact_id for who in one.get("participants", []))
        ]

    def members(self, list_name: str) -> list[str]:
        labels = next(one for one in self.metadata["persons"] if one["field_code"] == "label_ids")
        ids = [one["id"] for one in labels["options"] if one["label"] == list_name]
        return [id for id, raw in every(self.records["persons"]) if set(ids) & set(raw["label_ids"])]


def blank(id: str, added: str) -> dict[str, Any]:
    """A record that has only what Pipedrive gives every one."""
    given = {"id": int(id), "add_time": added, "owner_id": 1, "visible_to": 3}
    return given | {"is_deleted": False, "label_ids": [], "custom_fields": {}}


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def conforms(value: Any, shape: Any, where: str) -> None:
    """Raises Refuse where a body is not of the documented shape; null empties."""
    if value is None:
        return
    if isinstance(shape, list):
        if not isinstance(value, list):
            raise invalid(where, "must be an array")
        for one in value:
            conforms(one, shape[0], where)
    elif isinstance(shape, dict):
        if not isinstance(value, dict):
            raise invalid(where or "body", "must be an object")
        for name, one in value.items():
            if name not in shape:
                raise invalid(name, f"Parameter '{name}' is not allowed for this request")
            conforms(one, shape[name], f"{where}.{name}".strip("."))
    elif not isinstance(value, shape) or (shape is int and isinstance(value, bool)):
        raise invalid(where, f"Expected '{shape.__name__}'")


def fits(one: dict[str, Any], value: Any, entity: str) -> None:
    """Raises Refuse for a value of a wrong shape, ValueRefused for one that the account has no place for."""
    type, key = one["field_type"], one["field_code"]
    shape = {"double": (int, float), "enum": int, "set": list, "address": dict, "monetary": dict}.get(type, str)
    if not isinstance(value, shape) or value == []:
        raise invalid("custom_fields", f"Expected '{type}' as value for {entity} custom field '{key}'")
    if type in ("varchar", "varchar_auto") and len(value) > 255:
        raise ValueRefused(f"custom_fields: Expected at most 255 characters for {entity} custom field '{key}'")
    ids = {choice["id"] for choice in one["options"] or []}
    if type in ("enum", "set") and not set(value if type == "set" else [value]) <= ids:
        raise ValueRefused(f"custom_fields: Unknown option {json.dumps(value)} for {entity} custom field '{key}'")
