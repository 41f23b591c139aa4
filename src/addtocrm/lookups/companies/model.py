"""What is asked about companies."""

from typing import Annotated

import msgspec
from msgspec import Meta

from addtocrm.lookups.model import RefreshField


class LookUpCompany(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which company is meant, by exactly one of the three."""

    domain: Annotated[str | None, Meta(description="A domain or web address.", examples=["acme.example.com"])] = None
    linkedin_url: Annotated[str | None, Meta(description="A LinkedIn company URL.")] = None
    name: Annotated[str, Meta(max_length=300)] | None = None
    refresh: RefreshField = False


class LookUpBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Companies, each by a domain alone or as in `POST /v1/companies/lookup`."""

    items: Annotated[list[LookUpCompany | Annotated[str, Meta(max_length=300)]], Meta(min_length=1, max_length=10_000)]
