"""GET /v1/usage."""

from litestar import Response, get

from addtocrm.core.db.pool import Pool
from addtocrm.tenants.usage import service
from addtocrm.tenants.usage.model import Usage
from addtocrm.web.context import ANY_SCOPE
from addtocrm.web.endpoint import AnyRequest, caller_of, data, endpoint


@get("/v1/usage", opt=endpoint("Credits and their use", scopes=ANY_SCOPE, answer=Usage, tag="Account"))
async def usage(request: AnyRequest, pool: Pool) -> Response[bytes]:
    """The plan, the period and its credits: by operation, by key and by day (UTC)."""
    return data(await service.of_account(pool, caller_of(request).caller.account_id))


handlers = [usage]
