"""What a look-up costs, when it is free, and that it stays so when many come at once."""

import asyncio
import json
from typing import Any

import pytest
from harness import Account, Server, until

ENRICH = "/v1/people/enrich"


def body(slug: str, **more: Any) -> dict[str, Any]:
    return {"linkedin_url": f"https://www.linkedin.com/in/{slug}", **more}


def at_once(account: Account, bodies: list[dict[str, Any]]) -> list[Any]:
    async def run() -> list[Any]:
        async with account.server.async_client(account.token) as client:
            return await asyncio.gather(*(client.post(ENRICH, json=one) for one in bodies))

    return asyncio.run(run())


def books(account: Account) -> dict[str, int]:
    """The account's balance, ledger, holds and results as the database has them."""
    row = account.server.query(
        """select available,
                  (select coalesce(sum(amount), 0)::int from ledger where account_id = a.id) as ledger,
                  (select count(*)::int from ledger where account_id = a.id and kind = 'charge') as charges,
                  (select count(*)::int from holds where account_id = a.id) as holds,
                  (select count(*)::int from results where account_id = a.id) as results
           from accounts a where id = $1""",
        account.id,
    )[0]
    return dict(row)


def test_first_costs_repeat_is_free(server: Server) -> None:
    server.add_people("first-example")
    account = server.account(credits=10)
    first = account.client.post(ENRICH, json=body("first-example")).json()
    assert (first["cached"], first["credits_deducted"], first["credits_remaining"]) == (False, 1, 9)
    assert first["data"]["full_name"] == "Test first-example"
    assert first["data"]["email"] is None
    assert first["data"]["sources"]["full_name"]["provider"] == "dataset"
    for form in ("http://de.linkedin.com/in/First-Example/?trk=x", "in/first-example"):
        for _ in range(2):
            again = account.client.post(ENRICH, json={"linkedin_url": form}).json()
            assert (again["cached"], again["credits_deducted"], again["credits_remaining"]) == (True, 0, 9)
            assert again["data"] == first["data"]
    fresh = account.client.post(ENRICH, json=body("first-example", refresh=True)).json()
    assert (fresh["cached"], fresh["credits_deducted"], fresh["credits_remaining"]) == (False, 1, 8)
    assert books(account) == {"available": 8, "ledger": 8, "charges": 2, "holds": 0, "results": 1}


def test_accounts_do_not_share_results(server: Server) -> None:
    server.add_people("shared-example")
    for _ in range(2):
        assert server.account(credits=5).enrich("shared-example").json()["cached"] is False


def test_no_match_is_free_and_finds_later_imports(server: Server) -> None:
    account = server.account(credits=5)
    response = account.enrich("late-example")
    assert (response.status_code, response.json()["error"]["type"]) == (404, "not_found")
    assert books(account)["available"] == 5
    server.add_people("late-example")
    assert account.enrich("late-example").status_code == 200


def test_required_fields_and_confidence(server: Server) -> None:
    server.add_people("bare-example")
    account = server.account(credits=5)
    assert account.enrich("bare-example", required=["email"]).status_code == 404
    assert books(account)["available"] == 5
    assert account.enrich("bare-example", required=["full_name"]).status_code == 200
    assert account.enrich("bare-example", required=["email"]).status_code == 404
    assert account.enrich("bare-example", min_confidence=0.9).json()["cached"] is True
    assert books(account)["available"] == 4


def test_no_credits_left(server: Server) -> None:
    server.add_people("kept-example", "denied-example")
    account = server.account(credits=1)
    assert account.enrich("kept-example").status_code == 200
    response = account.enrich("denied-example")
    assert (response.status_code, response.json()["error"]["type"]) == (402, "insufficient_credits")
    cached = account.enrich("kept-example").json()
    assert (cached["cached"], cached["credits_remaining"]) == (True, 0)
    assert account.enrich("nobody-example").status_code == 402
    account.set_credits(3)
    assert account.enrich("denied-example").status_code == 200


def test_by_email_and_by_name(server: Server) -> None:
    person = {"full_name": "Ana Núñez", "email": "ana@names.example.com"}
    server.query(
        """insert into people (id, identity, email, name_key, company_domain, company_key, data)
           values ('per_ana', 'em:ana@names.example.com', 'ana@names.example.com', 'ana nunez',
                   'names.example.com', 'names', $1) returning id""",
        json.dumps(person),
    )
    account = server.account(credits=5)
    for query in (
        {"email": "ana@NAMES.example.com "},
        {"first_name": "Ana", "last_name": "Nunez", "company_domain": "https://www.names.example.com/x"},
        {"first_name": "ANA", "last_name": "NÚÑEZ", "company_name": "Names, Inc."},
    ):
        answer = account.client.post(ENRICH, json=query).json()
        assert answer["data"]["id"] == "per_ana", answer


def test_200_identical_at_once_cost_one(server: Server) -> None:
    server.add_people("crowd-example")
    account = server.account(credits=50)
    before = provider_calls(account)
    answers = at_once(account, [body("crowd-example")] * 200)
    assert [answer.status_code for answer in answers] == [200] * 200
    assert sum(answer.json()["cached"] for answer in answers) == 199
    assert sum(answer.json()["credits_deducted"] for answer in answers) == 1
    assert provider_calls(account) - before == 1
    assert books(account) == {"available": 49, "ledger": 49, "charges": 1, "holds": 0, "results": 1}


def provider_calls(account: Account) -> float:
    lines = account.server.client().get("/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("addtocrm_provider_calls_total"))


def test_500_different_at_a_balance_of_50(server: Server) -> None:
    slugs = [f"many-{number}-example" for number in range(500)]
    server.add_people(*slugs)
    account = server.account(credits=50)
    answers = at_once(account, [body(slug) for slug in slugs])
    statuses = [answer.status_code for answer in answers]
    assert (statuses.count(200), statuses.count(402)) == (50, 450)
    assert books(account) == {"available": 0, "ledger": 0, "charges": 50, "holds": 0, "results": 50}
    assert account.usage()["credits"] == {"limit": 50, "used": 50, "held": 0, "remaining": 0, "monthly": 50}


def test_identical_on_two_hosts_cost_one(new_server: Any) -> None:
    one = new_server()
    two = new_server(one.database_url)
    one.add_people("hosts-example")
    account = one.account(credits=50)

    async def run() -> list[Any]:
        async with one.async_client(account.token) as a, two.async_client(account.token) as b:
            clients = [a, b] * 50
            return await asyncio.gather(*(client.post(ENRICH, json=body("hosts-example")) for client in clients))

    answers = asyncio.run(run())
    assert [answer.status_code for answer in answers] == [200] * 100
    assert sum(answer.json()["credits_deducted"] for answer in answers) == 1
    assert sum(not answer.json()["cached"] for answer in answers) == 1
    assert books(account)["charges"] == 1


def test_a_refresh_on_one_host_is_seen_on_the_other(new_server: Any) -> None:
    one = new_server()
    two = new_server(one.database_url)
    one.add_people("seen-example")
    account = one.account(credits=50)
    elsewhere = two.client(account.token)
    account.enrich("seen-example")
    assert elsewhere.post(ENRICH, json=body("seen-example")).json()["data"]["headline"] is None
    one.query("""update people set data = data || '{"headline": "New"}' returning id""")
    account.enrich("seen-example", refresh=True)
    until(lambda: elsewhere.post(ENRICH, json=body("seen-example")).json()["data"]["headline"] == "New")


def test_results_end_with_their_time(new_server: Any) -> None:
    server = new_server(ADDTOCRM_CACHE_DAYS=str(1 / 86400))
    server.add_people("brief-example")
    account = server.account(credits=5)
    assert account.enrich("brief-example").json()["cached"] is False
    until(lambda: account.enrich("brief-example").json()["cached"] is False)
    assert books(account)["charges"] == 2


def test_a_new_period_brings_new_credits(server: Server) -> None:
    server.add_people("monthly-1-example", "monthly-2-example")
    account = server.account(credits=3)
    account.enrich("monthly-1-example")
    server.query(
        """update accounts set anchor = anchor - interval '40 days', period_start = period_start - interval '40 days',
                  period_end = period_end - interval '40 days' where id = $1 returning id""",
        account.id,
    )
    answer = account.enrich("monthly-2-example").json()
    assert answer["credits_remaining"] == 2
    usage = account.usage()
    assert usage["credits"] == {"limit": 3, "used": 1, "held": 0, "remaining": 2, "monthly": 3}
    assert books(account)["ledger"] == 2
    assert account.enrich("monthly-1-example").json()["cached"] is True


def test_warnings_come_once_each(server: Server) -> None:
    slugs = [f"low-{number}-example" for number in range(20)]
    server.add_people(*slugs)
    account = server.account(credits=20)
    at_once(account, [body(slug) for slug in slugs])
    events = [event for event in account.events() if event["type"].startswith("credits.")]
    assert events[-1]["type"] == "credits.exhausted"
    assert 1 <= len(events) <= 3
    assert len({event["data"]["percent"] for event in events}) == len(events)


def test_the_ledger_cannot_be_changed(server: Server) -> None:
    for sql in ("update ledger set amount = 0", "delete from ledger", "truncate ledger"):
        with pytest.raises(Exception, match="append-only"):
            server.query(sql)


def test_usage_adds_up(server: Server) -> None:
    server.add_people("usage-1-example", "usage-2-example")
    server.query(
        """insert into companies (id, identity, domain, data)
           values ('com_usage', 'do:usage.example.com', 'usage.example.com', '{"domain": "usage.example.com"}')
           returning id"""
    )
    account = server.account(credits=10)
    other = server.client(account.key(["enrich"]))
    account.enrich("usage-1-example")
    other.post(ENRICH, json=body("usage-2-example"))
    account.client.post("/v1/companies/lookup", json={"domain": "usage.example.com"})
    usage = account.usage()
    assert usage["plan"] == "pro"
    assert usage["credits"] == {"limit": 10, "used": 3, "held": 0, "remaining": 7, "monthly": 10}
    assert usage["by_operation"] == [
        {"operation": "companies.lookup", "credits": 1, "cached": 0},
        {"operation": "people.enrich", "credits": 2, "cached": 0},
    ]
    assert sorted(one["credits"] for one in usage["by_key"]) == [1, 2]
    assert [one["credits"] for one in usage["by_day"]] == [3]
