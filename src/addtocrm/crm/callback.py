"""GET /oauth/crm/{vendor}/callback: where a CRM sends the browser back to."""

import html

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from addtocrm.core.errors import ApiError
from addtocrm.crm import connections, registry
from addtocrm.crm.setup import Setup
from addtocrm.web.endpoint import AnyRequest
from addtocrm.web.exchange import exchange_of

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title} · AddToCRM</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body{{font:1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;
padding:0 1rem;color-scheme:light dark}}
</style>
</head><body><main><h1>{title}</h1><p>{text}</p></main></body></html>
"""
HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
}


def handler(name: str) -> HTTPRouteHandler:
    """The route of one CRM."""

    @get(f"/oauth/crm/{name}/callback")
    async def callback(request: AnyRequest, crm: Setup) -> Response[str]:
        if exchange_of(request.scope).method == "HEAD":  # Who looks whether there is a page uses no sign-in up.
            return _page(200, "Sign-in", "Open this address in a browser.")
        try:
            connected = await connections.finish(crm, name, dict(request.query_params.items()))
        except ApiError as error:
            return _page(error.status, "The CRM is not connected", error.message)
        text = f"AddToCRM now writes to {connected.name} ({connected.account_name}). You can close this page."
        return _page(200, f"{connected.name} is connected", text)

    return callback


def _page(status: int, title: str, text: str) -> Response[str]:
    body = PAGE.format(title=html.escape(title), text=html.escape(text))
    return Response(body, status_code=status, media_type="text/html", headers=HEADERS)


def handlers() -> list[HTTPRouteHandler]:
    """The routes of all CRMs with OAuth."""
    return [handler(one.name) for one in registry.load().values() if one.oauth is not None]
