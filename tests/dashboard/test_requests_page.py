"""API keys and what they ask for, as people see it."""

import re
from datetime import UTC, datetime, timedelta

from harness import Server, until
from signed import member


def test_from_a_request_to_what_it_led_to(server: Server) -> None:
    account = server.account()
    slug = f"seen-{server.port}-example"
    server.add_people(slug)
    owner = member(server, account.id, "owner")
    assert "No requests yet" in owner.get("/requests").text
    fresh = account.enrich(slug).headers["x-request-id"]
    account.enrich(slug)
    missing = account.client.get("/v1/lists/lst_none").headers["x-request-id"]
    job = account.client.post("/v1/batch/emails-verify", json={"items": ["no address"]})
    text = until(lambda: (t := owner.get("/requests").text).count("/dashboard/requests/") >= 4 and t)
    server.published()
    assert text.index("/v1/lists/{id}") < text.index("/v1/people/enrich") and "0, cached" in text
    failed = owner.get("/requests?result=failed").text
    assert missing in failed and fresh not in failed and "not_found" in failed
    assert missing not in owner.get(f"/requests?path=/v1/people&key={account.key_id}").text
    assert "1 on</span>" in failed and '<details class="card filters">' in failed
    assert "No such requests" in owner.get("/requests?since=2999-01-01T00:00").text
    refused = owner.get("/requests?since=yesterday&path=/v1/lists&result=failed")
    assert refused.status_code == 400 and 'id="since-note">Enter a time such as' in refused.text
    assert '<details class="card filters" open>' in refused.text and "3 on</span>" in refused.text
    assert 'value="yesterday"' in refused.text and 'value="/v1/lists"' in refused.text
    assert owner.get("/requests?cursor=nonsense").status_code == 400
    assert owner.get(f"/requests?id=+{fresh.upper()}").headers["location"] == f"/dashboard/requests/{fresh}"
    assert owner.get("/requests?id=https://elsewhere.example").headers["location"].startswith("/dashboard/requests/")
    page = owner.get(f"/requests/{fresh}").text
    assert "person.enriched" in page and "Enrich a person" in page and ">-1<" in page and "status=200" in page
    assert "It cost nothing" in owner.get(f"/requests/{missing}").text
    assert fresh in owner.get("/usage/ledger").text and fresh in owner.get("/events").text
    job_id, asked = job.json()["data"]["id"], job.headers["x-request-id"]
    assert f"/dashboard/requests/{asked}" in owner.get(f"/jobs/{job_id}").text
    assert f"/dashboard/jobs/{job_id}" in owner.get(f"/requests/{asked}").text
    owner.post("/lists", name="Made here")
    made = until(lambda: re.search(r"/dashboard/requests/([0-9a-f-]{36})", owner.get("/events?type=list.created").text))
    here = made[1]
    assert "done in the dashboard" in owner.get(f"/requests/{here}").text
    keys = owner.get("/keys").text
    others = owner.get("/events?actor=operator").text
    assert "<td>key.created</td><td>Operator</td>" in others and "<td>list.created</td>" not in others
    assert "No such events" in owner.get("/events?actor=key:key_none").text
    assert "3 succeeded" in keys and "1 refused" in keys and "never" in keys


def test_a_form_makes_one_key_however_often_it_is_sent(server: Server) -> None:
    account = server.account()
    owner = member(server, account.id, "owner")
    form = re.findall(r'name="form" value="([^"]+)"', owner.get("/keys/new").text)[0]
    day = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    asked = {"name": "Zapier", "scopes": ["read"], "expires": day, "form": form}
    pages = [owner.post("/keys/new", **asked).text for _ in range(2)]
    tokens = {re.findall(r"<code>(addtocrm_live_\w+)</code>", page)[0] for page in pages}
    assert len(tokens) == 1 and all("works until" in page for page in pages)
    assert server.client(tokens.pop()).get("/v1/usage").status_code == 200
    text = owner.get("/keys").text
    noted = server.query("select from audit where account_id = $1 and action = 'key.created'", account.id)
    assert text.count("<td>Zapier</td>") == 1 and len(noted) == 1
    stranger = member(server, account.id, "admin")
    another = re.findall(r"<code>(addtocrm_live_\w+)</code>", stranger.post("/keys/new", **asked).text)[0]
    assert another not in pages[0]
    for expires in ("2020-01-01", "2999-01-01", "soon"):
        answer = owner.post("/keys/new", scopes=["read"], expires=expires)
        assert answer.status_code == 400 and "The last day" in answer.text, expires
    account.set_plan("free")
    assert (
        "Pro plan" in owner.get("/keys/new").text and "<form" not in owner.get("/keys/new").text.partition("<main")[2]
    )
    text = owner.get("/keys").text
    assert "Suspended: Zapier" in text and "key_suspended_plan" in text and "Make a key" not in text


def test_the_way_through_events_and_back(server: Server) -> None:
    account = server.account()
    owner = member(server, account.id, "owner")
    for number in range(70):
        account.client.post("/v1/lists", json={"name": f"List {number}"})

    def names(path: str) -> list[int]:
        return [int(name) for name in re.findall(r"<summary>List (\d+)</summary>", owner.get(path).text)]

    def link(path: str, rel: str) -> str:
        return re.findall(rf'rel="{rel}" href="/dashboard([^"]+)"', owner.get(path).text)[0].replace("&amp;", "&")

    first = f"/events?type=list.created&actor=key:{account.key_id}"
    latest = until(lambda: (seen := names(first))[:1] == [69] and seen)
    assert latest == list(range(69, 19, -1)) and "Newer" not in owner.get(first).text
    older = link(first, "next")
    assert names(older) == list(range(19, -1, -1)) and "Older" not in owner.get(older).text
    with owner.client.stream("GET", "/dashboard/events/live") as told:
        news = (line for line in told.iter_lines() if line == "event: news")
        assert next(news)
        account.client.post("/v1/lists", json={"name": "List 70"})
        assert next(news)
    until(lambda: names(first)[0] == 70)
    newer = link(older, "prev")
    assert names(newer) == latest and names(link(newer, "prev")) == [70]
