"""What the routes of lookups share."""

from litestar import Response

from addtocrm.lookups.model import Answer
from addtocrm.web.exchange import JSON, answer_body


def billed(answer: Answer) -> Response[bytes]:
    """The answer to a lookup."""
    body = answer_body(answer.data, answer.cached, answer.credits_deducted, answer.credits_remaining)
    return Response(body, media_type=JSON.decode())
