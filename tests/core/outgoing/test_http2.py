"""Vendors that are asked by HTTP/2: many calls on one connection, and one that fails is no other's failure."""

import asyncio
import ssl
from pathlib import Path

import pytest
from calling import run, saying
from certificates import self_signed
from h2_server import H2Server, Script, Stream
from vendor_server import VendorServer

from addtocrm.core.outgoing.client import Outgoing
from addtocrm.core.outgoing.failures import BadAnswer, NoAnswer
from addtocrm.core.outgoing.vendor import Account, Vendor

VENDOR = Vendor(name="modern", http2=True, account_connections=100, connect_seconds=60, read_seconds=60)
ACCOUNT = Account(VENDOR, "portal-1")


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The vendor's certificate, which is trusted here."""
    file = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return file


def answering(status: int = 200, body: bytes = b'{"ok":true}') -> Script:
    async def script(stream: Stream) -> None:
        await stream.answer(status, body)

    return script


async def silent(stream: Stream) -> None:
    await stream.reset.wait()


async def endless(stream: Stream) -> None:
    await stream.begin(200)
    while not stream.reset.is_set():
        await stream.send(b"[" * 16_384)


def test_calls_share_a_connection(certificate: Path) -> None:
    together = asyncio.Event()

    async def test(outgoing: Outgoing) -> None:
        async def script(stream: Stream) -> None:
            if len(server.seen) == 21:
                together.set()
            if stream.path != "/v1/x?q=a+b":
                await together.wait()
            await stream.answer(200, b'{"path": "%s"}' % stream.path.encode())

        async with H2Server(script, certificate=certificate) as server:
            reply = await outgoing.call(
                ACCOUNT, "POST", f"{server.url}/v1/x", params={"q": "a b"}, json={"name": "Zoë" * 100_000}
            )
            assert (reply.status, reply.data) == (200, {"path": "/v1/x?q=a+b"})
            first = server.seen[0]
            assert (first.method, first.body) == ("POST", b'{"name":"' + ("Zoë" * 100_000).encode() + b'"}')
            assert first.headers["content-type"] == "application/json"
            replies = await asyncio.gather(*(outgoing.call(ACCOUNT, "GET", f"{server.url}/{n}") for n in range(20)))
            assert [reply.data["path"] for reply in replies] == [f"/{n}" for n in range(20)]
            assert (server.connections, server.faults) == (1, [])

    run(test)


def test_a_vendor_that_speaks_http_1_only_is_asked_so(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["http/1.1"])

    async def test(outgoing: Outgoing) -> None:
        async with VendorServer(saying(200), tls=context) as server:
            assert (await outgoing.call(ACCOUNT, "GET", server.url)).status == 200

    run(test)


def test_a_stream_that_ends_without_an_answer_is_not_repeated_for_a_create(certificate: Path) -> None:
    async def refusing(stream: Stream) -> None:
        stream.refuse()

    async def test(outgoing: Outgoing) -> None:
        async with H2Server(refusing, answering(), certificate=certificate) as server:
            with pytest.raises(NoAnswer):
                await outgoing.call(ACCOUNT, "POST", server.url, json={})
            assert len(server.seen) == 1
            assert (await outgoing.call(ACCOUNT, "POST", server.url, json={})).status == 200
            assert server.connections == 1

    run(test)


def test_a_connection_that_says_goodbye_is_followed_by_another(certificate: Path) -> None:
    async def last(stream: Stream) -> None:
        await stream.answer(200)
        stream.goodbye()

    async def test(outgoing: Outgoing) -> None:
        async with H2Server(last, answering(), certificate=certificate) as server:
            for _ in range(2):
                assert (await outgoing.call(ACCOUNT, "GET", server.url)).status == 200
                await asyncio.sleep(0.1)
            assert server.connections == 2

    run(test)


@pytest.mark.parametrize("script", [silent, endless])
def test_calls_that_were_given_up_hold_nobody_up(certificate: Path, script: Script) -> None:
    """More of them than the vendor allows at a time."""

    async def test(outgoing: Outgoing) -> None:
        scripts = answering(), *[script] * 4, answering()
        async with H2Server(*scripts, certificate=certificate, streams=3) as server:
            await outgoing.call(ACCOUNT, "POST", server.url, json={})
            while len(server.seen) < 5:  # a busy machine gives one up before it is sent
                with pytest.raises((NoAnswer, BadAnswer)) as raised:
                    await outgoing.call(ACCOUNT, "POST", server.url, json={}, within=0.5, max_bytes=100_000)
                assert "LocalProtocolError" not in str(raised.value)
            async with asyncio.timeout(60):
                for stream in server.seen[1:]:
                    await stream.reset.wait()
            assert len(server.seen) == 5
            reply = await outgoing.call(ACCOUNT, "POST", server.url, json={})
            assert (reply.status, server.connections, server.faults) == (200, 1, [])

    run(test)


def test_answers_that_were_too_long_do_not_stop_the_connection(certificate: Path) -> None:
    """More bytes of them than a connection takes unasked."""

    async def long(stream: Stream) -> None:
        await stream.answer(200, b"[" * 2_000_000)

    async def test(outgoing: Outgoing) -> None:
        async with H2Server(*[long] * 12, answering(), certificate=certificate) as server:
            for n in range(12):
                with pytest.raises(BadAnswer, match="longer than"):
                    await outgoing.call(Account(VENDOR, f"{n}"), "GET", server.url, max_bytes=1_000)
            reply = await outgoing.call(ACCOUNT, "GET", server.url)
            assert (reply.status, server.connections, server.faults) == (200, 1, [])

    run(test)
