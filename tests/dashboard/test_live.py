"""What pages do by themselves in a real Chromium: they show what comes, count what is typed, take a dropped file, and
have the next page before it is asked for."""

import os
import re
import signal

from browser import Watched, chromium
from harness import Server, jobs_process, until
from playwright.sync_api import expect
from signed import Visitor, member


def test_pages_follow_what_goes_on(server: Server) -> None:
    server.add_people(*(f"seen{number}-example" for number in range(5)))
    account = server.account()
    owner = member(server, account.id, "owner")
    with chromium() as browser:
        watched = Watched(browser, server.url, viewport={"width": 360, "height": 740})
        cookie = {"name": "addtocrm-session", "value": owner.client.cookies["addtocrm-session"], "url": server.url}
        watched.context.add_cookies([cookie])
        follow_a_job(server, owner, watched)
        follow_without_a_stream(server, watched)
        type_a_search(server, watched)
        drop_a_file(watched)
        fetch_ahead(server, watched)
        copy_where_that_can_be(watched)
        work_by_keyboard(watched)
        assert not watched.trouble
    assert account.usage()["credits"]["used"] == 5


def follow_a_job(server: Server, owner: Visitor, watched: Watched) -> None:
    page = watched.page
    lines = "\n".join(f"https://www.linkedin.com/in/seen{number}-example" for number in range(5))
    page.goto("/dashboard/enrich")
    page.fill("#people", lines)
    page.click("main button:has-text('Enrich')")
    expect(page.get_by_text("5 lookups, at most 5 credits")).to_be_visible()
    watched.check()
    jobs = jobs_process(server)
    os.kill(jobs, signal.SIGSTOP)
    try:
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_text("0 of 5 done").first).to_be_visible()
        watched.check()
        page.evaluate("window.kept = document.querySelector('#progress')")
        page.focus("text=Download CSV")
    finally:
        os.kill(jobs, signal.SIGCONT)
    expect(page.get_by_role("link", name="seen4-example")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("5 of 5 done: 5 succeeded, 0 failed.")
    assert page.evaluate(
        "document.activeElement.textContent + (window.kept === document.querySelector('#progress'))"
    ) == ("Download CSVtrue")
    watched.check()
    page.click("text=seen4-example")
    expect(page.locator("h1")).to_have_text("Test seen4-example")
    watched.check()


def follow_without_a_stream(server: Server, watched: Watched) -> None:
    """Where the server has no place for one more stream, the page asks every few seconds."""
    page = watched.page
    watched.expected = ("429 (Too Many Requests) " + watched.page.evaluate("location.origin") + "/dashboard/jobs/",)
    page.route("**/live", lambda route: route.fulfill(status=429))
    page.goto("/dashboard/verify")
    page.fill("#addresses", "no address\nnor this")
    page.click("main button:has-text('Verify')")
    jobs = jobs_process(server)
    os.kill(jobs, signal.SIGSTOP)
    try:
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_text("0 of 2 done").first).to_be_visible()
    finally:
        os.kill(jobs, signal.SIGCONT)
    expect(page.get_by_text("2 of 2 done").first).to_be_visible()
    page.unroute("**/live")
    assert not watched.trouble


def type_a_search(server: Server, watched: Watched) -> None:
    page = watched.page
    until(lambda: len(list(server.log.parent.glob("search/*"))) > 0)
    page.goto("/dashboard/search")
    page.type("#keywords", "nobody has this")
    expect(page).to_have_url(re.compile(r"[?&]keywords=nobody\+has\+this(&|$)"))
    expect(page.get_by_role("heading", name="Nobody matches")).to_be_visible()
    watched.check()


def drop_a_file(watched: Watched) -> None:
    page = watched.page
    page.goto("/dashboard/verify")
    dropped = page.evaluate_handle(
        """() => { const data = new DataTransfer();
                   data.items.add(new File(["email\\nno address\\nnor this"], "some.csv", {type: "text/csv"}));
                   return data; }"""
    )
    page.dispatch_event("form[data-drop]", "drop", {"dataTransfer": dropped})
    page.click("main button:has-text('Verify')")
    expect(page.get_by_text("0 lookups, at most 0 credits")).to_be_visible()
    page.get_by_role("button", name="Discard").click()
    expect(page.locator("form[data-drop]")).to_be_visible()


def fetch_ahead(server: Server, watched: Watched) -> None:
    """A page is there before its link is clicked, and is asked for once."""
    page = watched.page
    page.set_viewport_size({"width": 1200, "height": 800})
    page.goto("/dashboard/verify")
    asked = '"path":"/dashboard/members"'
    before = server.log.read_text().count(asked)
    page.hover(".side a[href='/dashboard/members']")
    until(lambda: server.log.read_text().count(asked) == before + 1)
    page.click(".side a[href='/dashboard/members']")
    expect(page.locator("h1")).to_have_text("Members")
    assert page.evaluate("performance.getEntriesByType('navigation')[0].deliveryType") == "navigational-prefetch"


def copy_where_that_can_be(watched: Watched) -> None:
    """Browsers have no clipboard for pages of plain HTTP."""
    page = watched.context.new_page()
    page.goto("/dashboard/quickstart")
    expect(page.locator("[data-copy]").first).to_be_visible()
    page.add_init_script("Object.defineProperty(Navigator.prototype, 'clipboard', { value: undefined })")
    page.reload()
    page.wait_for_load_state("networkidle")
    assert not page.locator("[data-copy]:visible").count()
    page.close()


def work_by_keyboard(watched: Watched) -> None:
    """From page to page by a letter, past the menu, to the first field, and through a form."""
    page = watched.page
    page.goto("/dashboard/members")
    page.keyboard.press("g")
    page.keyboard.press("l")
    expect(page.locator("h1")).to_have_text("Lists")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("/")
    expect(page.get_by_label("Name", exact=True)).to_be_focused()
    name = "good leads " + "x" * 90
    page.keyboard.type(name)  # Letters in a field go nowhere.
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Make the list")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text(name)
    page.set_viewport_size({"width": 360, "height": 740})
    watched.check("light")
