"""Jobs beside several workers, whose metrics are counted together."""

from typing import Any

from harness import Server
from jobbing import charges, ended, enrich, verify
from world import WorldBeside


def test_a_job_beside_several_workers(new_server: Any, mail: WorldBeside) -> None:
    mail.server("workers.test", mailboxes={"jane@workers.test"})
    server: Server = new_server(ADDTOCRM_WORKERS="2", **mail.environment)
    server.add_people("workers-example")
    account = server.account(credits=10)
    for id in (enrich(account, ["linkedin.com/in/workers-example"]), verify(account, ["jane@workers.test"])):
        figures = ended(account, id)
        assert (figures["succeeded"], figures["credits_deducted"]) == (1, 1)
    assert charges(account) == 2
    assert 'operation="emails.verify"' in server.client().get("/metrics").text
