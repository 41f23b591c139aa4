"""Vendors that are asked by HTTP/2: one call at a time on a connection, and one that fails is no other's failure."""

import asyncio
import ssl
from pathlib import Path

import pytest
from calling import run, saying
from certificates import self_signed
from h2.errors import ErrorCodes
from h2_server import H2Server, Script, Stream
from loopback import Loopback
from vendor_server import VendorServer

from addtocrm.core.outgoing import http2
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
    await stream.left.wait()


class Held(Loopback):
    """The way to a server on which nothing goes on before so many `connections` have come."""

    def __init__(self, url: str, connections: int = 1) -> None:
        super().__init__()
        self._behind = int(url.rpartition(":")[2])
        self._missing = connections
        self._all_there = asyncio.Event()

    @property
    def way(self) -> str:
        """The URL of the server by this way: what it says, TLS and all, is carried as it is."""
        return f"https://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._missing -= 1
        if not self._missing:
            self._all_there.set()
        await self._all_there.wait()
        theirs, ours = await asyncio.open_connection("127.0.0.1", self._behind)
        try:
            await asyncio.gather(_carry(reader, ours), _carry(theirs, writer))
        except ConnectionError:
            pass
        finally:
            writer.close()
            ours.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def endless(stream: Stream) -> None:
    await stream.begin(200)
    while not stream.left.is_set():
        await stream.send(b"[" * 16_384)


def test_calls_follow_each_other_on_a_connection(certificate: Path) -> None:
    async def script(stream: Stream) -> None:
        await stream.answer(200, b'{"path": "%s"}' % stream.path.encode())

    async def test(outgoing: Outgoing) -> None:
        async with H2Server(script, certificate=certificate) as server:
            reply = await outgoing.call(
                ACCOUNT, "POST", f"{server.url}/v1/x", params={"q": "a b"}, json={"name": "Zoë" * 100_000}
            )
            assert (reply.status, reply.data) == (200, {"path": "/v1/x?q=a+b"})
            first = server.seen[0]
            assert (first.method, first.body) == ("POST", b'{"name":"' + ("Zoë" * 100_000).encode() + b'"}')
            assert first.headers["content-type"] == "application/json"
            assert (await outgoing.call(ACCOUNT, "GET", f"{server.url}/2")).data == {"path": "/2"}
            assert (server.connections, server.faults) == (1, [])

    run(test)


def test_an_answer_waits_for_no_other_one(certificate: Path) -> None:
    all_there = asyncio.Event()

    async def script(stream: Stream) -> None:
        if stream.path != "/last":
            await all_there.wait()
        await stream.answer(200, b'{"path": "%s"}' % stream.path.encode())

    async def test(outgoing: Outgoing) -> None:
        async with H2Server(script, certificate=certificate) as server:
            others = [asyncio.create_task(outgoing.call(ACCOUNT, "GET", f"{server.url}/{n}")) for n in range(20)]
            while len(server.seen) < 20:
                await asyncio.sleep(0.01)
            assert (await outgoing.call(ACCOUNT, "GET", f"{server.url}/last")).status == 200
            assert not any(other.done() for other in others)
            all_there.set()
            assert [reply.data["path"] for reply in await asyncio.gather(*others)] == [f"/{n}" for n in range(20)]
            assert (server.connections, server.faults) == (21, [])

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
            assert (server.connections, server.faults) == (2, [])

    run(test)


@pytest.mark.parametrize("when", ["before the answer", "after the answer"])
def test_a_goodbye_leaves_the_answer_and_the_next_call_takes_another_connection(certificate: Path, when: str) -> None:
    async def last(stream: Stream) -> None:
        if when == "before the answer":
            stream.goodbye()
        await stream.answer(201)
        if when == "after the answer":
            stream.goodbye()

    async def test(outgoing: Outgoing) -> None:
        async with H2Server(last, answering(), certificate=certificate) as server:
            assert (await outgoing.call(ACCOUNT, "POST", server.url, json={"n": 1})).status == 201
            assert (await outgoing.call(ACCOUNT, "POST", server.url, json={"n": 2}, within=300)).status == 200
            assert (server.connections, server.faults) == (2, [])

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
def test_a_call_that_was_given_up_ends_its_connection_and_holds_nobody_up(certificate: Path, script: Script) -> None:
    async def test(outgoing: Outgoing) -> None:
        within = 60.0 if script is endless else 0.5
        async with H2Server(answering(), script, answering(), certificate=certificate) as server:
            await outgoing.call(ACCOUNT, "POST", server.url, json={})
            while len(server.seen) < 2:  # a busy machine gives it up before it is sent
                with pytest.raises((NoAnswer, BadAnswer, NotReached)) as raised:
                    await outgoing.call(ACCOUNT, "POST", server.url, json={}, within=within, max_bytes=100_000)
                assert "LocalProtocolError" not in str(raised.value)
            async with asyncio.timeout(60):
                await server.seen[1].left.wait()
            assert (await outgoing.call(ACCOUNT, "POST", server.url, json={})).status == 200
            assert server.faults == []

    run(test)


@pytest.mark.parametrize("ends", [False, True])
def test_an_answer_that_comes_before_the_body_is_sent_is_the_answer(certificate: Path, ends: bool) -> None:
    """The body is longer than the vendor takes unasked."""

    async def refusing(stream: Stream) -> None:
        await stream.answer(401)
        if ends:
            stream.refuse()

    async def test(outgoing: Outgoing) -> None:
        async with H2Server(refusing, certificate=certificate, early=True) as server:
            reply = await outgoing.call(ACCOUNT, "POST", server.url, json={"name": "x" * 1_000_000})
            assert (reply.status, len(server.seen)) == (401, 1)
            assert (await outgoing.call(ACCOUNT, "POST", server.url, json={})).status == 401

    run(test)


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
def test_connections_are_made_beside_each_other(certificate: Path, protocol: str) -> None:
    """None goes on before all have come."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["http/1.1"])

    async def test(outgoing: Outgoing) -> None:
        h2, other = H2Server(answering(), certificate=certificate), VendorServer(saying(200), tls=context)
        async with h2, other, Held(h2.url if protocol == "h2" else other.url, 8) as held:
            calls = (outgoing.call(ACCOUNT, "POST", held.way, json={"n": n}, within=300) for n in range(8))
            assert [reply.status for reply in await asyncio.gather(*calls)] == [200] * 8

    run(test)


def test_what_a_vendor_says_before_it_is_asked_ends_no_connection(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As tickets of TLS, which are there before the first request is sent."""
    hear = http2.Connection._hear

    async def late(connection: http2.Connection) -> None:
        await asyncio.sleep(0.1)  # the process is busy, and what the vendor has sent is there
        await hear(connection)

    monkeypatch.setattr(http2.Connection, "_hear", late)

    async def test(outgoing: Outgoing) -> None:
        async with (
            H2Server(answering(), certificate=certificate, speaks_first=False) as server,
            Held(server.url) as held,
        ):
            assert (await outgoing.call(ACCOUNT, "POST", held.way, json={})).status == 200
            assert server.connections == 1

    run(test)
