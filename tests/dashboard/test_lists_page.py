"""A list at the dashboard: a CSV file in and out, notes, and what a push costs."""

import asyncio
import csv
import io
import re
from typing import Any

import asyncpg
from harness import Server, cli, until
from signed import Visitor, member

FILE = """LinkedIn URL,Email,First Name,Last Name,Company,Job Title
https://www.linkedin.com/in/jane-doe-example,jane.doe@acme.example.com,Jane,Doe,Acme,Head of Sales
,john.roe@acme.example.com,John,Roe,Acme,=cmd()
https://www.linkedin.com/in/JANE-doe-example/,,Jane,Doe,,
,no address,Ann,Lee,,
,,,,Acme,
https://example.com/in/x,,,,,
"""


def put(visitor: Visitor, list_id: str, content: str | bytes, name: str = "people.csv") -> Any:
    data = content.encode() if isinstance(content, str) else content
    form = {"csrf": visitor.csrf(f"/lists/{list_id}")}
    return visitor.client.post(f"/dashboard/lists/{list_id}/import", data=form, files={"file": (name, data)})


def test_a_csv_file_in_and_out(server: Server) -> None:
    account = server.account()
    account.connect_builtin()
    visitor = member(server, account.id, "member")
    list_id = account.client.post("/v1/lists", json={"name": "Fair"}).json()["data"]["id"]
    made = visitor.post("/lists", name="Typed", description="x" * 2001)
    assert made.status_code == 400 and 'value="Typed"' in made.text and "x" * 2001 in made.text
    page = put(visitor, list_id, FILE).text
    assert "2 people added, 1 on the list already, 3 rows refused" in page
    told = dict(re.findall(r'<td class="number">(\d+)</td><td>([^<]+)</td>', page))
    assert told.keys() == {"5", "6", "7"} and "LinkedIn" in told["7"] and "email" in told["5"]
    assert put(visitor, list_id, "email\n" + "\n" * 150_000).status_code == 400
    again = put(visitor, list_id, "\ufeff" + FILE.replace(",", ";")).text
    assert "0 people added, 3 on the list already" in again
    members = account.client.get(f"/v1/lists/{list_id}/members").json()["data"]
    john = next(one for one in members if one["person"].get("first_name") == "John")
    assert (john["note"], john["person"]["company_name"]) == (None, "Acme")
    noted = visitor.post(f"/lists/{list_id}/members/{john['id']}/note", on=f"/lists/{list_id}", note=" Met\0 him ")
    assert noted.status_code == 303
    long = visitor.post(f"/lists/{list_id}/members/{john['id']}/note", on=f"/lists/{list_id}", note="Long" * 2501)
    assert long.status_code == 400 and "Long" * 2501 in long.text and "Note is longer than 10,000" in long.text
    renamed = visitor.post(f"/lists/{list_id}", on=f"/lists/{list_id}", name="New name", description="x" * 2001)
    assert renamed.status_code == 400 and 'value="New name"' in renamed.text and "x" * 2001 in renamed.text
    assert 'id="description-note">Description is longer than 2,000 characters.' in renamed.text
    changed = account.client.patch(f"/v1/lists/{list_id}/members/{members[0]['id']}", json={"note": "First"})
    assert changed.json()["data"]["note"] == "First"
    rows = list(csv.DictReader(io.StringIO(visitor.get(f"/lists/{list_id}/export.csv").text)))
    assert [row["note"] for row in rows] == ["First", "Met him"]
    assert rows[1]["job_title"] == "'=cmd()" and rows[0]["linkedin_url"].endswith("/in/jane-doe-example")
    page = visitor.get(f"/lists/{list_id}").text
    assert "It asks nothing of another service" in page and "Met him" in page
    push = f"/lists/{list_id}/push"
    refused = visitor.post(push, on=f"/lists/{list_id}", expected_crm="hubspot", on_conflict="skip")
    assert refused.status_code == 400 and '<option value="skip" selected>' in refused.text
    job = visitor.post(push, on=f"/lists/{list_id}", expected_crm="builtin")
    assert job.headers["location"].startswith("/dashboard/jobs/job_")


def test_an_export_is_imported_as_it_was(server: Server) -> None:
    account = server.account()
    visitor = member(server, account.id, "member")
    first, second = (account.client.post("/v1/lists", json={"name": name}).json()["data"]["id"] for name in "ab")
    people = [
        {"email": "ann@acme.example.com", "phone": "+1 202-555-0100", "job_title": "=cmd()"},
        {"email": "ben@acme.example.com", "phone": "202-555-0101", "job_title": "'Quoted', and ''twice"},
    ]
    account.client.post(f"/v1/lists/{first}/members", json={"people": people})
    assert "2 people added" in put(visitor, second, visitor.get(f"/lists/{first}/export.csv").content).text
    taken = [one["person"] for one in account.client.get(f"/v1/lists/{second}/members").json()["data"]]
    assert [{name: one[name] for name in people[0]} for one in taken] == people


def test_people_go_on_the_list_that_was_just_made(server: Server) -> None:
    account = server.account()
    visitor = member(server, account.id, "member")
    server.query(
        """insert into lists (id, account_id, name)
           select new_id('lst'), $1, 'List ' || number from generate_series(1, 100) number returning id""",
        account.id,
    )
    made = visitor.post("/lists", name="Just made").headers["location"].partition("?")[0].rpartition("/")[2]
    slug = f"newest-{server.port}-example"
    server.add_people(slug)
    found = visitor.post("/enrich", lines=f"https://www.linkedin.com/in/{slug}").headers["location"]
    page = visitor.get(found.removeprefix("/dashboard")).text
    choices = re.findall(r'<option value="lst_\w+">([^<]+)', page)
    assert choices[0] == "Just made" and len(choices) == 101 and made in page


def test_what_somebody_changed_meanwhile_is_not_overwritten(server: Server) -> None:
    account = server.account()
    visitor = member(server, account.id, "member")
    id = account.client.post("/v1/lists", json={"name": "Fair"}).json()["data"]["id"]
    put(visitor, id, "email\nann@acme.example.com\n")
    ann = account.client.get(f"/v1/lists/{id}/members").json()["data"][0]["id"]
    note = f"/lists/{id}/members/{ann}/note"
    path = f"/lists/{id}"

    def versions() -> list[str]:
        return re.findall(r'name="version" value="([^"]+)"', visitor.get(path).text)

    of_note, of_list = versions()
    assert visitor.post(note, on=path, note="Mine", version=of_note).status_code == 303
    late = visitor.post(note, on=path, note="Late", version=of_note)
    assert late.status_code == 409 and "Now: Mine" in late.text and ">Late</textarea>" in late.text
    assert visitor.post(path, on=path, name="Mine", version=of_list).status_code == 303
    late = visitor.post(path, on=path, name="Late", version=of_list)
    assert late.status_code == 409 and "Now: Mine" in late.text and 'value="Late"' in late.text
    assert account.client.get(f"/v1/lists/{id}").json()["data"]["name"] == "Mine"
    of_note, of_list = versions()
    assert visitor.post(path, on=path, name="Late", version=of_list).status_code == 303
    assert visitor.post(note, on=path, note="Late", version=of_note).status_code == 303


def test_an_import_that_fails_adds_nobody(server: Server) -> None:
    account = server.account()
    visitor = member(server, account.id, "member")
    id = account.client.post("/v1/lists", json={"name": "Fair"}).json()["data"]["id"]
    rows = "email\n" + "".join(f"fails{number}@acme.example.com\n" for number in range(1000))
    other = account.client.post("/v1/lists", json={"name": "Other"}).json()["data"]["id"]
    server.query(
        """insert into list_members (id, list_id, identity, person)
           values ('mem_' || $1, $1, 'em:fails999@acme.example.com', '{}') returning id""",
        other,
    )
    server.query("create unique index fails on list_members (identity) where identity = 'em:fails999@acme.example.com'")
    assert put(visitor, id, rows).status_code == 500
    assert account.client.get(f"/v1/lists/{id}").json()["data"]["members"] == 0
    server.query("drop index fails")
    assert "1,000 people added" in put(visitor, id, rows).text


def test_an_import_that_waits_holds_nobody_up_and_adds_nobody_forgotten_meanwhile(server: Server) -> None:
    account, other = server.account(), server.account()
    server.add_people("asked-beside-an-import-example")
    visitor = member(server, account.id, "member")
    id = account.client.post("/v1/lists", json={"name": "Fair"}).json()["data"]["id"]
    rows = "email\n" + "".join(f"held{number}@acme.example.com\n" for number in range(1000))
    cli("people", "forget", "held7@acme.example.com", environment=server.environment)
    waits = """select from pg_stat_activity where datname = current_database() and wait_event = 'transactionid'
        and query like '%list_members%'"""

    async def run() -> str:
        holder = await asyncpg.connect(server.database_url)
        held = holder.transaction()
        await held.start()
        await holder.execute("set local session_replication_role = replica")  # The list's row stays free.
        await holder.execute(
            """insert into list_members (id, list_id, identity, email, person)
               values ('mem_' || $1, $1, 'em:held999@acme.example.com', 'held999@acme.example.com', '{}')""",
            id,
        )
        importing = asyncio.create_task(asyncio.to_thread(put, visitor, id, rows))
        await asyncio.to_thread(until, lambda: importing.done() or server.query(waits))
        forget = ("people", "forget", "held8@acme.example.com")
        await asyncio.to_thread(cli, *forget, environment=server.environment)
        enriched = await asyncio.to_thread(other.enrich, "asked-beside-an-import-example")
        assert enriched.status_code == 200 and not importing.done()
        await held.rollback()
        await holder.close()
        return (await importing).text

    page = asyncio.run(run())
    assert "998 people added, 0 on the list already, 2 rows refused" in page
    assert re.findall(r'<td class="number">(\d+)</td><td>This person asked', page) == ["9", "10"]
    assert account.client.get(f"/v1/lists/{id}").json()["data"]["members"] == 998
    assert [event["type"] for event in account.events()].count("list.member.added") == 998


def test_a_file_that_is_none_is_refused(server: Server) -> None:
    account = server.account()
    visitor = member(server, account.id, "member")
    list_id = account.client.post("/v1/lists", json={"name": "Fair"}).json()["data"]["id"]
    for content in (b"", b"\0\xff\xfe\x80", b"colour,size\nred,1\n", b"PK\x03\x04" + bytes(2000)):
        answer = put(visitor, list_id, content)
        assert answer.status_code == 400 and 'role="alert"' in answer.text
    large = put(visitor, list_id, b"email\n" + b"x" * 5 * 2**20)
    assert large.status_code == 413 and "larger than the 4 MiB" in large.text
    rows = "email\n" + "".join(f"person{number}@acme.example.com\n" for number in range(10_001))
    page = put(visitor, list_id, rows).text
    assert "10,000 people added" in page and "1 row refused" in page
    following = re.findall(r'rel="next" href="/dashboard([^"]+)"', page)[0]
    assert "person50@acme" in visitor.get(following).text
    cursor = re.findall(r"cursor=([^\"&]+)", visitor.get(f"/lists/{list_id}").text)[0]
    assert "person50@acme" in visitor.get(f"/lists/{list_id}?cursor={cursor}").text
