"""Whatever fails in a route becomes the one error envelope."""

from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from addtocrm.core.errors import ApiError, envelope
from addtocrm.web.exchange import JSON, error_headers, exchange_of

log = structlog.get_logger()


def answer_api_error(request: Request[Any, Any, Any], error: ApiError) -> Response[bytes]:
    exchange = exchange_of(request.scope)
    exchange.result = error.type
    return Response(
        envelope(error, exchange.request_id),
        status_code=error.status,
        media_type=JSON.decode(),
        headers={name.decode(): value.decode() for name, value in error_headers(error)},
    )


def answer_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Litestar's own refusals: an unknown path, a wrong method, a body too large."""
    match error.status_code:
        case 404:
            known = ApiError("not_found", f"There is no {request.url.path}; see /docs for what there is.")
        case 405:
            known = ApiError(
                "validation_error",
                f"{request.url.path} does not take {request.method}; see /docs.",
                status=405,
            )
        case 413:
            known = ApiError("validation_error", "The body is too large.", status=413)
        case status if status < 500:
            known = ApiError("validation_error", "The request cannot be understood; see /docs.", status=400)
        case _:
            return answer_crash(request, error)
    response = answer_api_error(request, known)
    response.headers.update({k: v for k, v in (error.headers or {}).items() if k.lower() == "allow"})
    return response


def answer_crash(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    log.error("crash", exc_info=error)
    failure = ApiError("internal_error", "Something failed on our side; nothing was charged. Try again.")
    return answer_api_error(request, failure)


handlers: dict[Any, Any] = {
    ApiError: answer_api_error,
    HTTPException: answer_http_exception,
    Exception: answer_crash,
}
