"""Nobody waits for what another account's jobs take."""

from typing import Any

from harness import Server, until
from jobbing import ended, enrich, job, verify
from world import WorldBeside


def test_a_small_job_is_done_beside_many_large_ones(new_server: Any) -> None:
    server: Server = new_server()
    slugs = [f"large-{number}-example" for number in range(400)]
    server.add_people("small-example", *slugs)
    large, small = server.account(credits=100_000), server.account()
    items = [{"linkedin_url": f"linkedin.com/in/{slug}", "refresh": True} for slug in slugs]
    ids = [enrich(large, items) for _ in range(50)]
    done = "select sum(succeeded)::int as n from jobs where account_id = $1"
    until(lambda: server.query(done, large.id)[0]["n"] > 0)
    id = enrich(small, ["linkedin.com/in/small-example"])
    assert ended(small, id)["succeeded"] == 1
    meanwhile = """select count(*)::int as n from ledger l join jobs j on j.id = $2
                   where l.account_id = $1 and l.kind = 'charge' and l.at between j.created_at and j.finished_at"""
    assert server.query(meanwhile, large.id, id)[0]["n"] < 10_000
    for id in ids:
        large.client.post(f"/v1/jobs/{id}/cancel")


def test_batches_that_are_greylisted_hold_no_place(new_server: Any, mail: WorldBeside) -> None:
    mail.server("grey.test", rcpt=lambda address: "451 4.7.1 Greylisted, try again in 300 seconds")
    mail.server("quick.test", mailboxes={"jane@quick.test"})
    server: Server = new_server(**mail.environment)
    waiting, other = server.account(), server.account()
    ids = [verify(waiting, [f"p{number}@grey.test"]) for number in range(20)]
    given_back = "select count(*)::int as n from jobs where due_at > now() + interval '1 minute' and instance is null"
    until(lambda: server.query(given_back)[0]["n"] == 20)
    assert ended(other, verify(other, ["jane@quick.test"]))["succeeded"] == 1
    assert {job(waiting, id)["status"] for id in ids} == {"running"}
    server.stop()
    server.start()
    assert server.query(given_back)[0]["n"] == 20
    assert job(waiting, ids[0])["pending"] == 1
    cancelled = waiting.client.post(f"/v1/jobs/{ids[0]}/cancel").json()["data"]
    assert (cancelled["status"], cancelled["pending"]) == ("cancelled", 0)


def test_what_takes_long_leaves_places_to_others(new_server: Any, mail: WorldBeside) -> None:
    """One tenant's addresses at a server that hardly answers fill every place there is."""
    mail.server("tarpit.test", delay=5.0)
    mail.server("fast.test", mailboxes={"jane@fast.test"})
    server: Server = new_server(**mail.environment)
    slow, other = server.account(credits=10_000), server.account()
    id = verify(slow, [f"p{number}@tarpit.test" for number in range(3000)])
    until(lambda: server.query("select from holds where account_id = $1", slow.id))
    assert ended(other, verify(other, ["jane@fast.test"]))["succeeded"] == 1
    assert job(slow, id)["succeeded"] < 100
    slow.client.post(f"/v1/jobs/{id}/cancel")
