"""HubSpot as a server: CRM objects v3, associations v4, lists, owners and properties v3, OAuth v3.

Facts from HubSpot/HubSpot-public-api-spec-collection and https://developers.hubspot.com/docs/api-reference (pages
`crm/search-the-crm`, `error-handling`, `crm/objects/contacts/guide`, `crm/activities/notes/guide`). The texts of errors
are those that public clients quote.
"""

import html
import json
import re
import time
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from vendors.base import Refuse, Vendor, every, route
from vendors.wire import Answer, Request

Props = dict[str, str]
LONG_AGO = "2020-01-01T00:00:00.000Z"
TEXTS = {
    "contacts": "email firstname lastname jobtitle company phone mobilephone website city state zip country seniority "
    "job_function hs_linkedin_url",
    "companies": "name domain website description phone city state country linkedin_company_page founded_year",
    "notes": "hs_note_body hs_timestamp",
    "tasks": "hs_task_subject hs_task_body hs_timestamp",
}
PICKLISTS = {
    "contacts": {"hs_lead_status": ("NEW", "OPEN", "CONNECTED")},
    "companies": {"type": ("PROSPECT", "PARTNER"), "industry": ("COMPUTER_SOFTWARE", "BANKING")},
    "notes": {},
    "tasks": {
        "hs_task_status": ("NOT_STARTED", "COMPLETED"),
        "hs_task_type": ("TODO", "CALL"),
    },
}
NUMBERS = {"numberofemployees", "annualrevenue"}
READ_ONLY = {"hs_object_id", "createdate", "lastmodifieddate", "hs_lastmodifieddate", "associatedcompanyid"}
READ_ONLY |= {"hs_additional_emails"}
REQUIRED = {
    "contacts": ("email", "firstname", "lastname"),
    "companies": ("name", "domain"),
    "notes": ("hs_timestamp",),
    "tasks": ("hs_timestamp",),
}
"""One of these has to be given."""
LINKS = {
    ("contacts", 1): "companies",
    ("contacts", 279): "companies",
    ("notes", 202): "contacts",
    ("tasks", 204): "contacts",
}
LONGEST = 65_536
BATCH, PAGE, GROUPS, FILTERS, ALL_FILTERS, BODY, RESULTS = 100, 200, 5, 6, 18, 3_000, 10_000
SEARCH_KEYS = {"filterGroups", "query", "limit", "after", "sorts", "properties"}
VIEW = {
    "email": "email",
    "linkedin_url": "hs_linkedin_url",
    "first_name": "firstname",
    "last_name": "lastname",
    "job_title": "jobtitle",
    "phone": "phone",
    "city": "city",
    "company_id": "associatedcompanyid",
    "company_name": "company",
    "other_emails": "hs_additional_emails",
    "name": "name",
    "domain": "domain",
}


CORRELATION = "b1c0e1d2-0000-4000-8000-000000000000"
REFUSED = {
    ("invalid_grant", "refresh_token"): ("BAD_REFRESH_TOKEN", "missing or invalid refresh token"),
    ("invalid_grant", "authorization_code"): ("BAD_AUTH_CODE", "missing or invalid auth code"),
    ("invalid_client", ""): ("BAD_CLIENT_ID", "missing or invalid client id"),
    ("unsupported_grant_type", ""): ("BAD_GRANT_TYPE", "missing or unknown grant type"),
}
"""What the token endpoint says of what RFC 6749 calls so, by the grant."""


class Says(Exception):
    """An answer of the vendor that a client may well get."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.body)
        self.answer = answer


class Stored:
    """A record. `versions` are its properties with the times from which they hold, for search."""

    def __init__(self, id: str, props: Props, since: float) -> None:
        self.id, self.versions, self.links = id, [(since, props)], list[tuple[str, str]]()
        self.created = self.updated = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    @property
    def props(self) -> Props:
        return self.versions[-1][1]

    def write(self, props: Mapping[str, str], since: float) -> None:
        self.versions.append((since, {name: value for name, value in {**self.props, **props}.items() if value}))
        self.updated = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def error(status: int, category: str, message: str, **more: Any) -> Answer:
    body = {"status": "error", "message": message, "correlationId": CORRELATION}
    return Answer(status, {**body, "category": category, **more})


def refuse(why: str) -> Refuse:
    return Refuse(why, error(400, "VALIDATION_ERROR", f"Invalid input JSON: {why}"))


class HubSpotServer(Vendor):
    """`search_quota` are requests of search in seconds, `daily` the requests that are left today, `scopes` what the
    token may; None for all."""

    search_quota: tuple[int, float] | None = None

    def __init__(self) -> None:
        super().__init__()
        self.daily: int | None = None
        self.scopes: set[str] | None = None
        self.owners = {"71": "ann@example.com", "72": "bob@example.com"}
        self.objects: dict[str, dict[str, Stored]] = {kind: {} for kind in TEXTS}
        self.custom: dict[str, dict[str, dict[str, Any]]] = {"contacts": {}, "companies": {}}
        self.merged: dict[str, str] = {}
        self.lists: dict[str, tuple[str, str, list[str]]] = {}
        self._grant_type = ""
        self._searching = False
        self._searches: deque[float] = deque()

    # Tokens, quotas, scopes.

    @route("POST", "/oauth/v3/token", public=True)
    def token(self, request: Request) -> Answer:
        if request.query or not request.form:
            raise refuse("the parameters of the token endpoint belong into the body")
        self._grant_type = request.form.get("grant_type", "")
        return self.grant(request, hub_id=4711, token_use="access_token", scopes=[])

    def grant_refused(self, error: str) -> Answer:
        status, message = REFUSED[error, self._grant_type] if error == "invalid_grant" else REFUSED[error, ""]
        return Answer(400, {"status": status, "message": message, "correlationId": CORRELATION})

    @route("POST", "/oauth/v3/token/revoke", public=True)
    def revoke(self, request: Request) -> Answer:
        if request.query or not {"token", "client_id", "client_secret"} <= set(request.form):
            raise refuse("revocation takes token, client_id and client_secret in the body")
        self.revoked.append(request.form["token"])
        self.refresh_tokens.discard(request.form["token"])
        return Answer(204)

    def unauthorized(self) -> Answer:
        return error(401, "EXPIRED_AUTHENTICATION", "The OAuth token used to make this call expired 7 second(s) ago.")

    def throttled(self) -> Answer:
        policy = "DAILY" if self.daily == 0 else "SECONDLY" if self._searching else "TEN_SECONDLY_ROLLING"
        message = f"You have reached your {policy.lower()} limit."
        return error(429, "RATE_LIMITS", message, errorType="RATE_LIMIT", policyName=policy)

    def _over(self) -> bool:
        if self.daily is not None:
            if self.daily == 0:
                return True
            self.daily -= 1
        if not self._searching or self.search_quota is None:
            return not self._searching and super()._over()
        most, seconds = self.search_quota
        while self._searches and self._searches[0] <= time.monotonic() - seconds:
            self._searches.popleft()
        if len(self._searches) >= most:
            return True
        self._searches.append(time.monotonic())
        return False

    def _answer(self, request: Request) -> Answer:
        self._searching = bool(re.fullmatch(r"/crm/v3/objects/\w+/search", request.path))
        try:
            answer = super()._answer(request)
        except Says as said:
            answer = said.answer
        headers = dict(answer.headers)
        if self.daily is not None:
            headers["X-HubSpot-RateLimit-Daily-Remaining"] = str(self.daily)
        if self.quota and not self._searching:
            headers["X-HubSpot-RateLimit-Max"] = str(self.quota[0])
            headers["X-HubSpot-RateLimit-Interval-Milliseconds"] = str(int(self.quota[1] * 1000))
        return answer._replace(headers=headers)

    def _need(self, scope: str) -> None:
        if self.scopes is not None and scope not in self.scopes:
            detail = {
                "message": "One or more of the following scopes are required.",
                "context": {"requiredGranularScopes": [scope]},
            }
            message = "This app hasn't been granted all required scopes to make this call."
            raise Says(error(403, "MISSING_SCOPES", message, errors=[detail]))

    def _may(self, kind: str, right: str) -> None:
        if kind not in self.objects:
            raise refuse(f"no object type {kind}")
        self._need(f"crm.objects.{'companies' if kind == 'companies' else 'contacts'}.{right}")

    # The account, its users and properties.

    @route("GET", "/account-info/v3/details")
    def details(self, request: Request) -> Answer:
        return Answer(200, {"portalId": 4711, "accountType": "STANDARD", "uiDomain": "app-eu1.hubspot.com"})

    @route("GET", "/crm/v3/owners")
    def list_owners(self, request: Request) -> Answer:
        self._need("crm.objects.owners.read")
        known(request.query, {"after", "archived", "email", "limit"})
        size, start = int(request.query.get("limit", "100")), int(request.query.get("after", "0"))
        if size > 500:
            raise refuse("limit of owners")
        rows = [{"id": id, "email": email, "firstName": email.split("@")[0], "lastName": "Test", "type": "PERSON"}
                for id, email in self.owners.items()]  # fmt: skip
        more = {"paging": {"next": {"after": str(start + size)}}} if len(rows) > start + size else {}
        return Answer(200, {"results": rows[start : start + size], **more})

    def _properties(self, kind: str) -> dict[str, dict[str, Any]]:
        rows = {name: {"type": "string", "fieldType": "text"} for name in TEXTS[kind].split()}
        for name, values in PICKLISTS[kind].items():
            options = [{"label": value.title(), "value": value, "hidden": False} for value in values]
            rows[name] = {"type": "enumeration", "fieldType": "select", "options": options}
        owner = {"type": "enumeration", "fieldType": "select", "externalOptions": True, "referencedObjectType": "OWNER"}
        rows["hubspot_owner_id"] = owner
        rows |= {name: {"type": "datetime", "fieldType": "date"} for name in ("createdate", "lastmodifieddate")}
        rows["hs_object_id"] = {"type": "number", "fieldType": "number"}
        if kind == "contacts":
            rows["associatedcompanyid"] = {"type": "number", "fieldType": "number"}
            rows["hs_additional_emails"] = {"type": "enumeration", "fieldType": "checkbox"}
        if kind == "companies":
            rows |= {name: {"type": "number", "fieldType": "number"} for name in NUMBERS}
        for name, row in rows.items():
            row["hubspotDefined"] = True
            row["modificationMetadata"] = {"readOnlyValue": name in READ_ONLY}
        return {
            name: {"name": name, "label": name.title(), "options": [], "groupName": "g", "description": "", **row}
            for name, row in {**rows, **self.custom.get(kind, {})}.items()
        }

    @route("GET", "/crm/v3/properties/{kind}")
    def read_properties(self, request: Request, kind: str) -> Answer:
        self._may(kind, "read")
        return Answer(200, {"results": list(self._properties(kind).values())})

    @route("GET", "/crm/v3/properties/{kind}/{name}")
    def read_property(self, request: Request, kind: str, name: str) -> Answer:
        self._may(kind, "read")
        found = self._properties(kind).get(name)
        return Answer(200, found) if found else error(404, "OBJECT_NOT_FOUND", f"Property {name} not found")

    @route("POST", "/crm/v3/properties/{kind}")
    def create_property(self, request: Request, kind: str) -> Answer:
        self._need(f"crm.schemas.{kind}.write")
        body = needed(request.json, {"fieldType", "groupName", "label", "name", "type"})
        if not re.fullmatch(r"[a-z][a-z0-9_]*", body["name"]) or body["name"].startswith("hs_"):
            raise refuse(f"no name of a property: {body['name']}")
        if body["groupName"] not in ("contactinformation", "companyinformation"):
            raise refuse(f"no group {body['groupName']}")
        if body["name"] in self._properties(kind):
            return error(409, "OBJECT_ALREADY_EXISTS", f"A property named '{body['name']}' already exists.")
        self.custom[kind][body["name"]] = dict(body)
        return Answer(201, self._properties(kind)[body["name"]])

    # Records.

    def _stored(self, kind: str, id: str) -> Stored:
        found = self.objects[kind].get(self.merged.get(id, id))
        if found is None:
            raise Says(error(404, "OBJECT_NOT_FOUND", "Object not found.  objectId are usually numeric."))
        return found

    def _owner_of(self, email: str) -> Stored | None:
        """The contact that has the address, also as an additional one."""
        return next((one for _, one in every(self.objects["contacts"]) if email.lower() in emails(one.props)), None)

    def _check(self, kind: str, props: Any, record: Stored | None) -> Props:
        if not isinstance(props, dict) or not all(isinstance(value, str) for value in props.values()):
            raise refuse("properties are texts")
        defined = self._properties(kind)
        problems = [
            {"isValid": False, "message": message, "error": code, "name": name}
            for name, value in props.items()
            for code, message in [self._problem(defined.get(name), name, value)]
            if code
        ]
        if problems:
            message = f"Property values were not valid: {json.dumps(problems)}"
            raise Says(error(400, "VALIDATION_ERROR", message))
        if not any({**(record.props if record else {}), **props}.get(name) for name in REQUIRED[kind]):
            raise refuse(f"one of {', '.join(REQUIRED[kind])} is required")
        props = dict(props)
        if kind == "contacts":
            if props.get("email"):
                props["email"] = props["email"].lower()
            other = self._owner_of(props.get("email", ""))
            if other and other is not record:
                raise Says(error(409, "CONFLICT", f"Contact already exists. Existing ID: {other.id}"))
        return props

    def _problem(self, row: dict[str, Any] | None, name: str, value: str) -> tuple[str, str]:
        if row is None:
            return "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist'
        if name in READ_ONLY:
            return "READ_ONLY_VALUE", f'"{name}" is a read only property; its value cannot be set.'
        allowed = [option["value"] for option in row["options"]]
        chosen = value.split(";") if row["fieldType"] == "checkbox" else [value]
        if value and allowed and not set(chosen) <= set(allowed):
            return "INVALID_OPTION", f"{value} was not one of the allowed options: {allowed}"
        if value and row["type"] == "number" and not re.fullmatch(r"-?\d+(\.\d+)?", value):
            return "INVALID_INTEGER", f"{value} was not a valid number."
        if value and name == "email" and not re.fullmatch(r"[^\s@;]+@[^\s@;]+\.[^\s@;]+", value):
            return "INVALID_EMAIL", f"Email address {value} is invalid"
        if value and name == "hubspot_owner_id" and value not in self.owners:
            return "INVALID_OWNER_ID", f"{value} is not a valid owner ID."
        return ("VALUE_TOO_LONG", f"{name} is longer than {LONGEST} characters") if len(value) > LONGEST else ("", "")

    def _make(self, kind: str, row: Any) -> Stored:
        known(needed(row, {"properties", "associations"}), {"properties", "associations", "objectWriteTraceId"})
        props = self._check(kind, row["properties"], None)
        record = Stored(self.id(), props, self.now())
        for link in row["associations"]:
            for one in needed(link, {"to", "types"})["types"]:
                target = LINKS.get((kind, one.get("associationTypeId")))
                if target is None or one.get("associationCategory") != "HUBSPOT_DEFINED":
                    raise refuse(f"no association of {kind} by {one}")
                if link["to"]["id"] not in self.objects[target]:
                    message = f"One or more associations are not valid: {target} {link['to']['id']} does not exist"
                    raise Says(error(400, "VALIDATION_ERROR", message))
                self._link(record, target, link["to"]["id"])
        self.objects[kind][record.id] = record
        return record

    def _link(self, record: Stored, target: str, id: str) -> None:
        record.links.append((target, id))
        if target == "companies":
            record.write({"associatedcompanyid": id}, self.now())

    def _shown(self, record: Stored, names: list[str] | None = None) -> dict[str, Any]:
        props: dict[str, Any] = {name: record.props.get(name) for name in (record.props if names is None else names)}
        props |= {"hs_object_id": record.id, "createdate": record.created, "lastmodifieddate": record.updated}
        row = {"id": record.id, "properties": props, "createdAt": record.created, "updatedAt": record.updated}
        return {**row, "archived": False}

    @route("POST", "/crm/v3/objects/{kind}")
    def create_one(self, request: Request, kind: str) -> Answer:
        self._may(kind, "write")
        return Answer(201, self._shown(self._make(kind, request.json)))

    @route("PATCH", "/crm/v3/objects/{kind}/{id}")
    def update_one(self, request: Request, kind: str, id: str) -> Answer:
        self._may(kind, "write")
        record = self._stored(kind, id)
        props = self._check(kind, needed(request.json, {"properties"})["properties"], record)
        record.write(props, self.now())
        return Answer(200, self._shown(record, list(props)))

    def _inputs(self, request: Request, most: int = BATCH) -> list[Any]:
        inputs = needed(request.json, {"inputs"})["inputs"]
        if not inputs or len(inputs) > most:
            raise refuse(f"a batch has 1 to {most} inputs")
        return list(inputs)

    @route("POST", "/crm/v3/objects/{kind}/batch/create")
    def create_many(self, request: Request, kind: str) -> Answer:
        self._may(kind, "write")
        inputs = self._inputs(request)
        traces = [row.get("objectWriteTraceId") for row in inputs]
        alone = None not in traces and len(set(traces)) == len(traces)
        before = dict(self.objects[kind])
        results, errors = [], []
        for row in inputs:
            try:
                made = self._shown(self._make(kind, row))
            except Says as said:
                if not alone:
                    self.objects[kind] = before
                    raise
                errors.append({**said.answer.body, "context": {"objectWriteTraceId": [row["objectWriteTraceId"]]}})
            else:
                results.append(made | ({"objectWriteTraceId": row["objectWriteTraceId"]} if alone else {}))
        return batch(results[::-1], errors, 201)

    @route("POST", "/crm/v3/objects/{kind}/batch/update")
    def update_many(self, request: Request, kind: str) -> Answer:
        self._may(kind, "write")
        inputs = self._inputs(request)
        ids = [needed(row, {"id", "properties"})["id"] for row in inputs]
        if len(set(ids)) < len(ids):
            raise refuse("duplicate ids in a batch")
        there = [row for row in inputs if self.merged.get(row["id"], row["id"]) in self.objects[kind]]
        checked = [(r := self._stored(kind, row["id"]), self._check(kind, row["properties"], r)) for row in there]
        for record, props in checked:
            record.write(props, self.now())
        gone = [row["id"] for row in inputs if row not in there]
        return batch([self._shown(record, list(props)) for record, props in checked], missing(gone), 200)

    @route("POST", "/crm/v3/objects/{kind}/batch/read")
    def read_many(self, request: Request, kind: str) -> Answer:
        self._may(kind, "read")
        body = needed(request.json, {"inputs", "properties", "propertiesWithHistory"})
        key = body.get("idProperty")
        if key not in (None, "email"):
            raise refuse(f"no property with unique values: {key}")
        found: dict[str, Stored] = {}
        gone = []
        for row in self._inputs(request):
            id = self.merged.get(row["id"], row["id"])
            record = self._owner_of(row["id"]) if key else self.objects[kind].get(id)
            if record:
                found[record.id] = record
            else:
                gone.append(row["id"])
        return batch([self._shown(one, body["properties"]) for one in found.values()], missing(gone), 200)

    @route("POST", "/crm/v3/objects/{kind}/search")
    def search(self, request: Request, kind: str) -> Answer:
        self._may(kind, "read")
        body = needed(request.json, {"after", "filterGroups", "limit", "properties", "sorts"})
        known(body, SEARCH_KEYS)
        groups = [needed(group, {"filters"})["filters"] for group in body["filterGroups"]]
        if len(request.raw.decode()) > BODY:
            raise refuse(f"a search of {len(request.raw.decode())} characters")
        if len(groups) > GROUPS or any(len(one) > FILTERS for one in groups) or sum(map(len, groups)) > ALL_FILTERS:
            raise refuse("too many filters or groups")
        start = int(body["after"] or 0)
        if body["limit"] > PAGE or start + body["limit"] > RESULTS or len(body["sorts"]) > 1:
            raise refuse("limit, after or sorts")
        defined = self._properties(kind)
        for one in (one for group in groups for one in group):
            if one["propertyName"] not in defined:
                return error(400, "VALIDATION_ERROR", "There was a problem with the request.")
            wrong = one["operator"] == "IN" and [value for value in one["values"] if value != value.lower()]
            if wrong or one["operator"] not in ("EQ", "IN", "GT"):
                raise refuse(f"filter {one}")
        hits = [
            record
            for _, record in every(self.objects[kind])
            for props in [next((p for since, p in reversed(record.versions) if self.found(since)), None)]
            if props is not None
            and any(all(holds(one, {**props, "hs_object_id": record.id}) for one in group) for group in groups)
        ]
        page = [self._shown(one, body["properties"]) for one in hits[start : start + body["limit"]]]
        end = start + len(page)
        more = {"paging": {"next": {"after": str(end)}}} if end < len(hits) else {}
        return Answer(200, {"total": len(hits), "results": page, **more})

    # Associations and lists.

    @route("POST", "/crm/v4/associations/contacts/companies/batch/create")
    def associate(self, request: Request) -> Answer:
        self._may("contacts", "write")
        results, errors = [], []
        for row in self._inputs(request, 2000):
            kinds = {(one["associationCategory"], one["associationTypeId"]) for one in row["types"]}
            if not kinds <= {("HUBSPOT_DEFINED", 1), ("HUBSPOT_DEFINED", 279)}:
                raise refuse(f"association types {kinds}")
            record, company = self.objects["contacts"].get(row["from"]["id"]), row["to"]["id"]
            if record and company in self.objects["companies"]:
                self._link(record, "companies", company)
                results.append({"fromObjectId": record.id, "toObjectId": company, "labels": []})
            else:
                context = {"fromObjectId": [row["from"]["id"]], "toObjectId": [company]}
                errors.append({**error(404, "OBJECT_NOT_FOUND", "Object not found.").body, "context": context})
        return batch(results, errors, 201)

    @route("POST", "/crm/v4/associations/contacts/companies/batch/archive")
    def dissociate(self, request: Request) -> Answer:
        self._may("contacts", "write")
        for row in self._inputs(request, 2000):
            record = self._stored("contacts", row["from"]["id"])
            record.links = [one for one in record.links if one not in [("companies", to["id"]) for to in row["to"]]]
            record.write({"associatedcompanyid": ""}, self.now())
        return Answer(204)

    @route("GET", "/crm/v4/objects/contacts/{id}/associations/notes")
    def associated(self, request: Request, id: str) -> Answer:
        self._may("contacts", "read")
        self._stored("contacts", id)
        known(request.query, {"after", "limit"})
        size, start = int(request.query.get("limit", "500")), int(request.query.get("after", "0"))
        if size > 500:
            raise refuse("limit of associations")
        ids = [one.id for _, one in every(self.objects["notes"]) if ("contacts", id) in one.links]
        rows = [{"toObjectId": int(one), "associationTypes": []} for one in ids[start : start + size]]
        more = {"paging": {"next": {"after": str(start + size)}}} if start + size < len(ids) else {}
        return Answer(200, {"results": rows, **more})

    @route("POST", "/crm/v3/lists/search")
    def search_lists(self, request: Request) -> Answer:
        self._need("crm.lists.read")
        body = needed(request.json, {"additionalProperties", "offset"})
        if body.get("count", 20) > 500:
            raise refuse("count of lists")
        kinds = body.get("processingTypes") or ["MANUAL", "SNAPSHOT", "DYNAMIC"]
        rows = [self._list(id) for id, (_, kind, _) in self.lists.items() if kind in kinds]
        end = body["offset"] + body.get("count", 20)
        page = rows[body["offset"] : end]
        return Answer(200, {"lists": page, "offset": end, "hasMore": end < len(rows), "total": len(rows)})

    def _list(self, id: str) -> dict[str, Any]:
        return {"listId": id, "name": self.lists[id][0], "processingType": self.lists[id][1], "objectTypeId": "0-1"}

    @route("POST", "/crm/v3/lists")
    def create_list(self, request: Request) -> Answer:
        self._need("crm.lists.write")
        body = needed(request.json, {"name", "objectTypeId", "processingType"})
        if any(name.lower() == body["name"].lower() for name, _, _ in self.lists.values()):
            message = f"List name {body['name']} already exists"
            return error(400, "VALIDATION_ERROR", message, subCategory="ILS.DUPLICATE_LIST_NAMES")
        id = self.id()
        self.lists[id] = (body["name"], body["processingType"], [])
        return Answer(200, {"list": self._list(id)})

    @route("PUT", "/crm/v3/lists/{id}/memberships/add")
    def add_members(self, request: Request, id: str) -> Answer:
        self._need("crm.lists.write")
        if id not in self.lists:
            return error(404, "OBJECT_NOT_FOUND", f"List {id} does not exist")
        if self.lists[id][1] == "DYNAMIC" or not isinstance(request.json, list):
            raise refuse("members are added to static lists, as an array of ids")
        there = [one for one in request.json if one in self.objects["contacts"]]
        added = [one for one in there if one not in self.lists[id][2]]
        self.lists[id][2].extend(added)
        gone = [one for one in request.json if one not in there]
        return Answer(200, {"recordsIdsAdded": added, "recordIdsRemoved": [], "recordIdsMissing": gone})

    @route("POST", "/crm/v3/lists/records/memberships/batch/read")
    def memberships(self, request: Request) -> Answer:
        self._need("crm.lists.read")
        results = []
        for row in self._inputs(request):
            needed(row, {"objectTypeId", "recordId"})
            on = [{"listId": id, "listVersion": 1} for id, one in self.lists.items() if row["recordId"] in one[2]]
            results.append({**row, "recordListMemberships": on})
        return batch(results, [], 200)

    # The test's view.

    def _view(self, kind: str) -> list[dict[str, Any]]:
        rows = []
        for id, record in every(self.objects[kind]):
            row: dict[str, Any] = {ours: record.props[name] for ours, name in VIEW.items() if name in record.props}
            if "other_emails" in row:
                row["other_emails"] = row["other_emails"].split(";")
            rows.append({"id": id, **row})
        return rows

    def contacts(self) -> list[dict[str, Any]]:
        return self._view("contacts")

    def companies(self) -> list[dict[str, Any]]:
        return self._view("companies")

    def _put(self, kind: str, fields: dict[str, Any]) -> str:
        record = Stored(self.id(), theirs(fields), float("-inf"))
        record.created = LONG_AGO
        self.objects[kind][record.id] = record
        return record.id

    def put_contact(self, **fields: Any) -> str:
        return self._put("contacts", fields)

    def put_company(self, **fields: Any) -> str:
        return self._put("companies", fields)

    def change_contact(self, id: str, **fields: Any) -> None:
        with self.lock:
            self.objects["contacts"][id].write(theirs(fields), self.now())

    def delete_contact(self, id: str) -> None:
        with self.lock:
            del self.objects["contacts"][id]

    def merge_contacts(self, kept: str, gone: str) -> None:
        with self.lock:
            other = self.objects["contacts"].pop(gone).props
            record = self.objects["contacts"][kept]
            more = ";".join(sorted((emails(record.props) | emails(other)) - {record.props.get("email", "")}))
            record.write({**other, **record.props, "hs_additional_emails": more}, self.now())
            self.merged[gone] = kept

    def add_field(self, name: str, *options: str) -> None:
        """Somebody makes a custom field of contacts, a picklist where it has options."""
        row = {"name": name, "type": "enumeration", "fieldType": "select"} if options else {"type": "string"}
        shown = [{"value": one, "label": one.title(), "hidden": False} for one in options]
        self.custom["contacts"][name] = {"fieldType": "text", **row, "options": shown}

    def remove_field(self, name: str) -> None:
        with self.lock:
            del self.custom["contacts"][name]

    def notes(self, contact_id: str) -> list[str]:
        bodies = [
            one.props["hs_note_body"]
            for _, one in every(self.objects["notes"])
            if ("contacts", contact_id) in one.links
        ]
        return [html.unescape(re.sub("<br ?/?>", "\n", body)) for body in bodies]

    def tasks(self, contact_id: str) -> list[str]:
        tasks = [one for _, one in every(self.objects["tasks"]) if ("contacts", contact_id) in one.links]
        return [one.props.get("hs_task_subject", "") for one in tasks]

    def members(self, list_name: str) -> list[str]:
        return next((ids for name, _, ids in self.lists.values() if name == list_name), [])


def needed(body: Any, names: set[str]) -> dict[str, Any]:
    if not isinstance(body, dict) or not names <= set(body):
        raise refuse(f"needs {', '.join(sorted(names))}")
    return body


def known(body: Mapping[str, Any], names: set[str]) -> None:
    if set(body) - names:
        raise refuse(f"unknown {', '.join(sorted(set(body) - names))}")


def emails(props: Mapping[str, str]) -> set[str]:
    return {one.lower() for one in [props.get("email", ""), *props.get("hs_additional_emails", "").split(";")] if one}


def theirs(fields: Mapping[str, Any]) -> Props:
    return {VIEW.get(name, name): ";".join(v) if isinstance(v, list) else str(v) for name, v in fields.items() if v}


def holds(filter: Mapping[str, Any], props: Mapping[str, str]) -> bool:
    value = props.get(filter["propertyName"], "").lower()
    match filter["operator"]:
        case "EQ":
            return bool(value) and value == filter["value"].lower()
        case "IN":
            return bool(value) and value in filter["values"]
        case _:
            return bool(value) and float(value) > float(filter["value"])


def missing(ids: list[str]) -> list[dict[str, Any]]:
    message = "Could not get some objects, they may be deleted or not exist. Check that ids are valid."
    return [{**error(404, "OBJECT_NOT_FOUND", message).body, "context": {"ids": ids}}] if ids else []


def batch(results: list[Any], errors: list[dict[str, Any]], status: int) -> Answer:
    body = {"status": "COMPLETE", "results": results, "startedAt": "2026-01-01T00:00:00Z"}
    body["completedAt"] = "2026-01-01T00:00:00Z"
    return Answer(207, {**body, "numErrors": len(errors), "errors": errors}) if errors else Answer(status, body)
