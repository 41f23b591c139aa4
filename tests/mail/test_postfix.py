"""The same expectations of a real Postfix and of the scripted server that stands in where there is none."""

import asyncio
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from harness import Server, until
from postfix import POSTFIX, running
from smtp_server import tls_context
from world import World, WorldBeside, world

from addtocrm.mail.model import Verification

IP = "127.0.0.50"
HAS_POSTFIX = POSTFIX is not None and os.name == "posix" and os.geteuid() == 0
if not HAS_POSTFIX:
    warnings.warn(
        "NO REAL POSTFIX: /usr/sbin/postfix is missing, or this is not root. Its expectations are checked against "
        "the scripted server alone; `apt-get install postfix` brings the real one.",
        stacklevel=1,
    )
SERVERS = ["postfix", "scripted"] if HAS_POSTFIX else ["scripted"]

EXPECTED = {
    "jane@acme.test": ("deliverable", "accepted", 250),
    "info@acme.test": ("risky", "role", 250),
    "nobody@acme.test": ("undeliverable", "no_such_user", 550),
    "closed@acme.test": ("undeliverable", "mailbox_disabled", 550),
    "full@acme.test": ("risky", "mailbox_full", 452),
    "grey@acme.test": ("unknown", "greylisted", 450),
    "whoever@any.test": ("risky", "catch_all", 250),
    "jane@elsewhere.test": ("unknown", "temporary", 454),
}


def scripted(address: str) -> str:
    answers = {
        "full@acme.test": "452 4.2.2 <full@acme.test>: Recipient address rejected: Mailbox full",
        "closed@acme.test": "550 5.2.1 <closed@acme.test>: Recipient address rejected: Account disabled",
        "grey@acme.test": "450 4.7.1 <grey@acme.test>: Recipient address rejected: Greylisted for 600 seconds",
        "jane@elsewhere.test": "454 4.7.1 <jane@elsewhere.test>: Relay access denied",
    }
    return "250 2.1.5 Ok" if address.endswith("@any.test") else answers.get(address, "")


async def ask(net: World, ip: str) -> dict[str, Verification]:
    for domain in ("acme.test", "any.test", "elsewhere.test"):
        net.dns.add(domain, ip)
    engine = net.engine()
    results = await asyncio.gather(*(engine.verify(address, budget_seconds=200) for address in EXPECTED))
    return dict(zip(EXPECTED, results, strict=True))


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that other users may enter, as Postfix's processes have to."""
    made = Path(tempfile.mkdtemp(prefix="addtocrm-postfix-"))
    tls_context(made)
    yield made
    shutil.rmtree(made)


def against_postfix(folder: Path, **options: str) -> tuple[dict[str, Verification], str]:
    async def body(port: int) -> dict[str, Verification]:
        async with world() as net:
            net.port = port
            return await ask(net, IP)

    with running(folder, IP, **options) as port:
        results = asyncio.run(body(port))
        until(lambda: all_have_left(folder))
    return results, (folder / "maillog").read_text()


def all_have_left(folder: Path) -> bool:
    """Whether Postfix has noted the end of every connection."""
    log = (folder / "maillog").read_text()
    return log.count(": connect from") == log.count(": disconnect from")


def against_scripted(folder: Path) -> tuple[dict[str, Verification], str]:
    seen: list[str] = []

    async def body() -> dict[str, Verification]:
        async with world() as net:
            server = await net.server(mailboxes={"jane@acme.test", "info@acme.test"}, rcpt=scripted)
            server.tls = tls_context(folder)
            results = await ask(net, "127.0.0.2")
            seen.extend(" ".join(session) for session in server.sessions)
            return results

    return asyncio.run(body()), "\n".join(seen)


@pytest.mark.parametrize("server", SERVERS)
def test_every_kind_of_mailbox(server: str, folder: Path) -> None:
    results, seen = against_postfix(folder) if server == "postfix" else against_scripted(folder)
    assert {a: (one.result, one.reason, one.smtp.code) for a, one in results.items()} == EXPECTED
    assert results["jane@acme.test"].is_catch_all is False and results["whoever@any.test"].is_catch_all is True
    assert "data" not in seen.lower() and seen.lower().count("quit") == len(EXPECTED)


if HAS_POSTFIX:

    def test_a_postfix_that_demands_tls_gets_it(folder: Path) -> None:
        results, log = against_postfix(folder, tls="encrypt")
        assert {a: (one.result, one.reason, one.smtp.code) for a, one in results.items()} == EXPECTED
        assert log.count("starttls=1") == len(EXPECTED)

    def test_the_api_says_what_a_postfix_says(folder: Path, new_server: Callable[..., Server]) -> None:
        """Singly and in a batch; Postfix sees two connections at once at the most, each ended with QUIT."""
        net = WorldBeside()
        try:
            for domain in ("acme.test", "any.test", "elsewhere.test"):
                net.world.dns.add(domain, IP)
            with running(folder, IP) as port:
                server = new_server(**{**net.environment, "ADDTOCRM_SMTP_PORT": str(port)})
                account = server.account(credits=100)
                found = {}
                for address in EXPECTED:
                    if EXPECTED[address][1] != "greylisted":
                        answer = account.client.post("/v1/emails/verify", json={"email": address}).json()
                        found[address] = answer
                        verification = answer["data"]
                        shown = (verification["result"], verification["reason"], verification["smtp"]["code"])
                        assert shown == EXPECTED[address]
                        assert answer["credits_deducted"] == (verification["result"] != "unknown")
                items = [f"n{number}@acme.test" for number in range(15)]
                job = account.client.post("/v1/batch/emails-verify", json={"items": items}).json()["data"]
                until(lambda: account.client.get(f"/v1/jobs/{job['id']}").json()["data"]["status"] == "completed")
                page = account.client.get(f"/v1/jobs/{job['id']}/results").json()["data"]
                assert {one["data"]["reason"] for one in page} == {"no_such_user"}
                until(lambda: all_have_left(folder))
            log = (folder / "maillog").read_text()
            assert log.count("quit=1") == log.count(": disconnect from") <= len(found) + 3
            assert "data=" not in log
        finally:
            net.close()

    def test_a_postfix_that_blocks_us_condemns_nobody(folder: Path) -> None:
        results, _ = against_postfix(folder, clients="static:{554 5.7.1 Your network is blocked}")
        assert {(one.result, one.reason) for one in results.values()} == {("unknown", "blocked")}
