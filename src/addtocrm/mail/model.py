"""What a verification and a found address are."""

from typing import Literal

import msgspec

Result = Literal["deliverable", "undeliverable", "risky", "unknown"]

Reason = Literal[
    "accepted",
    "invalid_syntax",
    "domain_not_found",
    "no_mail_server",
    "null_mx",
    "no_such_user",
    "mailbox_disabled",
    "refused",
    "smtputf8_unsupported",
    "catch_all",
    "disposable",
    "role",
    "mailbox_full",
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
    "catch_all_unknown",
]
"""Why a result is what it is; docs/emails.md explains each."""


class SmtpEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """What the mail server did: `code` and `enhanced_code` (RFC 3463) are those of its decisive reply."""

    connected: bool = False
    accepted: bool = False
    code: int | None = None
    enhanced_code: str | None = None


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an address takes mail, and the evidence.

    `email` has the local part as typed and the domain in Unicode, lower case; `domain` is its ASCII form.
    `is_catch_all` is None where it was not found out. `score` runs from 0 (bounces) to 100 (arrives).
    """

    email: str
    result: Result
    reason: Reason
    score: int
    checked_at: str
    did_you_mean: str | None = None
    domain: str | None = None
    mx_host: str | None = None
    mail_provider: str | None = None
    is_disposable: bool = False
    is_role: bool = False
    is_free: bool = False
    is_catch_all: bool | None = None
    is_mailbox_full: bool = False
    smtp: SmtpEvidence = SmtpEvidence()


class Checked(msgspec.Struct, frozen=True):
    """A verification, and after how many seconds asking again may tell more (None: it would not)."""

    verification: Verification
    retry_after: float | None = None


class KnownAddress(msgspec.Struct, frozen=True):
    """A person of a domain whose address is known."""

    first_name: str
    last_name: str
    email: str


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A person's address; `pattern` is how it is made of the name, `confidence` runs from 0 to 1."""

    email: str
    pattern: str
    confidence: float
    verification: Verification
