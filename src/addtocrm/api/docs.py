"""GET /openapi.json and GET /docs: one page, rendered from the document, that needs no internet."""

import json
from collections.abc import Sequence
from html import escape
from typing import Any

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from addtocrm.api import openapi

STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8881}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}
h1,h2,h3{line-height:1.2}h3{margin-bottom:.2rem}code,pre{font:13px/1.5 ui-monospace,monospace}
pre{background:var(--soft);padding:.8rem;overflow:auto;border-radius:6px}
article{border-top:1px solid var(--line);padding:1rem 0}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid var(--line);
vertical-align:top}nav a{display:inline-block;margin-right:1rem}.method{font-weight:700}
"""

GUIDE = """
<h2>In short</h2>
<ul>
<li>Every request carries <code>Authorization: Bearer addtocrm_live_…</code>; a key has the scopes <code>enrich</code>,
<code>write</code>, <code>lists</code>, <code>read</code> or some of them.</li>
<li>An answer is <code>{"data": …}</code>; a collection adds <code>next_cursor</code>, a billable answer
<code>cached</code>, <code>credits_deducted</code> and <code>credits_remaining</code>.</li>
<li>A look-up costs one credit; the same one is free for 30 days, and what is not found is free.</li>
<li>Errors are <code>{"error": {"type", "message", "request_id"}}</code>; a <code>validation_error</code> has
<code>details</code> with each field's path. A 429 or 503 says in <code>Retry-After</code> how long to wait.</li>
<li><code>Idempotency-Key</code> on a POST makes a retry safe for 24 hours.</li>
<li>The feed: <code>GET /v1/events?since=…</code> first, then <code>?cursor=</code> the last <code>next_cursor</code>:
each event once, in one order.</li>
</ul>
"""


def handlers(documented: Sequence[HTTPRouteHandler], base_url: str) -> list[HTTPRouteHandler]:
    """The routes that describe `documented`."""
    described = openapi.document(documented, base_url)
    encoded = msgspec.json.encode(described)
    page = _page(described, base_url).encode()

    @get("/openapi.json", sync_to_thread=False)
    def openapi_json() -> Response[bytes]:
        return Response(encoded, media_type="application/json")

    @get("/docs", sync_to_thread=False)
    def docs() -> Response[bytes]:
        policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"
        return Response(page, media_type="text/html; charset=utf-8", headers={"content-security-policy": policy})

    return [openapi_json, docs]


def _page(document: dict[str, Any], base_url: str) -> str:
    listed = openapi.endpoints(document)
    tags = list(dict.fromkeys(operation["tags"][0] for _, _, operation in listed))
    links = "".join(f'<a href="#{escape(tag)}">{escape(tag)}</a>' for tag in tags)
    sections = "".join(
        f'<h2 id="{escape(tag)}">{escape(tag)}</h2>'
        + "".join(
            _article(method, path, operation, document, base_url)
            for method, path, operation in listed
            if operation["tags"][0] == tag
        )
        for tag in tags
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>AddToCRM API</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body><h1>AddToCRM API</h1><nav>{links}"
        f'<a href="/openapi.json">openapi.json</a></nav>{GUIDE}{sections}</body></html>'
    )


def _article(method: str, path: str, operation: dict[str, Any], document: dict[str, Any], base_url: str) -> str:
    rows = [
        (parameter["name"], parameter["in"], parameter["schema"], parameter.get("description", ""))
        for parameter in operation["parameters"]
    ]
    example = None
    if body := operation.get("requestBody"):
        content = body["content"]["application/json"]
        example = content.get("example")
        schema = document["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
        required = schema.get("required", ())
        rows += [
            (name, "body, required" if name in required else "body", field, field.get("description", ""))
            for name, field in schema["properties"].items()
        ]
    fields = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(place)}</td><td><code>{escape(_type(schema))}</code></td>"
        f"<td>{escape(text)}</td></tr>"
        for name, place, schema, text in rows
    )
    table = f"<table><tr><th>Field</th><th>In</th><th>Type</th><th></th></tr>{fields}</table>" if fields else ""
    curl = f"curl -s '{base_url}{path}' -H \"Authorization: Bearer $KEY\""
    if method not in ("GET", "POST"):
        curl += f" -X {method}"
    if example is not None:
        curl += f" \\\n  -H 'Content-Type: application/json' -d '{json.dumps(example)}'"
    answers = "".join(
        f"<li><code>{status}</code> {escape(answer['description'])}</li>"
        for status, answer in operation["responses"].items()
    )
    return (
        f'<article id="{operation["operationId"]}"><h3>{escape(operation["summary"])}</h3>'
        f'<p><code><span class="method">{method}</span> {escape(path)}</code></p>'
        f"<p>{escape(operation['description'])}</p>{table}<pre>{escape(curl)}</pre><ul>{answers}</ul></article>"
    )


def _type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " | ".join(_type(one) for one in schema["anyOf"])
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"[{_type(schema.get('items', {}))}]"
    return str(schema.get("type", "any"))
