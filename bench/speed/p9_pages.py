"""The dashboard's pages of an account with much behind it, and what the first one loads."""

import gzip
import re
import urllib.request

from bench.deployment import CACHED, PORT, Deployment
from bench.figure import Figure, milliseconds

MEMBERS, EVENTS, CHARGES, JOBS, REQUESTS, ENTRIES, CONTACTS = 100_000, 10**6, 10**6, 10_000, 10**6, 100_000, 100_000
CALLER = """json_build_object('account_id', 'ACCOUNT', 'actor', 'operator', 'request_id', 'request')"""
FILL = (
    f"""do $$ begin
    perform set_config('session_replication_role', 'replica', true);
    insert into ledger (id, account_id, kind, amount, operation, request_id, period_start)
    select 'led_' || lpad(n::text, 12, '0'), id, 'charge', -1, 'people.enrich', 'request', period_start
    from accounts, generate_series(1, {CHARGES}) n where id = 'ACCOUNT';
    insert into events (account_id, inserted, id, type, actor, data)
    select 'ACCOUNT', now() - make_interval(secs => n), 'evt_' || lpad(n::text, 12, '0'),
           (array['person.enriched', 'email.verified', 'crm.contact.created'])[1 + n % 3], 'operator',
           json_build_object('full_name', 'Person ' || n, 'linkedin_url', 'https://www.linkedin.com/in/b' || n)
    from generate_series(1, {EVENTS}) n;
    insert into jobs (id, account_id, kind, status, scope, caller, options, total, succeeded, finished_at)
    select 'job_' || lpad(n::text, 12, '0'), 'ACCOUNT', 'people.enrich', 'completed', 'enrich', {CALLER}, '{{}}',
           10000, 10000, now() from generate_series(1, {JOBS}) n;
    insert into job_items (job_id, position, input, status, result)
    select 'job_' || lpad({JOBS}::text, 12, '0'), n, json_build_object('email', 'b' || n || '@example.com'),
           'succeeded', json_build_object('id', 'per_' || n, 'full_name', 'Person ' || n)
    from generate_series(1, 10000) n;
    insert into requests (id, account_id, key_id, at, method, path, status, error, ms)
    select uuidv7(make_interval(secs => -n)), 'ACCOUNT', 'key_1', now() - make_interval(secs => n), 'POST',
           '/v1/people/enrich', (array[200, 200, 404])[1 + n % 3], (array[null, null, 'not_found'])[1 + n % 3], 5
    from generate_series(1, {REQUESTS}) n;
    insert into audit (id, account_id, actor, action, detail, address)
    select 'aud_' || lpad(n::text, 12, '0'), 'ACCOUNT', 'operator', 'crm.switched', '{{}}', ''
    from generate_series(1, {ENTRIES}) n;
    end $$""",
    f"""insert into crm_contacts (id, account_id, email, first_name, last_name, full_name, name_key)
    select 'con_' || lpad(n::text, 12, '0'), 'ACCOUNT', 'c' || n || '@example.com', 'Person', n::text, 'Person ' || n,
           'person ' || n from generate_series(1, {CONTACTS}) n""",
    "insert into lists (id, account_id, name) values ('lst_1', 'ACCOUNT', 'Everybody')",
    f"""insert into list_members (id, list_id, identity, person)
    select 'mem_' || lpad(n::text, 9, '0'), 'lst_1', 'in:' || n, json_build_object('full_name', 'Person ' || n)
    from generate_series(1, {MEMBERS}) n""",
    "analyze",
)
PAGES = (
    *("", "/enrich", "/search", "/search?has_email=true", "/verify", "/lists", "/lists/lst_1"),
    *("/contacts", "/contacts?find=Person", f"/contacts?find={CONTACTS}", "/companies"),
    *("/jobs", f"/jobs/job_{JOBS:012}", f"/jobs/job_{JOBS:012}/9000"),
    *("/connection", "/connection/mapping", "/connection/defaults", "/keys", "/keys/new"),
    *("/events", "/events?type=person.enriched"),
    *(f"/requests{asked}" for asked in ("", "?result=failed", "?result=internal_error", "?path=/v1/lists")),
    *(f"/usage{page}" for page in ("", "/plan", "/ledger", "/ledger?who=operator", "/ledger?operation=emails.verify")),
    *("/members", "/members/audit", "/security", "/quickstart", "/errors", "/automations"),
    *("/operator", "/operator/accounts/ACCOUNT", "/operator/jobs", "/operator/health", "/operator/audit"),
)
LOADED = re.compile(r'(?:href|src)="(/dashboard/assets/[^"]+)"|from "\./([a-z]+\.js)"')


class Visitor:
    """Somebody who is signed in."""

    def __init__(self, deployment: Deployment) -> None:
        token = "bench"
        deployment.sql(
            """insert into sessions (hash, id, member_id, address, agent)
               select sha256(convert_to($1, 'UTF8')), 'ses_1', id, '127.0.0.1', 'bench' from members limit 1""",
            token,
        )
        self._headers = {"cookie": f"addtocrm-session={token}", "accept-encoding": "gzip"}

    def get(self, path: str) -> bytes:
        """The body as it comes over the line."""
        request = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", headers=self._headers)
        with urllib.request.urlopen(request) as answer:
            assert answer.url.endswith(path), answer.url
            return answer.read()

    def first_load(self) -> int:
        """Bytes of the overview and of all that it loads, with what that loads in turn."""
        seen: set[str] = set()
        size = 0
        left = ["/dashboard"]
        while left:
            path = left.pop()
            seen.add(path)
            body = self.get(path)
            size += len(body)
            text = gzip.decompress(body).decode()
            found = [whole or f"{path.rpartition('/')[0]}/{beside}" for whole, beside in LOADED.findall(text)]
            left += [one for one in dict.fromkeys(found) if one not in seen and one not in left]
        return size


def figure(deployment: Deployment) -> Figure:
    with deployment.serve():
        for statement in FILL:
            deployment.sql(statement.replace("ACCOUNT", deployment.account_id))
        deployment.cli("crm", "connect", "bench@example.com", "builtin")
        deployment.cli("accounts", "operator", "bench@example.com", "on")
        visitor = Visitor(deployment)
        pages = [page.replace("ACCOUNT", deployment.account_id) for page in PAGES]
        taken = {page: milliseconds(lambda page=page: visitor.get(f"/dashboard{page}"), 20) for page in pages}
        cached = milliseconds(lambda: deployment.call("/v1/people/enrich", CACHED))
        for page, time in sorted(taken.items(), key=lambda one: -one[1]):
            print(f"{time:8.1f} ms  /dashboard{page}")
        slowest = max(taken, key=lambda page: taken[page])
        title = (
            f"P9 the slowest page of the dashboard, {slowest or 'the overview'}, at 100,000 list members, contacts and "
            "entries of the audit log each, a million events, charges and requests each, against a cached enrichment "
            f"(ms); first load {visitor.first_load():,} bytes of at most 60,000"
        )
        return Figure(title, taken[slowest], cached, taken[slowest] / cached, "≤ 50 ms")
