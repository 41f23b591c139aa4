"""Asking before something is done that cannot be undone."""

from litestar import Response

from addtocrm.dashboard.guard import SAFE, came_from
from addtocrm.dashboard.page import page
from addtocrm.dashboard.visitor import AnyRequest


async def ask(request: AnyRequest) -> Response[str] | None:
    """The page that asks the `question` of a form which nobody was asked yet; a script asks before it is sent."""
    if request.method in SAFE:
        return None
    form = await request.form()
    question = form.get("question")
    if not question or form.get("sure"):
        return None
    fields = [
        (name, value)
        for name, value in form.multi_items()
        if name not in ("csrf", "question") and isinstance(value, str)
    ]
    return page(request, "sure.html", question=question, fields=fields, back=came_from(request))
