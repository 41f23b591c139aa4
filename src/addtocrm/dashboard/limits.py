"""How often somebody may try to sign in."""

from addtocrm.dashboard.visitor import AnyRequest, address_of

TRIES_A_MINUTE, TRIES_AN_HOUR = 10, 50
"""From one address, and for one member from anywhere."""


async def count_try(request: AnyRequest, email: str, what: str = "sign-in") -> None:
    """Counts a try to prove who somebody is (or another `what`), on all hosts together. Raises ApiError for one too
    many, whether there is such a member or not."""
    who = email.strip().lower()[:320]
    for subject in (f"{what}:address:{address_of(request)}", f"{what}:email:{who}"):
        (await request.app.state.limiter.take(subject, TRIES_A_MINUTE, TRIES_AN_HOUR)).refuse_if_spent()
