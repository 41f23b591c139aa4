"""How a connector fails: by these, and nothing else."""

from addtocrm.crm.kinds import Kind


class Failure(Exception):
    """What a connector may raise: one of those below."""


class Expired(Failure):
    """The CRM takes `token`, the access token, and what renews it, no more; the account has to be connected again."""

    def __init__(self, token: str) -> None:
        super().__init__("expired")
        self.token = token


class RateLimited(Failure):
    """The CRM asks to wait `retry_after` seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"rate limited for {retry_after:g} s")
        self.retry_after = retry_after


class Unavailable(Failure):
    """The CRM did not answer, or failed; it may answer in `retry_after` seconds. `maybe_done`: it may have done what
    was asked."""

    def __init__(self, retry_after: float = 30, *, maybe_done: bool = False) -> None:
        super().__init__("unavailable")
        self.retry_after = retry_after
        self.maybe_done = maybe_done


class Rejected(Failure):
    """The CRM refuses a value. `field` is its name of it (or ours), "" where it is not known which."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


class UnknownField(Rejected):
    """The CRM has no field `field` (any more)."""


class Unlisted(Rejected):
    """The CRM had no such field or option when it was asked a short while ago."""


class NotFound(Failure):
    """The CRM has no record with this id. `what` says what was looked for: `contact cco_…`."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class Duplicate(Failure):
    """A record like the new one is there. `id` is its id, None where the CRM does not say which."""

    def __init__(self, id: str | None, kind: Kind = "contact") -> None:
        super().__init__(f"duplicate of {id}")
        self.id, self.kind = id, kind


class Changed(Failure):
    """The record was changed after it was read, so nothing was written."""
