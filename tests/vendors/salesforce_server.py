"""Salesforce as its REST API and SOQL guides describe it: contacts, leads, accounts, campaigns, notes, tasks."""

import base64
import binascii
import copy
import html
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from vendors.base import Refuse, Vendor, route
from vendors.soql import SoqlError, parse
from vendors.wire import Answer, Request

API = "/services/data/{version}"
ORG, ME, PROFILE = "00D000000000001AAA", "005000000000001AAA", "00e000000000001AAA"
PREFIX = {
    "Contact": "003", "Lead": "00Q", "Account": "001", "Task": "00T", "Campaign": "701", "CampaignMember": "00v",
    "ContentNote": "069", "ContentDocumentLink": "06A", "User": "005", "Organization": "00D",
    "PermissionSet": "0PS", "FieldPermissions": "01k",
}  # fmt: skip
# name:type(:length); ! is required, = is read-only, # cannot be filtered.
COMMON = "Id:id= CreatedDate:datetime= LastModifiedDate:datetime= SystemModstamp:datetime= IsDeleted:boolean="
PERSON = "Name:string:121= FirstName:string:40 LastName:string:80! Title:string:128 Email:email:80 Phone:phone:40 "
PERSON += "MobilePhone:phone:40 OwnerId:reference:User Description:textarea:32000# LinkedIn_URL__c:url:255 "
PERSON += "Second_Email__c:email:80 Tier__c:picklist:255 Topics__c:multipicklist:4099 "
OBJECTS = {
    "Contact": PERSON + "AccountId:reference:Account Department:string:80 MailingCity:string:40 MailingState:string:80 "
    "MailingCountry:string:80 LeadSource:picklist:40 Birthdate:date",
    "Lead": PERSON + "Company:string:255! Website:url:255 City:string:40 State:string:80 Country:string:80 "
    "Industry:picklist:40 IsConverted:boolean=",
    "Account": "Name:string:255! Website:url:255 Phone:phone:40 NumberOfEmployees:int Description:textarea:32000# "
    "BillingCity:string:40 BillingState:string:80 BillingCountry:string:80 Industry:picklist:40 "
    "OwnerId:reference:User LinkedIn_URL__c:url:255",
    "Task": "Subject:string:255 Description:textarea:32000# ActivityDate:date WhoId:reference:Contact,Lead "
    "OwnerId:reference:User Status:picklist:40 Priority:picklist:40",
    "Campaign": "Name:string:80! IsActive:boolean OwnerId:reference:User",
    "CampaignMember": "CampaignId:reference:Campaign! ContactId:reference:Contact LeadId:reference:Lead",
    "ContentNote": "Title:string:255! Content:base64#",
    "ContentDocumentLink": "ContentDocumentId:reference:ContentNote! LinkedEntityId:reference:Contact,Lead,Account! "
    "ShareType:picklist:40!",
    "User": "Name:string:121 Email:email:128 IsActive:boolean UserType:picklist:40 ProfileId:id",
    "PermissionSet": "ProfileId:id=",
    "FieldPermissions": "ParentId:reference:PermissionSet! SobjectType:string:40! Field:string:99! "
    "PermissionsRead:boolean PermissionsEdit:boolean",
    "Organization": "Name:string:80",
}
RESTRICTED = {"Tier__c": ["gold", "silver"], "Topics__c": ["ai", "crm", "ops"], "ShareType": ["V", "C", "I"]}
OPEN = {"LeadSource": ["Web", "Other"], "Industry": ["Banking"], "Status": ["Not Started"], "Priority": ["Normal"]}
OURS = {
    "email": "Email", "linkedin_url": "LinkedIn_URL__c", "first_name": "FirstName", "last_name": "LastName",
    "job_title": "Title", "phone": "Phone", "city": "MailingCity", "company_id": "AccountId",
}  # fmt: skip


def error(code: str, message: str, *fields: str, status: int = 400) -> Answer:
    return Answer(status, [{"message": message, "errorCode": code, "fields": list(fields)}])


def refuse(code: str, message: str, status: int = 400) -> Refuse:
    return Refuse(message, error(code, message, status=status))


class SalesforceServer(Vendor):
    """`duplicate_rules`: an address is taken once among contacts and leads. `unique`: fields without repeats."""

    duplicate_rules = False
    unique: frozenset[str] = frozenset()
    scopes = ("api", "refresh_token")
    can_write = True
    locked = 0
    """So many of the next rows that are saved are locked by somebody."""
    page_size = 2000

    def __init__(self) -> None:
        super().__init__()
        self.objects = {name: self._fields(f"{COMMON} {text}") for name, text in OBJECTS.items()}
        self.rows: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in OBJECTS}
        self.cursors: dict[str, list[dict[str, Any]]] = {}
        self._put("Organization", {"Name": "Acme Test Org"}, ORG)
        for name, active, id in (("ada", True, ME), ("bo", True, None), ("cy", False, None)):
            row = {"Name": name.title(), "Email": f"{name}@example.com", "IsActive": active, "ProfileId": PROFILE}
            self._put("User", {**row, "UserType": "Standard"}, id)
        self._put("PermissionSet", {"ProfileId": PROFILE})
        self._put("PermissionSet", {"ProfileId": "00e000000000009AAA"})
        self.unseen: dict[str, dict[str, Any]] = {}
        """Fields that were made, as `Contact.Tier__c`, until somebody may see them."""

    @staticmethod
    def _fields(text: str) -> dict[str, dict[str, Any]]:
        found = {}
        for one in text.split():
            name, kind, *more = one.rstrip("!=#").split(":")
            length = int(more[0]) if more and more[0].isdigit() else 0
            refers = more[0].split(",") if kind == "reference" else []
            found[name] = {
                "type": kind, "length": length, "refers": refers, "required": "!" in one, "read_only": "=" in one,
                "filterable": "#" not in one and kind != "textarea",
            }  # fmt: skip
        return found

    # How Salesforce says no.

    def unauthorized(self) -> Answer:
        return error("INVALID_SESSION_ID", "Session expired or invalid", status=401)

    def throttled(self) -> Answer:
        return error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", status=403)

    def no_such_route(self, request: Request) -> Answer:
        return error("NOT_FOUND", "The requested resource does not exist", status=404)

    # Signing in.

    @route("POST", "/services/oauth2/token", public=True)
    def token(self, request: Request) -> Answer:
        more = {"instance_url": self.url, "id": f"{self.url}/id/{ORG}/{ME}", "issued_at": "1", "signature": "c2ln"}
        return self.grant(request, expires=False, scope=" ".join(self.scopes), **more)

    @route("POST", "/services/oauth2/revoke", public=True)
    def revoke(self, request: Request) -> Answer:
        token = request.form.get("token", "")
        if token not in self.refresh_tokens and token not in self.tokens:
            return Answer(400, {"error": "unsupported_token_type"})
        self.refresh_tokens.discard(token)
        self.tokens.pop(token, None)
        self.revoked.append(token)
        return Answer(200)

    # Reading.

    @route("GET", API + "/")
    def resources(self, request: Request, version: str) -> Answer:
        return Answer(200, {"identity": f"{self.url}/id/{ORG}/{ME}", "sobjects": f"/services/data/{version}/sobjects"})

    @route("GET", API + "/sobjects/{name}/describe")
    def describe(self, request: Request, version: str, name: str) -> Answer:
        def shown(field: str, facts: dict[str, Any]) -> dict[str, Any]:
            values = RESTRICTED.get(field) or OPEN.get(field) or []
            return {
                "name": field, "label": field.removesuffix("__c").replace("_", " "), "type": facts["type"],
                "length": facts["length"], "custom": field.endswith("__c"), "createable": not facts["read_only"],
                "updateable": not facts["read_only"], "filterable": facts["filterable"],
                "restrictedPicklist": field in RESTRICTED, "referenceTo": facts["refers"],
                "relationshipName": field[:-2] if facts["refers"] else None,
                "picklistValues": [{"active": True, "label": one.title(), "value": one} for one in values],
            }  # fmt: skip

        if name not in self.objects:
            return self.no_such_route(request)
        return Answer(200, {"name": name, "fields": [shown(*one) for one in self.objects[name].items()]})

    @route("GET", API + "/query")
    def query(self, request: Request, version: str) -> Answer:
        if set(request.query) != {"q"}:
            raise refuse("MALFORMED_QUERY", "a query takes q alone")
        text = request.query["q"]
        if len(text) > 100_000:
            raise refuse("MALFORMED_QUERY", "SOQL statement too long")
        try:
            select = parse(text)
        except SoqlError as problem:
            raise refuse("MALFORMED_QUERY", str(problem)) from None
        if select.object not in self.objects:
            return error("INVALID_TYPE", f"sObject type '{select.object}' is not supported.")
        for path in [*select.fields, *select.filtered, *(name for name, _ in select.order)]:
            if not (facts := self._facts(select.object, path)):
                return error("INVALID_FIELD", f"\nERROR at Row:1:Column:8\nNo such column '{path}' on entity ...")
            if path in select.filtered and not facts["filterable"]:
                return error("INVALID_FIELD", f"field '{path}' can not be filtered in a query call")
        if select.object == "ContentDocumentLink" and not {"LinkedEntityId", "ContentDocumentId"} & set(
            select.filtered
        ):
            raise refuse(
                "MALFORMED_QUERY", "Implementation restriction: ContentDocumentLink requires a filter by an ID"
            )
        found = [row for row in self.rows[select.object].values() if not row["IsDeleted"]]
        found = [row for row in found if select.where(lambda path, row=row: self._value(row, path))]
        for path, descending in reversed(select.order):
            found.sort(key=lambda row: str(self._value(row, path) or ""), reverse=descending)
        shown = [self._shown(select.object, row, select.fields) for row in found[: select.limit]]
        return self._page(version, shown, len(shown))

    @route("GET", API + "/query/{cursor}")
    def more(self, request: Request, version: str, cursor: str) -> Answer:
        if cursor not in self.cursors:
            return error("INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(version, self.cursors.pop(cursor), 0)

    def _page(self, version: str, records: list[dict[str, Any]], total: int) -> Answer:
        body: dict[str, Any] = {"totalSize": total, "done": True, "records": records[: self.page_size]}
        if rest := records[self.page_size :]:
            cursor = f"01g{self.id()}-{self.page_size}"
            self.cursors[cursor] = rest
            body |= {"done": False, "nextRecordsUrl": f"/services/data/{version}/query/{cursor}"}
        return Answer(200, body)

    # Writing.

    @route("POST", API + "/sobjects/{name}")
    def create(self, request: Request, version: str, name: str) -> Answer:
        self._object(name)
        problems = self._parsed(name, request.json) or self._save(name, request.json)
        if isinstance(problems, list):
            return self._single(problems)
        return Answer(201, {"id": problems, "success": True, "errors": []})

    @route("POST", API + "/tooling/sobjects/CustomField")
    def create_field(self, request: Request, version: str) -> Answer:
        name, field = request.json["FullName"].split(".")
        facts = request.json["Metadata"]
        if not re.fullmatch(r"[A-Za-z]\w*__c", field) or set(request.json) != {"FullName", "Metadata"}:
            raise refuse("INVALID_FIELD", "no name of a custom field")
        if not self.can_write:
            return error("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on entity", status=403)
        if field in self._object(name) or f"{name}.{field}" in self.unseen:
            return error("DUPLICATE_DEVELOPER_NAME", f"There is already a field named {field} on {name}.")
        kind = {"Text": "string", "Number": "double", "Checkbox": "boolean", "Date": "date"}[facts["type"]]
        self.unseen[f"{name}.{field}"] = self._fields(f"{field}:{kind}:{facts.get('length', 0)}")[field]
        return Answer(201, {"id": f"00N{self.id():0>12}AAA", "success": True, "errors": []})

    @route("PATCH", API + "/sobjects/{name}/{id}")
    def update(self, request: Request, version: str, name: str, id: str) -> Answer:
        self._object(name)
        row = self.rows[name].get(id[:15])
        if row is None or row["IsDeleted"]:
            code = "ENTITY_IS_DELETED" if row else "NOT_FOUND"
            return error(code, "entity is deleted" if row else "The requested resource does not exist", status=404)
        if since := request.headers.get("if-unmodified-since"):
            try:
                limit = parsedate_to_datetime(since).timestamp()
            except ValueError:
                raise refuse("INVALID_HEADER", f"no HTTP date: {since}") from None
            if row["LastModifiedDate"] > limit:
                return error("PRECONDITION_FAILED", "The record was modified", status=412)
        problems = self._parsed(name, request.json) or self._save(name, request.json, row)
        return self._single(problems) if isinstance(problems, list) else Answer(204)

    @route("POST", API + "/composite/sobjects")
    def create_many(self, request: Request, version: str) -> Answer:
        body = request.json
        if set(body) != {"allOrNone", "records"} or body["allOrNone"] or any("id" in one for one in body["records"]):
            raise refuse("JSON_PARSER_ERROR", "new rows, each of them alone, are what tests may ask for")
        if not 0 < len(body["records"]) <= 200:
            raise refuse("EXCEEDED_ID_LIMIT", "record limit reached. cannot submit more than 200 records")
        rows = [(one.pop("attributes")["type"], one) for one in map(dict, body["records"])]
        for name, fields in rows:
            if problems := self._parsed(name, fields):
                return self._single(problems)
        results = [self._save(name, fields) for name, fields in rows]
        for problem in [problem for found in results if isinstance(found, list) for problem in found]:
            problem.pop("duplicateResult", None)
        ok = [{"success": True, "id": one} for one in results if isinstance(one, str)]
        told = [{"success": False, "errors": one} if isinstance(one, list) else ok.pop(0) for one in results]
        return Answer(200, [{"errors": [], **one} for one in told])

    @route("POST", API + "/composite")
    def composite(self, request: Request, version: str) -> Answer:
        body = request.json
        if set(body) - {"allOrNone", "compositeRequest", "collateSubrequests"}:
            raise refuse("JSON_PARSER_ERROR", "unknown keys in a composite request")
        subs = body["compositeRequest"]
        if len(subs) > 25 or len({one["referenceId"] for one in subs}) < len(subs):
            raise refuse("LIMIT_EXCEEDED", "at most 25 subrequests, each with a reference of its own")
        if sum("/query" in one["url"] or "/composite/sobjects" in one["url"] for one in subs) > 5:
            raise refuse("LIMIT_EXCEEDED", "at most 5 queries and collections")
        before = copy.deepcopy(self.rows) if body.get("allOrNone") else self.rows
        answers, ids = list[Answer](), dict[str, str]()
        for one in subs:
            if {name.lower() for name in one.get("httpHeaders", {})} & {"accept", "authorization", "content-type"}:
                raise refuse("INVALID_HEADER", "headers that a subrequest has from the whole request")
            if not re.fullmatch(r"[A-Za-z0-9_]+", one["referenceId"]):
                raise refuse("INVALID_REFERENCE", "a reference is of letters, digits and _")
            answers.append(self._sub(request, one, ids))
            if answers[-1].status == 201:
                ids[one["referenceId"]] = answers[-1].body["id"]
        if body.get("allOrNone") and any(answer.status >= 400 for answer in answers):
            self.rows = before
            halted = error("PROCESSING_HALTED", "The transaction was rolled back since another operation failed.")
            answers = [answer if answer.status >= 400 else halted for answer in answers]
        return Answer(200, {"compositeResponse": [
            {"body": answer.body, "httpHeaders": {}, "httpStatusCode": answer.status, "referenceId": one["referenceId"]}
            for one, answer in zip(subs, answers, strict=True)
        ]})  # fmt: skip

    def _sub(self, request: Request, one: dict[str, Any], ids: dict[str, str]) -> Answer:
        split = urlsplit(one["url"])
        texts = [unquote(one["url"]), *(value for value in one.get("body", {}).values() if isinstance(value, str))]
        if any(at not in ids for text in texts for at in re.findall(r"@\{(.*?)(?:\.id)?\}", text)):
            raise refuse("INVALID_REFERENCE", "Invalid reference specified")
        body = {
            name: re.sub(r"@\{(\w+)\.id\}", lambda at: ids[at[1]], value) if isinstance(value, str) else value
            for name, value in one.get("body", {}).items()
        }
        headers = {name.lower(): value for name, value in one.get("httpHeaders", {}).items()}
        query = dict(parse_qsl(split.query, keep_blank_values=True, strict_parsing=bool(split.query)))
        sub = Request(one["method"], unquote(split.path), query, headers, body, {}, b"")
        for method, pattern, _, function in self._routes:
            match = pattern.fullmatch(sub.path)
            if match and method == sub.method:
                return function(sub, **match.groupdict())
        raise refuse("NOT_FOUND", f"no such resource {sub.method} {sub.path}", 404)

    # What a row must be.

    def _object(self, name: str) -> dict[str, dict[str, Any]]:
        if name not in self.objects:
            raise refuse("NOT_FOUND", f"no such object {name}", 404)
        return self.objects[name]

    def _facts(self, name: str, path: str) -> dict[str, Any] | None:
        """Those of a field, also one of a record that is referred to (`Account.Name`)."""
        relation, dot, rest = path.partition(".")
        if not dot:
            return self.objects[name].get(path)
        refers = self.objects[name].get(f"{relation}Id", {}).get("refers")
        return self.objects[refers[0]].get(rest) if refers else None

    def _problem(self, code: str, message: str, *fields: str, **more: Any) -> dict[str, Any]:
        return {"statusCode": code, "message": message, "fields": list(fields), **more}

    def _single(self, problems: list[dict[str, Any]]) -> Answer:
        status = 403 if problems[0]["statusCode"] == "INSUFFICIENT_ACCESS_OR_READONLY" else 400
        bodies = [{**one, "errorCode": one["statusCode"]} for one in problems]
        for one in bodies:
            del one["statusCode"]
        return Answer(status, bodies)

    def _parsed(self, name: str, fields: dict[str, Any]) -> list[dict[str, Any]]:
        """What is wrong before a row is looked at; in a collection it refuses the whole request."""
        for field, value in fields.items():
            facts = self.objects[name].get(field)
            if facts is None:
                return [self._problem("INVALID_FIELD", f"No such column '{field}' on sobject of type {name}")]
            wanted = {"boolean": bool, "int": int}.get(facts["type"], str)
            if value is not None and type(value) is not wanted:
                message = f"Cannot deserialize instance of {facts['type']} from value {value}"
                return [self._problem("JSON_PARSER_ERROR", message)]
        return []

    def _save(self, name: str, fields: dict[str, Any], row: dict[str, Any] | None = None) -> str | list[dict[str, Any]]:
        """The row's id, or what is wrong."""
        if not self.can_write:
            return [self._problem("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")]
        if self.locked:
            self.locked -= 1
            return [self._problem("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")]
        if row and row.get("IsConverted"):
            return [self._problem("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")]
        merged = {**(row or {}), **{field: None if value == "" else value for field, value in fields.items()}}
        needed = [field for field, facts in self.objects[name].items() if facts["required"]]
        if missing := [field for field in needed if merged.get(field) is None]:
            shown = f"Required fields are missing: [{', '.join(missing)}]"
            return [self._problem("REQUIRED_FIELD_MISSING", shown, *missing)]
        problems = [found for field, value in fields.items() if (found := self._wrong(name, field, value))]
        return problems or self._taken(name, merged, row) or self._put(name, fields, row and row["Id"])

    def _wrong(self, name: str, field: str, value: Any) -> dict[str, Any] | None:
        facts = self.objects[name][field]
        if facts["read_only"]:
            shown = f"Unable to create/update fields: {field}. Please check the security settings of this field"
            return self._problem("INVALID_FIELD_FOR_INSERT_UPDATE", shown, field)
        if value in (None, "") or not isinstance(value, str):
            return None
        if facts["length"] and len(value) > facts["length"]:
            shown = f"{field}: data value too large: {value[:255]} (max length={facts['length']})"
            return self._problem("STRING_TOO_LONG", shown, field)
        if facts["type"] == "email" and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", value):
            return self._problem("INVALID_EMAIL_ADDRESS", f"{field}: invalid email address: {value}", field)
        parts = value.split(";") if facts["type"] == "multipicklist" else [value]
        if field in RESTRICTED and set(parts) - set(RESTRICTED[field]):
            shown = f"bad value for restricted picklist field: {value}"
            return self._problem("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", shown, field)
        if facts["type"] == "date" and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            return self._problem("JSON_PARSER_ERROR", f"Cannot deserialize instance of date from {value}", field)
        if facts["type"] == "base64":
            try:
                base64.b64decode(value, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                return self._problem("INVALID_BASE64", "Content is not base64", field)
        if facts["refers"]:
            if not re.fullmatch(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?", value):
                return self._problem("MALFORMED_ID", f"{field}: id value of incorrect type: {value}", field)
            rows = [self.rows[one].get(value[:15]) for one in facts["refers"]]
            if not any(row and not row["IsDeleted"] for row in rows):
                return self._problem("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", field)
        return None

    def _taken(self, name: str, merged: dict[str, Any], row: dict[str, Any] | None) -> list[dict[str, Any]]:
        others = [(kind, one) for kind, rows in self.rows.items() for one in rows.values() if not one["IsDeleted"]]
        others = [(kind, one) for kind, one in others if one is not row and not one.get("IsConverted")]
        for field in self.unique:
            for kind, one in others:
                if kind == name and merged.get(field) and _same(one.get(field), merged[field]):
                    shown = f"duplicate value found: {field} duplicates value on record with id: {one['Id']}"
                    return [self._problem("DUPLICATE_VALUE", shown)]
        if name == "CampaignMember":
            keys = ("CampaignId", "ContactId", "LeadId")
            if any(kind == name and all(one.get(key) == merged.get(key) for key in keys) for kind, one in others):
                return [self._problem("DUPLICATE_VALUE", "Already a campaign member.")]
        keys = ("ParentId", "Field", "SobjectType")
        if name == "FieldPermissions" and any(all(one.get(key) == merged[key] for key in keys) for _, one in others):
            return [self._problem("DUPLICATE_VALUE", "duplicate value found")]
        if self.duplicate_rules and name in ("Contact", "Lead") and merged.get("Email"):
            for kind, one in others:
                if kind in ("Contact", "Lead") and _same(one.get("Email"), merged["Email"]):
                    record = {"attributes": {"type": kind}, "Id": one["Id"]}
                    matched = {"entityType": kind, "matchRecords": [{"matchConfidence": 100.0, "record": record}]}
                    result = {"allowSave": False, "matchResults": [{**matched, "errors": [], "success": True}]}
                    shown = "Use one of these records?"
                    return [self._problem("DUPLICATES_DETECTED", shown, duplicateResult=result)]
        return []

    def _put(self, name: str, fields: dict[str, Any], id: str | None = None, *, age: int = 0) -> str:
        number = self.id()
        id = id or f"{PREFIX[name]}{number:0>12}AAA"
        now = int(datetime.now(UTC).timestamp()) - age
        row = self.rows[name].setdefault(id[:15], {"Id": id, "CreatedDate": now, "IsDeleted": False})
        row |= {field: None if value == "" else value for field, value in fields.items()}
        row |= {"LastModifiedDate": now, "SystemModstamp": now}
        if name in ("Contact", "Lead"):
            row["Name"] = " ".join(part for part in (row.get("FirstName"), row.get("LastName")) if part)
            row.setdefault("OwnerId", ME)
        if name == "Lead":
            row.setdefault("IsConverted", False)
        if name == "FieldPermissions" and self.rows["PermissionSet"][row["ParentId"][:15]]["ProfileId"] == PROFILE:
            self.objects[row["SobjectType"]][row["Field"].partition(".")[2]] = self.unseen.pop(row["Field"])
        return row["Id"]

    def _value(self, row: dict[str, Any], path: str) -> Any:
        relation, dot, rest = path.partition(".")
        if dot:
            return (self._find(row.get(f"{relation}Id")) or {}).get(rest)
        value = row.get(path)
        if path in ("CreatedDate", "LastModifiedDate", "SystemModstamp"):
            return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        return value

    def _find(self, id: str | None) -> dict[str, Any] | None:
        found = [rows[id[:15]] for rows in self.rows.values() if id and id[:15] in rows]
        return found[0] if found and not found[0]["IsDeleted"] else None

    def _shown(self, name: str, row: dict[str, Any], fields: list[str]) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "attributes": {"type": name, "url": f"/services/data/v66.0/sobjects/{name}/{row['Id']}"}
        }
        for path in fields:
            relation, dot, rest = path.partition(".")
            if not dot:
                shown[path] = self._value(row, path)
            elif not self._find(row.get(f"{relation}Id")):
                shown[relation] = None
            else:
                shown.setdefault(relation, {"attributes": {}})[rest] = self._value(row, path)
        return shown

    # The test's view.

    def contacts(self) -> list[dict[str, Any]]:
        rows = [row for name in ("Contact", "Lead") for row in self.rows[name].values()]
        rows = [row for row in rows if not row["IsDeleted"] and not row.get("IsConverted")]
        ours = {**OURS, "id": "Id"}
        rows.sort(key=lambda row: row["Id"][3:])
        found = [{our: row[field] for our, field in ours.items() if row.get(field) is not None} for row in rows]
        for one, row in zip(found, rows, strict=True):
            one |= {"city": row["City"]} if row.get("City") else {}
            one |= {"other_emails": [row["Second_Email__c"]]} if row.get("Second_Email__c") else {}
        return found

    def companies(self) -> list[dict[str, Any]]:
        rows = [row for row in self.rows["Account"].values() if not row["IsDeleted"]]
        return [{"id": row["Id"], "name": row["Name"], "domain": row.get("Website")} for row in rows]

    def put_contact(self, *, lead: bool = False, **fields: Any) -> str:
        names = {**OURS, "city": "City"} if lead else OURS
        second = fields.pop("other_emails", [])
        row = {names.get(name, name): value for name, value in fields.items()}
        row.setdefault("LastName", "-")
        row |= {"Second_Email__c": second[0]} if second else {}
        row |= {"Company": row.get("Company", "-")} if lead else {}
        return self._put("Lead" if lead else "Contact", row, age=86_400)

    def put_company(self, **fields: Any) -> str:
        names = {"name": "Name", "domain": "Website"}
        return self._put("Account", {names.get(name, name): value for name, value in fields.items()}, age=86_400)

    def change_contact(self, id: str, **fields: Any) -> None:
        with self.lock:
            name = "Lead" if id.startswith("00Q") else "Contact"
            row = self.rows[name][id[:15]]
            before = row["LastModifiedDate"]
            self._put(name, {OURS.get(field, field): value for field, value in fields.items()}, id)
            later = max(row["LastModifiedDate"], before + 1)
            row |= {"LastModifiedDate": later, "SystemModstamp": later}

    def delete_contact(self, id: str) -> None:
        row = self._find(id)
        assert row
        row["IsDeleted"] = True

    def merge_contacts(self, kept: str, gone: str) -> None:
        master, row = self._find(kept), self._find(gone)
        assert master and row
        for field, value in row.items():
            if master.get(field) is None:
                master[field] = value
        row |= {"IsDeleted": True, "MasterRecordId": kept}

    def convert_lead(self, id: str) -> str:
        """Somebody converts a lead: a contact with what it had."""
        row = self._find(id)
        assert row
        row["IsConverted"] = True
        kept = {field: row[field] for field in self.objects["Contact"] if field in row and field not in ("Id", "Name")}
        return self._put("Contact", kept)

    def add_field(self, name: str) -> None:
        """Somebody makes a text field of contacts and leads."""
        for kind in ("Contact", "Lead"):
            self.objects[kind] |= self._fields(f"{name}:string:255")

    def remove_field(self, name: str) -> None:
        for kind in ("Contact", "Lead"):
            del self.objects[kind][name]

    def notes(self, contact_id: str) -> list[str]:
        links = [row for row in self.rows["ContentDocumentLink"].values() if row["LinkedEntityId"] == contact_id]
        notes = [self.rows["ContentNote"][row["ContentDocumentId"][:15]] for row in links]
        pages = [base64.b64decode(note["Content"]).decode().replace("</p><p>", "\n") for note in notes]
        return [html.unescape(re.sub(r"<[^>]*>", "", page)) for page in pages]

    def tasks(self, contact_id: str) -> list[str]:
        return [row["Subject"] for row in self.rows["Task"].values() if row.get("WhoId") == contact_id]

    def members(self, list_name: str) -> list[str]:
        campaigns = {row["Id"] for row in self.rows["Campaign"].values() if row["Name"] == list_name}
        rows = [row for row in self.rows["CampaignMember"].values() if row["CampaignId"] in campaigns]
        return [row.get("ContactId") or row["LeadId"] for row in rows]


def _same(one: Any, other: str) -> bool:
    return isinstance(one, str) and one.lower() == other.lower()
