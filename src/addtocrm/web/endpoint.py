"""The declaration of an endpoint: one place for its scope, its shapes, its errors and its example."""

from typing import Any, TypeVar

import msgspec
from litestar import Request, Response

from addtocrm.core.errors import ErrorType
from addtocrm.web import requests
from addtocrm.web.context import Passed, Scopes, passed
from addtocrm.web.exchange import JSON

T = TypeVar("T")
AnyRequest = Request[Any, Any, Any]


class Endpoint(msgspec.Struct, frozen=True):
    """What is promised of an endpoint. `answer` is the type inside `data`; a list type is a collection. A key needs one
    of `scopes`, or all of them with `all_scopes`."""

    summary: str
    scopes: Scopes
    answer: Any
    tag: str
    all_scopes: bool = False
    body: Any = None
    query: Any = None
    beside: Any = None
    """A Struct of what is answered beside `data`."""
    billable: bool = False
    status: int | tuple[int, ...] = 200
    endless: bool = False
    """Of a collection: it always has a next page."""
    errors: tuple[ErrorType, ...] = ()
    example: Any = None
    description: str = ""
    content_types: tuple[str, ...] = ()


def endpoint(summary: str, *, scopes: Scopes, answer: Any, tag: str, **rest: Any) -> dict[str, Endpoint]:
    """The `opt` of a route handler (see Endpoint)."""
    return {"endpoint": Endpoint(summary, scopes, answer, tag, **rest)}


async def read_body(request: AnyRequest, type: type[T]) -> T:
    """The request's JSON body as `type`. Raises ApiError."""
    return requests.decode(await request.body(), type)


def read_query(request: AnyRequest, type: type[T]) -> T:
    """The request's query parameters as `type`. Raises ApiError."""
    return requests.query(request.query_params.multi_items(), type)


def caller_of(request: AnyRequest) -> Passed:
    return passed(request.scope)


def data(value: Any, status: int = 200) -> Response[bytes]:
    """`{"data": value}`."""
    return json({"data": value}, status)


def json(value: Any, status: int = 200) -> Response[bytes]:
    return Response(msgspec.json.encode(value), status_code=status, media_type=JSON.decode())
