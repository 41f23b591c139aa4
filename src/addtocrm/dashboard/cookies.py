"""The dashboard's cookies: sent to this host only, over HTTPS where it is reached so, and never read by scripts."""

from litestar import Response
from litestar.datastructures import Cookie

from addtocrm.core.settings import Settings
from addtocrm.dashboard.visitor import AnyRequest

SESSION, FORM, LINK, HALF = "session", "form", "link", "half"


def read(request: AnyRequest, name: str) -> str:
    """The value of a cookie; empty where there is none."""
    return request.cookies.get(_full_name(request.app.state.settings, name), "")


def put(request: AnyRequest, response: Response[str], name: str, value: str, seconds: int | None = None) -> None:
    """Gives the browser a cookie, for `seconds` or until it is closed."""
    response.set_cookie(_cookie(request.app.state.settings, name, value, seconds))


def drop(request: AnyRequest, response: Response[str], name: str) -> None:
    response.set_cookie(_cookie(request.app.state.settings, name, "", 0))


def _cookie(settings: Settings, name: str, value: str, seconds: int | None) -> Cookie:
    return Cookie(
        key=_full_name(settings, name),
        value=value,
        max_age=seconds,
        path="/",
        secure=_is_secure(settings),
        httponly=True,
        samesite="lax",
    )


def _full_name(settings: Settings, name: str) -> str:
    """A `__Host-` cookie is taken from this host alone, and over HTTPS alone (RFC 6265bis §4.1.3)."""
    return f"__Host-addtocrm-{name}" if _is_secure(settings) else f"addtocrm-{name}"


def _is_secure(settings: Settings) -> bool:
    return settings.base_url.startswith("https://")
