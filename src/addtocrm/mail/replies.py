"""What an SMTP reply means for the address that is asked about."""

import re
from collections.abc import Iterable
from typing import Literal

import msgspec

from addtocrm.mail import reply_texts as texts
from addtocrm.mail.verdict import Outcome

Stage = Literal["connect", "helo", "starttls", "mail", "rcpt"]

GREYLIST_SECONDS = 300.0
"""How long to wait where a greylisting server names no time; most default to this or less."""
LONGEST_WAIT = 86_400.0

ENHANCED = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
ADDRESS = re.compile(r"[<(\"'\[]?[^\s<>()\"',;]+@[^\s<>()\"',;]+[>)\"'\]]?")
WAIT = re.compile(r"(?:in|after|for|wait|within|of|retry|again)[\s:=(]+(?:at least |about |another )?(\d+)\s*([a-z]*)")
CLOCK = re.compile(r"\b(\d{1,2}):(\d{2}):(\d{2})\b")
UNITS = {"s": 1, "m": 60, "h": 3600}

MAILBOX_FULL_CODES = ("4.2.2", "5.2.2")
NO_SUCH_USER_CODES = ("5.1.0", "5.1.1", "5.1.3", "5.1.6", "5.1.10", "5.4.1")
"""RFC 3463 §3.2; 5.1.10 and 5.4.1 (recipient refused at the edge) as Exchange Online uses them."""


class Reply(msgspec.Struct, frozen=True):
    """A classified reply; `wait` is how many seconds the server asks for (0: it does not)."""

    outcome: Outcome
    code: int | None = None
    enhanced_code: str | None = None
    wait: float = 0


def _any(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


TLS_REQUIRED = _any(texts.TLS_REQUIRED)
GREYLISTED = _any(texts.GREYLISTED)
BLOCKED = _any(texts.BLOCKED)
MAILBOX_FULL = _any(texts.MAILBOX_FULL)
DISABLED = _any(texts.DISABLED)
NO_SUCH_USER = _any(texts.NO_SUCH_USER)
POLICY = _any(texts.POLICY)


def classify(stage: Stage, code: int, text: str, address: str = "") -> Reply:
    """What the reply `code text` at `stage` means; `address` is the recipient asked about, if any.

    A reply that speaks of us (our address, name, sender or reputation) is `blocked`, whatever its codes say.
    """
    enhanced = ENHANCED.search(text)
    enhanced_code = enhanced.group(1) if enhanced else None
    if enhanced_code and enhanced_code[0] != str(code)[:1]:
        enhanced_code = None
    said = _without_addresses(text.lower(), address.lower())
    outcome = _outcome(stage, code, enhanced_code or "", said)
    wait = _wait(said) if outcome in ("greylisted", "temporary") else 0
    return Reply(outcome, code, enhanced_code, wait)


def _outcome(stage: Stage, code: int, enhanced: str, said: str) -> Outcome:
    if 200 <= code < 300:
        return "accepted"
    if not 400 <= code < 600:
        return "protocol_error"
    if TLS_REQUIRED.search(said):
        return "tls_required"
    if code < 500 and GREYLISTED.search(said):
        return "greylisted"
    if BLOCKED.search(said):
        return "blocked"
    if stage != "rcpt":
        return _about_the_session(code)
    return _about_the_recipient(code, enhanced, said)


def _about_the_session(code: int) -> Outcome:
    if code < 500:
        return "temporary"
    return "policy" if code in (521, 556) else "blocked"


def _about_the_recipient(code: int, enhanced: str, said: str) -> Outcome:
    if enhanced in MAILBOX_FULL_CODES or MAILBOX_FULL.search(said):
        return "mailbox_full"
    if code < 500:
        return "temporary"
    if enhanced == "5.2.1" or DISABLED.search(said):
        return "mailbox_disabled"
    if enhanced in NO_SUCH_USER_CODES or NO_SUCH_USER.search(said):
        return "no_such_user"
    if enhanced.startswith("5.7.") or POLICY.search(said):
        return "policy"
    if code == 552:
        return "mailbox_full"
    return "refused" if code >= 550 else "protocol_error"


def _without_addresses(said: str, address: str) -> str:
    """The text without addresses and local parts, so that a mailbox called spam@ does not speak for itself."""
    local, _, domain = address.partition("@")
    said = ADDRESS.sub(" ", said.replace(address, " ") if address else said)
    if domain:
        said = re.sub(rf"""[<("']{re.escape(local)}[>)"']|^\s*{re.escape(local)}\s*:""", " ", said)
        said = said.replace(domain, " ")
    return " ".join(said.split())


def _wait(said: str) -> float:
    if clock := CLOCK.search(said):
        hours, minutes, seconds = (int(part) for part in clock.groups())
        return min(hours * 3600.0 + minutes * 60 + seconds, LONGEST_WAIT)
    named = WAIT.search(said)
    if named is None:
        return 0
    return min(float(named.group(1)[:6]) * UNITS.get(named.group(2)[:1], 1), LONGEST_WAIT)
