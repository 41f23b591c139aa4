"""The OpenAPI 3.1 document, built from the endpoints' declarations."""

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any, get_args, get_origin

import msgspec
from litestar.handlers import HTTPRouteHandler

from addtocrm.api.endpoint import Endpoint
from addtocrm.errors import STATUS, Envelope, ErrorType

ALWAYS: tuple[ErrorType, ...] = (
    "invalid_auth",
    "key_revoked",
    "key_suspended_plan",
    "scope_required",
    "rate_limit_minute",
    "rate_limit_hour",
    "internal_error",
)
LIMIT_HEADERS = {
    "X-RateLimit-Limit-Minute": "Requests a minute for this key.",
    "X-RateLimit-Remaining-Minute": "What is left of them.",
    "X-RateLimit-Reset-Minute": "When the minute's window ends, in epoch seconds.",
    "X-RateLimit-Limit-Hour": "Requests an hour for this key.",
    "X-RateLimit-Remaining-Hour": "What is left of them.",
    "X-RateLimit-Reset-Hour": "When the hour's window ends, in epoch seconds.",
}
REFERENCE = "#/components/schemas/{name}"


def document(handlers: Iterable[HTTPRouteHandler], base_url: str) -> dict[str, Any]:
    """The document (OpenAPI 3.1.0) of all handlers that declare an endpoint."""
    found = [(handler, handler.opt["endpoint"]) for handler in handlers if "endpoint" in handler.opt]
    types: list[Any] = [Envelope]
    for _, declared in found:
        types += [kind for kind in (declared.body, declared.answer) if kind is not None]
    schemas, components = msgspec.json.schema_components(types, ref_template=REFERENCE)
    schema_of = dict(zip((repr(kind) for kind in types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for handler, declared in found:
        for path in sorted(handler.paths):
            for method in sorted(handler.http_methods - {"HEAD", "OPTIONS"}):
                entry = paths.setdefault(path.replace(":str}", "}"), {})
                entry[method.lower()] = _operation(handler, declared, path, method, schema_of)
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
        "paths": dict(sorted(paths.items())),
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
    schema_of: dict[str, Any],
) -> dict[str, Any]:
    scopes = " or ".join(f"`{scope}`" for scope in declared.scopes)
    operation: dict[str, Any] = {
        "operationId": handler.handler_name,
        "tags": [declared.tag],
        "summary": declared.summary,
        "description": f"{' '.join((handler.fn.__doc__ or '').split())}\n\nScope: {scopes}.".strip(),
        "x-scopes": list(declared.scopes),
        "parameters": _parameters(declared, path, method),
        "responses": _responses(declared, path, schema_of),
    }
    if declared.body is not None:
        content: dict[str, Any] = {"schema": schema_of[repr(declared.body)]}
        if declared.example is not None:
            content["example"] = declared.example
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    return operation


def _parameters(declared: Endpoint, path: str, method: str) -> list[dict[str, Any]]:
    named = [part[1:-1].partition(":")[0] for part in path.split("/") if part.startswith("{")]
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in named
    ]
    if declared.query is not None:
        described = msgspec.json.schema(declared.query)["$defs"][declared.query.__name__]
        for name, schema in described["properties"].items():
            parameters.append(
                {
                    "name": name,
                    "in": "query",
                    "required": name in described.get("required", ()),
                    "description": schema.get("description", ""),
                    "schema": {key: value for key, value in schema.items() if key not in ("description", "default")},
                }
            )
    if method == "POST":
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "For 24 hours the same key with the same request is answered as the first time.",
                "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
            }
        )
    return parameters


def _responses(declared: Endpoint, path: str, schema_of: dict[str, Any]) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    statuses = {declared.status, 200} if declared.status == 201 else {declared.status}
    for status in statuses:
        content: dict[str, Any] = {"application/json": {"schema": _answer(declared, schema_of)}}
        content.update({kind: {"schema": {"type": "string"}} for kind in declared.content_types})
        answers[str(status)] = {"description": declared.summary, "headers": _headers(), "content": content}
    types: list[ErrorType] = [*ALWAYS, *declared.errors]
    if "{" in path and "not_found" not in types:
        types.append("not_found")
    by_status: dict[int, list[str]] = {}
    for kind in dict.fromkeys(types):
        by_status.setdefault(STATUS[kind], []).append(kind)
    if declared.body is not None or declared.query is not None or "not_found" in types:
        by_status.setdefault(400, []).append("validation_error")
    if declared.body is not None:
        by_status[413] = by_status[415] = ["validation_error"]
    if "not_found" not in types and declared.body is not None:
        by_status.setdefault(400, [])
    error = schema_of[repr(Envelope)]
    for status, kinds in by_status.items():
        answers[str(status)] = {
            "description": ", ".join(f"`{kind}`" for kind in dict.fromkeys(kinds)),
            "headers": _headers(retry=status in (429, 503)),
            "content": {"application/json": {"schema": error}},
        }
    return dict(sorted(answers.items()))


def _answer(declared: Endpoint, schema_of: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {"data": {"type": "null"}}
    if declared.answer is not None:
        properties["data"] = schema_of[repr(declared.answer)]
    if get_origin(declared.answer) is list and get_args(declared.answer):
        properties["next_cursor"] = {"type": ["string", "null"], "description": "`cursor` of the next page."}
    if declared.billable:
        properties["cached"] = {"type": "boolean"}
        properties["credits_deducted"] = {"type": "integer", "minimum": 0}
        properties["credits_remaining"] = {"type": "integer", "minimum": 0}
    return {"type": "object", "required": list(properties), "properties": properties}


def _headers(*, retry: bool = False) -> dict[str, Any]:
    headers: dict[str, Any] = {
        name: {"description": text, "required": True, "schema": {"type": "integer"}}
        for name, text in LIMIT_HEADERS.items()
    }
    headers["X-Request-Id"] = {
        "description": "The request's id, for questions about it.",
        "required": True,
        "schema": {"type": "string", "format": "uuid"},
    }
    if retry:
        headers["Retry-After"] = {"description": "Seconds to wait.", "required": True, "schema": {"type": "integer"}}
    return headers


def endpoints(document: dict[str, Any]) -> Sequence[tuple[str, str, dict[str, Any]]]:
    """Every operation as (method, path, operation), by tag."""
    found = [
        (method.upper(), path, operation)
        for path, entry in document["paths"].items()
        for method, operation in entry.items()
    ]
    return sorted(found, key=lambda one: (one[2]["tags"][0], one[1], one[0]))
