"""The closed catalogue of what can go wrong for a caller; nothing else makes an HTTP error."""

from collections.abc import Collection, Sequence
from typing import Literal

import msgspec

ErrorType = Literal[
    "invalid_auth",
    "key_revoked",
    "key_suspended_plan",
    "scope_required",
    "insufficient_credits",
    "rate_limit_minute",
    "rate_limit_hour",
    "crm_not_connected",
    "crm_token_expired",
    "crm_rate_limit",
    "crm_unavailable",
    "validation_error",
    "not_found",
    "internal_error",
]

STATUS: dict[ErrorType, int] = {
    "invalid_auth": 401,
    "key_revoked": 401,
    "key_suspended_plan": 403,
    "scope_required": 403,
    "insufficient_credits": 402,
    "rate_limit_minute": 429,
    "rate_limit_hour": 429,
    "crm_not_connected": 409,
    "crm_token_expired": 409,
    "crm_rate_limit": 503,
    "crm_unavailable": 503,
    "validation_error": 400,
    "not_found": 404,
    "internal_error": 500,
}


class Detail(msgspec.Struct, frozen=True):
    """One fault of a request: `path` is the field's (`person.emails[0].email`), "" for the whole body."""

    path: str
    message: str


class ApiError(Exception):
    """A failure that the caller is told about.

    `type` fixes the status (see `STATUS`); only `validation_error` may carry another one (405, 413, 414, 415, 431)
    and `details`. `message` says what to do next and never holds a secret, SQL or a trace.
    """

    def __init__(
        self,
        type: ErrorType,
        message: str,
        *,
        details: Sequence[Detail] = (),
        retry_after_seconds: int | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.type: ErrorType = type
        self.message = message
        self.details = tuple(details)
        self.retry_after_seconds = retry_after_seconds
        self.status = status or STATUS[type]


PREDICATES = ("is ", "are ", "has ", "holds ", "was ", "needs ", "must ", "asked ", "goes ", "belongs ", "or ")
"""How a message begins that goes on from the field's name."""


def invalid(path: str, message: str) -> ApiError:
    """A `validation_error` about one field."""
    if not path:
        return ApiError("validation_error", message, details=[Detail(path, message)])
    summary = f"`{path}` {message}" if message.startswith(PREDICATES) else f"`{path}`: {message}"
    return ApiError("validation_error", summary, details=[Detail(path, message)])


def lacks_scope(wanted: Sequence[str], has: Collection[str], *, all_of_them: bool = False) -> ApiError:
    """A `scope_required` that names what the call needs: one of `wanted`, or all, of which the key lacks some."""
    if all_of_them:
        lacks = _named([name for name in wanted if name not in has], "and")
        needs = f"the scopes {_named(wanted, 'and')}, and this key lacks {lacks}; make a key that has them"
    else:
        needs = f"the scope {_named(wanted, 'or')}; make a key that has it"
    return ApiError("scope_required", f"This call needs {needs} in the dashboard.")


def _named(scopes: Sequence[str], word: str) -> str:
    return f" {word} ".join(f"`{name}`" for name in scopes)


class ErrorBody(msgspec.Struct, frozen=True, omit_defaults=True):
    type: ErrorType
    message: str
    request_id: str
    retry_after_seconds: int | None = None
    details: tuple[Detail, ...] = ()


class Envelope(msgspec.Struct, frozen=True):
    """The one shape of every error answer."""

    error: ErrorBody


def envelope(error: ApiError, request_id: str) -> bytes:
    """The JSON body of an error answer."""
    body = ErrorBody(error.type, error.message, request_id, error.retry_after_seconds, error.details)
    return msgspec.json.encode(Envelope(body))


class ItemError(msgspec.Struct, frozen=True):
    """Why an item failed, in the words of the error envelope."""

    type: str
    message: str
