"""Zoho CRM, API v8. People are Contacts, and unconverted Leads; companies are Accounts; lists are tags.

What it relies on, under https://www.zoho.com/crm/developer/docs/api/v8/ where no other address is given:
- Records are read by COQL alone, as Zoho's search is behind its writes. It takes 500 columns and 100 values of an `in`
  (https://help.zoho.com/portal/en/community/topic/kaizen-183-coql-apis-enhancements-in-zoho-crm-api-version-7), 25
  conditions, more than two in brackets by pairs, 2,000 rows a request (COQL-Limitations.html), 200 for one credit.
  A quote in a text is doubled (https://help.zoho.com/portal/en/community/topic/kaizen-171-faqs-on-coql-api).
- 100 records a write, `If-Unmodified-Since` with 412 ALREADY_MODIFIED (insert-records.html, update-records.html); 100
  tags a module, 10 a record, 25 characters each (create-tag.html); 200 notes a page (get-notes.html).
- 5 (Free) to 25 (Ultimate) requests at a time, 5,000 credits and more in rolling 24 hours. 429 says both, without
  Retry-After; X-API-CREDITS-REMAINING comes once half is used (api-limits.html).
- Access tokens last an hour, ten are made in ten minutes
  (https://www.zoho.com/accounts/protocol/oauth/web-apps/access-token-expiry.html).

Not confirmed: that COQL compares without regard to case, what a backslash in its texts means (it is looked for by what
precedes it), how a batch answers ALREADY_MODIFIED, and the codes of used-up quotas that are not 429.
"""

from addtocrm.core.outgoing.vendor import Quota, Vendor
from addtocrm.crm.connectors.zoho.api import BATCH
from addtocrm.crm.connectors.zoho.client import Zoho
from addtocrm.crm.connectors.zoho.failures import is_forbidden, learn
from addtocrm.crm.connectors.zoho.fields import COMPANY_NAME, COMPANY_WEBSITE, MODULES
from addtocrm.crm.contract import Definition, Field, OAuth, Pace, Rule, TokenAuth


def _rules(**fields: str) -> tuple[Rule, ...]:
    return tuple(Rule(field=field, from_=tuple(ours.split())) for field, ours in fields.items())


PERSON = {
    "LinkedIn_URL": "linkedin_url",
    "Email": "email",
    "Secondary_Email": "other_emails",
    "First_Name": "first_name",
    "Last_Name": "last_name",
    "Phone": "phone",
    "Owner": "owner",
}
LINKEDIN = Field(name="LinkedIn_URL", label="LinkedIn URL", type="text", custom=True, max_length=255)
CENTRES = ("com", "eu", "in", "com.au", "com.cn", "jp", "ca", "sa", "uk", "ae")

connector = Definition(
    name="zoho",
    label="Zoho CRM",
    needs="A Zoho CRM user who may read and write contacts and accounts.",
    vendor=Vendor(name="zoho", quota=Quota(concurrency=5), learn=learn),
    api_url="https://www.zohoapis.com",
    hosts=(
        *(f".zohoapis.{centre}" for centre in CENTRES),
        *(f"accounts.zoho.{centre}" for centre in CENTRES),
        "accounts.zohocloud.ca",
    ),
    token=TokenAuth(
        where="API Console (https://api-console.zoho.com) → Self Client → Generate Code",
        scheme="Zoho-oauthtoken",
        grant="authorization_code",
    ),
    oauth=OAuth(
        authorize_url="https://accounts.zoho.com/oauth/v2/auth",
        token_url="https://accounts.zoho.com/oauth/v2/token",  # noqa: S106
        scopes=(
            *(
                f"ZohoCRM.modules.{m}.{w}"
                for m in ("contacts", "leads", "accounts")
                for w in ("READ", "CREATE", "UPDATE")
            ),
            *(f"ZohoCRM.modules.{m}.{w}" for m in ("notes", "tasks") for w in ("READ", "CREATE")),
            *("ZohoCRM.coql.READ", "ZohoCRM.settings.fields.READ", "ZohoCRM.settings.fields.CREATE"),
            *("ZohoCRM.settings.tags.READ", "ZohoCRM.settings.tags.CREATE", "ZohoCRM.users.READ", "ZohoCRM.org.READ"),
        ),
        separator=",",
        scheme="Zoho-oauthtoken",
        extra={"access_type": "offline", "prompt": "consent"},
        api_key="api_domain",
        auth_key="accounts-server",
        revoke_url="https://accounts.zoho.com/oauth/v2/token/revoke",
        refusals={
            "invalid_code": "grant",
            "invalid_client_secret": "app",
            "Access Denied": "often",
        },
    ),
    capabilities=(
        *("contacts", "companies", "notes", "tasks", "owners", "lists"),
        *("create_lists", "custom_fields", "create_fields"),
    ),
    mapping={
        "contact": (
            *_rules(**PERSON, Title="job_title", Department="department", Other_Phone="other_phones"),
            *_rules(Mailing_City="city", Mailing_State="region", Mailing_Country="country", Account_Name="company_id"),
            Rule(field=COMPANY_NAME, from_=("company_name",), read_only=True),
            Rule(field=COMPANY_WEBSITE, from_=("company_domain",), read_only=True),
        ),
        "lead": _rules(
            **PERSON,
            Designation="job_title",
            City="city",
            State="region",
            Country="country",
            Company="company_name",
            Website="company_domain",
        ),
        "company": _rules(
            LinkedIn_URL="linkedin_url",
            Account_Name="name",
            Website="domain website",
            Employees="employee_count",
            Description="description",
            Phone="phone",
            Billing_City="city",
            Billing_State="region",
            Billing_Country="country",
            Owner="owner",
        ),
    },
    linkedin=dict.fromkeys(MODULES, LINKEDIN),
    options={"contact_object": ("contact", "lead")},
    forbids=is_forbidden,
    batch=BATCH,
    pace=Pace(0.1, 20),
    open=Zoho,
)
