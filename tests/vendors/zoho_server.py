"""Zoho CRM, API v8, as a small server: what https://www.zoho.com/crm/developer/docs/api/v8/ says of it.

Not confirmed there, and assumed: COQL compares without regard to case, a backslash in it is a character like others.
"""

import re
import threading
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from vendors.base import Refuse, Vendor, every, route
from vendors.coql import Coql, CoqlError
from vendors.wire import Answer, Request

TEXTS = {"text", "textarea", "email", "phone", "website", "picklist"}
PATTERNS = {
    "email": re.compile(r"[\w+-][\w!#$%&'*+/=?^`{|}~.-]*@([\w-]+\.)+\w{2,22}"),
    "phone": re.compile(r"\+?[\da-zA-Z .,;#()-]+"),
    "website": re.compile(r"((https?|ftp)://)?(www\.)?[^\s\"'/<>?\\]+\.[^\s\"'<>\\]+"),
}
PERSON = {
    "First_Name": ("text", 40),
    "Last_Name": ("text", 80),
    "Full_Name": ("text", 120),
    "Email": ("email", 100),
    "Secondary_Email": ("email", 100),
    "Phone": ("phone", 30),
    "Mobile": ("phone", 30),
    "Description": ("textarea", 32000),
    "Owner": ("ownerlookup", 120),
    "Lead_Source": ("picklist", 120),
    "Email_Opt_Out": ("boolean", 5),
    "Created_Time": ("datetime", 120),
    "Modified_Time": ("datetime", 120),
}
FIELDS: dict[str, dict[str, tuple[str, int]]] = {
    "Contacts": PERSON
    | {
        "Title": ("text", 100),
        "Department": ("text", 50),
        "Other_Phone": ("phone", 30),
        "Mailing_City": ("text", 250),
        "Mailing_State": ("text", 250),
        "Mailing_Country": ("text", 250),
        "Account_Name": ("lookup", 120),
    },
    "Leads": PERSON
    | {
        "Company": ("text", 200),
        "Website": ("website", 255),
        "Designation": ("text", 100),
        "City": ("text", 250),
        "State": ("text", 250),
        "Country": ("text", 250),
        "Converted__s": ("boolean", 5),
    },
    "Accounts": {
        "Account_Name": ("text", 200),
        "Website": ("website", 255),
        "Phone": ("phone", 30),
        "Industry": ("picklist", 120),
        "Employees": ("integer", 9),
        "Billing_City": ("text", 250),
        "Billing_State": ("text", 250),
        "Billing_Country": ("text", 250),
        "Description": ("textarea", 32000),
        "Owner": ("ownerlookup", 120),
        "Created_Time": ("datetime", 120),
        "Modified_Time": ("datetime", 120),
    },
}
READ_ONLY = {"Full_Name", "Created_Time", "Modified_Time", "Converted__s"}
LONG_AGO = "2025-06-01T10:00:00+02:00"
OPTIONS = {"Lead_Source": ["Advertisement", "Cold Call"], "Industry": ["ERP", "Government/Military"]}
MANDATORY = {"Contacts": "Last_Name", "Leads": "Last_Name", "Accounts": "Account_Name"}
OURS = {
    "email": "Email",
    "other_emails": "Secondary_Email",
    "linkedin_url": "LinkedIn_URL",
    "first_name": "First_Name",
    "last_name": "Last_Name",
    "phone": "Phone",
}
NAMES = {
    "Contacts": OURS | {"job_title": "Title", "city": "Mailing_City", "company_id": "Account_Name"},
    "Leads": OURS | {"job_title": "Designation", "city": "City"},
    "Accounts": {"name": "Account_Name", "domain": "Website"},
}
USERS = [
    {"id": "5725767000000411001", "full_name": "Ada Owner", "email": "ada@example.com", "status": "active"},
    {"id": "5725767000000411002", "full_name": "Ben Owner", "email": "ben@example.com", "status": "active"},
]
ACCESS_TOKENS = 10, 600
"""So many from one refresh token in so many seconds."""


def error(code: str, message: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"code": code, "details": details or {}, "message": message, "status": "error"}


def refuse(code: str, message: str, status: int = 400, **details: Any) -> Refuse:
    return Refuse(f"{code} {message}", Answer(status, error(code, message, details)))


class ZohoServer(Vendor):
    """`unique` are the fields without duplicates, `denied` the modules that the user may not see, `lacks` those for
    which the token has no scope; `api_domain` is where the token answer says that the API is."""

    at_a_time: int | None = None
    """So many requests at once; the next is answered by `throttled`."""

    def __init__(self, *, linkedin: bool = True) -> None:
        super().__init__()
        self.fields = {module: dict(fields) for module, fields in FIELDS.items()}
        self.custom: dict[str, dict[str, str]] = {module: {} for module in FIELDS}
        for module in FIELDS if linkedin else ():
            self.make(module, "LinkedIn_URL", "text")
        self.options = {module: dict(OPTIONS) for module in FIELDS}
        self.unique = {"Contacts": ["Email"], "Leads": ["Email"], "Accounts": ["Account_Name"]}
        self.denied: set[str] = set()
        self.lacks: set[str] = set()
        self.api_domain: str | None = None
        self._running: set[int] = set()
        self.records: dict[str, dict[str, dict[str, Any]]] = {module: {} for module in FIELDS}
        self.tags: dict[str, list[str]] = {module: [] for module in FIELDS}
        self.kept_notes: list[tuple[str, str]] = []
        self.kept_tasks: list[dict[str, Any]] = []
        self.made: dict[str, deque[float]] = {}
        self._clock = datetime(2026, 1, 1, tzinfo=UTC)

    def id(self) -> str:
        return f"5725767000{int(super().id()):09}"

    def make(self, module: str, name: str, kind: str, length: int = 255) -> None:
        """A custom field."""
        self.fields[module][name] = (kind, length)
        self.custom[module][name] = self.id()

    def add_field(self, name: str, *options: str) -> None:
        """Somebody makes a custom field of contacts and leads: a text, or a choice of the options."""
        for module in ("Contacts", "Leads"):
            self.make(module, name, "picklist" if options else "text")
            self.options[module][name] = [*options]

    def stamp(self) -> str:
        """The time of a change; no two are in the same second."""
        self._clock += timedelta(seconds=1)
        return self._clock.isoformat()

    # Connecting.

    def authorize(self, address: str, **more: str) -> str:
        if "access_type=offline" not in address or "prompt=consent" not in address:
            raise AssertionError("without access_type=offline and prompt=consent there is no refresh token")
        return super().authorize(address, **{"location": "us", "accounts-server": self.url}, **more)

    def self_code(self) -> str:
        """A code as the self client of the API console makes it."""
        code = f"1000.self.{self.id()}"
        self.codes[code] = {"redirect_uri": ""}
        return code

    @route("POST", "/oauth/v2/token", public=True)
    def token(self, request: Request) -> Answer:
        form = {"redirect_uri": "", **request.query, **request.form}
        if form.get("grant_type") == "refresh_token":
            made = self.made.setdefault(form.get("refresh_token", ""), deque())
            while made and made[0] < self.now() - ACCESS_TOKENS[1]:
                made.popleft()
            if len(made) >= ACCESS_TOKENS[0]:
                return Answer(400, {"error_description": "too many requests", "error": "Access Denied"})
            made.append(self.now())
        first = form.get("grant_type") == "authorization_code"
        return self.grant(request._replace(form=form), refresh=first, api_domain=self.api_domain or self.url)

    def grant_refused(self, error: str) -> Answer:
        return Answer(200, {"error": "invalid_code" if error == "invalid_grant" else error})

    @route("POST", "/oauth/v2/token/revoke", public=True)
    def revoke(self, request: Request) -> Answer:
        token = {**request.query, **request.form}.get("token", "")
        self.revoked.append(token)
        self.refresh_tokens.discard(token)
        self.tokens.pop(token, None)
        return Answer(200, {"status": "success"})

    def token_of(self, request: Request) -> str:
        return request.headers.get("authorization", "").removeprefix("Zoho-oauthtoken ")

    def unauthorized(self) -> Answer:
        return Answer(401, error("INVALID_TOKEN", "invalid oauth token"))

    def throttled(self) -> Answer:
        return Answer(429, error("TOO_MANY_REQUESTS", "Too many requests fired in concurrency"))

    def no_such_route(self, request: Request) -> Answer:
        return Answer(404, error("INVALID_URL_PATTERN", "Please check if the URL trying to access is a correct one"))

    # Settings.

    @route("GET", "/crm/v8/org")
    def a_org(self, request: Request) -> Answer:
        org = {"id": "5725767000000020001", "zgid": "700100", "company_name": "Example Ltd", "domain_name": "org700100"}
        return Answer(200, {"org": [org]})

    @route("GET", "/crm/v8/users")
    def a_users(self, request: Request) -> Answer:
        if request.query.get("type") == "CurrentUser":
            return Answer(200, {"users": USERS[:1]})
        return Answer(200, {"users": USERS, "info": {"more_records": False}})

    @route("GET", "/crm/v8/settings/fields")
    def a_fields(self, request: Request) -> Answer:
        module = self.module(request.query.get("module"))
        return Answer(200, {"fields": [self.described(module, name) for name in self.fields[module]]})

    @route("POST", "/crm/v8/settings/fields")
    def a_new_field(self, request: Request) -> Answer:
        module = self.module(request.query.get("module"))
        (field,) = request.json["fields"]
        if set(field) - {"field_label", "data_type", "length", "pick_list_values"} or not field.get("field_label"):
            raise refuse("INVALID_DATA", "invalid data")
        if field["data_type"] == "text" and not 1 <= field.get("length", 255) <= 255:
            raise refuse("INVALID_DATA", "invalid data", api_name="length")
        name = re.sub(r"\W", "_", field["field_label"])
        if name in self.fields[module]:
            return Answer(400, {"fields": [error("DUPLICATE_DATA", "duplicate data", {"api_name": "field_label"})]})
        self.make(module, name, field["data_type"], field.get("length", 255))
        item = {"code": "SUCCESS", "details": {"id": self.custom[module][name]}, "message": "field created"}
        return Answer(201, {"fields": [item | {"status": "success"}]})

    @route("GET", "/crm/v8/settings/tags")
    def a_tags(self, request: Request) -> Answer:
        module = self.module(request.query.get("module"))
        return Answer(
            200, {"tags": [{"name": name, "id": self.id(), "color_code": None} for name in self.tags[module]]}
        )

    @route("POST", "/crm/v8/settings/tags")
    def a_new_tag(self, request: Request) -> Answer:
        module = self.module(request.query.get("module"))
        (tag,) = request.json["tags"]
        if len(tag["name"]) > 25 or re.search("[<>,]", tag["name"]):
            return Answer(400, {"tags": [error("INVALID_DATA", "invalid data", {"maximum_length": 25})]})
        if tag["name"].lower() in (name.lower() for name in self.tags[module]):
            return Answer(400, {"tags": [error("DUPLICATE_DATA", "duplicate data", {"api_name": "name"})]})
        self.tags[module].append(tag["name"])
        return Answer(
            201, {"tags": [{"code": "SUCCESS", "details": {}, "message": "tags created", "status": "success"}]}
        )

    # Records.

    @route("POST", "/crm/v8/coql")
    def a_coql(self, request: Request) -> Answer:
        if set(request.json) != {"select_query"}:
            raise refuse("MANDATORY_NOT_FOUND", "required field not found", api_name="select_query")
        try:
            query = Coql(request.json["select_query"])
        except CoqlError as broken:
            raise refuse(broken.code, str(broken)) from None
        module = self.module(query.module)
        for name in (*query.columns, *query.used):
            self.column(module, name)
        rows = [
            (id, record)
            for id, record in every(self.records[module])
            if query.holds(lambda n: self.value(module, id, n))
        ]
        page = rows[query.offset : query.offset + query.limit]
        if not page:
            return Answer(204)
        data = [{name: self.shown(module, id, name) for name in query.columns} | {"id": id} for id, _ in page]
        info = {"count": len(page), "more_records": len(rows) > query.offset + query.limit}
        return Answer(200, {"data": data, "info": info})

    @route("POST", "/crm/v8/Notes")
    def a_new_note(self, request: Request) -> Answer:
        (note,) = request.json["data"]
        parent = note["Parent_Id"]
        if note["Note_Content"] == "" or parent["id"] not in self.records[self.module(parent["module"]["api_name"])]:
            return Answer(400, {"data": [error("INVALID_DATA", "the related id given seems to be invalid")]})
        self.kept_notes.append((parent["id"], note["Note_Content"]))
        return Answer(201, {"data": [self.success(self.id(), "record added")]})

    @route("POST", "/crm/v8/Tasks")
    def a_new_task(self, request: Request) -> Answer:
        (task,) = request.json["data"]
        who, what = task.get("Who_Id", {}).get("id"), task.get("What_Id", {}).get("id")
        if not task.get("Subject"):
            return Answer(
                400, {"data": [error("MANDATORY_NOT_FOUND", "required field not found", {"api_name": "Subject"})]}
            )
        if len(task["Subject"]) > 255:
            return Answer(400, {"data": [error("INVALID_DATA", "invalid data", {"maximum_length": 255})]})
        if (who and who not in self.records["Contacts"]) or (
            what and what not in self.records.get(task.get("$se_module", ""), {})
        ):
            return Answer(400, {"data": [error("INVALID_DATA", "invalid data", {"api_name": "Who_Id"})]})
        if "Due_Date" in task and not re.fullmatch(r"\d{4}-\d\d-\d\d", task["Due_Date"]):
            return Answer(400, {"data": [error("INVALID_DATA", "invalid data", {"api_name": "Due_Date"})]})
        self.kept_tasks.append(task | {"for": who or what})
        return Answer(201, {"data": [self.success(self.id(), "record added")]})

    @route("GET", "/crm/v8/{module}")
    def z_get(self, request: Request, module: str) -> Answer:
        ids = request.query.get("ids", "").split(",")
        if "fields" not in request.query:
            raise refuse("REQUIRED_PARAM_MISSING", "One of the expected parameter is missing", param="fields")
        if len(ids) > 100 or request.query["fields"] != "Tag":
            raise refuse("LIMIT_EXCEEDED", "more than 100 ids")
        found = [(id, self.records[self.module(module)].get(id)) for id in ids]
        data = [{"id": id, "Tag": [{"name": tag} for tag in record.get("Tag", [])]} for id, record in found if record]
        return Answer(200, {"data": data, "info": {"more_records": False}}) if data else Answer(204)

    @route("GET", "/crm/v8/{module}/{id}/Notes")
    def z_notes(self, request: Request, module: str, id: str) -> Answer:
        if "fields" not in request.query or int(request.query.get("per_page", 200)) > 200:
            raise refuse("REQUIRED_PARAM_MISSING", "One of the expected parameter is missing", param="fields")
        if id not in self.records[self.module(module)]:
            return Answer(400, error("INVALID_DATA", "the id given seems to be invalid", {"resource_path_index": 1}))
        size, page = int(request.query.get("per_page", 200)), int(request.query.get("page", 1))
        texts = self.notes(id)
        data = [{"id": str(n), "Note_Content": text} for n, text in enumerate(texts)][(page - 1) * size : page * size]
        return Answer(200, {"data": data, "info": {"more_records": len(texts) > page * size}}) if data else Answer(204)

    @route("POST", "/crm/v8/{module}/actions/add_tags")
    def z_add_tags(self, request: Request, module: str) -> Answer:
        names, items = [tag["name"] for tag in request.json["tags"]], []
        if len(request.json["ids"]) > 500:
            raise refuse("LIMIT_EXCEEDED", "more than 500 ids")
        for id in request.json["ids"]:
            record = self.records[self.module(module)].get(id)
            if record is None:
                items.append(error("INVALID_DATA", "the id given seems to be invalid", {"id": id}))
            elif len({*record.get("Tag", []), *names}) > 10:
                items.append(error("LIMIT_EXCEEDED", "more than 10 tags", {"id": id}))
            else:
                record["Tag"] = list(dict.fromkeys([*record.get("Tag", []), *names]))
                items.append(self.success(id, "tags updated successfully"))
        return self.together(items, 200)

    @route("POST", "/crm/v8/{module}")
    def z_insert(self, request: Request, module: str) -> Answer:
        rows = self.rows(request, self.module(module))
        return self.together([self.written(module, self.id(), row, i, True) for i, row in enumerate(rows)], 201)

    @route("PUT", "/crm/v8/{module}")
    def z_update(self, request: Request, module: str) -> Answer:
        rows = self.rows(request, self.module(module))
        return self.together([self.changed(request, module, row, i) for i, row in enumerate(rows)], 200)

    @route("PUT", "/crm/v8/{module}/{id}")
    def z_update_one(self, request: Request, module: str, id: str) -> Answer:
        (row,) = self.rows(request, self.module(module))
        item = self.changed(request, module, row | {"id": id}, 0)
        return Answer(412, item) if item["code"] == "ALREADY_MODIFIED" else self.together([item], 200)

    # How records are judged and kept.

    def module(self, name: str | None) -> str:
        if name not in self.records:
            raise refuse("INVALID_MODULE", "the module name given seems to be invalid")
        if name in self.denied:
            raise Answered(Answer(403, error("NO_PERMISSION", "permission denied", {"permissions": ["Crm_View"]})))
        return name

    def rows(self, request: Request, module: str) -> list[dict[str, Any]]:
        if set(request.json) - {"data", "trigger"} or not 1 <= len(request.json["data"]) <= 100:
            raise refuse("INVALID_DATA", "more than 100 records, or other keys")
        return request.json["data"]

    def together(self, items: list[dict[str, Any]], fine: int) -> Answer:
        failed = sum(item["status"] == "error" for item in items)
        return Answer(fine if not failed else 400 if failed == len(items) else 207, {"data": items})

    def success(self, id: str, message: str, modified: str | None = None) -> dict[str, Any]:
        details = {"id": id, "Modified_Time": modified or self.stamp()}
        return {"code": "SUCCESS", "details": details, "message": message, "status": "success"}

    def changed(self, request: Request, module: str, row: dict[str, Any], i: int) -> dict[str, Any]:
        record = self.records[module].get(row.get("id", ""))
        if record is None or record.get("Converted__s"):
            where = {"api_name": "id", "json_path": f"$.data[{i}].id"}
            return error("INVALID_DATA", "the id given seems to be invalid", where)
        since = request.headers.get("if-unmodified-since")
        if since and record["Modified_Time"] > datetime.fromisoformat(since).isoformat():
            return error("ALREADY_MODIFIED", "Record updated time has already passed if-unmodified-since time")
        return self.written(module, row["id"], {n: v for n, v in row.items() if n != "id"}, i, False)

    def written(self, module: str, id: str, row: dict[str, Any], i: int, new: bool) -> dict[str, Any]:
        """Unknown fields are dropped without a word."""
        known = {name: value for name, value in row.items() if name in self.fields[module] and name not in READ_ONLY}
        if MANDATORY[module] not in known if new else known.get(MANDATORY[module], "-") in (None, ""):
            where = {"api_name": MANDATORY[module], "json_path": f"$.data[{i}].{MANDATORY[module]}"}
            return error("MANDATORY_NOT_FOUND", "required field not found", where)
        errors = [one for name, value in known.items() if (one := self.wrong(module, id, name, value, i))]
        if errors:
            many = error("MULTIPLE_OR_MULTI_ERRORS", "Multiple errors in the request", {"errors": errors})
            return errors[0] if len(errors) == 1 else many
        record = self.records[module].setdefault(id, {"Created_Time": datetime.now(UTC).isoformat(timespec="seconds")})
        record.update({name: v["id"] if isinstance(v, dict) else v for name, v in known.items()})
        record["Modified_Time"] = self.stamp()
        return self.success(id, "record added" if new else "record updated", record["Modified_Time"])

    def wrong(self, module: str, id: str, name: str, value: Any, i: int) -> dict[str, Any] | None:
        kind, length = self.fields[module][name]
        where: dict[str, Any] = {"api_name": name, "json_path": f"$.data[{i}].{name}"}
        if value is None:
            return None
        types = {"integer": int, "boolean": bool, "lookup": dict, "ownerlookup": dict, "multiselectpicklist": list}
        if not isinstance(value, types.get(kind, str)) or (kind == "integer" and isinstance(value, bool)):
            return error("INVALID_DATA", "invalid data", where | {"expected_data_type": kind})
        if kind == "lookup" and value.get("id") not in self.records["Accounts"]:
            return error("INVALID_DATA", "the related id given seems to be invalid", where)
        if kind == "ownerlookup" and value.get("id") not in [user["id"] for user in USERS]:
            return error("INVALID_DATA", "invalid data", where)
        if kind in TEXTS | {"integer"} and len(str(value)) > length:
            return error("INVALID_DATA", "invalid data", where | {"maximum_length": length})
        if kind in PATTERNS and not PATTERNS[kind].fullmatch(value):
            return error("INVALID_DATA", "invalid data", where | {"expected_data_type": kind})
        for other, record in self.records[module].items() if name in self.unique[module] else ():
            if other != id and str(record.get(name, "")).casefold() == str(value).casefold():
                there = {"id": other, "module": {"api_name": module}, "Owner": {"id": USERS[0]["id"]}}
                return error("DUPLICATE_DATA", "duplicate data", where | {"duplicate_record": there})
        return None

    def described(self, module: str, name: str) -> dict[str, Any]:
        kind, length = self.fields[module][name]
        writable = name not in READ_ONLY
        options = self.options[module].get(name, [])
        return {
            "id": self.custom[module].get(name, "5725767000000002599"),
            "api_name": name,
            "field_label": name.replace("_", " "),
            "data_type": kind,
            "length": length,
            "custom_field": name in self.custom[module],
            "read_only": not writable,
            "field_read_only": not writable,
            "visible": True,
            "operation_type": {"api_create": writable, "api_update": writable},
            "pick_list_values": [{"display_value": option, "actual_value": option} for option in options],
        }

    def column(self, module: str, name: str) -> None:
        head, _, rest = name.partition(".")
        known = {**self.fields[module], "id": ("bigint", 20)}
        if head not in known or (rest and (known[head][0] != "lookup" or rest not in self.fields["Accounts"])):
            raise Answered(
                Answer(400, error("INVALID_QUERY", "column given seems to be invalid", {"column_name": name}))
            )

    def value(self, module: str, id: str, name: str) -> Any:
        record = self.records[module].get(id, {})
        head, _, rest = name.partition(".")
        if rest:
            return self.records["Accounts"].get(record.get(head, ""), {}).get(rest)
        return id if name == "id" else record.get(name)

    def shown(self, module: str, id: str, name: str) -> Any:
        value = self.value(module, id, name)
        lookup = self.fields[module].get(name, ("", 0))[0] in ("lookup", "ownerlookup")
        return {"id": value} if lookup and value else value

    def _serve(self, handler: Any) -> None:
        one = threading.get_ident()
        with self.lock:
            self._running.add(one)
        super()._serve(handler)
        with self.lock:
            self._running.discard(one)

    def _answer(self, request: Request) -> Answer:
        try:
            if self.at_a_time is not None and len(self._running) > self.at_a_time:
                self.throttles += 1
                return self.throttled()
            if request.path.removeprefix("/crm/v8/").partition("/")[0] in self.lacks:
                return Answer(401, error("OAUTH_SCOPE_MISMATCH", "invalid oauth scope to access this URL"))
            return super()._answer(request)
        except Answered as failure:
            return failure.answer
        finally:
            self._running.discard(threading.get_ident())

    # The test's view.

    def contacts(self) -> list[dict[str, Any]]:
        return [*self._seen("Contacts"), *self._seen("Leads")]

    def companies(self) -> list[dict[str, Any]]:
        return [*self._seen("Accounts")]

    def _seen(self, module: str) -> Iterator[dict[str, Any]]:
        for id, record in every(self.records[module]):
            ours = {name: record[theirs] for name, theirs in NAMES[module].items() if record.get(theirs) is not None}
            if "other_emails" in ours:
                ours["other_emails"] = [ours["other_emails"]]
            yield {"id": id, "module": module, **ours}

    def put_contact(self, module: str = "Contacts", **fields: Any) -> str:
        id = self.id()
        self.records[module][id] = {"Created_Time": LONG_AGO}
        self.change_contact(id, **{"last_name": "-", **fields})
        return id

    def put_company(self, **fields: Any) -> str:
        id = self.id()
        self.records["Accounts"][id] = {"Created_Time": LONG_AGO}
        self.records["Accounts"][id] |= {NAMES["Accounts"].get(n, n): v for n, v in fields.items()}
        self.records["Accounts"][id]["Modified_Time"] = self.stamp()
        return id

    def change_contact(self, id: str, **fields: Any) -> None:
        with self.lock:
            module = next(module for module, records in self.records.items() if id in records)
            for name, value in fields.items():
                one = value[0] if name == "other_emails" and value else value
                self.records[module][id][NAMES[module].get(name, name)] = one
            self.records[module][id]["Modified_Time"] = self.stamp()

    def delete_contact(self, id: str) -> None:
        with self.lock:
            for records in self.records.values():
                records.pop(id, None)

    def merge_contacts(self, kept: str, gone: str) -> None:
        """The one that is merged away is deleted; what only it had goes over."""
        with self.lock:
            module = next(module for module, records in self.records.items() if kept in records)
            self.records[module][kept] = {**self.records[module].pop(gone), **self.records[module][kept]}
            self.records[module][kept]["Modified_Time"] = self.stamp()

    def remove_field(self, name: str) -> None:
        with self.lock:
            for module in ("Contacts", "Leads"):
                self.fields[module].pop(name, None)
                for record in self.records[module].values():
                    record.pop(name, None)

    def notes(self, contact_id: str) -> list[str]:
        return [text for id, text in self.kept_notes if id == contact_id]

    def tasks(self, contact_id: str) -> list[str]:
        return [task["Subject"] for task in self.kept_tasks if task["for"] == contact_id]

    def members(self, list_name: str) -> list[str]:
        people = [*every(self.records["Contacts"]), *every(self.records["Leads"])]
        return [id for id, record in people if list_name in record.get("Tag", [])]


class Answered(Exception):
    """An error that is no breach of the specification: how an account without a field or a permission answers."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer
