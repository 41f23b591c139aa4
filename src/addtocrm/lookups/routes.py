"""What the routes of lookups share."""

from litestar import Response

from addtocrm.lookups.model import Answer
from addtocrm.web.endpoint import AnyRequest
from addtocrm.web.exchange import JSON, answer_body, exchange_of


def note_cost(request: AnyRequest, answer: Answer) -> None:
    """Tells the request log what the answer cost."""
    exchange = exchange_of(request.scope)
    exchange.cached, exchange.credits = answer.cached, answer.credits_deducted


def billed(request: AnyRequest, answer: Answer) -> Response[bytes]:
    """The answer to a lookup."""
    note_cost(request, answer)
    body = answer_body(answer.data, answer.cached, answer.credits_deducted, answer.credits_remaining)
    return Response(body, media_type=JSON.decode())
