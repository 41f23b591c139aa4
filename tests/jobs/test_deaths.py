"""An item that ends the process that works on it is tried five times, and fails alone."""

import os
import signal
from typing import Any

from harness import Server, jobs_process, until
from jobbing import charges, ended, enrich, job, push, results, verify
from world import WorldBeside


def test_an_item_that_ends_its_process_fails_alone(new_server: Any, mail: WorldBeside) -> None:
    """Beside items that take longer than the process lives, of the same job and others."""
    deaths: list[int] = []

    def kill(address: str) -> str:
        if address == "killer@kill.test":
            process = jobs_process(server)
            deaths.append(process)
            os.kill(process, signal.SIGKILL)
        return "250 ok" if address.startswith("killer") else "550 5.1.1 no such user"

    mail.server("kill.test", rcpt=kill)
    slow = [f"p{number}@slow.test" for number in range(30)]
    mail.server("slow.test", mailboxes=set(slow), delay=0.2)
    server: Server = new_server(**mail.environment)
    slugs = [f"death-{number}-example" for number in range(200)]
    server.add_people(*slugs)
    account, other = server.account(credits=1000), server.account(credits=1000)
    other.connect_builtin()
    killing = verify(account, [*slow, "killer@kill.test"])
    beside = [push(other, 500), enrich(other, [f"linkedin.com/in/{slug}" for slug in slugs]), verify(other, slow[:10])]
    figures = ended(account, killing, 240)
    assert (figures["status"], figures["succeeded"], figures["failed"]) == ("completed", 30, 1)
    assert len(set(deaths)) == 5
    error = results(account, killing)[-1]["error"]
    assert error["type"] == "internal_error" and "5 times" in error["message"]
    assert charges(account) == 30
    for id in beside:
        figures = ended(other, id, 120)
        assert figures["succeeded"] == figures["total"]


def test_processes_that_end_by_order_blame_nobody(new_server: Any, mail: WorldBeside) -> None:
    mail.server("tarpit.test", delay=3.0)
    server: Server = new_server(**mail.environment)
    account = server.account(credits=100)
    id = verify(account, [f"p{number}@tarpit.test" for number in range(3)])
    held = "select from holds where account_id = $1"
    for _ in range(2):
        until(lambda: server.query(held, account.id))
        process = jobs_process(server)
        os.kill(process, signal.SIGTERM)
        until(lambda old=process: not os.path.exists(f"/proc/{old}"))  # noqa: PTH110
    assert server.query("select max(deaths)::int as n from job_items where job_id = $1", id)[0]["n"] == 0
    assert job(account, id)["failed"] == 0
    account.client.post(f"/v1/jobs/{id}/cancel")
