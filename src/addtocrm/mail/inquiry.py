"""What is found out about the addresses of one domain, and what follows from it."""

import hashlib
import random
from datetime import UTC, datetime
from typing import cast, get_args

import msgspec

from addtocrm.core.times import rfc3339
from addtocrm.mail import knowledge
from addtocrm.mail.dialogue import Answers, wants_random
from addtocrm.mail.model import Checked, SmtpEvidence, Verification
from addtocrm.mail.replies import GREYLIST_SECONDS, Reply
from addtocrm.mail.syntax import Address, parse
from addtocrm.mail.typos import did_you_mean
from addtocrm.mail.verdict import Facts, Obstacle, catch_all, verdict

RETRY_SECONDS = 900.0
"""When to ask again after a passing failure that named no time."""

RETRYABLE = ("temporary", "timeout", "connection_failed", "dns_error", "dns_timeout", "catch_all_unknown")


class Inquiry(msgspec.Struct):
    """The state of asking about `addresses`, all of `domain`; `obstacle` and `ended` say what got in the way."""

    domain: str
    addresses: list[Address]
    replies: dict[str, Reply] = msgspec.field(default_factory=dict[str, Reply])
    random: Reply | None = None
    obstacle: Obstacle | None = None
    ended: Reply | None = None
    connected: bool = False
    mx_host: str | None = None
    provider: knowledge.Provider | None = None
    resting: float | None = None
    """Seconds for which the host is left alone, because it blocked us."""

    def pending(self) -> list[Address]:
        """Who has no final answer yet."""
        return [address for address in self.addresses if is_open(self.replies.get(address.email))]

    def lacks_random(self) -> bool:
        return self.random is None and wants_random(list(self.replies.values()))

    def take_in(self, answers: Answers) -> None:
        self.connected = self.connected or answers.connected
        self.replies |= answers.replies
        self.random = answers.random or self.random
        self.ended = answers.ended

    def is_settled(self, address: Address) -> bool:
        """Whether nothing that may still be heard changes what is known about an address."""
        reply = self.replies.get(address.email)
        return not is_open(reply) and not self.lacks_random() and not (self.random and is_open(self.random))

    def wait(self) -> float | None:
        """Seconds until those put off may be asked about again; None where nobody is."""
        heard = [reply for reply in (*self.replies.values(), self.random, self.ended) if reply]
        return max((put_off(reply) for reply in heard if is_open(reply)), default=None)


def is_open(reply: Reply | None) -> bool:
    """Whether an answer is missing, or puts off to a time."""
    return reply is None or reply.outcome == "greylisted" or reply.wait > 0


def put_off(reply: Reply) -> float:
    return reply.wait or (GREYLIST_SECONDS if reply.outcome == "greylisted" else RETRY_SECONDS)


def random_address(domain: str, helo: str) -> Address:
    """An address nobody has. It stays the same for a day, so that a greylisting server knows it again."""
    day = datetime.now(UTC).date().isoformat()
    digest = hashlib.sha256(f"{helo} {domain} {day}".encode()).digest()
    letters = random.Random(digest).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=15)  # noqa: S311
    return Address("x" + "".join(letters), domain, domain)


def conclude_invalid(text: str) -> Checked:
    """The verdict on a text that is no address."""
    judged = verdict(Facts(obstacle="invalid_syntax"))
    return Checked(
        Verification(
            email=text.strip(),
            result=judged.result,
            reason=judged.reason,
            score=judged.score,
            checked_at=rfc3339(datetime.now(UTC)),
            did_you_mean=_meant(text.strip()),
        )
    )


def conclude(inquiry: Inquiry, address: Address) -> Checked:
    """The verdict on one address of the inquiry, by what is known now."""
    said = inquiry.replies.get(address.email)
    facts = Facts(
        obstacle=inquiry.obstacle or _as_obstacle(inquiry.ended),
        recipient=said.outcome if said else None,
        random=inquiry.random.outcome if inquiry.random else None,
        other_accepted=any(
            reply.outcome == "accepted" for email, reply in inquiry.replies.items() if email != address.email
        ),
        is_disposable=knowledge.is_disposable(address.domain),
        is_role=knowledge.is_role(address.local),
    )
    judged = verdict(facts)
    decisive = said or inquiry.ended
    verification = Verification(
        email=address.email,
        result=judged.result,
        reason=judged.reason,
        score=judged.score,
        checked_at=rfc3339(datetime.now(UTC)),
        did_you_mean=_meant(address.email),
        domain=address.domain,
        mx_host=inquiry.mx_host,
        mail_provider=inquiry.provider.name if inquiry.provider else None,
        is_disposable=facts.is_disposable,
        is_role=facts.is_role,
        is_free=knowledge.is_free(address.domain),
        is_catch_all=catch_all(facts),
        is_mailbox_full=facts.recipient == "mailbox_full",
        smtp=SmtpEvidence(
            connected=inquiry.connected,
            accepted=facts.recipient == "accepted",
            code=decisive.code if decisive else None,
            enhanced_code=decisive.enhanced_code if decisive else None,
        ),
    )
    return Checked(verification, _retry_after(inquiry, said, verification))


def _retry_after(inquiry: Inquiry, said: Reply | None, verification: Verification) -> float | None:
    if verification.result != "unknown":
        return None
    if verification.reason == "blocked":
        return inquiry.resting
    for reply in (said, inquiry.random, inquiry.ended):
        if reply is not None and is_open(reply):
            return put_off(reply)
    return RETRY_SECONDS if verification.reason in RETRYABLE else None


def _as_obstacle(ended: Reply | None) -> Obstacle | None:
    if ended is None:
        return None
    return cast(Obstacle, ended.outcome) if ended.outcome in get_args(Obstacle) else "temporary"


def _meant(email: str) -> str | None:
    local, _, domain = email.rpartition("@")
    better = did_you_mean(domain.lower())
    return f"{local}@{better}" if better and parse(f"{local}@{better}") else None
