"""A person who asked to be forgotten: gone from every place, and never back."""

import asyncio
import csv
import json
from pathlib import Path
from typing import Any

import pytest
from harness import Account, Server, cli, until

URL = "https://www.linkedin.com/in/ida-forgotten"
EMAIL = "ida@forgotten.example.com"
OTHER = "https://www.linkedin.com/in/ida-forgotten-other"


@pytest.fixture
def account(server: Server) -> Account:
    account = server.account(credits=100)
    account.connect_builtin()
    return account


def people_file(folder: Path) -> Path:
    file = folder / "people.csv"
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["linkedin_url", "email", "full_name"])
        writer.writerow([URL, EMAIL, "Ida Forgotten"])
        writer.writerow([OTHER, "other@forgotten.example.com", "Ida Other"])
        writer.writerow(["", "IDA@forgotten.example.com", "Ida Again"])
    return file


def mentions(server: Server) -> dict[str, int]:
    """How many rows of each table say the person's URL or address."""
    tables = server.query("select table_name as name from information_schema.tables where table_schema = 'public'")
    found: dict[str, int] = {}
    for table in tables:
        count = server.query(
            f"""select count(*)::int as n from "{table["name"]}" as t
                where lower(t::text) ~ 'in/ida-forgotten($|[^-])' or lower(t::text) ~ '[^a-z]ida@forgotten'"""
        )[0]["n"]
        if count:
            found[table["name"]] = count
    return found


def test_a_forgotten_person_is_nowhere_and_stays_away(account: Account, tmp_path: Path) -> None:
    server = account.server
    imported: Any = cli("import", "people", str(people_file(tmp_path)), environment=server.environment)
    assert imported["created"] == 3
    asked = {"json": {"linkedin_url": URL}, "headers": {"idempotency-key": "ida"}}
    person = account.client.post("/v1/people/enrich", **asked).json()["data"]
    assert account.client.post("/v1/crm/contacts", json={"person": person}).status_code == 201
    list_id = account.client.post("/v1/lists", json={"name": "Leads"}).json()["data"]["id"]
    assert account.client.post(f"/v1/lists/{list_id}/members", json={"people": [person]}).is_success
    batch = account.client.post("/v1/batch/people-enrich", json={"items": [f"{URL}/?trk=x"]}).json()["data"]
    until(lambda: account.client.get(f"/v1/jobs/{batch['id']}").json()["data"]["status"] == "completed")
    before = mentions(server)
    assert {"people", "results", "list_members", "crm_contacts", "job_items"} <= set(before)

    done: Any = cli("people", "forget", "linkedin.com/in/Ida-Forgotten", environment=server.environment)
    assert done["identifiers"] == 2
    until(lambda: not mentions(server))

    until(lambda: account.enrich("ida-forgotten").status_code == 404)
    assert account.client.post("/v1/people/enrich", **asked).status_code == 404
    assert account.client.post("/v1/people/enrich", json={"email": EMAIL}).status_code == 404
    verified = account.client.post("/v1/emails/verify", json={"email": EMAIL.upper()})
    assert (verified.status_code, verified.json()["error"]["type"]) == (404, "not_found")
    written = account.client.post("/v1/crm/contacts", json={"person": person})
    assert (written.status_code, written.json()["error"]["details"][0]["path"]) == (400, "person")
    other = {"linkedin_url": OTHER}
    added = account.client.post(f"/v1/lists/{list_id}/members", json={"people": [other, {"email": EMAIL}]})
    assert added.json()["error"]["details"][0]["path"] == "people[1]"
    again: Any = cli("import", "people", "--restart", str(people_file(tmp_path)), environment=server.environment)
    assert (again["created"], again["unchanged"], again["suppressed"]) == (0, 1, 2)
    assert not mentions(server)
    assert account.enrich("ida-forgotten-other").status_code == 200
    assert account.client.get("/v1/crm/contacts").json()["data"] == []
    assert account.usage()["credits"]["used"] == 2


def test_a_look_up_under_way_does_not_bring_the_person_back(account: Account) -> None:
    """The work has found the person when the request to forget comes: nothing is kept, nothing is charged."""
    server = account.server
    slugs = [f"late-{number}" for number in range(30)]
    server.add_people(*slugs)

    async def race() -> None:
        async with server.async_client(account.token) as client:
            asked = [
                client.post("/v1/people/enrich", json={"linkedin_url": f"https://www.linkedin.com/in/{slug}"})
                for slug in slugs
            ]
            gone = [
                asyncio.to_thread(cli, "people", "forget", f"linkedin.com/in/{slug}", environment=server.environment)
                for slug in slugs[::10]
            ]
            await asyncio.gather(*asked, *gone)

    asyncio.run(race())
    for slug in slugs[::10]:
        kept = server.query("select 1 from results where lookup_key = $1", f"https://www.linkedin.com/in/{slug}")
        assert not kept
    books = server.query("select sum(amount)::int as left from ledger where account_id = $1", account.id)
    until(lambda: account.usage()["credits"]["remaining"] == books[0]["left"])


def test_forgetting_looks_at_the_stored_answers_of_the_person_only(account: Account) -> None:
    """While it looks, the feed is held: what others stored in a day must not be gone through."""
    server = account.server
    server.add_people("answered-example")
    body = {"linkedin_url": "https://www.linkedin.com/in/answered-example"}
    for key in ("first", "again"):
        sent = account.client.post("/v1/people/enrich", json=body, headers={"idempotency-key": key})
        assert sent.status_code == 200
    server.query(
        """insert into idempotency (owner, key, fingerprint, status, content_type, body)
           select 'key_other', n, '', 200, 'application/json', '{"data": {"email": "x@other.example.com"}}'
           from generate_series(1, 20000) n"""
    )
    server.query("analyze idempotency")
    looked_at = "select seq_tup_read + idx_tup_fetch as n from pg_stat_user_tables where relname = 'idempotency'"
    before = server.query(looked_at)[0]["n"]
    done: Any = cli("people", "forget", "linkedin.com/in/answered-example", environment=server.environment)
    assert done["removed"]["idempotency"] == 2
    assert server.query(looked_at)[0]["n"] - before < 100
    assert server.query("select from idempotency where owner = $1", account.key_id) == []
    assert server.query("select count(*)::int from idempotency where owner = 'key_other'") == [(20000,)]


@pytest.mark.parametrize("identifier", ["", "Jane Doe", "https://www.linkedin.com/company/acme", "@x"])
def test_only_a_url_or_an_address_can_be_forgotten(server: Server, identifier: str) -> None:
    with pytest.raises(AssertionError, match="identifier"):
        cli("people", "forget", identifier, environment=server.environment)


def test_the_list_itself_tells_nobody(server: Server) -> None:
    cli("people", "forget", "secret@forgotten.example.com", environment=server.environment)
    rows = server.query("select encode(hash, 'escape') as shown from suppressions")
    assert rows and "secret" not in json.dumps([row["shown"] for row in rows])
