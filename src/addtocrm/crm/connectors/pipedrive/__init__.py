"""Pipedrive: contacts are its persons, companies its organizations, lists its person labels, tasks its activities.

Reference of both API versions, with the cost of each endpoint in tokens: https://developers.pipedrive.com/docs/api/v1.
- v2 has persons, organizations, activities, fields and search, v1 alone notes and users. v2 is strict about names and
  types and says what it refuses as `Validation failed: <field>: <why>` (https://github.com/pipedrive/client-nodejs/
  issues/651; `Unknown key '…'` is seen in public clients). Shapes, soft deletion, channels, `participants`:
  https://pipedrive.readme.io/docs/pipedrive-api-v2-migration-guide.
- Quotas: https://pipedrive.readme.io/docs/core-api-concepts-rate-limiting. From 20 requests in 2 s (API token, Lite) to
  480 (OAuth, Ultimate), as `x-ratelimit-limit` says; `x-ratelimit-reset` are seconds (seen: https://github.com/
  DavidRouyer/pipedrive-dotnet/issues/36); a day's budget of 30,000 tokens × plan × seats.
  `x-daily-ratelimit-token-remaining` is seen, not documented; when the day ends for the vendor is not told.
- Search has a quota of its own, 10 in 2 s, and only the other endpoints keep to the general one:
  https://developers.pipedrive.com/changelog/post/announcing-search-api-rate-limit.
- Tokens last 60 minutes, refresh tokens 60 days since their last use and stay the same; `api_domain`, Basic:
  https://pipedrive.readme.io/docs/marketplace-oauth-authorization; revoking: …/docs/app-uninstallation. The scopes are
  those of the app; that a `scope` parameter is ignored is not confirmed.
- Names of custom fields (40 characters), 255 characters in a text field, 65,000 in a long one, and the fields that only
  Contact Sync makes (403 without it, seen): https://pipedrive.readme.io/docs/core-api-concepts-custom-fields.
- `ids` takes 100, `limit` 500, a search term 2 characters or 1 where it is exact: the reference.
- Not confirmed: for how long search lags (10 s is a guess), that the list endpoint does not lag, that a search over all
  fields sees `website` and `linkedin`, that a search that is not exact matches anywhere in a value (documented of
  `itemSearch/field`, which minds the case).
"""

from collections.abc import Mapping

from addtocrm.crm.connectors.pipedrive.client import Pipedrive
from addtocrm.crm.connectors.pipedrive.quotas import VENDOR
from addtocrm.crm.contract import Definition, Field, OAuth, Pace, Rule, TokenAuth
from addtocrm.crm.kinds import Kind

MAPPING: Mapping[Kind, tuple[Rule, ...]] = {
    "contact": (
        Rule(field="name", from_=("full_name",)),
        Rule(field="first_name", from_=("first_name",), read_only=True),
        Rule(field="last_name", from_=("last_name",), read_only=True),
        Rule(field="emails", from_=("email", "other_emails")),
        Rule(field="phones", from_=("phone", "other_phones")),
        Rule(field="job_title", from_=("job_title",)),
        Rule(field="postal_address.locality", from_=("city",)),
        Rule(field="postal_address.admin_area_level_1", from_=("region",)),
        Rule(field="postal_address.country", from_=("country",)),
        Rule(field="org_id", from_=("company_id",)),
        Rule(field="owner_id", from_=("owner",)),
        Rule(field="organization.name", from_=("company_name",), read_only=True),
        Rule(field="organization.website", from_=("company_domain",), read_only=True),
    ),
    "company": (
        Rule(field="name", from_=("name",)),
        Rule(field="website", from_=("website", "domain")),
        Rule(field="linkedin", from_=("linkedin_url",)),
        Rule(field="employee_count", from_=("employee_count",)),
        Rule(field="address.locality", from_=("city",)),
        Rule(field="address.admin_area_level_1", from_=("region",)),
        Rule(field="address.country", from_=("country",)),
        Rule(field="owner_id", from_=("owner",)),
    ),
}

connector = Definition(
    name="pipedrive",
    label="Pipedrive",
    needs="A Pipedrive user, or their personal API token. AddToCRM sees and writes what they may.",
    vendor=VENDOR,
    api_url="https://api.pipedrive.com",
    hosts=(".pipedrive.com",),
    token=TokenAuth(where="Pipedrive: Personal preferences, API.", header="x-api-token", scheme=""),
    oauth=OAuth(
        authorize_url="https://oauth.pipedrive.com/oauth/authorize",
        token_url="https://oauth.pipedrive.com/oauth/token",  # noqa: S106
        scopes=("base", "contacts:full", "contact-fields:full", "activities:full", "users:read"),
        basic=True,
        api_key="api_domain",
        revoke_url="https://oauth.pipedrive.com/oauth/revoke",
    ),
    capabilities=(
        *("contacts", "companies", "notes", "tasks", "owners", "lists", "create_lists", "custom_fields"),
        "create_fields",
    ),
    mapping=MAPPING,
    linkedin={
        kind: Field(name="linkedin_url", label="LinkedIn URL", type="text", custom=True, max_length=255)
        for kind in MAPPING
    },
    search_lag=10.0,
    batch=10,
    pace=Pace(3, 3),
    open=Pipedrive,
)
