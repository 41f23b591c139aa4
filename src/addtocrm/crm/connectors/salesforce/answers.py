"""What Salesforce answers, and which Failure an error is."""

import re
from typing import Any, NoReturn, TypeAlias, TypeVar

import msgspec

from addtocrm.crm.connectors.salesforce.objects import OBJECTS, kind_of
from addtocrm.crm.failures import Changed, Duplicate, Failure, NotFound, Rejected, Unavailable, UnknownField
from addtocrm.crm.kinds import Kind

T = TypeVar("T")
GONE = ("ENTITY_IS_DELETED", "NOT_FOUND", "CANNOT_UPDATE_CONVERTED_LEAD")
NO_REFERENCE = ("INVALID_CROSS_REFERENCE_KEY", "MALFORMED_ID")
PASSING = ("UNABLE_TO_LOCK_ROW", "QUERY_TIMEOUT", "SERVER_UNAVAILABLE", "PROCESSING_HALTED", "UNKNOWN_EXCEPTION")
FORBIDDEN = ("NOT_FOUND", "INVALID_TYPE", "API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED", "FUNCTIONALITY_NOT_ENABLED")


class Problem(msgspec.Struct, rename="camel"):
    """What Salesforce says is wrong; the code has one name in collections and another elsewhere."""

    message: str = ""
    status_code: str = ""
    error_code: str = ""
    fields: list[str] | None = None
    duplicate_result: Any = None
    duplicate_resut: Any = None

    @property
    def code(self) -> str:
        return self.status_code or self.error_code

    @property
    def unknown_field(self) -> str | None:
        match = re.search(r"No such column '([^']+)'", self.message) if self.code == "INVALID_FIELD" else None
        return match and match[1]

    @property
    def like(self) -> str | None:
        """The id of the record that is there already, where Salesforce says it."""
        matched = msgspec.json.encode(self.duplicate_result or self.duplicate_resut).decode()
        match = re.search(r'"Id":"(\w{15,18})"', matched) or re.search(r"with id: (\w{15,18})", self.message)
        return match and match[1]


Outcome: TypeAlias = str | Problem | Failure
"""Of one row: its id, or what is wrong."""


class Saved(msgspec.Struct):
    """What became of a new row."""

    id: str | None = None
    success: bool = False
    errors: list[Problem] = []

    @property
    def outcome(self) -> Outcome:
        return self.id if self.success and self.id else self.errors[0] if self.errors else Rejected("", "not saved")


class Answer(msgspec.Struct, rename="camel"):
    """The answer to a part of a composite request."""

    http_status_code: int
    body: Any = None


class Answers(msgspec.Struct, rename="camel"):
    """The answer to a composite request."""

    composite_response: list[Answer]


class Page(msgspec.Struct, rename="camel"):
    """Rows that a query found, and where there are more."""

    records: list[dict[str, Any]]
    next_records_url: str | None = None


class Resources(msgspec.Struct):
    """What there is to ask for; `identity` is the address of the user that asks."""

    identity: str = ""


def shaped(type: type[T], data: Any) -> T:
    """The data as `type`; raises Unavailable where they are of another shape."""
    try:
        return msgspec.convert(data, type)
    except msgspec.ValidationError:
        lost()


def lost() -> NoReturn:
    """Raises Unavailable: the answer is of another shape than agreed."""
    raise Unavailable(maybe_done=True)


def problem_of(data: Any) -> Problem:
    """The first problem of an error's body; raises Unavailable where it is of another shape."""
    return (shaped(list[Problem], data) or lost())[0]


def changed(status: int, data: Any) -> Outcome:
    """What became of a PATCH, "" where it was done; raises Unavailable where the answer is of another shape."""
    return "" if status in (200, 204) else Changed() if status == 412 else problem_of(data)


def failure(problem: Problem | Failure, name: str, what: str = "", **about: str) -> Failure:
    """What a connector raises. `name` is the object, `what` the record that was written to, `about` says what the
    fields refer to."""
    if isinstance(problem, Failure):
        return problem
    code, message = problem.code, problem.message[:500] or problem.code
    field = problem.fields[0] if problem.fields else ""
    if code in ("DUPLICATES_DETECTED", "DUPLICATE_VALUE"):
        kinds: dict[str, Kind] = {called: kind for kind, called in OBJECTS.items()}
        return Duplicate(problem.like, kind_of(problem.like or "") or kinds.get(name, "contact"))
    if code in PASSING:
        return Unavailable(5)
    if field in about and code in (*NO_REFERENCE, *GONE):
        return NotFound(about[field])
    if what and (code in GONE or (code in NO_REFERENCE and not field)):
        return NotFound(what)
    if code in FORBIDDEN or code.startswith("INSUFFICIENT_ACCESS"):
        return Rejected(field, f"The Salesforce user may not do this with {name}: give it a permission set for it.")
    if problem.unknown_field:
        return UnknownField(problem.unknown_field, message)
    return Rejected(field, message)
