"""What every page asks first: who looks, whether the form is ours, and whether they may."""

import re
import secrets
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

from litestar.response import Redirect

from addtocrm.core.errors import ApiError
from addtocrm.dashboard import cookies, forms
from addtocrm.dashboard.visitor import AnyRequest, Visitor
from addtocrm.tenants.keys.service import why_unusable
from addtocrm.tenants.members.model import Role, at_least
from addtocrm.tenants.sessions import service as sessions
from addtocrm.web.context import is_normal

SAFE = ("GET", "HEAD", "OPTIONS")
CONFIRMED = timedelta(hours=1)
"""For so long nobody is asked again who they are, before what matters."""
PLACE = re.compile(r"/dashboard(?:/(?!\.{1,2}(?:[/?]|$))[A-Za-z0-9._~-]+)*(?:\?[A-Za-z0-9._~=&%+:-]*)?")
PASSWORD = "/dashboard/security/password"  # noqa: S105
"""Who has no password yet, as after a link, chooses one before what matters."""
STILL = ("/dashboard/sign-out", "/dashboard/confirm", "/dashboard/security")
"""Where also a member of a suspended account changes something."""
STALE = "This page is too old, or was not made by us. Go back, reload it and try again."
SIGNED_OUT = "You are signed out, so nothing was done. Sign in and send it again."


def opened() -> dict[str, bool]:
    """The `opt` of a page that needs no sign-in."""
    return {"open": True}


def needs(role: Role = "member", *, recent: bool = False) -> dict[str, object]:
    """The `opt` of a page that only some see: from a `role` on, who proved in the last hour who they are (`recent`)."""
    return {"role": role, "recent": recent}


def runs(*, recent: bool = False) -> dict[str, object]:
    """The `opt` of a page that only those see who run the deployment; for others there is no such page."""
    return {"operator": True, "recent": recent}


async def look(request: AnyRequest) -> Visitor:
    """Finds out who looks, for all that comes after."""
    token = cookies.read(request, cookies.SESSION)
    signed, renewed = await sessions.find(request.app.state.pool, token) if token else (None, False)
    secret = token if signed else cookies.read(request, cookies.FORM) or secrets.token_urlsafe(16)
    visitor = Visitor(signed, secret, renewed)
    request.scope["addtocrm.visitor"] = visitor  # type: ignore[typeddict-unknown-key]
    return visitor


async def enter(request: AnyRequest) -> Redirect | None:
    """Finds out who looks. Sends away who must sign in first. Raises ApiError for a foreign form, and for a page that
    is not theirs to see."""
    visitor = await look(request)
    signed = visitor.signed
    if request.method not in SAFE:
        await _check_origin(request, visitor)
    path: str = request.scope["raw_path"].decode("latin-1")
    if path == "/dashboard/":
        return Redirect("/dashboard", status_code=303)
    if not is_normal(path):
        raise ApiError("not_found", "There is no such page.")
    opt = request.route_handler.opt
    if opt.get("open"):
        return None
    if signed is None:
        return Redirect(f"/dashboard/sign-in{_next(request)}", status_code=303)
    role: Role = opt.get("role", "member")
    if not at_least(signed.role, role):
        raise ApiError("scope_required", f"Only an {role} of the account may do this.".replace("an member", "a member"))
    if opt.get("operator") and not signed.operator:
        raise ApiError("not_found", "There is no such page.")
    if signed.suspended and request.method not in SAFE and not request.url.path.startswith(STILL):
        raise ApiError("key_suspended_plan", why_unusable("suspended"))
    if opt.get("recent") and signed.confirmed_at < datetime.now(UTC) - CONFIRMED:
        if not signed.has_password:
            return None if request.url.path == PASSWORD else Redirect(PASSWORD, status_code=303)
        return Redirect(f"/dashboard/confirm{_next(request)}", status_code=303)
    return None


def place(text: str) -> str:
    """Where to go on after a sign-in: a page of the dashboard, whatever `text` says."""
    return text if PLACE.fullmatch(text) else "/dashboard"


def came_from(request: AnyRequest) -> str:
    """The page that a form is on."""
    referer = request.headers.get("referer", "")
    ours = next((one for one in _ours(request) if referer.startswith(f"{one}/")), None)
    return place(referer.removeprefix(ours).partition("?")[0]) if ours else "/dashboard"


def _next(request: AnyRequest) -> str:
    """Where to go on, as a query: the page, or that from which a form came."""
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return f"?next={quote(place(here) if request.method in SAFE else came_from(request))}"


async def _check_origin(request: AnyRequest, visitor: Visitor) -> None:
    """Lets pass only forms of our own pages: by what the browser says of where they are from (Origin, RFC 6454), and by
    the token that each has, which is of a session."""
    origin = request.headers.get("origin")
    if origin is not None and origin not in _ours(request):
        raise ApiError("validation_error", STALE, status=403)
    try:
        form = await request.form()
        request.scope["addtocrm.written"] = await forms.written(request)  # type: ignore[typeddict-unknown-key]
    except (UnicodeDecodeError, LookupError):  # Bytes that are no text, or in a character set that there is not.
        raise ApiError("validation_error", "The form cannot be understood. Go back and try again.") from None
    given = request.headers.get("x-csrf") or form.get("csrf", "")
    if not isinstance(given, str) or not visitor.has_given(given):
        if visitor.signed is None and not request.route_handler.opt.get("open"):
            raise ApiError("invalid_auth", SIGNED_OUT)
        raise ApiError("validation_error", STALE, status=403)


def _ours(request: AnyRequest) -> tuple[str, ...]:
    """The origins of our own pages: that of the deployment's address, and where that is not HTTPS, also that by which
    the browser reached us."""
    base_url: str = request.app.state.settings.base_url
    url = urlsplit(base_url)
    ours = f"{url.scheme}://{url.netloc}"
    return (ours,) if url.scheme == "https" else (ours, f"http://{request.headers.get('host')}")
