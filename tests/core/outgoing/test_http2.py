"""Vendors that are asked by HTTP/2: many calls on one connection, and one that fails is no other's failure."""

import asyncio
import ssl
from pathlib import Path

import pytest
from calling import run, saying
from certificates import self_signed
from h2.errors import ErrorCodes
from h2_server import H2Server, Script, Stream
from vendor_server import VendorServer

from addtocrm.core.outgoing.client import Outgoing
from addtocrm.core.outgoing.failures import BadAnswer, NoAnswer, NotReached
from addtocrm.core.outgoing.vendor import Account, Vendor

VENDOR = Vendor(name="modern", account_connections=100, connect_seconds=60, read_seconds=60)
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


@pytest.mark.parametrize("how", ["refused", "goodbye"])
def test_a_create_that_the_vendor_says_it_did_not_process_is_sent_again(certificate: Path, how: str) -> None:
    async def unprocessed(stream: Stream) -> None:
        if how == "refused":
            stream.refuse(ErrorCodes.REFUSED_STREAM)
        else:
            stream.goodbye(last=stream.id - 2)

    async def test(outgoing: Outgoing) -> None:
        async with H2Server(answering(), unprocessed, answering(201), certificate=certificate) as server:
            assert (await outgoing.call(ACCOUNT, "POST", server.url, json={"n": 1})).status == 200
            assert (await outgoing.call(ACCOUNT, "POST", server.url, json={"n": 2}, within=300)).status == 201
            assert [stream.body for stream in server.seen] == [b'{"n":1}', b'{"n":2}', b'{"n":2}']
            assert (server.connections, server.faults) == (1 if how == "refused" else 2, [])

    run(test)


def test_what_was_sent_before_a_goodbye_is_answered_and_the_next_call_takes_another_connection(
    certificate: Path,
) -> None:
    both = asyncio.Event()

    async def script(stream: Stream) -> None:
        if len(server.seen) == 2:
            stream.goodbye()
            both.set()
        await both.wait()
        await stream.answer(201)

    async def test(outgoing: Outgoing) -> None:
        nonlocal server
        async with H2Server(script, certificate=certificate) as server:
            calls = (outgoing.call(ACCOUNT, "POST", server.url, json={"n": n}) for n in range(2))
            assert [reply.status for reply in await asyncio.gather(*calls)] == [201, 201]
            assert server.connections == 1
            assert (await outgoing.call(ACCOUNT, "POST", server.url, json={})).status == 201
            assert (len(server.seen), server.connections, server.faults) == (3, 2, [])

    server: H2Server
    run(test)


def test_a_connection_that_breaks_fails_a_create_and_repeats_a_read(certificate: Path) -> None:
    async def cut(stream: Stream) -> None:
        stream.cut()

    async def test(outgoing: Outgoing) -> None:
        async with H2Server(cut, cut, answering(), certificate=certificate) as server:
            with pytest.raises(NoAnswer) as raised:
                await outgoing.call(ACCOUNT, "POST", server.url, json={})
            assert raised.value.maybe_done
            assert len(server.seen) == 1
            assert (await outgoing.call(ACCOUNT, "GET", server.url)).status == 200
            assert (len(server.seen), server.connections) == (3, 3)

    run(test)


def test_an_answer_waits_for_no_other_one(certificate: Path) -> None:
    async def script(stream: Stream) -> None:
        if stream.path != "/5":
            await stream.reset.wait()
        await stream.answer(200)

    async def test(outgoing: Outgoing) -> None:
        async with H2Server(script, certificate=certificate) as server:
            others = []
            for n in range(5):
                others.append(asyncio.create_task(outgoing.call(ACCOUNT, "GET", f"{server.url}/{n}")))
                while len(server.seen) <= n:
                    await asyncio.sleep(0.01)
            assert (await outgoing.call(ACCOUNT, "GET", f"{server.url}/5", within=50)).status == 200
            assert not any(other.done() for other in others)
            for other in others:
                other.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            assert server.connections == 1

    run(test)


def test_the_silence_to_one_call_is_no_other_ones(certificate: Path) -> None:
    vendor = Vendor(name="modern", connect_seconds=60, read_seconds=30)
    one, other = Account(vendor, "portal-1"), Account(vendor, "portal-2")
    over = asyncio.Event()

    async def waiting(stream: Stream) -> None:
        await over.wait()
        await stream.answer(200)

    async def test(outgoing: Outgoing) -> None:
        later = 0.0
        loop = asyncio.get_running_loop()
        time = loop.time
        loop.time = lambda: time() + later
        async with H2Server(silent, waiting, certificate=certificate) as server:
            first = asyncio.create_task(outgoing.call(one, "POST", server.url, json={}))
            while len(server.seen) < 1:
                await asyncio.sleep(0.01)
            later = 15
            second = asyncio.create_task(outgoing.call(other, "POST", server.url, json={}))
            while len(server.seen) < 2:
                await asyncio.sleep(0.01)
            later = 31
            with pytest.raises(NoAnswer):
                await first
            over.set()
            assert (await second).status == 200
            assert server.connections == 1

    run(test)


def test_a_full_connection_keeps_no_account_waiting(certificate: Path) -> None:
    async def test(outgoing: Outgoing) -> None:
        async with H2Server(answering(), silent, silent, answering(), certificate=certificate, streams=2) as server:
            await outgoing.call(ACCOUNT, "GET", server.url)
            slow = [asyncio.create_task(outgoing.call(ACCOUNT, "POST", server.url, json={})) for _ in range(2)]
            while len(server.seen) < 3:
                await asyncio.sleep(0.01)
            assert (await outgoing.call(Account(VENDOR, "portal-2"), "GET", server.url)).status == 200
            assert (server.connections, server.faults) == (2, [])
            assert not any(call.done() for call in slow)
            for call in slow:
                call.cancel()
            await asyncio.gather(*slow, return_exceptions=True)

    run(test)


def test_a_connection_that_has_gone_silent_is_left(certificate: Path) -> None:
    async def test(outgoing: Outgoing) -> None:
        async with H2Server(answering(), silent, answering(), certificate=certificate) as server:
            await outgoing.call(ACCOUNT, "GET", server.url)
            while len(server.seen) < 2:  # a busy machine gives it up before it is sent
                with pytest.raises((NoAnswer, NotReached)):
                    await outgoing.call(ACCOUNT, "POST", server.url, json={}, within=0.5)
            left = server.connections
            assert (await outgoing.call(ACCOUNT, "POST", server.url, json={})).status == 200
            assert server.connections == left + 1

    run(test)


def test_a_connection_that_ended_while_it_was_idle_is_not_used(certificate: Path) -> None:
    async def last(stream: Stream) -> None:
        await stream.answer(200)
        stream.goodbye()
        await stream.until_left()
        left.set()

    left = asyncio.Event()

    async def test(outgoing: Outgoing) -> None:
        async with H2Server(last, answering(), certificate=certificate) as server:
            assert (await outgoing.call(ACCOUNT, "GET", server.url)).status == 200
            await left.wait()
            assert (await outgoing.call(ACCOUNT, "POST", server.url, json={})).status == 200
            assert (len(server.seen), server.connections) == (2, 2)

    run(test)


def test_calls_that_are_called_off_anywhere_leave_the_connection_whole(certificate: Path) -> None:
    async def script(stream: Stream) -> None:
        await stream.answer(200, b'{"path":"%s","of":"%s"}' % (stream.path.encode(), stream.headers["x-of"].encode()))

    async def test(outgoing: Outgoing) -> None:
        async with H2Server(script, certificate=certificate) as server:
            await outgoing.call(ACCOUNT, "POST", server.url, json={}, headers={"x-of": "first"})
            for turns in range(60):
                off = asyncio.create_task(
                    outgoing.call(ACCOUNT, "POST", f"{server.url}/off", json={}, headers={"x-of": f"off {turns}"})
                )
                for _ in range(turns):
                    await asyncio.sleep(0)
                off.cancel()
                await asyncio.gather(off, return_exceptions=True)
                reply = await outgoing.call(
                    ACCOUNT, "POST", f"{server.url}/{turns}", json={}, headers={"x-of": f"{turns}"}
                )
                assert reply.data == {"path": f"/{turns}", "of": f"{turns}"}
            assert server.faults == []

    run(test)


@pytest.mark.parametrize("script", [silent, endless])
def test_calls_that_were_given_up_hold_nobody_up(certificate: Path, script: Script) -> None:
    """More of them than the vendor allows at a time."""

    async def test(outgoing: Outgoing) -> None:
        within = 60.0 if script is endless else 0.5
        scripts = answering(), *[script] * 4, answering()
        async with H2Server(*scripts, certificate=certificate, streams=3) as server:
            await outgoing.call(ACCOUNT, "POST", server.url, json={})
            while len(server.seen) < 5:  # a busy machine gives one up before it is sent
                with pytest.raises((NoAnswer, BadAnswer, NotReached)) as raised:
                    await outgoing.call(ACCOUNT, "POST", server.url, json={}, within=within, max_bytes=100_000)
                assert "LocalProtocolError" not in str(raised.value)
            async with asyncio.timeout(60):
                for stream in server.seen[1:]:
                    await stream.reset.wait()
            assert len(server.seen) == 5
            reply = await outgoing.call(ACCOUNT, "POST", server.url, json={})
            assert (reply.status, server.faults) == (200, [])
            assert script is silent or server.connections == 1

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
