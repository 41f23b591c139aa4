"""Enriching people: who is asked for becomes a job, whose page has the results."""

from litestar import Response, get, post
from litestar.response import Redirect

from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError
from addtocrm.dashboard import asking
from addtocrm.dashboard.asked import people_of
from addtocrm.dashboard.asking import Asking
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.live import Live
from addtocrm.dashboard.visitor import AnyRequest
from addtocrm.lookups.people import batch, service
from addtocrm.lookups.people.model import EnrichPerson
from addtocrm.lookups.service import Lookups


def _keys(people: list[EnrichPerson]) -> list[str]:
    """Who asks for nobody has no key: that is told of the item. Raises ApiError where it is the only one."""
    keys: list[str] = []
    for one in people:
        try:
            keys.append(service.lookup_key(service.query_of(one)))
        except ApiError:
            if len(people) == 1:
                raise
    return keys


ENRICH = Asking("enrich.html", service.ENRICH, people_of, _keys, batch.submit)


@get("/enrich", opt=needs(), sync_to_thread=False)
def show(request: AnyRequest) -> Response[str]:
    return asking.form(request, ENRICH)


@post("/enrich", opt=needs(), status_code=200)
async def enrich(request: AnyRequest, pool: Pool, live: Live, lookups: Lookups) -> Response[str] | Redirect:
    return await asking.ask(request, pool, live, lookups, ENRICH)


handlers = (show, enrich)
