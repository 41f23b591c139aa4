"""The whole story in a real Chromium: from the first link to a contact in the CRM, and each page as people see it."""

import os
import re
from pathlib import Path
from typing import Any, Literal

import pytest
from browser import Watched, chromium
from harness import Server, until
from playwright.sync_api import expect
from signed import PASSWORD, setup_link

SHOTS = Path(os.environ.get("ADDTOCRM_TESTS_SHOTS", "test-artefacts"))
PAGES = (
    "",
    "/enrich",
    "/search",
    "/verify",
    "/jobs",
    "/lists",
    "/contacts",
    "/companies",
    "/connection",
    "/connection/new/pipedrive",
    "/connection/mapping",
    "/connection/defaults",
    "/keys",
    "/keys/new",
    "/requests",
    "/events",
    "/usage",
    "/usage/ledger",
    "/usage/plan",
    "/members",
    "/security",
    "/security/password",
    "/members/audit",
    "/quickstart",
    "/errors",
    "/automations",
    "/operator",
    "/operator/jobs",
    "/operator/health",
    "/operator/audit",
    "/nowhere",
)


def shot(watched: Watched, name: str) -> None:
    """Keeps what the page looks like."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    watched.page.emulate_media(color_scheme="light")
    watched.page.screenshot(path=SHOTS / f"{name}.png", full_page=True)


@pytest.mark.parametrize("script", [True, False], ids=["with JavaScript", "without JavaScript"])
def test_from_the_first_link_to_a_contact(new_server: Any, script: bool) -> None:
    server = new_server()
    server.add_people("jane-doe-example", "john-roe-example")
    link = setup_link(server)
    with chromium() as browser:  # Nothing asynchronous besides: the browser has the thread's loop.
        story(server, Watched(browser, server.url, java_script_enabled=script), link, script)


def story(server: Server, watched: Watched, link: str, script: bool) -> None:
    page = watched.page

    def look(name: str) -> None:
        if script:
            watched.check()
            shot(watched, name)

    page.goto(link)
    look("setup")
    page.fill("#email", "owner@example.com")
    page.fill("#password", PASSWORD)
    page.click("main button")
    expect(page.get_by_role("heading", name="What to do next")).to_be_visible()
    look("overview-empty")
    page.click("text=Connect a CRM >> nth=0")
    page.click("text=Use the built-in CRM")
    page.click("main button:has-text('Use the built-in CRM')")
    expect(page.get_by_role("status")).to_contain_text("Connected")
    page.goto("/dashboard/enrich")
    page.fill("#people", "https://www.linkedin.com/in/jane-doe-example")
    page.click("main button:has-text('Enrich')")
    expect(page.get_by_role("heading", name="Test jane-doe-example")).to_be_visible()
    look("enrich")
    page.click("main button:has-text('Add to')")
    expect(page.get_by_text("Nothing is written yet")).to_be_visible()
    look("preview")
    page.click("main button:has-text('Add to')")
    expect(page.get_by_role("status")).to_contain_text("A new contact")
    page.click("text=Open the contact")
    expect(page.get_by_role("heading", name="Test jane-doe-example")).to_be_visible()
    look("contact")
    contact = page.url
    for heading in (
        "In Built-in CRM",
        "Add to Built-in CRM",
        "Test jane-doe-example",
        "Enrich",
    ):  # Back asks for no form again.
        page.go_back()
        expect(page.locator("h1")).to_contain_text(heading)
    page.goto("/dashboard/lists")
    page.fill("#name", "Prospects")
    page.click("main button:has-text('Make the list')")
    expect(page.get_by_role("heading", name="Prospects")).to_be_visible()
    page.goto("/dashboard/enrich")
    page.fill("#people", "https://www.linkedin.com/in/john-roe-example")
    page.click("main button:has-text('Enrich')")
    page.click("main button:has-text('Save to list')")
    expect(page.get_by_role("cell", name="Test john-roe-example", exact=True)).to_be_visible()
    look("list")
    page.click("main button:has-text('Push 1 person')")
    expect(page.get_by_role("heading", name="List push of 1 contact")).to_be_visible()
    if not script:
        ended = page.get_by_text("completed")
        until(lambda: ended.count() or (page.wait_for_timeout(200), page.reload(), ended.count())[-1])
    expect(page.get_by_text("completed").first).to_be_visible()
    expect(page.get_by_text("1 succeeded").first).to_be_visible()
    look("job")
    page.goto("/dashboard/keys/new")
    page.click("main button:has-text('Make the key')")
    token = page.locator("pre").first.inner_text()
    assert re.fullmatch(r"addtocrm_live_\w{36}", token.strip())
    assert server.client(token.strip()).get("/v1/crm/info").json()["data"]["crm"] == "builtin"
    look("key")
    page.goto("/dashboard")
    assert page.get_by_role("heading", name="What to do next").count() == 0
    look("overview")
    page.goto("/dashboard/keys")
    page.click("text=Revoke…")
    expect(page.get_by_role("heading", name="Revoke Key")).to_be_visible()
    look("revoke")
    page.click("main button:has-text('Revoke the key')")
    expect(page.get_by_role("status")).to_contain_text("is revoked")
    assert server.client(token.strip()).get("/v1/crm/info").status_code == 401
    look("keys")
    page.goto(contact)
    page.fill("#job_title", "Head of Sales")
    page.click("main button:has-text('Save') >> nth=0")
    expect(page.get_by_role("status")).to_have_text("Saved.")
    page.goto("/dashboard/members")
    page.fill("#email", "new@example.com")
    page.click("main button:has-text('Invite')")
    expect(page.get_by_role("status")).to_contain_text("Send this link to new@example.com")
    page.goto("/dashboard/operator")
    page.click("main td a")
    page.fill("#grant", "5")
    page.fill("#reason-grant", "A trial")
    page.click("main button:has-text('Add credits')")
    expect(page.get_by_role("status")).to_have_text("The credits are added.")
    page.goto("/dashboard/requests")
    page.fill("#path", "/v1/crm")
    page.click("main button:has-text('Show')")
    expect(page).to_have_url(re.compile(r"[?&]path=%2Fv1%2Fcrm&"))
    page.click("main td a >> nth=-1")
    expect(page.get_by_text("GET /v1/crm/info").first).to_be_visible()
    look("request")
    page.goto("/dashboard/security")
    page.click(".who summary")
    page.click("text=Sign out >> nth=-1")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    look("sign-in")
    page.fill("#email", "owner@example.com")
    page.fill("#password", PASSWORD)
    page.click("main button")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    if script:
        walk(watched, "light")
        page.set_viewport_size({"width": 360, "height": 740})
        page.goto("/dashboard/requests")
        expect(page.get_by_label("Path begins with")).to_be_hidden()
        page.click("main summary:has-text('Filter')")
        expect(page.get_by_label("Path begins with")).to_be_visible()
        walk(watched, "dark", "light")
    else:
        assert not watched.trouble


def walk(watched: Watched, *schemes: Literal["light", "dark"]) -> None:
    watched.expected = ("404",)
    for path in PAGES:
        watched.page.goto(f"/dashboard{path}")
        watched.check(*schemes)
    watched.page.goto("/docs")  # So long that one scheme at each width has to do.
    watched.check(schemes[0])
