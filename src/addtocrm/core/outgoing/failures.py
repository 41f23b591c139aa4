"""How a call to a vendor can fail. No message holds a header, a body, a token or a query."""


class CallFailed(Exception):
    """There is no answer that could be used.

    `maybe_done`: the vendor may have done what was asked, so a caller looks before it asks again.
    `retry_after`: seconds after which asking again makes sense, where that is known.
    `passing`: the same call may succeed a moment later.
    """

    maybe_done = False
    passing = True

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotReached(CallFailed):
    """No connection was made, or the vendor ended it before the request: nothing was done."""


class Refused(NotReached):
    """We do not go there: the address is not public, or the vendor is left alone for a while."""

    passing = False


class Throttled(CallFailed):
    """The vendor's quota is used up; nothing was done."""

    def __init__(self, message: str, seconds: float, *, passing: bool = True) -> None:
        super().__init__(message, seconds)
        self.seconds = seconds
        self.passing = passing


class NoAnswer(CallFailed):
    """The connection broke, or the deadline passed, after the request had gone out."""

    maybe_done = True


class ServerFailed(CallFailed):
    """A 5xx answer."""

    maybe_done = True


class BadAnswer(CallFailed):
    """The answer is not what was agreed: no JSON, HTML, nothing, too long, or a way to another host."""

    maybe_done = True

    def __init__(self, message: str, *, passing: bool = True) -> None:
        super().__init__(message)
        self.passing = passing
