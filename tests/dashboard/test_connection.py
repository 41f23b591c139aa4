"""The connection: a vendor's OAuth in a real Chromium, in whose browser it ends, its defaults, and going elsewhere."""

import re
from collections.abc import Callable, Iterator

import pytest
from browser import Watched, chromium
from harness import Server, cli, until
from playwright.sync_api import expect
from signed import Visitor, member, token_of
from vendors.base import GIVEN
from vendors.pipedrive_server import PipedriveServer, key_of

JANE = {"full_name": "Jane Doe", "email": "jane.doe@acme.example.com", "job_title": "Head of Sales"}


@pytest.fixture(scope="module")
def vendor() -> Iterator[PipedriveServer]:
    vendor = PipedriveServer()
    with vendor:
        yield vendor


@pytest.fixture(scope="module")
def beside(
    new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory, vendor: PipedriveServer
) -> Iterator[Server]:
    """A server whose deployment has an app at the vendor."""
    given = {"URL": vendor.url, "CLIENT_ID": GIVEN["client_id"], "CLIENT_SECRET": GIVEN["client_secret"]}
    server = Server(
        new_database(),
        tmp_path_factory.mktemp("connection"),
        ADDTOCRM_ALLOW_PRIVATE_NETWORKS="true",
        ADDTOCRM_TRUSTED_PROXIES="127.0.0.1",
        **{f"ADDTOCRM_PIPEDRIVE_{name}": value for name, value in given.items()},
    ).start()
    yield server
    server.kill()


def test_from_the_vendors_sign_in_to_a_contact_there(beside: Server, vendor: PipedriveServer) -> None:
    account = beside.account()
    beside.add_people("ann-lee-example")
    token = token_of(beside, account.id, "owner")
    with chromium() as browser:
        watched = Watched(browser, beside.url)
        cookie = {"name": "addtocrm-session", "value": token, "domain": "127.0.0.1", "path": "/"}
        watched.context.add_cookies([cookie])  # type: ignore[list-item]
        story(watched, vendor)
    assert vendor.refused == []


def story(watched: Watched, vendor: PipedriveServer) -> None:
    page, look = watched.page, watched.check
    watched.expected = (vendor.url, "Failed to load")
    page.goto("/dashboard/enrich")
    page.fill("#people", "https://www.linkedin.com/in/ann-lee-example")
    page.click("main button:has-text('Enrich')")
    expect(page.get_by_role("heading", name="Test ann-lee-example")).to_be_visible()
    page.goto("/dashboard/connection")
    look()
    page.click("text=Connect Pipedrive")
    look()
    page.click("main button:has-text('Connect Pipedrive')")
    page.click("text=Continue to Pipedrive")
    page.click("text=Deny")
    expect(page.get_by_role("alert")).to_contain_text("Pipedrive was not given access")
    page.click("text=Connect Pipedrive")
    page.click("main button:has-text('Connect Pipedrive')")
    page.click("text=Continue to Pipedrive")
    page.get_by_role("link", name="Allow").click()
    expect(page.get_by_role("status")).to_contain_text("Connected")
    page.click("text=Test the connection")
    expect(page.get_by_role("status")).to_contain_text("The connection works")
    look()
    page.click("text=Map fields")
    page.get_by_label("Last name", exact=True).select_option(label="Remarks (custom) · text")
    page.select_option("#fixed", label="Tier (custom) · choice")
    page.fill("#fixed_value", "Bronze")
    page.click("main button:has-text('Save')")
    expect(page.get_by_text("is not among the options")).to_be_visible()
    page.get_by_label("Tier", exact=True).fill("Gold")
    page.click("main button:has-text('Preview')")
    expect(page.get_by_role("cell", name="Test ann-lee-example")).to_be_visible()
    look()
    page.click("main button:has-text('Save')")
    expect(page.get_by_role("status")).to_contain_text("Saved")
    page.set_viewport_size({"width": 360, "height": 740})
    look()
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto("/dashboard/enrich")
    page.fill("#people", "https://www.linkedin.com/in/ann-lee-example")
    page.click("main button:has-text('Enrich')")
    page.click("main button:has-text('Add to')")
    expect(page.get_by_text("Nothing is written yet")).to_be_visible()
    page.click("main button:has-text('Add to')")
    expect(page.get_by_role("status")).to_contain_text("A new contact")
    there = list(vendor.records["persons"].values())[-1]
    assert there["name"] == "Test ann-lee-example"
    assert there["custom_fields"][key_of("Remarks")] == "ann-lee-example"
    page.goto("/dashboard/connection")
    page.click("text=Disconnect…")
    look()
    page.click("main button:has-text('Disconnect Pipedrive')")
    expect(page.get_by_role("status")).to_contain_text("Disconnected")


def begin(visitor: Visitor) -> str:
    page = visitor.post("/connection/connect", on="/lists", crm="pipedrive").text
    return page.split('<a class="button primary" href="')[1].split('"')[0].replace("&amp;", "&")


def test_it_ends_only_in_the_session_that_began_it(beside: Server, vendor: PipedriveServer) -> None:
    account, other = beside.account(), beside.account()
    owner, stranger = member(beside, account.id, "owner"), member(beside, other.id, "owner")
    came = vendor.authorize(begin(owner))
    for one in (Visitor(beside), stranger, member(beside, account.id, "admin")):
        answer = one.client.get(came)
        assert answer.status_code == 403 and "another browser" in answer.text
    assert account.client.get("/v1/crm/info").status_code == other.client.get("/v1/crm/info").status_code == 409
    answer = owner.client.get(came)
    assert answer.headers["location"] == "/dashboard/connection?said=connected"
    assert account.client.get("/v1/crm/info").json()["data"]["crm"] == "pipedrive"
    assert owner.client.get(came).headers["location"] == "/dashboard/connection?said=failed"
    begun = cli("crm", "connect", other.email, "pipedrive", "--no-wait", environment=beside.environment)
    page = Visitor(beside).client.get(vendor.authorize(begun["authorize_url"])).text
    assert other.email in page and "Pipedrive" in page and 'href="/dashboard/connection"' in page


def test_defaults_are_for_what_names_none(beside: Server, vendor: PipedriveServer) -> None:
    account = beside.account()
    owner = member(beside, account.id, "owner")
    assert owner.post("/connection/connect", on="/lists", crm="pipedrive", token="private-token-1").status_code == 303
    owners = {one["email"]: one["id"] for one in account.client.get("/v1/crm/owners").json()["data"]}
    chosen = list(owners.values())[-1]
    lists = {one["name"]: one["id"] for one in account.client.get("/v1/crm/lists").json()["data"]}
    wrong = owner.post("/connection/defaults", owner="no-such")
    assert wrong.status_code == 400 and "not in the CRM any more" in wrong.text
    saved = owner.post("/connection/defaults", owner=chosen, list=lists["Hot lead"])
    assert saved.status_code == 303
    made = account.client.post("/v1/crm/contacts", json={"person": JANE}).json()["data"]
    assert {"owner", "list"} <= set(made["fields_written"])
    there = account.client.get("/v1/crm/contacts", params={"email": JANE["email"]}).json()["data"][0]
    assert there["owner"] == chosen and vendor.members("Hot lead") == [made["contact_id"]]
    again = account.client.post("/v1/crm/contacts", json={"person": JANE}).json()["data"]
    assert again["action"] == "unchanged" and again["fields_kept"] == []


def test_a_mapping_is_kept_while_the_crm_is_away(beside: Server, vendor: PipedriveServer) -> None:
    owner = member(beside, beside.account().id, "owner")
    token = {"crm": "pipedrive", "token": "private-token-1"}
    assert owner.post("/connection/connect", on="/lists", **token).status_code == 303
    csrf, code = owner.csrf("/connection/mapping"), key_of("Remarks")
    rules = re.findall(
        r'name="(to\.\w+)"><option value="">[^<]*</option><option value="([^"]+)" selected>',
        owner.get("/connection/mapping").text,
    )
    typed = {"csrf": csrf, "object": "contact", **dict(rules), "to.headline": code}
    vendor.trouble("/api/", vendor.unauthorized(), times=100)
    try:
        for path in ("/connection/mapping", "/connection/mapping/preview"):
            refused = owner.client.post(f"/dashboard{path}", data=typed)
            assert refused.status_code == 409, refused.text
            kept = dict(
                re.findall(r'type="hidden" name="([\w.]+)" value="([^"]*)"', refused.text.partition("<main")[2])
            )
            assert kept["to.headline"] == code and kept["object"] == "contact"
            assert "send it again" in refused.text
    finally:
        vendor.troubles.clear()
    assert owner.post("/connection/connect", on="/lists", **token).status_code == 303
    again = owner.client.post("/dashboard/connection/mapping", data={**typed, **kept})
    assert again.headers["location"] == "/dashboard/connection/mapping?object=contact&said=saved"
    assert re.search(
        rf'name="to.headline"><option value="">[^<]*</option><option value="{code}" selected>',
        owner.get("/connection/mapping").text,
    )


def test_a_switch_says_who_writes_elsewhere_from_then_on(beside: Server) -> None:
    account = beside.account()
    account.connect_builtin()
    owner = member(beside, account.id, "owner")
    assert "was used in the last 30 days" in owner.get("/connection/new/pipedrive").text
    account.client.get("/v1/crm/info")
    until(lambda: "will write to the new CRM: " in owner.get("/connection/new/pipedrive").text)
    owner.post("/connection/connect", on="/lists", crm="pipedrive", token="private-token-1")
    id = owner.get("/connection").text.split("/connection/switch/")[1].split('"')[0]
    assert "Pipedrive" in owner.get(f"/connection/switch/{id}").text
    assert owner.post("/connection/switch", on=f"/connection/switch/{id}", crm=id).status_code == 303
    assert account.client.get("/v1/crm/info").json()["data"]["crm"] == "builtin"
    assert "The test failed" not in owner.post("/connection/test", on="/connection").text


def test_what_is_kept_is_written_to_no_more_until_it_is_active(beside: Server) -> None:
    account = beside.account()
    beside.add_people("kept-example")
    account.connect_builtin()
    owner = member(beside, account.id, "owner")
    owner.post("/connection/connect", on="/lists", crm="pipedrive", token="private-token-1")
    item = owner.post("/enrich", lines="https://www.linkedin.com/in/kept-example").headers["location"]
    page = item.removeprefix("/dashboard")
    assert "Add to Pipedrive" in owner.get(page).text
    owner.post("/connection/disconnect", on="/connection", crm="pipedrive")
    text = owner.get(page).text
    assert "Connect a CRM" in text and "Add to" not in text


def test_a_suspended_account_connects_nothing(beside: Server, vendor: PipedriveServer) -> None:
    account = beside.account()
    owner = member(beside, account.id, "owner")
    came = vendor.authorize(begin(owner))
    cli("accounts", "suspend", account.email, environment=beside.environment)
    answer = owner.client.get(came)
    assert answer.status_code == 403 and "suspended" in answer.text
    cli("accounts", "unsuspend", account.email, environment=beside.environment)
    assert owner.client.get(came).headers["location"] == "/dashboard/connection?said=connected"
    assert owner.client.headers["x-forwarded-for"] in owner.get("/members/audit").text
