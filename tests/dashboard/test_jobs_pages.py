"""What is enriched and verified at the dashboard becomes a job, whose pages have the results: what it costs, how
far it is, where each field is from, what would be written to the CRM."""

import contextlib
import re
import threading
from typing import Any, get_args

import httpx2 as httpx
import pytest
from harness import Server, until
from signed import Visitor, member

from addtocrm.core.errors import invalid
from addtocrm.dashboard.words import HAPPENED, REASONS, plain
from addtocrm.events.model import EventType
from addtocrm.mail.model import Reason

ALERT = 'role="alert"'


def landed(answer: httpx.Response) -> str:
    """Where a form leads, below /dashboard."""
    assert answer.status_code == 303, answer.text[-1500:]
    return answer.headers["location"].removeprefix("/dashboard")


def ended(visitor: Visitor, path: str) -> str:
    """The page of a job that has ended."""

    def over() -> str | None:
        text = visitor.get(path).text
        return text if "data-live" not in text else None

    return until(over)


def slugs(server: Server, *names: str) -> list[str]:
    found = [f"{name}-{server.port}-example" for name in names]
    server.add_people(*found)
    return [f"https://www.linkedin.com/in/{slug}" for slug in found]


def test_one_person_from_the_form_to_the_crm(server: Server) -> None:
    account = server.account()
    (url,) = slugs(server, "one")
    owner = member(server, account.id, "owner")
    path = landed(owner.post("/enrich", lines=url))
    assert re.fullmatch(r"/jobs/job_\w+/1", path)  # Nothing of whom is asked for is in the address.
    page = owner.get(path).text
    assert f"Test one-{server.port}-example" in page and "dataset ·" in page and "1 credit" in page
    assert "Connect a CRM" in page
    job = path.removesuffix("/1")
    alone = owner.post(f"{job}/preview", on=path, position=1)
    assert alone.status_code == 409 and f"Test one-{server.port}-example</h1>" in alone.text and ALERT in alone.text
    account.connect_builtin()
    preview = landed(owner.post(f"{job}/preview", on=path, position=1, on_conflict="overwrite"))
    shown = owner.get(preview).text
    assert "Nothing is written yet" in shown and "full_name" in shown and '<option value="overwrite" selected>' in shown
    assert not account.client.get("/v1/crm/contacts").json()["data"]
    again = preview.removesuffix("/1")
    assert owner.post(f"{again}/write", on=preview, expected_crm="hubspot").status_code == 400
    long = owner.post(f"{again}/write", on=preview, expected_crm="builtin", position=1, note="x" * 65_537)
    assert long.status_code == 400 and "Note is longer than 65,536 characters." in long.text
    assert f">{'x' * 65_537}</textarea>" in long.text
    written = owner.get(
        landed(owner.post(f"{again}/write", on=preview, expected_crm="builtin", note="Met in Oslo"))
    ).text
    assert "A new contact" in written and "/dashboard/contacts/" in written
    assert "has all of this" in owner.get(landed(owner.post(f"{job}/preview", on=path, position=1))).text
    assert account.usage()["credits"]["used"] == 1
    listed = landed(owner.post("/lists", name="Prospects"))
    gone = owner.post(f"{job}/save", on=path, position=1, list="lst_none")
    assert gone.status_code == 404 and ALERT in gone.text and '<option value="">Choose a list</option>' in gone.text
    assert f"Test one-{server.port}-example</h1>" in gone.text and 'name="position" value="1"' in gone.text
    assert landed(owner.post(f"{job}/save", on=path, position=1, list=listed.partition("?")[0].removeprefix("/lists/")))
    assert f"Test one-{server.port}-example" in owner.get(listed).text


def test_several_people_say_first_what_they_cost(server: Server) -> None:
    account = server.account()
    account.connect_builtin()
    urls = slugs(server, "some1", "some2", "some3")
    owner = member(server, account.id, "owner")
    owner.post("/enrich", lines=urls[0])
    rows = "Name;Profile URL\n" + "".join(f"x;{url}\n" for url in urls[1:])
    file = {"file": ("people.csv", rows.encode())}
    form = {"csrf": owner.csrf("/enrich"), "lines": f"{urls[0]}\nMadonna"}
    job = landed(owner.client.post("/dashboard/enrich", data=form, files=file))
    held = owner.get(job).text
    assert "3 lookups, at most 2 credits" in held and "1 is cached and free" in held
    assert account.usage()["credits"]["used"] == 1 and "No jobs yet" not in owner.get("/jobs").text
    assert job not in owner.get("/jobs").text
    assert landed(owner.post(f"{job}/start", on=job)) == job
    page = ended(owner, job)
    assert "3 succeeded</a>" in page and "say who is meant" in page and "`" not in page
    link = re.findall(r'href="/dashboard([^"]+)">1 failed<', page)[0]
    assert re.findall(r'<tr id="item-(\d+)">', owner.get(link).text) == ["2"]
    assert "Madonna" in owner.get(link).text and owner.get(f"{job}?state=x").text.count('<tr id="item-') == 4
    assert account.usage()["credits"]["used"] == 3 and job in owner.get("/jobs").text
    assert "some2-" in owner.get(f"{job}/results.csv").text
    gone = owner.post(f"{job}/save", on=job, list="lst_none")
    assert gone.status_code == 404 and ALERT in gone.text and "All 3 found" in gone.text
    preview = landed(owner.post(f"{job}/preview", on=job))
    assert "Add 3 contacts to" in ended(owner, preview)
    other = owner.post(f"{preview}/write", on=preview, expected_crm="hubspot")
    assert other.status_code == 400 and ALERT in other.text and "Add 3 contacts to" in other.text
    assert "Nothing is written yet" in owner.get(f"{preview}/2").text
    assert not account.client.get("/v1/crm/contacts").json()["data"]
    ended(owner, landed(owner.post(f"{preview}/write", on=preview, expected_crm="builtin")))
    assert len(account.client.get("/v1/crm/contacts").json()["data"]) == 3
    listed = landed(owner.post("/lists", name="All of them")).partition("?")[0]
    owner.post(f"{job}/save", on=job, list=listed.removeprefix("/lists/"))
    assert account.client.get(f"/v1{listed}").json()["data"]["members"] == 3


def sent(visitor: Visitor, to: str, content: bytes) -> httpx.Response:
    form = {"csrf": visitor.csrf(to), "refresh": "true"}
    return visitor.client.post(f"/dashboard{to}", data=form, files={"file": ("people.csv", content)})


@pytest.mark.parametrize("to", ["/enrich", "/verify"])
def test_a_file_that_says_nothing_is_refused_with_its_columns(server: Server, to: str) -> None:
    owner = member(server, server.account().id, "owner")
    for content in (b"PK\x03\x04" + bytes(2000), b"PK\x03\x04\xff\xfe\n" * 20):
        answer = sent(owner, to, content)
        assert answer.status_code == 400 and "The file is not text. Save it as CSV, with a column of" in answer.text
    for header in ("Vorname;Nachname;Firma", "Colour,Size"):
        answer = sent(owner, to, f"{header}\nJane;Doe;Acme\n".encode())
        assert 'name="refresh" value="true" checked>' in answer.text
        columns = ", ".join(re.split("[;,]", header))
        assert answer.status_code == 400 and f"Its columns are: {columns}." in answer.text


def test_a_file_of_lines_is_as_if_they_were_typed(server: Server) -> None:
    owner = member(server, server.account().id, "owner")
    for encoding in ("utf-8", "utf-16"):
        job = landed(sent(owner, "/enrich", "Jané Doe, Acme, Inc.\nJohn Roe, acme.example.com\n".encode(encoding)))
        assert "Jané Doe, Acme, Inc." in owner.get(job).text
    assert "2 lookups" in owner.get(landed(sent(owner, "/verify", b"a@acme.example.com\nb@acme.example.com"))).text


def test_what_is_held_goes_without_a_trace(server: Server) -> None:
    owner = member(server, server.account().id, "owner")
    assert "Enter 1 to" in owner.post("/verify").text
    job = landed(owner.post("/verify", lines="no address\nnor this"))
    assert "0 lookups, at most 0 credits" in owner.get(job).text
    broken = "update jobs set options = '[1]' where id = $1 returning id"
    server.query(broken, job.removeprefix("/jobs/"))
    crashed = owner.get(job)
    assert crashed.status_code == 500 and "<h1>" in crashed.text and "Something failed on our side" in crashed.text
    with owner.client.stream("GET", f"/dashboard{job}/live") as stream:
        assert landed(owner.post(f"{job}/cancel", on="/lists")) == "/verify"
        told = [line for line in stream.iter_lines() if line.startswith("event:")]
    assert told[-1] == "event: end" and owner.get(job).status_code == 404
    page = owner.get(landed(owner.post("/verify", lines="no address"))).text
    assert "This text is not an email address." in page and "invalid_syntax" not in page


def test_every_reason_has_its_words() -> None:
    assert set(REASONS) == set(get_args(Reason)) and set(HAPPENED) == set(get_args(EventType))
    assert plain("There is no list lst_1; GET /v1/lists shows them.") == "There is no list lst_1."
    company = invalid("linkedin_url", "is a company's page, not a person's; look it up with POST /v1/companies/lookup.")
    assert plain(company.message) == "The LinkedIn URL is a company's page, not a person's."
    elsewhere = invalid("items[3].linkedin_url", "is not on linkedin.com; paste a LinkedIn URL.")
    assert plain(elsewhere.message) == "The LinkedIn URL is not on linkedin.com; paste a LinkedIn URL."


def test_a_page_is_told_of_what_is_new_until_the_job_ends(new_server: Any) -> None:
    server = new_server()
    account = server.account()
    urls = slugs(server, *(f"live{number}" for number in range(20)))
    owner = member(server, account.id, "owner")
    job = landed(owner.post("/enrich", lines="\n".join(urls)))
    told: list[str] = []

    def listen() -> None:
        with owner.client.stream("GET", f"/dashboard{job}/live") as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            told.extend(line for line in stream.iter_lines() if line.startswith("event:"))

    listening = threading.Thread(target=listen)
    listening.start()
    until(lambda: told or not listening.is_alive())
    owner.post(f"{job}/start", on=job)
    listening.join(400)
    assert told[0] == "event: news" and told[-1] == "event: end"
    # Streams are few, nothing holds a connection to the database for them, and they end with the server, whole.
    held = landed(owner.post("/enrich", lines="\n".join(reversed(urls))))
    with contextlib.ExitStack() as stack:
        streams = [stack.enter_context(owner.client.stream("GET", f"/dashboard{held}/live")) for _ in range(4)]
        assert [stream.status_code for stream in streams] == [200, 200, 200, 429]
        busy = """select from pg_stat_activity
                  where datname = current_database() and (state like 'idle in%' or wait_event_type = 'Lock')"""
        until(lambda: not server.query(busy))
        server.process.terminate()
        assert all(stream.read() for stream in streams[:3])
    assert server.process.wait() == 0
