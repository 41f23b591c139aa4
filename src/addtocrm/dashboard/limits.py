"""How often somebody may try to sign in."""

from typing import Literal

from addtocrm.core.errors import ApiError
from addtocrm.core.networks import place_of
from addtocrm.dashboard.visitor import AnyRequest, address_of
from addtocrm.dashboard.words import duration
from addtocrm.tenants.members import service as members

What = Literal["sign-in", "code", "mail"]

TRIES_A_MINUTE, TRIES_AN_HOUR = 10, 50
"""From one address, and for one member from anywhere."""
CODES_AN_HOUR = 20
"""For one member, where a guess is one of six digits."""


async def count_try(request: AnyRequest, who: str, what: What = "sign-in") -> None:
    """Counts a try to prove to be `who` (an email as it was typed, or a member's id), on all hosts together. Raises
    ApiError for one too many, whether there is such a member or not."""
    await _count(request, f"{what}:address:{place_of(address_of(request))}", TRIES_A_MINUTE, TRIES_AN_HOUR)
    await _count(
        request,
        f"{what}:email:{_known_as(who)}",
        TRIES_A_MINUTE,
        CODES_AN_HOUR if what == "code" else TRIES_AN_HOUR,
    )


async def count_passkey(request: AnyRequest, what: Literal["challenge", "answer"]) -> None:
    """Counts what is asked for a passkey and what is answered, from one address, as `count_try`."""
    await _count(request, f"passkey-{what}:address:{place_of(address_of(request))}", TRIES_A_MINUTE, TRIES_AN_HOUR)


async def _count(request: AnyRequest, subject: str, a_minute: int, an_hour: int) -> None:
    try:
        (await request.app.state.limiter.take(subject, a_minute, an_hour)).refuse_if_spent()
    except ApiError as error:
        seconds = error.retry_after_seconds or 0
        text = f"Too many tries. Try again in {duration(seconds)}."
        raise ApiError(error.type, text, retry_after_seconds=seconds) from None


def _known_as(who: str) -> str:
    """Whom a try is for, however it is written: an address can be typed in any number of ways."""
    try:
        return members.address(who)
    except ApiError:
        return who.strip().lower()[:320]
