"""What was used, told as people read it: by what and by whom, down to each line, and what the cache saved."""

import re

from harness import Server, until
from signed import member


def test_each_number_leads_to_what_it_is_made_of(server: Server) -> None:
    slugs = [f"used-{number}-{server.port}" for number in range(3)]
    server.add_people(*slugs)
    account, other = server.account(credits=10), server.account()
    mine = member(server, account.id, "member")
    for slug in (slugs[0], slugs[0], slugs[1]):
        assert account.enrich(slug).status_code == 200
    for _ in range(2):
        mine.post("/enrich", lines=f"https://www.linkedin.com/in/{slugs[2]}")
    until(lambda: sum(one["cached"] for one in account.usage()["by_operation"]) == 2)
    overview = mine.get("").text
    assert "2 lookups were free" in overview and "Enrich a person: 3" in overview
    usage = mine.get("/usage").text
    assert f"member-{account.id[-12:]}@example.com" in usage and f"who=key%3A{account.key_id}" in usage
    for link in set(re.findall(r'href="/dashboard(/usage/ledger\?[^"]+)"', usage + overview)):
        assert "No line of the ledger matches" not in mine.get(link.replace("&amp;", "&")).text, link
    member_id = re.findall(r"who=user%3A(usr_\w+)", usage)[0]
    days = sorted(one["date"] for one in account.usage()["by_day"])
    for query, lines in (
        ("", 4),
        (f"who=key:{account.key_id}", 2),
        (f"who=user:{member_id}", 1),
        ("operation=people.enrich", 3),
        (f"operation=people.enrich&who=user:{member_id}", 1),
        ("operation=emails.verify", 0),
        (f"who=key:{other.key_id}", 0),
        (f"from={days[0]}&to={days[-1]}", 4),
        ("to=2020-01-31", 0),
        ("from=2990-01-31", 0),
    ):
        csv = mine.get(f"/usage/ledger.csv?{query}").text.splitlines()
        assert len(csv) == lines + 1, (query, csv)
        assert mine.get(f"/usage/ledger?{query}").text.count("<tr><td>") == lines, query
    assert mine.get("/usage/ledger?who=%00&operation=%00").status_code == 200
    refused = mine.get("/usage/ledger?from=yesterday&to=2026-01-31&operation=people.enrich")
    assert refused.status_code == 400 and 'id="from-note">From is not a date such as' in refused.text
    assert 'value="2026-01-31"' in refused.text and '<option value="people.enrich" selected>' in refused.text
    for query, lines in (("from=0001-01-01", 4), ("to=9999-12-31T23:30", 4), ("to=0001-01-01", 0)):
        assert len(mine.get(f"/usage/ledger.csv?{query}").text.splitlines()) == lines + 1, query
    assert "10 credits a month" in mine.get("/usage/plan").text


def test_a_ledger_of_many_pages(server: Server) -> None:
    account = server.account()
    mine = member(server, account.id, "member")
    server.query(
        """insert into ledger (id, account_id, kind, amount, operation, request_id, actor, period_start)
           select new_id('led'), a.id, 'charge', -1, 'people.enrich', 'r', 'operator', a.period_start
           from accounts a, generate_series(1, 120) where a.id = $1 returning id""",
        account.id,
    )
    path, seen = "/usage/ledger?who=operator", []
    while path:
        page = mine.get(path).text
        seen.append(page.count("<tr><td>"))
        assert ('href="/dashboard/usage/ledger?who=operator">First page' in page) == (len(seen) > 1)
        following = re.findall(r'rel="next" href="/dashboard([^"]+)"', page)
        path = following[0].replace("&amp;", "&") if following else ""
    assert seen == [50, 50, 20]
    assert len(mine.get("/usage/ledger.csv?who=operator").text.splitlines()) == 121
