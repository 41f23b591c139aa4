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
WIDTH, FLOOR, HIGHEST = 20, 84, 80
"""Of the chart: a day's width, where the bars stand, and how high the highest is."""


class Part(msgspec.Struct, frozen=True):
    """What one operation is of a bar."""

    operation: str
    y: float
    height: float


class Bar(msgspec.Struct, frozen=True):
    """A day of the chart, its parts from below."""

    day: date
    credits: int
    x: int
    parts: list[Part]


@get("/", opt=needs())
async def overview(request: AnyRequest, pool: Pool) -> Response[str]:
    account_id = signed_in(request).account_id
    used = await usage.of_account(pool, account_id)
    recent, _ = await events.latest(pool, account_id, limit=RECENT)
    active = connections.active_of(await connections.all_of(pool, account_id))
    written = False
    for type in ("crm.contact.created", "crm.contact.updated"):
        written = written or bool((await events.latest(pool, account_id, type=type, limit=1))[0])
    steps = {
        "crm": active is not None,
        "key": any(not key.is_over for key in await keys.of_account(pool, account_id)),
        "enriched": bool(used.credits.used) or any(one.type == "person.enriched" for one in recent),
        "written": written,
    }
    return page(
        request,
        "overview.html",
        usage=used,
        bars=bars(used),
        saved=sum(one.cached for one in used.by_operation),
        cache_days=request.app.state.settings.cache_days,
        recent=recent,
        crm=active,
        steps=steps,
    )


def bars(used: Usage) -> list[Bar]:
    """Each day of the period, also those without a credit."""
    by_day = {one.date: one for one in used.by_day}
    first = parse(used.period.start).date()
    highest = max((one.credits for one in used.by_day), default=0) or 1
    found: list[Bar] = []
    for number in range((parse(used.period.end).date() - first).days + 1):
        day = first + timedelta(days=number)
        known = by_day.get(day.isoformat())
        parts: list[Part] = []
        y = float(FLOOR)
        for operation, credits in sorted(known.operations.items()) if known else ():
            height = credits / highest * HIGHEST
            y -= height
            parts.append(Part(operation, round(y, 2), round(height, 2)))
        found.append(Bar(day, known.credits if known else 0, number * WIDTH + 3, parts))
    return found


handlers = (overview,)
