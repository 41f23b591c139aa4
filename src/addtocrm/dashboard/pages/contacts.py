"""The contacts and companies of the active CRM."""

from litestar import Response, get

from addtocrm.core.errors import ApiError
from addtocrm.crm import connections, service
from addtocrm.crm.setup import Setup
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.page import page
from addtocrm.dashboard.visitor import AnyRequest, signed_in

ON_A_PAGE = 50


@get("/contacts", opt=needs())
async def show_all(request: AnyRequest, crm: Setup) -> Response[str]:
    account_id = signed_in(request).account_id
    known = await connections.all_of(crm.pool, account_id)
    if not known:
        return page(request, "contacts.html", crm=None, contacts=[], cursor=None, fault="")
    wanted = request.query_params.get("find", "").strip()
    by = {"email": wanted} if "@" in wanted else {"linkedin_url": wanted} if wanted else {}
    fault, contacts, cursor = "", [], None
    try:
        contacts, cursor = await service.contacts(
            crm, account_id, cursor=request.query_params.get("cursor"), limit=ON_A_PAGE, **by
        )
    except ApiError as error:
        fault = error.message
    return page(request, "contacts.html", crm=known[0], contacts=contacts, cursor=cursor, fault=fault)


@get("/contacts/{id:str}", opt=needs())
async def show(request: AnyRequest, id: str, crm: Setup) -> Response[str]:
    contact = await service.contact(crm, signed_in(request).account_id, id)
    return page(request, "contact.html", contact=contact)


@get("/companies/{id:str}", opt=needs())
async def show_company(request: AnyRequest, id: str, crm: Setup) -> Response[str]:
    company = await service.company(crm, signed_in(request).account_id, id)
    return page(request, "company.html", company=company, id=id)


handlers = (show_all, show, show_company)
