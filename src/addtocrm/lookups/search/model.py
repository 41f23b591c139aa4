"""What is searched for, and a page of who was found."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from addtocrm.lookups.model import RefreshField
from addtocrm.sources.sizes import SIZES
from addtocrm.sources.titles import SENIORITIES

Text = Annotated[str, Meta(min_length=1, max_length=200)]
Texts = Annotated[list[Text], Meta(max_length=100)]
Facet = Literal[
    "seniority",
    "department",
    "industry",
    "company_size",
    "country",
    "region",
    "city",
    "company_name",
    "skills",
]


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Somebody has one of `include` and none of `exclude`."""

    include: Text | Texts = []
    exclude: Text | Texts = []


Values = Annotated[Text | Texts | Terms, Meta(description="A text or several mean `include`.")]


class SearchFilters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """All that are given are required. Texts match whole words, whatever their case and accents."""

    job_title: Annotated[Values | None, Meta(description="All words, in any order; `VP` is `Vice President`.")] = None
    seniority: Annotated[Values | None, Meta(description=f"Of {', '.join(SENIORITIES)}.")] = None
    department: Values | None = None
    company_domain: Values | None = None
    company_name: Values | None = None
    industry: Values | None = None
    company_size: Annotated[Values | None, Meta(description=f"Of {', '.join(SIZES)}.")] = None
    country: Annotated[Values | None, Meta(description="An English name or an ISO 3166-1 code.")] = None
    region: Values | None = None
    city: Values | None = None
    skills: Values | None = None
    keywords: Annotated[
        Values | None, Meta(description="In title, headline, skills, or the titles and companies of past work.")
    ] = None
    has_email: bool | None = None
    has_phone: bool | None = None


class SearchPeople(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Whom to search for, and which page of them."""

    filters: SearchFilters
    limit: Annotated[int, Meta(ge=1, le=100)] = 50
    cursor: Annotated[str, Meta(max_length=2000, description="`next_cursor` of the page before.")] | None = None
    facets: Annotated[
        list[Facet], Meta(max_length=9, description="Filters whose values are counted over all who are found: free.")
    ] = []
    refresh: RefreshField = False


class FoundPeople(msgspec.Struct, frozen=True):
    """A page, as it is kept: people, how many are found in all (at most 10,000 are told), and where it goes on."""

    data: msgspec.Raw
    total: int
    total_is_exact: bool
    next_cursor: str | None


class Counts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is answered beside the people."""

    total: Annotated[int, Meta(ge=0, le=10_000, description="How many are found in all; 10,000 where they are more.")]
    total_is_exact: bool
    facets: Annotated[
        dict[str, dict[str, int]] | msgspec.UnsetType,
        Meta(description="By filter and value, where asked for; about, where values are very many."),
    ] = msgspec.UNSET
