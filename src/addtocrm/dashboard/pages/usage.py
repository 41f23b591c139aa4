"""Credits: what is left, what was used and by whom, each line of the ledger, and the plan."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from litestar import Response, get
from litestar.response import Stream

from addtocrm.core import times
from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError, invalid
from addtocrm.core.settings import Settings
from addtocrm.dashboard import forms, words
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.page import page
from addtocrm.dashboard.visitor import AnyRequest, signed_in
from addtocrm.tenants.keys import service as keys
from addtocrm.tenants.members import service as members
from addtocrm.tenants.usage import service
from addtocrm.tenants.usage.model import LedgerFilter, LedgerLine, Usage

ON_A_PAGE = 50
Totals = tuple[str, str, str, Sequence[tuple[str, dict[str, str], Any]]]
DATE = 10
"""The length of a date without a time."""


@get("/usage", opt=needs())
async def show(request: AnyRequest, pool: Pool) -> Response[str]:
    usage = await service.of_account(pool, signed_in(request).account_id)
    return page(request, "usage.html", usage=usage, totals=totals(usage))


@get("/usage/ledger", opt=needs())
async def ledger(request: AnyRequest, pool: Pool) -> Response[str]:
    account_id = signed_in(request).account_id
    cursor = request.query_params.get("cursor")
    status, following = 200, None
    lines: list[LedgerLine] = []
    faults: dict[str, str] = {}
    try:
        lines, following = await service.ledger(pool, account_id, _wanted(request), cursor, ON_A_PAGE)
    except ApiError as error:
        status = error.status
        faults = {name: words.about(name, text) for name, text in forms.faults(error).items()}
    chosen = {name: value for name, value in request.query_params.items() if name != "cursor" and value}
    return page(
        request,
        "ledger.html",
        status,
        lines=lines,
        faults=faults,
        cursor=following,
        chosen=chosen,
        operations=await service.operations(pool, account_id),
        keys=await keys.of_account(pool, account_id),
        members=await members.of_account(pool, account_id),
    )


@get("/usage/ledger.csv", opt=needs())
async def download(request: AnyRequest, pool: Pool) -> Stream:
    headers = {"content-disposition": 'attachment; filename="ledger.csv"', "cache-control": "no-store"}
    table = service.table(pool, signed_in(request).account_id, _wanted(request))
    return Stream(table, media_type="text/csv; charset=utf-8", headers=headers)


@get("/usage/plan", opt=needs())
async def plan(request: AnyRequest, pool: Pool) -> Response[str]:
    settings: Settings = request.app.state.settings
    usage = await service.of_account(pool, signed_in(request).account_id)
    return page(request, "plan.html", usage=usage, settings=settings)


def totals(usage: Usage) -> list[Totals]:
    """What was used by what and by whom, each with the lines that it is made of."""
    operations = [(words.operation(one.operation), {"operation": one.operation}, one) for one in usage.by_operation]
    keys = [(one.name or "", {"who": f"key:{one.key_id}"}, one) for one in usage.by_key if one.key_id]
    members = [
        (one.email or "Former member", {"who": f"user:{one.member_id}"}, one)
        if one.member_id
        else ("Command line", {"who": "operator"}, one)
        for one in usage.by_member
    ]
    return [
        ("operations", "By operation", "Operation", operations),
        ("keys", "By API key", "API key", keys),
        ("members", "By member", "Member", members),
    ]


def _wanted(request: AnyRequest) -> LedgerFilter:
    """What the address asks for; `to` is a day that is within. Raises ApiError."""
    return LedgerFilter(
        actor=forms.asked(request, "who") or None,
        operation=forms.asked(request, "operation") or None,
        since=_time("from", forms.asked(request, "from")),
        until=_time("to", forms.asked(request, "to"), whole_day=True),
    )


def _time(name: str, text: str, *, whole_day: bool = False) -> datetime | None:
    try:
        time = times.parse(text) if text else None
        return time + timedelta(days=1) if time and whole_day and len(text) == DATE else time
    except (ValueError, OverflowError):
        raise invalid(name, "is not a date such as 2026-01-31.") from None


handlers: tuple[Any, ...] = (show, ledger, download, plan)
