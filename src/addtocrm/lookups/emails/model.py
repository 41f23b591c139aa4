"""What is asked about addresses."""

from typing import Annotated

import msgspec
from msgspec import Meta

from addtocrm.lookups.model import RefreshField

LONGEST = 1000
EMAIL_COLUMNS = ("email", "email address", "work email")
"""What the column of the addresses is mostly called in a table."""

EmailText = Annotated[str, Meta(max_length=LONGEST, examples=["jane.doe@acme.example.com"])]
Name = Annotated[str, Meta(max_length=200)]


class VerifyEmail(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which address is meant."""

    email: EmailText
    refresh: RefreshField = False


class VerifyBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Addresses, each alone or as in `POST /v1/emails/verify`."""

    items: Annotated[list[VerifyEmail | EmailText], Meta(min_length=1, max_length=10_000)]


class FindEmail(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose address is looked for: a name, of which one part may be empty, and the company's domain."""

    first_name: Name
    last_name: Name
    domain: Annotated[str, Meta(max_length=300, description="A domain or web address.")]
    refresh: RefreshField = False
