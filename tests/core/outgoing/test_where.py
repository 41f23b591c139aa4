"""Which hosts and addresses a call goes to."""

import asyncio
import ssl
from pathlib import Path

import pytest
from calling import ACCOUNT, run, saying
from certificates import self_signed
from dns_server import DnsServer
from harness import free_port
from vendor_server import VendorServer

from addtocrm.core.outgoing.client import Outgoing
from addtocrm.core.outgoing.failures import BadAnswer, NotReached, Refused
from addtocrm.core.outgoing.quotas import MemoryQuotas
from addtocrm.core.settings import Settings


def test_redirects_stay_on_the_host() -> None:
    async def test(outgoing: Outgoing) -> None:
        async with VendorServer(saying(302, b"", "", location="/there?a=1"), saying(200)) as server:
            reply = await outgoing.call(ACCOUNT, "GET", f"{server.url}/here", headers={"authorization": "Bearer t"})
            assert reply.status == 200
            assert [talk.path for talk in server.seen] == ["/here", "/there?a=1"]
            assert server.seen[1].headers["authorization"] == "Bearer t"
        async with VendorServer(saying(200)) as other:
            away = f"{other.url}/steal"
            for method in ("GET", "POST"):
                async with VendorServer(saying(307, b"", "", location=away)) as server:
                    with pytest.raises(BadAnswer, match="elsewhere"):
                        await outgoing.call(ACCOUNT, method, server.url)
                    assert len(server.seen) == 1
            assert other.seen == []
        async with VendorServer(saying(302, b"", "", location="/again")) as server:
            with pytest.raises(BadAnswer, match="without end"):
                await outgoing.call(ACCOUNT, "GET", server.url)

    run(test)


def test_private_addresses_are_not_contacted() -> None:
    async def test(outgoing: Outgoing) -> None:
        async with VendorServer(saying(200)) as server:
            for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]"):
                with pytest.raises(Refused):
                    await outgoing.call(ACCOUNT, "GET", f"http://{host}:{server.port}/")
            assert server.connections == 0

    run(test, private=False)


def test_every_connection_is_checked_not_only_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that resolves to a public address, and to a private one on the second look."""
    monkeypatch.setattr("addtocrm.core.outgoing.network.is_public", lambda address: address == "127.0.0.2")

    async def test() -> None:
        dns = DnsServer()
        outgoing = Outgoing(Settings(dns_servers=(await dns.start(),)), MemoryQuotas())
        try:
            port = free_port()
            async with VendorServer(saying(200, connection="close"), host="127.0.0.2", port=port) as server:
                url = f"http://api.vendor.test:{server.port}/"
                dns.records["api.vendor.test", "A"] = ["127.0.0.2"]
                assert (await outgoing.call(ACCOUNT, "GET", url)).status == 200
                dns.records["api.vendor.test", "A"] = ["127.0.0.1"]
                async with VendorServer(saying(200), port=port) as inner:
                    with pytest.raises(Refused):
                        await outgoing.call(ACCOUNT, "GET", url)
                    assert (server.connections, inner.connections) == (1, 0)
        finally:
            await outgoing.close()
            await dns.stop()

    asyncio.run(test())


def test_a_name_that_does_not_resolve_was_not_reached() -> None:
    async def test(outgoing: Outgoing) -> None:
        with pytest.raises(NotReached):
            await outgoing.call(ACCOUNT, "GET", "http://nowhere.invalid/", within=1)

    run(test)


def test_a_certificate_of_nobody_is_not_trusted(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(tmp_path))

    async def test(outgoing: Outgoing) -> None:
        async with VendorServer(saying(200), tls=context) as server:
            with pytest.raises(NotReached):
                await outgoing.call(ACCOUNT, "GET", server.url, within=60)
            assert server.seen == []

    run(test)
