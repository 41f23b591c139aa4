"""The OpenAPI 3.1 document, built from the endpoints' declarations."""

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from itertools import pairwise
from typing import Any, get_args, get_origin

import msgspec
from litestar.handlers import HTTPRouteHandler

from addtocrm.core.errors import STATUS, Envelope, ErrorBody, ErrorType
from addtocrm.web.endpoint import Endpoint
from addtocrm.web.examples import example

ALWAYS: tuple[ErrorType, ...] = (
    "invalid_auth",
    "key_revoked",
    "key_suspended_plan",
    "scope_required",
    "rate_limit_minute",
    "rate_limit_hour",
    "internal_error",
)
MEANING: dict[ErrorType, str] = {
    "invalid_auth": "The key is missing, misspelt or unknown.",
    "key_revoked": "The key was revoked, or has expired; make a new one.",
    "key_suspended_plan": "The account is off the Pro plan; the key works again when it is back.",
    "scope_required": "The key lacks the scope that the message names.",
    "insufficient_credits": "The period's credits are used up; cached answers stay free.",
    "rate_limit_minute": "The minute's requests are used up; wait for `Retry-After`.",
    "rate_limit_hour": "The hour's requests are used up; wait for `Retry-After`.",
    "crm_not_connected": "The account has no CRM; connect one.",
    "crm_token_expired": "The CRM no longer takes our credentials; reconnect it.",
    "crm_rate_limit": "The CRM asks to wait for `Retry-After`.",
    "crm_unavailable": "The CRM does not answer; try again after `Retry-After`.",
    "validation_error": "The request has a fault; `details` names each field by its path.",
    "not_found": "Nothing matches, or there is nothing at this path. Free.",
    "internal_error": "Something failed on our side; nothing was charged. Try again.",
}
REFUSED = {
    413: "The body is larger than the server takes.",
    415: "The body is not `Content-Type: application/json`.",
}
LIMIT_HEADERS = {
    "X-RateLimit-Limit-Minute": "Requests a minute for this key.",
    "X-RateLimit-Remaining-Minute": "What is left of them.",
    "X-RateLimit-Reset-Minute": "When the minute's window ends, in epoch seconds.",
    "X-RateLimit-Limit-Hour": "Requests an hour for this key.",
    "X-RateLimit-Remaining-Hour": "What is left of them.",
    "X-RateLimit-Reset-Hour": "When the hour's window ends, in epoch seconds.",
}
EXAMPLE_IDS = {
    "lists": "lst_0199d0c1b2a37c4d8e5f60718293a4b5",
    "members": "mem_0199d0c1b2a37c4d8e5f60718293a4b5",
    "jobs": "job_0199d0c1b2a37c4d8e5f60718293a4b5",
}
REFERENCE = "#/components/schemas/{name}"
REQUEST_ID = "8f14e45f-ceea-4c67-9d2a-3b1c5e7f9a01"
Json = dict[str, Any]


def document(handlers: Sequence[HTTPRouteHandler], base_url: str) -> Json:
    """The document (OpenAPI 3.1.0) of all handlers that declare an endpoint, and of the server's own pages."""
    found: list[tuple[HTTPRouteHandler, Endpoint]] = [
        (handler, handler.opt["endpoint"]) for handler in handlers if "endpoint" in handler.opt
    ]
    types: list[Any] = [Envelope]
    for _, declared in found:
        types += [kind for kind in (declared.body, declared.answer, declared.beside) if kind is not None]
    schemas, components = msgspec.json.schema_components(types, ref_template=REFERENCE)
    schema_of = dict(zip((repr(kind) for kind in types), schemas, strict=True))
    paths: dict[str, Json] = {}
    for handler, declared in found:
        for path in sorted(handler.paths):
            for method in sorted(handler.http_methods - {"HEAD", "OPTIONS"}):
                operation = _operation(handler, declared, path, method, schema_of, components)
                paths.setdefault(path.replace(":str}", "}"), {})[method.lower()] = operation
    tags = dict.fromkeys(declared.tag for _, declared in found)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "AddToCRM",
            "version": version("addtocrm"),
            "description": "Turns a LinkedIn URL into a CRM contact.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": base_url}],
        "security": [{"key": []}],
        "tags": [{"name": tag} for tag in (*tags, "Server")],
        "paths": {**paths, **_server_pages()},
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key: `addtocrm_live_…`."}
            },
        },
    }


def _operation(
    handler: HTTPRouteHandler,
    declared: Endpoint,
    path: str,
    method: str,
    schema_of: Json,
    components: Json,
) -> Json:
    text = declared.description or " ".join((handler.fn.__doc__ or "").split())
    scopes = (" and " if declared.all_scopes else " or ").join(f"`{scope}`" for scope in declared.scopes)
    operation: Json = {
        "operationId": handler.handler_name,
        "tags": [declared.tag],
        "summary": declared.summary,
        "description": f"{text}\n\nScope: {scopes}.".strip(),
        "security": [{"key": []}],
        "x-required-scopes": list(declared.scopes),
        "parameters": [*_path_parameters(path), *_query_parameters(declared.query)],
        "responses": {**_successes(declared, method, schema_of, components), **_failures(declared, path, schema_of)},
    }
    if method == "POST":
        operation["parameters"].append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "For 24 hours the same key with the same request is answered as the first time.",
                "schema": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 255,
                    "pattern": r"^[ -~\u00a1-\u00ac\u00ae-\u00ff]+$",
                },
            }
        )
    if declared.body is not None:
        content: Json = {"schema": schema_of[repr(declared.body)]}
        if declared.example is not None:
            content["example"] = declared.example
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    return operation


def _path_parameters(path: str) -> Iterable[Json]:
    parts = path.split("/")
    for before, part in pairwise(parts):
        if part.startswith("{"):
            name = part[1:-1].partition(":")[0]
            parameter: Json = {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
            if before in EXAMPLE_IDS:
                parameter["example"] = EXAMPLE_IDS[before]
            yield parameter


def _query_parameters(query: Any) -> Iterable[Json]:
    """One parameter for each field; a list is repeated (`type=a&type=b`), null is leaving it out."""
    if query is None:
        return
    described: Json = msgspec.json.schema(query)["$defs"][query.__name__]
    for name, field in described["properties"].items():
        schema = {key: value for key, value in field.items() if key != "description" and value is not None}
        kinds = [kind for kind in schema.pop("anyOf", ()) if kind != {"type": "null"}]
        schema.update(kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {})
        parameter: Json = {
            "name": name,
            "in": "query",
            "required": name in described.get("required", ()),
            "allowEmptyValue": True,
            "description": field.get("description", ""),
            "schema": schema,
        }
        if schema.get("type") == "array":
            parameter.update(style="form", explode=True)
        yield parameter


def _successes(declared: Endpoint, method: str, schema_of: Json, components: Json) -> Json:
    content: Json = {kind: {"schema": {"type": "string"}} for kind in declared.content_types}
    if declared.answer is not str:
        answer = _answer(declared, schema_of, components)
        content["application/json"] = {"schema": answer, "example": example(answer, components)}
    headers = _headers()
    if method == "POST":
        headers["Idempotent-Replayed"] = {
            "description": "`true` where an earlier answer to the same Idempotency-Key is repeated.",
            "schema": {"type": "string", "enum": ["true"]},
        }
    texts = {200: "Done.", 201: "Made.", 202: "Begun: a job."}
    statuses = declared.status if isinstance(declared.status, tuple) else (declared.status,)
    if len(statuses) > 1:
        texts[200] = "It was there."
    return {
        str(status): {"description": texts.get(status, "Done."), "headers": headers, "content": content}
        for status in statuses
    }


def _answer(declared: Endpoint, schema_of: Json, components: Json) -> Json:
    """The schema of the answer around `declared.answer`."""
    properties: Json = {"data": {"type": "null"}}
    if declared.answer is not None:
        properties["data"] = schema_of[repr(declared.answer)]
    if get_origin(declared.answer) is list and get_args(declared.answer):
        kind = "string" if declared.endless else ["string", "null"]
        properties["next_cursor"] = {"type": kind, "description": "`cursor` of the next page."}
    if declared.billable:
        properties["cached"] = {"type": "boolean", "description": "Answered before within 30 days: free."}
        for name in ("credits_deducted", "credits_remaining"):
            properties[name] = {"type": "integer", "minimum": 0}
    required = list(properties)
    if declared.beside is not None:
        beside: Json = components[declared.beside.__name__]
        properties |= beside["properties"]
        required += beside["required"]
    return {"type": "object", "required": required, "properties": properties}


def _failures(declared: Endpoint, path: str, schema_of: Json) -> Json:
    types: list[ErrorType] = [*ALWAYS, *declared.errors]
    if declared.billable:
        types.append("insufficient_credits")
    if "{" in path:
        types.append("not_found")
    if declared.body is not None or declared.query is not None or "{" in path:
        types.append("validation_error")
    by_status: dict[int, list[ErrorType]] = {}
    for kind in dict.fromkeys(types):
        by_status.setdefault(STATUS[kind], []).append(kind)
    if declared.body is not None:
        by_status.update({status: ["validation_error"] for status in REFUSED})
    return {
        str(status): {
            "description": "\n".join(f"`{kind}`: {REFUSED.get(status, MEANING[kind])}" for kind in kinds),
            "headers": _headers(status),
            "content": {
                "application/json": {
                    "schema": schema_of[repr(Envelope)],
                    "examples": {kind: {"value": _error_example(kind, status)} for kind in kinds},
                }
            },
        }
        for status, kinds in sorted(by_status.items())
    }


def _error_example(kind: ErrorType, status: int) -> Any:
    wait = 17 if status in (429, 503) else None
    return msgspec.to_builtins(Envelope(ErrorBody(kind, REFUSED.get(status, MEANING[kind]), REQUEST_ID, wait)))


def _headers(status: int = 200) -> Json:
    headers: Json = {
        name: {"description": text, "required": True, "schema": {"type": "integer", "minimum": 0}}
        for name, text in LIMIT_HEADERS.items()
    }
    headers["X-Request-Id"] = {
        "description": "The request's id, for questions about it.",
        "required": True,
        "schema": {"type": "string", "format": "uuid"},
    }
    if status in (429, 503):
        headers["Retry-After"] = {"description": "Seconds to wait.", "required": True, "schema": {"type": "integer"}}
    if status == 401:
        headers["WWW-Authenticate"] = {"required": True, "schema": {"type": "string", "const": "Bearer"}}
    return headers


def _server_pages() -> Json:
    """What the server tells of itself; needs no key."""

    def page(name: str, summary: str, text: str, content: Json, failure: str | None = None) -> Json:
        responses: Json = {"200": {"description": "It is so.", "headers": _headers(), "content": content}}
        if failure:
            responses["503"] = {"description": failure, "headers": _headers(), "content": content}
        named = {"operationId": name, "tags": ["Server"], "summary": summary, "description": text}
        return {"get": {**named, "security": [], "parameters": [], "responses": responses}}

    def state(word: str) -> Json:
        schema = {"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}}
        return {"application/json": {"schema": schema, "example": {"status": word}}}

    lines = {"text/plain": {"schema": {"type": "string"}}}
    return {
        "/healthz": page("healthz", "Is it alive", "200 as soon as the process lives.", state("alive")),
        "/readyz": page("readyz", "Can it serve", "200 when it can.", state("ready"), "Not yet: `status` says why."),
        "/metrics": page("metrics_page", "Metrics", "For Prometheus, in its text format.", lines),
    }


def endpoints(document: Json) -> Sequence[tuple[str, str, Json]]:
    """Every operation as (method, path, operation), in the order of the tags."""
    order = [tag["name"] for tag in document["tags"]]
    found = [
        (method.upper(), path, operation)
        for path, entry in document["paths"].items()
        for method, operation in entry.items()
    ]
    return sorted(found, key=lambda one: order.index(one[2]["tags"][0]))
