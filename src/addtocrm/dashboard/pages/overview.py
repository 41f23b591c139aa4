"""The first page: what is left, what happened, what to do next."""

from datetime import date, timedelta

import msgspec
from litestar import Response, get

from addtocrm.core.db.pool import Pool
from addtocrm.core.times import parse
from addtocrm.crm import connections
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.page import page
from addtocrm.dashboard.visitor import AnyRequest, signed_in
from addtocrm.events import service as events
from addtocrm.tenants.keys import service as keys
from addtocrm.tenants.usage import service as usage
from addtocrm.tenants.usage.model import Usage

RECENT = 8


class Bar(msgspec.Struct, frozen=True):
    """A day of the chart: `height` is its part of the highest day's."""

    day: date
    credits: int
    height: float


@get("/", opt=needs())
async def overview(request: AnyRequest, pool: Pool) -> Response[str]:
    account_id = signed_in(request).account_id
    used = await usage.of_account(pool, account_id)
    recent, _ = await events.latest(pool, account_id, limit=RECENT)
    connected = await connections.all_of(pool, account_id)
    written, _ = await events.latest(pool, account_id, type="crm.contact.created", limit=1)
    steps = {
        "crm": bool(connected),
        "key": any(key.revoked_at is None for key in await keys.of_account(pool, account_id)),
        "enriched": bool(used.credits.used) or any(one.type == "person.enriched" for one in recent),
        "written": bool(written),
    }
    return page(
        request,
        "overview.html",
        usage=used,
        bars=bars(used),
        recent=recent,
        crm=connected[0] if connected else None,
        steps=steps,
    )


def bars(used: Usage) -> list[Bar]:
    """Each day of the period, also those without a credit."""
    credits = {one.date: one.credits for one in used.by_day}
    first = parse(used.period.start).date()
    days = [first + timedelta(days=number) for number in range((parse(used.period.end).date() - first).days + 1)]
    highest = max(credits.values(), default=0) or 1
    return [Bar(day, credits.get(day.isoformat(), 0), credits.get(day.isoformat(), 0) / highest) for day in days]


handlers = (overview,)
