"""GET /, /openapi.json and /docs: one page, rendered from the document, that needs no internet."""

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect
from markupsafe import Markup

from addtocrm.dashboard.page import TEMPLATES, html
from addtocrm.dashboard.visitor import AnyRequest
from addtocrm.web import openapi

Json = dict[str, Any]

DEEPEST = 3
CODE = re.compile(r"`([^`]+)`")


def handlers(document: Json, base_url: str) -> list[HTTPRouteHandler]:
    """The routes that show an OpenAPI document, and the way to the dashboard."""
    encoded = msgspec.json.encode(document)
    page = reference(document, base_url)

    @get("/openapi.json", sync_to_thread=False)
    def openapi_json() -> Response[bytes]:
        return Response(encoded, media_type="application/json")

    @get("/docs", sync_to_thread=False)
    def docs(request: AnyRequest) -> Response[Any]:
        return html(request, page)

    @get("/", sync_to_thread=False)
    def start() -> Redirect:
        return Redirect("/dashboard")

    return [openapi_json, docs, start]


def reference(document: Json, base_url: str, token: str = "", scopes: Sequence[str] = ()) -> str:
    """The page about all endpoints of an OpenAPI document, with the key that requests are tried with."""
    by_tag: dict[str, list[tuple[str, str, Json]]] = {}
    for method, path, operation in openapi.endpoints(document):
        by_tag.setdefault(operation["tags"][0], []).append((method, path, operation))
    links = "".join(
        f"<h2>{escape(tag)}</h2><ul>"
        + "".join(f'<li><a href="#{one["operationId"]}">{escape(one["summary"])}</a></li>' for _, _, one in listed)
        + "</ul>"
        for tag, listed in by_tag.items()
    )
    articles = "".join(
        f"<h2>{escape(tag)}</h2>" + "".join(_article(*one, document, base_url) for one in listed)
        for tag, listed in by_tag.items()
    )
    return TEMPLATES.get_template("reference.html").render(
        links=Markup(links),  # noqa: S704 (made of escaped texts)
        articles=Markup(articles),  # noqa: S704
        token=token,
        scopes=scopes,
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
        f'<details><summary>Fields</summary><div class="table" tabindex="0"><table><thead><tr><th>Field</th>'
        f"<th>In</th><th>Type</th><th>About</th></tr></thead><tbody>{fields}</tbody></table></div></details>"
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
    return (
        f'<div class="copy"><pre tabindex="0"><code>{escape(text)}</code></pre>'
        '<button type="button" class="small" data-copy hidden>Copy</button></div>'
    )


def _answer(operation: Json) -> str:
    """The first success, as an example."""
    for status, answer in operation["responses"].items():
        example = answer["content"].get("application/json", {}).get("example")
        if status.startswith("2") and example is not None:
            shown = escape(json.dumps(example, indent=2, ensure_ascii=False))
            return f'<details><summary>Answer {status}</summary><pre tabindex="0">{shown}</pre></details>'
    return ""


def _form(method: str, path: str, operation: Json, body: Json) -> str:
    """What sends the request from the page."""
    if not operation["security"]:
        return ""
    inputs = "".join(
        f'<label class="field">{escape(one["name"])} <input name="{escape(one["name"])}" data-in="{one["in"]}"></label>'
        for one in operation["parameters"]
        if one["in"] in ("path", "query")
    )
    shown = escape(json.dumps(body["example"], indent=2, ensure_ascii=False)) if body else ""
    area = f'<textarea aria-label="Body" spellcheck="false">{shown}</textarea>' if body else ""
    return (
        f'<details><summary>Try it</summary><form data-method="{method}" data-path="{escape(path)}">{inputs}{area}'
        '<p><button class="primary">Send</button></p><pre tabindex="0"><output></output></pre></form></details>'
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
