"""Attio, REST API v2 (OpenAPI document: https://api.attio.com/openapi/api).

- OAuth and keys: https://docs.attio.com/docs/oauth/authorize and /token; no scope is sent (the app has them), no token
  ends and none is refreshed. `/v2/self` says `active: false` of a dead one.
- 100 reads and 25 writes a second, Retry-After as a date; queries have scores besides, whose limits are not
  published: https://docs.attio.com/rest-api/guides/rate-limiting. So a query has few conditions (TERMS is ours).
- Operators by type: https://docs.attio.com/rest-api/guides/filtering-and-sorting, /docs/attribute-types; email has no
  `$in`. That `$contains` ignores case is known from public clients only.
- Queries are never behind writes, other than /records/search: .../endpoint-reference/records/search-records
- PATCH puts new values of a multi-select before those that are there, PUT replaces them: .../records
- Merging makes a new record; both old ones answer 404: .../records/merge-two-records
- 500 records a page is the default, a maximum is not published; notes: at most 50 (OpenAPI).
- Texts hold 10 MB: https://docs.attio.com/docs/attribute-types/attribute-types-text
- Not confirmed: the error texts that name an attribute (public clients), and that `[]` by PUT empties a single value.
"""

from collections.abc import Mapping

from addtocrm.core.outgoing.vendor import Quota, Vendor, Window
from addtocrm.crm.connectors.attio.client import Attio
from addtocrm.crm.contract import Definition, OAuth, Pace, Rule, TokenAuth
from addtocrm.crm.kinds import Kind

PLACES = (
    Rule(field="primary_location.locality", from_=("city",)),
    Rule(field="primary_location.region", from_=("region",)),
    Rule(field="primary_location.country_code", from_=("country",)),
    Rule(field="linkedin", from_=("linkedin_url",)),
)
MAPPING: Mapping[Kind, tuple[Rule, ...]] = {
    "contact": (
        Rule(field="name.first_name", from_=("first_name",)),
        Rule(field="name.last_name", from_=("last_name",)),
        Rule(field="name.full_name", from_=("full_name",)),
        Rule(field="email_addresses", from_=("email", "other_emails")),
        Rule(field="phone_numbers", from_=("phone", "other_phones")),
        Rule(field="job_title", from_=("job_title",)),
        Rule(field="description", from_=("headline",)),
        Rule(field="company", from_=("company_id",)),
        Rule(field="company.name", from_=("company_name",), read_only=True),
        Rule(field="company.domain", from_=("company_domain",), read_only=True),
        *PLACES,
    ),
    "company": (
        Rule(field="name", from_=("name",)),
        Rule(field="domains", from_=("domain",)),
        Rule(field="description", from_=("description",)),
        *PLACES,
    ),
}

connector = Definition(
    name="attio",
    label="Attio",
    needs="An admin of your Attio workspace, or an access token of it.",
    vendor=Vendor(name="attio", quota=Quota((Window(100, 1),))),
    api_url="https://api.attio.com",
    token=TokenAuth(
        where="Attio: Workspace settings, Developers, a new access token with the scopes of docs/crm/attio.md"
    ),
    oauth=OAuth(
        authorize_url="https://app.attio.com/authorize",
        token_url="https://app.attio.com/oauth/token",  # noqa: S106
        scopes=(),
    ),
    capabilities=(
        *("contacts", "companies", "notes", "tasks", "owners"),
        *("lists", "create_lists", "custom_fields", "create_fields"),
    ),
    mapping=MAPPING,
    batch=25,
    pace=Pace(1.5, 15),
    open=Attio,
)
