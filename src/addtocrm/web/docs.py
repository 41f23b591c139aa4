"""GET /, /openapi.json and /docs: one page, rendered from the document, that needs no internet."""

import base64
import hashlib
import json
import re
import shlex
from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from typing import Any

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from addtocrm.web import openapi

Json = dict[str, Any]

STYLE = files("addtocrm.web").joinpath("docs.css").read_text("utf-8")
SCRIPT = files("addtocrm.web").joinpath("docs.js").read_text("utf-8")
DEEPEST = 3
CODE = re.compile(r"`([^`]+)`")

GUIDE = """
<h2 id="start">Start</h2>
<p>Put your key here to try requests on this page; it is kept until the page is closed, and goes nowhere else.</p>
<label>Key <input id="key" type="password" autocomplete="off" placeholder="addtocrm_live_…"></label>
<ul>
<li>Every request carries <code>Authorization: Bearer addtocrm_live_…</code>; a key has the scopes <code>enrich</code>,
<code>write</code>, <code>lists</code>, <code>read</code> or some of them.</li>
<li>An answer is <code>{"data": …}</code>; a collection adds <code>next_cursor</code>, to be sent as
<code>cursor</code> for the next page; a billable answer adds <code>cached</code>, <code>credits_deducted</code> and
<code>credits_remaining</code>.</li>
<li>A look-up costs one credit; the same one is free for 30 days, and what is not found is free.
<code>refresh: true</code> asks afresh and pays.</li>
<li>The answer of <code>POST /v1/people/enrich</code> goes into <code>POST /v1/crm/contacts</code> as it is:
<code>{"person": &lt;its data&gt;}</code>. The same person twice is one contact.</li>
<li>Errors are <code>{"error": {"type", "message", "request_id"}}</code>; a <code>validation_error</code> has
<code>details</code> with each field's path. A 429 or 503 says in <code>Retry-After</code> how long to wait.</li>
<li>Each key may send so many requests a minute and an hour; every answer says in <code>X-RateLimit-…</code> what is
left.</li>
<li><code>Idempotency-Key</code> on a POST makes a retry safe for 24 hours.</li>
<li>Up to 10,000 look-ups go into one batch: it answers with a job, whose results come while it runs.</li>
<li>The feed: <code>GET /v1/events?since=…</code> first, then <code>?cursor=</code> the last <code>next_cursor</code>:
each event once, in one order.</li>
</ul>
"""


def handlers(documented: Sequence[HTTPRouteHandler], base_url: str) -> list[HTTPRouteHandler]:
    """The routes that describe `documented`, and the way to them."""
    described = openapi.document(documented, base_url)
    encoded = msgspec.json.encode(described)
    page = _page(described, base_url).encode()
    policy = (
        f"default-src 'none'; connect-src 'self'; style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )

    @get("/openapi.json", sync_to_thread=False)
    def openapi_json() -> Response[bytes]:
        return Response(encoded, media_type="application/json")

    @get("/docs", sync_to_thread=False)
    def docs() -> Response[bytes]:
        return Response(page, media_type="text/html; charset=utf-8", headers={"content-security-policy": policy})

    @get("/", sync_to_thread=False)
    def start() -> Redirect:
        return Redirect("/dashboard")

    return [openapi_json, docs, start]


def _hash(source: str) -> str:
    """The source expression that lets this inline text pass (CSP Level 3, hash-source)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def _page(document: Json, base_url: str) -> str:
    by_tag: dict[str, list[tuple[str, str, Json]]] = {}
    for method, path, operation in openapi.endpoints(document):
        by_tag.setdefault(operation["tags"][0], []).append((method, path, operation))
    links = "".join(
        f"<strong>{escape(tag)}</strong>"
        + "".join(f'<a href="#{one["operationId"]}">{escape(one["summary"])}</a>' for _, _, one in listed)
        for tag, listed in by_tag.items()
    )
    sections = "".join(
        f"<h2>{escape(tag)}</h2>" + "".join(_article(*one, document, base_url) for one in listed)
        for tag, listed in by_tag.items()
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>AddToCRM API</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<style>{STYLE}</style></head><body><div class="page"><nav><a href="#start"><strong>Start</strong></a>'
        f'{links}<a href="/openapi.json"><strong>openapi.json</strong></a></nav>'
        f"<main><h1>AddToCRM API</h1>{GUIDE}{sections}</main></div><script>{SCRIPT}</script></body></html>"
    )


def _article(method: str, path: str, operation: Json, document: Json, base_url: str) -> str:
    components = document["components"]["schemas"]
    rows = [
        (parameter["name"], parameter["in"], parameter["schema"], parameter.get("description", ""))
        for parameter in operation["parameters"]
    ]
    body: Json = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    rows += [(name, place, field, field.get("description", "")) for name, place, field in _fields(body, components)]
    fields = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(place)}</td><td><code>{escape(_type(schema))}</code></td>"
        f"<td>{_marked(text)}</td></tr>"
        for name, place, schema, text in rows
    )
    table = (
        f"<details><summary>Fields</summary><table><tr><th>Field</th><th>In</th><th>Type</th><th></th></tr>{fields}"
        "</table></details>"
        if fields
        else ""
    )
    answers = "".join(
        f"<li><code>{status}</code> {_marked(answer['description'])}</li>"
        for status, answer in operation["responses"].items()
    )
    return (
        f'<article id="{operation["operationId"]}"><h3>{escape(operation["summary"])}</h3>'
        f'<p><code><span class="method">{method}</span> {escape(path)}</code></p>'
        f"<p>{_marked(operation['description'])}</p>{_block(_curl(method, path, operation, body, base_url))}"
        f"{_answer(operation)}{table}{_form(method, path, operation, body)}"
        f"<details><summary>Statuses</summary><ul>{answers}</ul></details></article>"
    )


def _fields(body: Json, components: Json) -> Iterator[tuple[str, str, Json]]:
    """The body's fields as (dotted path, place, schema), those of inner objects after their own."""

    def of(schema: Json, prefix: str, depth: int) -> Iterator[tuple[str, str, Json]]:
        for name, field in schema.get("properties", {}).items():
            required = name in schema.get("required", ())
            yield f"{prefix}{name}", "body, required" if required else "body", field
            inner = _referred(field)
            if inner and depth < DEEPEST:
                dots = "[]." if "items" in field or any("items" in one for one in field.get("anyOf", ())) else "."
                yield from of(components[inner], f"{prefix}{name}{dots}", depth + 1)

    named = _referred(body["schema"]) if body else None
    return of(components[named], "", 1) if named else iter(())


def _referred(schema: Json) -> str | None:
    """The component that a schema, or an alternative or item of it, is."""
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    inner: list[Json] = [*schema.get("anyOf", ()), *([schema["items"]] if schema.get("items") else [])]
    return next((found for one in inner if (found := _referred(one))), None)


def _curl(method: str, path: str, operation: Json, body: Json, base_url: str) -> str:
    for parameter in operation["parameters"]:
        path = path.replace(f"{{{parameter['name']}}}", parameter.get("example", parameter["name"]))
    curl = f"curl -s {shlex.quote(base_url + path)}"
    if operation["security"]:
        curl += ' -H "Authorization: Bearer $KEY"'
    if method not in ("GET", "POST") or (method == "POST" and not body):
        curl += f" -X {method}"
    if body:
        curl += f" \\\n  -H 'Content-Type: application/json' -d {shlex.quote(json.dumps(body.get('example')))}"
    return curl


def _marked(text: str) -> str:
    """Text whose `code` is marked as such."""
    return CODE.sub(r"<code>\1</code>", escape(text))


def _block(text: str) -> str:
    return f'<div class="block"><pre>{escape(text)}</pre><button type="button" class="copy">Copy</button></div>'


def _answer(operation: Json) -> str:
    """The first success, as an example."""
    for status, answer in operation["responses"].items():
        example = answer["content"].get("application/json", {}).get("example")
        if status.startswith("2") and example is not None:
            shown = escape(json.dumps(example, indent=2, ensure_ascii=False))
            return f"<details><summary>Answer {status}</summary><pre>{shown}</pre></details>"
    return ""


def _form(method: str, path: str, operation: Json, body: Json) -> str:
    """What sends the request from the page."""
    if not operation["security"]:
        return ""
    inputs = "".join(
        f'<label>{escape(one["name"])} <input name="{escape(one["name"])}" data-in="{one["in"]}"></label>'
        for one in operation["parameters"]
        if one["in"] in ("path", "query")
    )
    shown = escape(json.dumps(body["example"], indent=2, ensure_ascii=False)) if body else ""
    area = f'<textarea aria-label="Body" spellcheck="false">{shown}</textarea>' if body else ""
    return (
        f'<details><summary>Try it</summary><form data-method="{method}" data-path="{escape(path)}">{inputs}{area}'
        "<button>Send</button><pre><output></output></pre></form></details>"
    )


def _type(schema: Json) -> str:
    if "anyOf" in schema:
        return " | ".join(_type(one) for one in schema["anyOf"])
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"[{_type(schema.get('items', {}))}]"
    return str(schema.get("type", "any"))
