"""From the facts to the verdict: a pure function."""

from typing import Literal

import msgspec

from addtocrm.mail.model import Reason, Result

Outcome = Literal[
    "accepted",
    "no_such_user",
    "mailbox_disabled",
    "mailbox_full",
    "refused",
    "smtputf8_unsupported",
    "greylisted",
    "blocked",
    "policy",
    "tls_required",
    "temporary",
    "protocol_error",
    "connection_failed",
    "timeout",
]
"""What came of asking a server about one recipient."""

Obstacle = Literal[
    "invalid_syntax",
    "domain_not_found",
    "no_mail_server",
    "null_mx",
    "dns_error",
    "dns_timeout",
    "private_network",
    "unverifiable_provider",
    "connection_failed",
    "timeout",
    "greylisted",
    "blocked",
    "policy",
    "tls_required",
    "temporary",
    "protocol_error",
]
"""What kept a recipient from being asked about."""

FINAL_OBSTACLES: frozenset[Reason] = frozenset(("invalid_syntax", "domain_not_found", "no_mail_server", "null_mx"))
GONE: frozenset[Reason] = frozenset(("no_such_user", "mailbox_disabled", "smtputf8_unsupported"))
REFUSALS: frozenset[Outcome | None] = frozenset(("no_such_user", "mailbox_disabled", "refused"))
"""Answers to the random address that show the domain is no catch-all."""

SCORES: dict[Reason, int] = {
    "accepted": 98,
    "role": 80,
    "catch_all_unknown": 60,
    "catch_all": 50,
    "greylisted": 40,
    "mailbox_full": 25,
    "disposable": 20,
}
UNKNOWN_SCORE = 30
ROLE_PENALTY = 10


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about one address.

    `recipient` and `random` are what the server said to the address and to a random one of its domain (None:
    not asked); `other_accepted` says that the same server took another address in the same exchange.
    """

    obstacle: Obstacle | None = None
    recipient: Outcome | None = None
    random: Outcome | None = None
    other_accepted: bool = False
    is_disposable: bool = False
    is_role: bool = False


class Verdict(msgspec.Struct, frozen=True):
    result: Result
    reason: Reason
    score: int


def verdict(facts: Facts) -> Verdict:
    """The verdict on an address.

    `score` is 0 for undeliverable, else SCORES[reason] (UNKNOWN_SCORE where it has none), less ROLE_PENALTY for
    a role address whose reason is another.
    """
    result, reason = _judge(facts)
    if result == "unknown" and facts.is_disposable:
        result, reason = "risky", "disposable"
    if result == "undeliverable":
        return Verdict(result, reason, 0)
    score = SCORES.get(reason, UNKNOWN_SCORE)
    if facts.is_role and reason != "role":
        score -= ROLE_PENALTY
    return Verdict(result, reason, max(score, 0))


def catch_all(facts: Facts) -> bool | None:
    """Whether the domain takes any address; None where that was not found out."""
    if facts.random == "accepted":
        return True
    if facts.random in REFUSALS or facts.recipient in ("no_such_user", "mailbox_disabled"):
        return False
    return None


def _judge(facts: Facts) -> tuple[Result, Reason]:
    said = facts.recipient
    if said is None:
        reason = facts.obstacle or "timeout"
        return ("undeliverable" if reason in FINAL_OBSTACLES else "unknown"), reason
    if said in GONE:
        return "undeliverable", said
    if said == "refused":
        about_the_address = facts.random == "accepted" or facts.other_accepted
        return ("undeliverable", "refused") if about_the_address else ("unknown", "policy")
    if said == "mailbox_full":
        return "risky", "mailbox_full"
    if said != "accepted":
        return "unknown", said
    return _judge_accepted(facts)


def _judge_accepted(facts: Facts) -> tuple[Result, Reason]:
    if facts.is_disposable:
        return "risky", "disposable"
    if facts.random == "accepted":
        return "risky", "catch_all"
    if facts.random not in REFUSALS:
        return "unknown", "catch_all_unknown"
    return ("risky", "role") if facts.is_role else ("deliverable", "accepted")
