"""Jobs as a caller has them: made, waited for, and counted."""

from typing import Any

from harness import Account, until

ENDED = ("completed", "failed", "cancelled")


def list_of(account: Account, people: int) -> str:
    """A list with so many people on it."""
    id = account.client.post("/v1/lists", json={"name": "People"}).json()["data"]["id"]
    account.server.query(
        """insert into list_members (id, list_id, identity, person)
           select 'mem_' || $1::text || lpad(n::text, 6, '0'), $1, 'in:' || n,
                  json_build_object('linkedin_url', 'https://www.linkedin.com/in/m' || n || '-example',
                                    'full_name', 'M ' || n)
           from generate_series(1, $2) n returning 1""",
        id,
        people,
    )
    return id


def submit(account: Account, path: str, body: dict[str, Any]) -> str:
    answer = account.client.post(path, json=body)
    assert answer.status_code == 202, answer.text
    return answer.json()["data"]["id"]


def enrich(account: Account, items: list[Any]) -> str:
    return submit(account, "/v1/batch/people-enrich", {"items": items})


def verify(account: Account, items: list[Any]) -> str:
    return submit(account, "/v1/batch/emails-verify", {"items": items})


def push(account: Account, people: int) -> str:
    return submit(account, f"/v1/lists/{list_of(account, people)}/push", {})


def job(account: Account, id: str) -> dict[str, Any]:
    return account.client.get(f"/v1/jobs/{id}").json()["data"]


def ended(account: Account, id: str, seconds: float = 60) -> dict[str, Any]:
    return until(lambda: (one := job(account, id))["status"] in ENDED and one, seconds)


def results(account: Account, id: str) -> list[dict[str, Any]]:
    return account.client.get(f"/v1/jobs/{id}/results", params={"limit": 1000}).json()["data"]


def until_done(account: Account, id: str, items: int = 1) -> None:
    """Waits until the job has done some of its items."""
    until(lambda: job(account, id)["succeeded"] >= items)


def counted(account: Account, id: str) -> tuple[int, int, int, int]:
    """The figures of a job, from its items."""
    return tuple(
        account.server.query(
            """select count(*) filter (where status = 'succeeded')::int, count(*) filter (where status = 'failed')::int,
                      count(*) filter (where status = 'pending')::int, coalesce(sum(credits_deducted), 0)::int
               from job_items where job_id = $1""",
            id,
        )[0]
    )


def shown(figures: dict[str, Any]) -> tuple[int, int, int, int]:
    return figures["succeeded"], figures["failed"], figures["pending"], figures["credits_deducted"]


def charges(account: Account) -> int:
    return account.server.query(
        "select count(*)::int as n from ledger where account_id = $1 and kind = 'charge'", account.id
    )[0]["n"]
