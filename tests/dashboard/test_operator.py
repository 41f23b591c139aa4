"""Who runs the deployment changes all accounts, says why, and leaves a trail; others have no such page."""

import asyncio
import re
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness import Account, Server, cli, until
from signed import Visitor, member

from addtocrm.core.db.notify import Listener
from addtocrm.dashboard.pages.operator import handlers

TOKEN = re.compile(r'name="form" value="([^"]+)"')


def operator(server: Server) -> tuple[Visitor, str]:
    """Somebody whom the command line made an operator."""
    account = server.account()
    email = f"owner-{account.id[-12:]}@example.com"
    visitor = member(server, account.id, "owner")
    assert visitor.get("/operator").status_code == 404
    assert cli("accounts", "operator", email, "on", environment=server.environment)["operator"]
    return visitor, email


def state(account: Account) -> tuple[int, str]:
    answer = account.client.get("/v1/usage")
    return answer.status_code, answer.json().get("error", {}).get("type", "")


def test_an_operator_changes_an_account(server: Server) -> None:
    runs, me = operator(server)
    account = server.account(credits=10)
    theirs = member(server, account.id, "owner")
    page = runs.get(f"/operator?find={account.email[:8].upper()}").text
    assert f"/operator/accounts/{account.id}" in page
    assert account.email in runs.get(f"/operator?find=owner-{account.id[-12:]}@example.com").text
    place = f"/operator/accounts/{account.id}"
    assert all(runs.get(f"/operator{path}").status_code == 200 for path in ("?find=%00%25", "/audit?before=%00"))

    def does(what: str, reason: str = "a good reason", **form: str) -> int:
        token = TOKEN.findall(runs.get(place).text)[0]
        return runs.post(f"{place}/{what}", on=place, reason=reason, **{"form": token, **form}).status_code

    assert does("grant", "", credits="5") == 400 and does("grant", credits="-5") == 400
    assert does("plan", plan="gold") == 400 and account.usage()["credits"]["remaining"] == 10
    assert does("grant", credits="5") == 303 and account.usage()["credits"]["remaining"] == 15
    assert does("credits", credits="40") == 303 and account.usage()["credits"]["monthly"] == 40
    assert does("plan", plan="free") == 303
    until(lambda: state(account) == (403, "key_suspended_plan"))
    assert does("plan", plan="pro") == 303
    until(lambda: state(account) == (200, ""))
    assert does("suspend", "<b>spam</b>") == 303
    until(lambda: state(account) == (403, "key_suspended_plan"))
    assert "suspended" in theirs.get("").text
    assert theirs.post("/lists", name="Mine").status_code == 403 and "operator" in theirs.get("/usage/plan").text
    assert does("unsuspend") == 303
    until(lambda: state(account) == (200, ""))
    assert theirs.post("/lists", name="Mine").status_code == 303
    types = [one["type"] for one in account.events()]
    assert types.count("key.suspended") == types.count("key.reactivated") == 2
    trail = runs.get("/operator/audit").text
    rows = [row for row in re.findall(r"<tr><td>.*?</tr>", trail) if account.email in row]
    assert [re.findall(r"<td>([A-Z][a-z]+ ?\w*)</td>", row)[0] for row in rows] == [
        "Unsuspended", "Suspended", "Plan set", "Plan set", "Credits set", "Credits granted",
    ]  # fmt: skip
    assert all(me in row for row in rows) and "&lt;b&gt;spam" in trail
    assert "<td>10</td><td>15</td>" in rows[-1] and "<td>free</td><td>pro</td>" in rows[2]
    assert "spam" not in theirs.get("/members").text
    own = re.findall(r"/operator/accounts/(acc_\w+)", runs.get(f"/operator?find={me}").text)[0]
    assert runs.post(f"/operator/accounts/{own}/suspend", on=place, reason="why not").status_code == 400
    cli("accounts", "operator", me, "off", environment=server.environment)
    assert runs.get("/operator/audit").status_code == 404


def test_what_was_typed_stays_where_it_is_refused(server: Server) -> None:
    runs, _ = operator(server)
    account = server.account(credits=10)
    place = f"/operator/accounts/{account.id}"
    page = runs.post(f"{place}/credits", on=place, credits="2000000000", reason="a <good> reason").text
    assert 'name="credits" type="number" min="0" value="2000000000"' in page and "a &lt;good&gt; reason" in page
    assert page.count("must be a whole number from 0") == 1 == page.count('aria-invalid="true"')
    assert re.search(r'<span class="fault" id="credits-note">must be', page)
    refused = runs.post(f"{place}/suspend", on=place, sure="yes", reason=" ").text
    assert '<span class="fault" id="reason-suspend-note">Say why' in refused and 'value=""' in refused


def test_credits_are_added_once_however_often_the_form_is_sent(server: Server) -> None:
    runs, _ = operator(server)
    account = server.account(credits=10)
    place = f"/operator/accounts/{account.id}"
    token = (TOKEN.findall(runs.get(place).text) or [""])[0]
    asked = {"csrf": runs.csrf(place), "form": token, "credits": "5", "reason": "a good reason"}

    def send(more: dict[str, str]) -> int:
        return runs.client.post(f"/dashboard{place}/grant", data={**asked, **more}).status_code

    with ThreadPoolExecutor(2) as both:
        assert list(both.map(send, [{}, {}])) == [303, 303]
    assert account.usage()["credits"]["remaining"] == 15
    assert send({"credits": "7"}) == 303 and account.usage()["credits"]["remaining"] == 22
    assert send({"form": ""}) == 400
    assert account.usage()["credits"]["remaining"] == 22


def test_an_operator_sees_jobs_and_health(server: Server) -> None:
    runs, _ = operator(server)
    account = server.account()
    job = account.client.post("/v1/batch/emails-verify", json={"items": ["no address"]}).json()["data"]["id"]
    until(lambda: account.client.get(f"/v1/jobs/{job}").json()["data"]["status"] == "completed")
    server.query("update jobs set status = 'queued', due_at = now() + interval '1 day' where id = $1 returning id", job)
    assert f'action="/dashboard/operator/jobs/{job}/cancel?state=open"' in runs.get("/operator/jobs?state=open").text
    refused = runs.post(f"/operator/jobs/{job}/cancel?state=open", on="/operator/jobs", reason="a <bad> reason" * 40)
    assert refused.status_code == 400 and "a &lt;bad&gt; reason" * 40 in refused.text and "Say why" in refused.text
    assert runs.post(f"/operator/jobs/{job}/cancel", on="/operator/jobs", reason="stuck").status_code == 303
    until(lambda: account.client.get(f"/v1/jobs/{job}").json()["data"]["status"] == "cancelled")
    assert runs.post("/operator/jobs/job_none/cancel", on="/operator", reason="stuck").status_code == 404
    theirs = member(server, account.id, "owner")
    held = theirs.post("/verify", lines="no address\nnor this").headers["location"].rpartition("/")[2]

    def none_is_held() -> bool:
        queued = "select count(*) from jobs where status = 'queued' and due_at < 'infinity'"
        return f"{server.query(queued)[0][0]:,} queued" in runs.get("/operator/health").text

    until(none_is_held)
    assert all(held not in runs.get(f"/operator/jobs{query}").text for query in ("", "?state=open"))
    health = runs.get("/operator/health").text
    assert "PostgreSQL" in health and "Search index" in health and health.count("</tr>") >= 8


def test_health_shows_the_processes_of_all_hosts(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    runs, _ = operator(server)
    here = socket.gethostname()
    monkeypatch.setattr(socket, "gethostname", lambda: "elsewhere.test")

    def shown() -> dict[str, int]:
        table = runs.get("/operator/health").text.partition('id="hosts"')[2].partition("</table>")[0]
        return {name: int(count) for name, count in re.findall(r"<tr><td>([\w.-]+).*?number\">([\d,]+)", table)}

    async def other() -> None:
        listener = Listener(server.database_url, lambda kind, subject: None, lambda: None)
        await listener.start()
        try:
            both = await asyncio.to_thread(shown)
        finally:
            await listener.stop()
        assert both["elsewhere.test"] == 1 and both[here] >= 2, both  # The web server and what carries jobs out.

    asyncio.run(other())
    until(lambda: "elsewhere.test" not in shown())


def test_for_others_there_is_no_such_page(server: Server) -> None:
    account = server.account()
    owner = member(server, account.id, "owner")
    csrf = owner.csrf("/lists")
    for handler in handlers:
        for path in handler.paths:
            for method in handler.http_methods & {"GET", "POST"}:
                to = "/dashboard" + re.sub(r"\{[^}]+\}", account.id, path)
                answer = owner.client.request(method, to, data={"csrf": csrf} if method == "POST" else None)
                assert answer.status_code == 404, (method, path)
    assert "/dashboard/operator" not in owner.get("").text
