"""The API's quickstart with the address of this deployment."""

from litestar import Response, get

from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.page import page
from addtocrm.dashboard.visitor import AnyRequest


@get("/quickstart", opt=needs(), sync_to_thread=False)
def show(request: AnyRequest) -> Response[str]:
    return page(request, "quickstart.html")


handlers = (show,)
