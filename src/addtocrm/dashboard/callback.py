"""GET /oauth/crm/{vendor}/callback: where a CRM sends the browser back to."""

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from addtocrm.core.errors import ApiError
from addtocrm.crm import connections, registry
from addtocrm.crm.connections import Beginner
from addtocrm.crm.setup import Setup
from addtocrm.dashboard.guard import look
from addtocrm.dashboard.page import go, page
from addtocrm.dashboard.visitor import AnyRequest, address_of
from addtocrm.dashboard.words import plain
from addtocrm.tenants.accounts import service as accounts
from addtocrm.tenants.audit import service as audit
from addtocrm.tenants.keys.service import why_unusable
from addtocrm.tenants.members.model import at_least
from addtocrm.tenants.sessions.model import Signed
from addtocrm.web.exchange import exchange_of

ELSEWHERE = (
    "This was begun in another browser, or by somebody who has signed out since. Nothing is connected. Sign in to the "
    "dashboard in this browser and begin again."
)


def handler(name: str) -> HTTPRouteHandler:
    """The route of one CRM."""

    @get(f"/oauth/crm/{name}/callback")
    async def callback(request: AnyRequest, crm: Setup) -> Response[str] | Redirect:
        """A sign-in that was begun in the dashboard ends in the session that began it, back on the Connection page;
        one that was begun elsewhere is bound by its `state` alone, and ends on a page that says what it connected."""
        signed = (await look(request)).signed
        if exchange_of(request.scope).method == "HEAD":  # Who looks whether there is a page uses no sign-in up.
            return _page(request, 200, "Sign-in", "Open this address in a browser.")
        params = dict(request.query_params.items())
        begun = await connections.beginner(crm.pool, params)
        if begun is None or begun.session_id is None:
            return await _from_elsewhere(request, crm, name, params, begun)
        if signed is None or signed.session_id != begun.session_id or not at_least(signed.role, "admin"):
            return _page(request, 403, "Nothing is connected", ELSEWHERE)
        if signed.suspended:
            return _page(request, 403, "Nothing is connected", why_unusable("suspended"))
        return await _from_here(request, crm, name, params, signed)

    return callback


async def _from_here(request: AnyRequest, crm: Setup, name: str, params: dict[str, str], signed: Signed) -> Redirect:
    try:
        await connections.finish(crm, name, params, signed.session_id)
    except ApiError:
        return go("/dashboard/connection", said="failed")
    actor = f"user:{signed.member_id}"
    await audit.note(crm.pool, signed.account_id, actor, "crm.connected", address_of(request), crm=name)
    return go("/dashboard/connection", said="connected")


async def _from_elsewhere(
    request: AnyRequest, crm: Setup, name: str, params: dict[str, str], begun: Beginner | None
) -> Response[str]:
    try:
        connected = await connections.finish(crm, name, params)
    except ApiError as error:
        return _page(request, error.status, "The CRM is not connected", plain(error.message))
    whose = f"The AddToCRM account {(await accounts.get(crm.pool, begun.account_id)).email}" if begun else "AddToCRM"
    text = f"{whose} now writes to {connected.name} ({connected.account_name})."
    return _page(request, 200, f"{connected.name} is connected", text)


def _page(request: AnyRequest, status: int, title: str, text: str) -> Response[str]:
    return page(request, "callback.html", status, title=title, text=text)


def handlers() -> list[HTTPRouteHandler]:
    """The routes of all CRMs with OAuth."""
    return [handler(one.name) for one in registry.load().values() if one.oauth is not None]
