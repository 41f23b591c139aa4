"""Verifying email addresses: they become a job, whose page has the results."""

from litestar import Response, get, post
from litestar.response import Redirect

from addtocrm.core.db.pool import Pool
from addtocrm.dashboard import asking
from addtocrm.dashboard.asked import addresses_of
from addtocrm.dashboard.asking import Asking
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.live import Live
from addtocrm.dashboard.visitor import AnyRequest
from addtocrm.lookups.emails import batch, service
from addtocrm.lookups.emails.model import VerifyEmail
from addtocrm.lookups.service import Lookups


def _keys(addresses: list[VerifyEmail]) -> list[str]:
    return [service.verify_key(one.email) for one in addresses if service.is_address(one.email)]


VERIFY = Asking("verify.html", service.VERIFY, addresses_of, _keys, batch.submit)


@get("/verify", opt=needs(), sync_to_thread=False)
def show(request: AnyRequest) -> Response[str]:
    return asking.form(request, VERIFY)


@post("/verify", opt=needs(), status_code=200)
async def verify(request: AnyRequest, pool: Pool, live: Live, lookups: Lookups) -> Response[str] | Redirect:
    return await asking.ask(request, pool, live, lookups, VERIFY)


handlers = (show, verify)
