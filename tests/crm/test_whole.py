"""A CRM of another's, from the command line to the push: as an operator connects it and callers use it."""

import asyncio
import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx2 as httpx
import pytest
from desk import JANE, PRIVATE, people
from harness import ADDTOCRM, Account, Server, cli, each, jobs_process, stopped, until
from vendors.attio_server import AttioServer
from vendors.base import Trouble, Vendor
from vendors.hubspot_server import HubSpotServer
from vendors.pipedrive_server import PipedriveServer
from vendors.salesforce_server import SalesforceServer
from vendors.zoho_server import ZohoServer

from addtocrm.core import settings as settings_module
from addtocrm.crm import connections
from addtocrm.crm.setup import opened

SERVERS: dict[str, type[Vendor]] = {
    "hubspot": HubSpotServer,
    "pipedrive": PipedriveServer,
    "salesforce": SalesforceServer,
    "zoho": ZohoServer,
    "attio": AttioServer,
}


@pytest.fixture(scope="module")
def running() -> Iterator[dict[str, Any]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(server()) for name, server in SERVERS.items()}


@pytest.fixture(scope="module")
def server(running: Any, new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    apps = {
        f"ADDTOCRM_{name.upper()}_{part}": value
        for name, vendor in running.items()
        for part, value in (("URL", vendor.url), ("CLIENT_ID", "app-1"), ("CLIENT_SECRET", "hush-app-secret"))
    }
    settings = {"ADDTOCRM_ALLOW_PRIVATE_NETWORKS": "true", "ADDTOCRM_CRM_SETTLE_SECONDS": "5"}
    with stopped(Server(new_database(), tmp_path_factory.mktemp("server"), **settings, **apps)) as server:
        yield server.start()


@pytest.fixture
def vendors(running: Any, server: Server) -> Any:
    """All as new, with no connection left to what was there before."""
    server.query("delete from crm_connections")
    for vendor in running.values():
        vendor.renew()
    return running


@pytest.fixture
def account(server: Server) -> Account:
    return server.account()


def connect(account: Account, vendor: Any, crm: str) -> None:
    """As by the command line."""
    settings = settings_module.load(account.server.environment)

    async def begun() -> str:
        async with opened(account.server.database_url, settings) as setup:
            return (await connections.begin(setup, account.id, crm)).authorize_url

    back = vendor.authorize(asyncio.run(begun()))
    assert httpx.get(back, timeout=120).status_code == 200


def connect_by_token(account: Account, crm: str) -> None:
    settings = settings_module.load(account.server.environment)

    async def connected() -> None:
        async with opened(account.server.database_url, settings) as setup:
            await connections.connect(setup, account.id, crm, token=PRIVATE)

    asyncio.run(connected())


def connect_by_command(account: Account, vendor: Any, crm: str) -> Any:
    """Begins on the command line, which waits; the browser comes back to the server."""
    begun = subprocess.Popen(
        [ADDTOCRM, "crm", "connect", account.email, crm, "--json"],
        env=account.server.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert begun.stderr is not None and begun.stdout is not None
    line = next(line for line in begun.stderr if "http" in line)
    back = vendor.authorize(line.strip())
    page = httpx.get(back, timeout=120)
    assert (page.status_code, page.headers["content-type"].partition(";")[0]) == (200, "text/html")
    out, _ = begun.communicate(timeout=300)
    return json.loads(out)


def push(account: Account, people: list[dict[str, Any]], **options: Any) -> str:
    client = account.client
    list_id = client.post("/v1/lists", json={"name": "Leads"}).json()["data"]["id"]
    for start in range(0, len(people), 1000):
        client.post(f"/v1/lists/{list_id}/members", json={"people": people[start : start + 1000]}).raise_for_status()
    pushed = client.post(f"/v1/lists/{list_id}/push", json=options)
    assert pushed.status_code == 202, pushed.text
    return pushed.json()["data"]["id"]


def job(account: Account, id: str) -> dict[str, Any]:
    return account.client.get(f"/v1/jobs/{id}").json()["data"]


def test_connected_by_oauth_and_written_to(account: Account, vendors: Any) -> None:
    hubspot = vendors["hubspot"]
    connected = connect_by_command(account, hubspot, "hubspot")
    assert (connected["crm"], connected["status"]) == ("hubspot", "connected")
    info = account.client.get("/v1/crm/info").json()["data"]
    assert info == connected
    made = account.client.post("/v1/crm/contacts", json={"person": JANE, "expected_crm": "hubspot"})
    assert (made.status_code, made.json()["data"]["matched_by"]) == (201, None)
    again = account.client.post("/v1/crm/contacts", json={"person": JANE})
    assert (again.status_code, again.json()["data"]["action"]) == (200, "unchanged")
    fields = account.client.get("/v1/crm/fields", params={"object": "contact"}).json()["data"]
    assert {one["name"]: one["maps_to"] for one in fields}["jobtitle"] == "job_title"
    mapped = account.client.get("/v1/crm/mapping").json()["data"]
    assert mapped["is_default"] and {"email", "jobtitle"} <= {one["field"] for one in mapped["rules"]}
    assert hubspot.refused == []


def test_a_callback_that_nobody_began(server: Server, account: Account, vendors: Any) -> None:
    browser = httpx.Client(timeout=120)
    for query in ("", "?code=x&state=y", "?error=access_denied&state=%00", "?state[]=1"):
        page = browser.get(f"{server.url}/oauth/crm/hubspot/callback{query}")
        assert page.status_code == 400
        assert "begin again" in page.text
    assert browser.get(f"{server.url}/oauth/crm/nothing/callback").status_code in (401, 404)
    begun = cli("crm", "connect", account.email, "hubspot", "--no-wait", environment=server.environment)
    back = vendors["hubspot"].authorize(begun["authorize_url"])
    other = back.replace("/crm/hubspot/", "/crm/pipedrive/")
    assert browser.get(other).status_code == 400
    assert browser.head(back).status_code == 200, "who looks whether there is a page uses no sign-in up"
    assert browser.get(back).status_code == 200
    assert browser.get(back).status_code == 400


def test_one_is_active_and_the_others_are_kept(account: Account, vendors: Any) -> None:
    pipedrive = vendors["pipedrive"]
    environment = account.server.environment
    cli("crm", "connect", account.email, "hubspot", "--token-stdin", environment=environment, input="private-token-1\n")
    connect(account, pipedrive, "pipedrive")
    wrong = account.client.post("/v1/crm/contacts", json={"person": JANE, "expected_crm": "hubspot"})
    assert (wrong.status_code, wrong.json()["error"]["type"]) == (400, "validation_error")
    assert account.client.post("/v1/crm/contacts", json={"person": JANE}).json()["data"]["crm"] == "pipedrive"
    assert cli("crm", "switch", account.email, "hubspot", environment=environment)["crm"] == "hubspot"
    assert account.client.post("/v1/crm/contacts", json={"person": JANE}).json()["data"]["crm"] == "hubspot"
    account.client.post("/v1/crm/contacts", json={"person": {"email": "jo@example.com", "full_name": "Jo Roe"}})
    cursor = account.client.get("/v1/crm/contacts", params={"limit": 1}).json()["next_cursor"]
    cli("crm", "switch", account.email, "pipedrive", environment=environment)
    other = account.client.get("/v1/crm/contacts", params={"cursor": cursor})
    assert (other.status_code, other.json()["error"]["details"][0]["path"]) == (400, "cursor")
    commands = (["switch", "hubspot"], ["info", "--all"], ["disconnect", "pipedrive"])
    done = each([["crm", name, account.email, more, "--json"] for name, more in commands], environment)
    assert [code for code, _, _ in done] == [0, 0, 0]
    assert [one["crm"] for one in json.loads(done[1][1])] == ["hubspot", "pipedrive"]
    assert pipedrive.asked("revoke")
    assert account.client.get("/v1/crm/info").json()["data"]["crm"] == "hubspot"
    cli("crm", "disconnect", account.email, environment=environment)
    assert account.client.get("/v1/crm/info").json()["error"]["type"] == "crm_not_connected"
    until(lambda: account.events()[-1]["type"] == "crm.disconnected")
    told = [one["type"] for one in account.events()]
    assert [one for one in told if one.endswith(("connected", "switched"))] == [
        "crm.connected",
        *["crm.switched"] * 4,
        "crm.disconnected",
        "crm.disconnected",
    ]


def test_a_push_through_three_kills_makes_each_contact_once(account: Account, vendors: Any) -> None:
    hubspot = vendors["hubspot"]
    hubspot.lag = 1
    connect(account, hubspot, "hubspot")
    count = 400
    id = push(account, people(count, 7))
    for part in (40, 150, 280):
        # What a killed one had begun to make waits until the CRM can no longer be at it, its search lag included.
        until(lambda part=part: len(hubspot.contacts()) >= part, 200)
        os.kill(jobs_process(account.server), signal.SIGKILL)
    until(lambda: job(account, id)["status"] == "completed", 400)
    contacts = hubspot.contacts()
    assert len({one["email"] for one in contacts}) == len(contacts) == count
    assert len(hubspot.companies()) == 7
    assert job(account, id)["failed"] == 0
    told = until(
        lambda: (
            [one for one in account.events() if one["type"] == "job.completed"]
            and [one["data"]["contact_id"] for one in account.events() if one["type"] == "crm.contact.created"]
        )
    )
    assert sorted(set(told)) == sorted(one["id"] for one in contacts)


@pytest.mark.parametrize("rotates", [False, True])
def test_who_is_killed_before_new_tokens_are_kept_goes_on_where_the_old_one_is_taken(
    account: Account, vendors: Any, monkeypatch: pytest.MonkeyPatch, rotates: bool
) -> None:
    hubspot = vendors["hubspot"]
    connect(account, hubspot, "hubspot")
    monkeypatch.setattr(hubspot, "rotates", rotates)
    hubspot.expire()
    known = len(hubspot.tokens)
    answered = threading.Event()
    hubspot.trouble("token$", held=answered)
    id = push(account, people(3, 1))
    until(lambda: len(hubspot.tokens) > known)
    os.kill(jobs_process(account.server), signal.SIGKILL)
    answered.set()
    if not rotates:
        until(lambda: job(account, id)["status"] == "completed")
        assert (job(account, id)["succeeded"], len(hubspot.contacts())) == (3, 3)
        return
    until(lambda: account.client.get("/v1/crm/info").json()["data"]["status"] == "token_expired")
    until(lambda: [one["type"] for one in account.events()].count("crm.token_expired") == 1)
    connect(account, hubspot, "hubspot")
    made = account.client.post("/v1/crm/contacts", json={"person": JANE})
    assert (made.status_code, made.json()["data"]["action"]) == (201, "created")


def test_a_switch_in_the_middle_of_a_push_splits_it_over_no_two_crms(account: Account, vendors: Any) -> None:
    hubspot, pipedrive = vendors["hubspot"], vendors["pipedrive"]
    connect(account, hubspot, "hubspot")
    switched = threading.Event()
    hubspot.trouble("contacts/batch/create", held=switched, times=1000)
    id = push(account, people(500, 7))
    until(lambda: len(hubspot.contacts()) >= 50)
    connect(account, pipedrive, "pipedrive")
    switched.set()
    until(lambda: job(account, id)["status"] == "completed", 300)
    assert pipedrive.contacts() == []
    results = account.client.get(f"/v1/jobs/{id}/results", params={"format": "csv"}).text
    errors = set(re.findall(r"was switched to \w+", results))
    assert errors == {"was switched to pipedrive"}


@contextmanager
def kept_open(server: Server) -> Iterator[None]:
    """Every tenth item of the jobs that are made meanwhile is not due for an hour: none of these ends by itself."""
    server.query(
        """create function later() returns trigger language plpgsql as $$
           begin new.not_before = now() + interval '1 hour'; return new; end $$"""
    )
    server.query(
        """create trigger later before insert on job_items for each row when (new.position % 10 = 0)
           execute function later()"""
    )
    yield
    server.query("drop function later cascade")


@pytest.mark.parametrize(
    ("crm", "creates", "count"),
    [
        ("hubspot", "POST /crm/v3/objects/contacts(/batch/create)?$", 400),
        ("attio", "POST /v2/objects/people/records$", 120),
    ],
)
def test_a_cancelled_push_wrote_what_it_says(
    account: Account, vendors: Any, crm: str, creates: str, count: int
) -> None:
    vendor = vendors[crm]
    connect(account, vendor, crm)
    cancelled = threading.Event()
    vendor.trouble(creates, held=cancelled, times=1000)
    with kept_open(account.server):
        id = push(account, people(count, 7))
    until(vendor.contacts)
    under_way = account.client.post(f"/v1/jobs/{id}/cancel").json()["data"]
    cancelled.set()
    figures = until(lambda: (one := job(account, id))["status"] == "cancelled" and one)
    assert (under_way["status"], 0 < figures["succeeded"] < count) == ("running", True)
    results = account.client.get(f"/v1/jobs/{id}/results", params={"limit": 1000}).json()["data"]
    assert {one["status"] for one in results} == {"succeeded", "cancelled"}
    told = [one["data"]["contact_id"] for one in results if one["status"] == "succeeded"]
    assert len(told) == figures["succeeded"]
    time.sleep(1)
    assert sorted(told) == sorted(one["id"] for one in vendor.contacts())
    assert job(account, id) == figures


def test_a_batch_of_bodies(account: Account, vendors: Any) -> None:
    hubspot = vendors["hubspot"]
    connect(account, hubspot, "hubspot")
    items: list[Any] = [{"person": one, "list": "Fair"} for one in people(40, 7)]
    items[3] = {"person": {}}
    items[4]["dry_run"] = True
    made = account.client.post("/v1/batch/crm-contacts", json={"items": items})
    assert made.status_code == 202, made.text
    id = made.json()["data"]["id"]
    until(lambda: job(account, id)["status"] == "completed")
    results = account.client.get(f"/v1/jobs/{id}/results", params={"limit": 1000}).json()["data"]
    assert [one["status"] for one in results].count("failed") == 1
    assert results[3]["error"]["type"] == "validation_error"
    assert len(hubspot.contacts()) == 38
    assert len(hubspot.members("Fair")) == 38


def test_a_job_whose_answers_the_crm_loses_makes_each_contact_once(account: Account, vendors: Any) -> None:
    hubspot = vendors["hubspot"]
    connect(account, hubspot, "hubspot")
    hubspot.troubles.append(Trouble("POST .*/objects/contacts/batch/create", lost=True))
    id = push(account, people(40, 8))
    until(lambda: job(account, id)["status"] == "completed")
    assert (job(account, id)["succeeded"], len(hubspot.contacts())) == (40, 40)
    assert not hubspot.troubles, "one answer was lost"


def test_no_secret_is_anywhere(server: Server, vendors: Any) -> None:
    secrets = {"hush-app-secret"}
    said: list[str] = []
    for crm, vendor in vendors.items():
        account = server.account()
        connect_by_token(account, crm)
        said.append(account.client.post("/v1/crm/contacts", json={"person": JANE, "note": "Hello"}).text)
        connect(account, vendor, crm)
        issued = {*vendor.tokens, *vendor.refresh_tokens}
        if vendor.refresh_tokens:
            vendor.expire()
        done = account.client.post("/v1/crm/contacts", json={"person": {**JANE, "phone": "+15550100100"}})
        assert done.json()["data"]["action"] == "updated", done.text
        issued |= {*vendor.tokens, *vendor.refresh_tokens, *vendor.spent_codes}
        issued |= {one.form["code_verifier"] for one in vendor.seen if "code_verifier" in one.form}
        vendor.forget_grants()
        error = account.client.post("/v1/crm/contacts", json={"person": JANE})
        assert error.json()["error"]["type"] == "crm_token_expired"
        said += [error.text, json.dumps(account.events())]
        assert len(issued) > 2
        secrets |= issued
    said += [
        server.log.read_text(),
        httpx.get(f"{server.url}/metrics", timeout=120).text,
        *(str(row) for table in tables(server) for row in server.query(f'select t::text from "{table}" t')),
    ]
    for text in said:
        # Columns of bytes are shown as hexadecimal digits.
        assert not any(secret in text or secret.encode().hex() in text for secret in secrets)
    shown = cli("settings", environment=server.environment)
    assert {"ADDTOCRM_HUBSPOT_CLIENT_ID", "ADDTOCRM_ZOHO_AUTH_URL"} <= {one["variable"] for one in shown}
    assert "hush-app-secret" not in json.dumps(shown)


def tables(server: Server) -> list[str]:
    rows = server.query("select table_name from information_schema.tables where table_schema = 'public'")
    return [row["table_name"] for row in rows]


def said(account: Account, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in (account.server.environment | more).items() if value}
    return subprocess.run(
        [ADDTOCRM, *arguments], env=environment, capture_output=True, text=True, input="", timeout=300
    )


def test_no_token_on_standard_input_begins_nothing(account: Account) -> None:
    done = said(account, "crm", "connect", account.email, "hubspot", "--token-stdin")
    assert (done.returncode, "is empty" in done.stderr) == (1, True)


def test_doctor_tells_which_connection_does_not_work(account: Account, vendors: Any) -> None:
    connect(account, vendors["hubspot"], "hubspot")
    assert "1 connections to CRMs work" in " ".join(said(account, "doctor").stdout.split())
    vendors["hubspot"].forget_grants()
    done = said(account, "doctor", "--json")
    [check] = [one for one in json.loads(done.stdout) if one["check"] == "crm"]
    assert (done.returncode, check["ok"]) == (1, False)
    assert account.email in check["found"] and "reconnect it" in check["found"]


def test_a_connection_is_ended_also_when_the_app_is_gone(account: Account, vendors: Any) -> None:
    connect(account, vendors["pipedrive"], "pipedrive")
    gone = {f"ADDTOCRM_PIPEDRIVE_CLIENT_{part}": "" for part in ("ID", "SECRET")}
    assert said(account, "crm", "disconnect", account.email, **gone).returncode == 0
    assert account.client.get("/v1/crm/info").json()["error"]["type"] == "crm_not_connected"
