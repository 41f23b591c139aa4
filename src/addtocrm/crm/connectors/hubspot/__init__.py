"""HubSpot, by its CRM API v3 (objects, properties, lists, owners) and v4 (associations).

Numbers and where they are from. S is https://github.com/HubSpot/HubSpot-public-api-spec-collection (the vendor's own
specifications, 2026-08), D is https://developers.hubspot.com/docs.
- 100 requests in 10 s for an app in an account, more by plan (D/developer-tooling/platform/usage-guidelines); headers
  say how many. A 429 names its policy in the body only; no Retry-After is documented. The day ends at midnight in the
  account's time zone, which no answer tells.
- Search (D/api-reference/latest/crm/search-the-crm): 5 requests a second of its own without headers, 5 groups, 6
  filters in one, 18 in all, 3,000 characters, 200 hits a page; IN takes lower-case texts; new records come "a few
  moments" later. How long, and that it does not count for the 10 s too, is not confirmed.
- Batches of 100; objectWriteTraceId lets creations fail one by one (D/api-reference/error-handling). That batch/read by
  email finds additional addresses too is seen in public clients only; it needs no search. They are read-only
  (https://integrate.hubspot.com/t/email-or-pk-for-contact-api/11846, an old word of the vendor's).
- Notes of 65,536 characters (D/api-reference/crm-notes-v3/guide); for other texts that is not confirmed. Association
  types 202 (note), 204 (task), 1 (primary company): D/api-reference/crm-associations-v4/guide.
- Pages of 500 lists and associations: S. Of 500 owners: not confirmed.
- Tokens last 1,800 s, the refresh token stays, v1 of OAuth ends 2027-02-16 (D/api-reference/auth-oauth-v3/guide). v3
  takes code_verifier (S); whether the authorization page keeps code_challenge is not documented.
- A refused refresh token is 400 with `status` BAD_REFRESH_TOKEN (https://www.nango.dev/blog/
  hubspot-oauth-bad-refresh-token; https://github.com/HGData/mk-node-hubspot/issues/64); the other words of the token
  endpoint are seen in public clients only. S has the usual form of an error there, without `status` or `error`.
- For the id of a record that was merged away batch/read gives the one that is left, without saying which was asked
  for; it names the ids that there are not (https://community.hubspot.com/t5/APIs-Integrations/
  Question-about-using-batch-read-API/m-p/1101616).
- hs_linkedin_url (contacts) and linkedin_company_page (companies) are HubSpot's own texts: seen in lists of properties.
- There is no way to write only what has not changed: before a guarded update the record is looked at once more.
"""

from collections.abc import Mapping

from addtocrm.core.outgoing.vendor import Quota, Vendor, Window
from addtocrm.crm.connectors.hubspot.client import HubSpot
from addtocrm.crm.connectors.hubspot.fields import LINK, MORE_EMAILS, OWNER
from addtocrm.crm.connectors.hubspot.objects import BATCH
from addtocrm.crm.connectors.hubspot.quotas import learn, throttled
from addtocrm.crm.contract import Definition, Field, OAuth, Pace, Rule, TokenAuth
from addtocrm.crm.kinds import Kind

BOTH = (
    Rule(field="city", from_=("city",)),
    Rule(field="state", from_=("region",)),
    Rule(field="country", from_=("country",)),
    Rule(field=OWNER, from_=("owner",)),
)
MAPPING: Mapping[Kind, tuple[Rule, ...]] = {
    "contact": (
        Rule(field=MORE_EMAILS, from_=("other_emails",), read_only=True),
        Rule(field="hs_linkedin_url", from_=("linkedin_url",)),
        Rule(field="email", from_=("email",)),
        Rule(field="firstname", from_=("first_name",)),
        Rule(field="lastname", from_=("last_name",)),
        Rule(field="jobtitle", from_=("job_title",)),
        Rule(field="seniority", from_=("seniority",)),
        Rule(field="job_function", from_=("department",)),
        Rule(field="phone", from_=("phone",)),
        Rule(field="company", from_=("company_name",)),
        Rule(field=LINK, from_=("company_id",)),
        *BOTH,
    ),
    "company": (
        Rule(field="name", from_=("name",)),
        Rule(field="domain", from_=("domain",)),
        Rule(field="website", from_=("website",)),
        Rule(field="linkedin_company_page", from_=("linkedin_url",)),
        Rule(field="numberofemployees", from_=("employee_count",)),
        Rule(field="founded_year", from_=("founded_year",)),
        Rule(field="description", from_=("description",)),
        Rule(field="phone", from_=("phone",)),
        *BOTH,
    ),
}

connector = Definition(
    name="hubspot",
    label="HubSpot",
    needs="A super admin of your HubSpot account, or the token of a private app or service key.",
    vendor=Vendor(name="hubspot", quota=Quota((Window(100, 10.0),)), learn=learn, throttled=throttled),
    api_url="https://api.hubapi.com",
    token=TokenAuth(where="HubSpot: Settings, Integrations, Private apps; or Development, Keys, Service keys."),
    oauth=OAuth(
        authorize_url="https://app.hubspot.com/oauth/authorize",
        token_url="https://api.hubapi.com/oauth/v3/token",  # noqa: S106
        scopes=(
            "oauth",
            "crm.objects.contacts.read",
            "crm.objects.contacts.write",
            "crm.objects.companies.read",
            "crm.objects.companies.write",
            "crm.objects.owners.read",
            "crm.lists.read",
            "crm.lists.write",
            "crm.schemas.contacts.write",
            "crm.schemas.companies.write",
        ),
        pkce=True,
        revoke_url="https://api.hubapi.com/oauth/v3/token/revoke",
        refusals={
            "BAD_REFRESH_TOKEN": "grant",
            "missing or invalid refresh token": "grant",
            "BAD_AUTH_CODE": "grant",
            "EXPIRED_AUTH_CODE": "grant",
            "MISMATCH_REDIRECT_URI_AUTH_CODE": "grant",
            "BAD_HUB": "grant",
            "BAD_CLIENT_ID": "app",
            "BAD_CLIENT_SECRET": "app",
        },
    ),
    capabilities=(
        "contacts",
        "companies",
        "notes",
        "tasks",
        "owners",
        "lists",
        "create_lists",
        "custom_fields",
        "create_fields",
    ),
    mapping=MAPPING,
    linkedin={"contact": Field(name="linkedin_profile_url", label="LinkedIn URL", type="text", custom=True)},
    search_lag=15.0,
    batch=BATCH,
    pace=Pace(0.3, 20),
    open=HubSpot,
)
