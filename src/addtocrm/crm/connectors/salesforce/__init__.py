"""Salesforce: its REST API, with SOQL to find and read, and collections and composite requests to write together.

What is relied on, and where Salesforce says so (`D` is https://developer.salesforce.com/docs, `R` is
D/atlas.en-us.262.0.api_rest.meta/api_rest):
- Version 66.0 (Spring '26) is supported for 3 years at least: D/platform/connect-rest-api/guide/intro_api_eol.html
- Collections take 200 rows, and a row fails alone: R/resources_composite_sobjects_collections_create.htm
- A composite request is one call for the quota, with 25 subrequests, of which 5 are queries; a subrequest takes any
  header but Accept, Authorization, Content-Type: R/resources_composite_composite_post.htm
- `If-Unmodified-Since` on a PATCH, else 412: R/intro_rest_conditional_requests.htm. It is compared to the last change,
  and tells seconds apart.
- A SOQL statement holds 100,000 characters, a text in it 4,000: D/atlas.en-us.salesforce_app_limits_cheatsheet.meta/
  salesforce_app_limits_cheatsheet/salesforce_app_limits_platform_soslsoql.htm
- An address holds 16,384 bytes, so queries go into composite requests: https://help.salesforce.com/s/articleView?id=000386264
- Escapes in SOQL: D/atlas.en-us.254.0.soql_sosl.meta/soql_sosl/sforce_api_calls_soql_select_quotedstringescapes.htm
- A daily quota per org (REQUEST_LIMIT_EXCEEDED), and 25 requests longer than 20 s at a time, 5 in a trial org:
  D/platform/salesforce-app-limits-cheatsheet/guide/salesforce-app-limits-platform-api.html
- Notes and their links: D/atlas.en-us.api.meta/api/sforce_api_objects_contentnote.htm
- A new field is seen by those whose profile's permission set says so (FieldPermissions):
  D/atlas.en-us.252.0.object_reference.meta/object_reference/sforce_api_objects_fieldpermissions.htm
- An id has 15 characters, case-sensitive, or 18 of which the last 3 say the case; both are taken:
  D/atlas.en-us.api.meta/api/field_types.htm
- OAuth endpoints: https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_endpoints.htm
Not confirmed: the body of a 412 (it is not read); that an unknown field in a collection refuses the whole request (it
may also refuse the row alone); that ContentNote may stand in a composite request ("all sObject resources" may).
"""

from addtocrm.core.outgoing.vendor import Quota, Vendor
from addtocrm.crm.connectors.salesforce.client import Salesforce
from addtocrm.crm.connectors.salesforce.mapping import LINKEDIN_FIELDS, MAPPING
from addtocrm.crm.contract import Definition, OAuth, Pace, TokenAuth

LOGIN = "https://login.salesforce.com"

connector = Definition(
    name="salesforce",
    label="Salesforce",
    needs="A Salesforce user with API access who may read and edit contacts, accounts, leads and tasks.",
    vendor=Vendor(name="salesforce", quota=Quota(concurrency=5)),
    api_url=LOGIN,
    hosts=(".salesforce.com", ".force.com", ".salesforce.mil"),
    token=TokenAuth(
        where="Setup, External Client App Manager, an app with the client credentials flow: consumer key and secret.",
        grant="client_credentials",
    ),
    oauth=OAuth(
        authorize_url=f"{LOGIN}/services/oauth2/authorize",
        token_url=f"{LOGIN}/services/oauth2/token",
        revoke_url=f"{LOGIN}/services/oauth2/revoke",
        scopes=("api", "refresh_token"),
        pkce=True,
        api_key="instance_url",
        refusals={"invalid_client_id": "app"},
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
    linkedin=LINKEDIN_FIELDS,
    options={"contact_object": ("contact", "lead")},
    batch=200,
    pace=Pace(0.1, 30),
    open=Salesforce,
)
