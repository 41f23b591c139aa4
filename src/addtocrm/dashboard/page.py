"""Making a page from its template."""

import gzip
import re
import time
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import urlencode

import msgspec
import structlog
from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from litestar import Response
from litestar.exceptions import HTTPException
from litestar.response import Redirect
from markupsafe import Markup

from addtocrm.core.errors import ApiError
from addtocrm.core.records.person import Person
from addtocrm.core.times import parse
from addtocrm.dashboard import assets, cookies, words
from addtocrm.dashboard.browsers import readable
from addtocrm.dashboard.guard import SAFE, came_from
from addtocrm.dashboard.navigation import menu
from addtocrm.dashboard.visitor import AnyRequest, Visitor, visitor_of
from addtocrm.tenants.members.model import at_least
from addtocrm.tenants.sessions import service as sessions
from addtocrm.web.exchange import exchange_of

log = structlog.get_logger()

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
LEVEL = 5
"""Of compression: a page's last tenth would take twice the time."""
HEADERS = {
    "content-security-policy": POLICY,
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "vary": "accept-encoding",
    # The next page is fetched when its link is pointed at. The browser keeps it for the page that has the link, so
    # nothing of it is left after a form or a sign-out.
    "speculation-rules": f'"{assets.address("prefetch.json")}"',
}

TEMPLATES = Environment(
    loader=PackageLoader("addtocrm.dashboard"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def page(
    request: AnyRequest, template: str, status: int = 200, wait: int | None = None, /, **values: Any
) -> Response[str]:
    """The page that `template` makes of `values`; with `wait` it says after how many seconds to try again.

    It also knows `me` (who is signed in, or None), `csrf`, `menu`, `path` and `query` of the request.
    """
    visitor = visitor_of(request)
    signed = visitor.signed
    body = TEMPLATES.get_template(template).render(
        me=signed,
        csrf=visitor.csrf,
        menu=menu(operator=signed is not None and signed.operator),
        path=request.url.path,
        query=dict(request.query_params.items()),
        base_url=request.app.state.settings.base_url,
        rendered_at=round(time.time() * 1000),
        **values,
    )
    response = html(request, body, status)
    if wait is not None:
        response.headers["retry-after"] = str(wait)
    if visitor.renewed:
        cookies.put(request, response, cookies.SESSION, visitor.secret, int(sessions.IDLE.total_seconds()))
    if signed is None and cookies.read(request, cookies.FORM) != visitor.secret:
        cookies.put(request, response, cookies.FORM, visitor.secret)
    return response


def html(request: AnyRequest, body: str, status: int = 200) -> Response[Any]:
    """A page, compressed where the browser takes that."""
    packed = assets.takes_gzip(request)
    return Response(
        gzip.compress(body.encode(), LEVEL, mtime=0) if packed else body.encode(),
        status_code=status,
        media_type="text/html; charset=utf-8",
        headers={**HEADERS, **(assets.GZIP if packed else {})},
    )


def go(path: str, **query: str) -> Redirect:
    """Goes on at another page, as after a form that was taken (303)."""
    return Redirect(path + (f"?{urlencode(query)}" if query else ""), status_code=303)


def answer_error(request: AnyRequest, error: ApiError) -> Response[str]:
    """A page that says what is wrong. Of a form it leads back to the page that it is on, and has the longer texts."""
    exchange = exchange_of(request.scope)
    exchange.result = error.type
    unknown = Visitor(None, cookies.read(request, cookies.FORM))  # where it failed before it was known who looks
    request.scope.setdefault("addtocrm.visitor", unknown)  # type: ignore[typeddict-item]
    shown = {
        "error": error,
        "request_id": exchange.request_id,
        "back": "/dashboard" if request.method in SAFE else came_from(request),
        "written": cast(dict[str, Any], request.scope).get("addtocrm.written", {}),
    }
    return page(request, "error.html", error.status, error.retry_after_seconds, **shown)


def answer_http_exception(request: AnyRequest, error: HTTPException) -> Response[str] | Redirect:
    """A page that says what is wrong. The address of a form, at which what was refused is shown, leads to the page that
    the form is on."""
    match error.status_code:
        case 405 if request.method == "GET":
            return go(request.scope["raw_path"].decode("latin-1").rpartition("/")[0])
        case 404:
            known = ApiError("not_found", "There is no such page.")
        case 405:
            known = ApiError("validation_error", "This page does not take that. Go back and try again.", status=405)
        case 413:
            most = request.app.state.settings.max_body_bytes / 2**20
            text = f"That is larger than the {most:,.4g} MiB that this server takes at a time. Send it in parts."
            known = ApiError("validation_error", text, status=413)
        case _:
            known = ApiError("validation_error", "The form cannot be understood. Go back and try again.")
    return answer_error(request, known)


def answer_crash(request: AnyRequest, error: Exception) -> Response[str]:
    log.error("crash", exc_info=error)
    return answer_error(request, ApiError("internal_error", "Something failed on our side. Try again."))


FAILURES: dict[Any, Any] = {
    ApiError: answer_error,
    HTTPException: answer_http_exception,
    Exception: answer_crash,
}
"""What answers where a page fails, or is not there."""


def _when(time: datetime) -> Markup:
    """A moment, which a script shows as the reader's own time."""
    utc = time.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(utc.isoformat(), utc.strftime("%Y-%m-%d %H:%M UTC"))


def _at(text: str) -> Markup:
    """A moment as the API writes it."""
    return _when(parse(text))


def _pretty(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value)).decode()


def _source(person: Person, field: str) -> Markup:
    """Where a field is from, when it was seen there and how sure that is, in small."""
    source = person.sources.get(field)
    if source is None:
        return Markup()
    told = f"{source.provider} · {source.observed_at[:10]} · {source.confidence:.0%} sure"
    return Markup(' <span class="badge">{}</span>').format(told)


CODE = re.compile(r"`([^`]+)`")


def _marked(text: str) -> Markup:
    """Text whose `code` is marked as such."""
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in enumerate(CODE.split(text))
    )


def _number(value: float) -> str:
    return f"{value:,}"


def _plural(count: int, one: str, many: str | None = None) -> str:
    """`1 credit`, `2 credits`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


@pass_context
def _may(context: Context, role: Any) -> bool:
    """Whether who is signed in has at least a role."""
    return context["me"] is not None and at_least(context["me"].role, role)


FILTERS: dict[str, Any] = {
    "when": _when,
    "number": _number,
    "plural": _plural,
    "at": _at,
    "pretty": _pretty,
    "operation": words.operation,
    "marked": _marked,
    "plain": words.plain,
    "title_of": words.title_of,
    "asked_in": words.asked_in,
    "outcome_of": words.outcome_of,
    "reason": words.REASONS.__getitem__,
    "action": words.ACTIONS.__getitem__,
    "happened": words.HAPPENED.__getitem__,
    "browser": readable,
}
TEMPLATES.filters.update(FILTERS)
GLOBALS: dict[str, Any] = {"asset": assets.address, "may": _may, "source": _source}
TEMPLATES.globals.update(GLOBALS)
