"""What is an address (RFC 5321 limits, SMTPUTF8 of RFC 6531, IDNA 2008)."""

from functools import lru_cache

import msgspec
from email_validator import EmailNotValidError, validate_email


class Address(msgspec.Struct, frozen=True):
    """A well-formed address: `local` as typed (NFC), `domain` in ASCII, `unicode_domain` for people."""

    local: str
    domain: str
    unicode_domain: str

    @property
    def email(self) -> str:
        return f"{self.local}@{self.unicode_domain}"

    @property
    def envelope(self) -> str:
        """The form sent in RCPT TO."""
        return f"{self.local}@{self.domain}"

    @property
    def needs_smtputf8(self) -> bool:
        return not self.local.isascii()


@lru_cache(maxsize=4096)
def parse(text: str) -> Address | None:
    """The address in `text`, space around it ignored; None where it is none.

    Quoted local parts, domain literals, names without a dot and reserved names (.invalid, .local, …)
    count as none: no mailbox that takes mail from the Internet has one.
    """
    try:
        valid = validate_email(text.strip(), check_deliverability=False, test_environment=True, strict=True)
    except EmailNotValidError:
        return None
    if "." not in valid.ascii_domain:
        return None
    return Address(valid.local_part, valid.ascii_domain.lower(), valid.domain)
