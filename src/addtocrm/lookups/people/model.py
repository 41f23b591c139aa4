"""What is asked about people."""

from typing import Annotated

import msgspec
from msgspec import Meta

from addtocrm.lookups.model import RefreshField

LinkedInUrl = Annotated[str, Meta(max_length=2000)]
Name = Annotated[str, Meta(max_length=200)]


class EnrichPerson(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who is meant: a LinkedIn URL, or an e-mail, or a name with a company."""

    linkedin_url: Annotated[
        str | None,
        Meta(
            description="Any form of a person's LinkedIn URL.",
            examples=["https://www.linkedin.com/in/jane-doe-example"],
        ),
    ] = None
    email: Annotated[str, Meta(max_length=320)] | None = None
    first_name: Name | None = None
    last_name: Name | None = None
    company_domain: Annotated[str, Meta(max_length=300)] | None = None
    company_name: Name | None = None
    refresh: RefreshField = False
    min_confidence: Annotated[float, Meta(ge=0, le=1, description="Below it, it is no match.")] = 0.0
    required: Annotated[
        list[str], Meta(max_length=30, description="Fields without which it is no match, such as `email`.")
    ] = []


class EnrichBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """People, each by a LinkedIn URL alone or as in `POST /v1/people/enrich`."""

    items: Annotated[list[EnrichPerson | LinkedInUrl], Meta(min_length=1, max_length=10_000)]
