"""How to use the API, with the address of this deployment: the quickstart, errors, Zapier and Make."""

from litestar import Response, get

from addtocrm.core.errors import STATUS, ErrorType
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.page import page
from addtocrm.dashboard.visitor import AnyRequest
from addtocrm.web.openapi import MEANING

WHAT_TO_DO: dict[ErrorType, str] = {
    "invalid_auth": "Send the header `Authorization: Bearer` with a whole key. Copy it again, or make another one.",
    "key_revoked": "Make a new key, and put it where the old one was.",
    "key_suspended_plan": "Ask the operator of this deployment for Pro. The same key then works again.",
    "scope_required": "Make a key that has the scope that the message names.",
    "insufficient_credits": "Wait for the next period, or ask the operator for credits. What is cached stays free.",
    "rate_limit_minute": "Wait as many seconds as `Retry-After` says, then send the request again.",
    "rate_limit_hour": "Wait as many seconds as `Retry-After` says. A batch of many lookups is one request.",
    "crm_not_connected": "Connect a CRM under Connection.",
    "crm_token_expired": "Reconnect the CRM under Connection.",
    "crm_rate_limit": "Wait as many seconds as `Retry-After` says, then send the request again.",
    "crm_unavailable": "Wait as `Retry-After` says. With an `Idempotency-Key`, nothing is done twice.",
    "validation_error": "Read `details`: it has the path of each wrong field, and what is wrong with it.",
    "not_found": "Check what you asked for: nobody knows the person, or the id is not of this account.",
    "internal_error": "Send it again, with the same `Idempotency-Key`. Give the operator the request id if it stays.",
}


@get("/quickstart", opt=needs(), sync_to_thread=False)
def quickstart(request: AnyRequest) -> Response[str]:
    return page(request, "quickstart.html")


@get("/errors", opt=needs(), sync_to_thread=False)
def errors(request: AnyRequest) -> Response[str]:
    known = [(type, STATUS[type], MEANING[type], WHAT_TO_DO[type]) for type in STATUS]
    return page(request, "errors.html", errors=known)


@get("/automations", opt=needs(), sync_to_thread=False)
def automations(request: AnyRequest) -> Response[str]:
    return page(request, "automations.html", reachable=request.app.state.settings.base_url.startswith("https://"))


handlers = (quickstart, errors, automations)
