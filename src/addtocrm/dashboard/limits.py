"""How often somebody may try to sign in."""

from addtocrm.dashboard.visitor import AnyRequest, address_of

TRIES_A_MINUTE, TRIES_AN_HOUR = 10, 50
"""From one address, and for one member from anywhere."""


async def count_try(request: AnyRequest, email: str) -> None:
    """Counts a try to prove who somebody is, on all hosts together. Raises ApiError for one too many, whether there is
    such a member or not."""
    for subject in (f"sign-in:{address_of(request)}", f"sign-in:{email.strip().lower()[:320]}"):
        (await request.app.state.limiter.take(subject, TRIES_A_MINUTE, TRIES_AN_HOUR)).refuse_if_spent()
