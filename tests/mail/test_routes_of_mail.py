"""Where mail goes, from a real DNS server."""

import asyncio

import pytest
from dns_server import DnsServer
from world import World, in_world

from addtocrm.mail.dns import MailDns


def dns_test(test):
    """Runs an async test with a DNS server and a client of it."""

    def run() -> None:
        async def body() -> None:
            server = DnsServer()
            with pytest.MonkeyPatch.context() as patch:  # Who stands still for some seconds is not asked again.
                patch.setattr("addtocrm.mail.dns.QUERY_SECONDS", 60.0)
                client = MailDns([await server.start()])
            try:
                await test(server, client)
            finally:
                await server.stop()

        asyncio.run(body())

    run.__name__ = test.__name__
    return run


@dns_test
async def test_preferences_order_the_hosts(server: DnsServer, client: MailDns) -> None:
    server.records["a.test", "MX"] = ["20 c.a.test.", "5 A.a.test.", "10 b.a.test."]
    assert (await client.route("a.test", 60)).hosts == ("a.a.test", "b.a.test", "c.a.test")


@dns_test
async def test_no_mx_means_the_domain_itself(server: DnsServer, client: MailDns) -> None:
    server.records["a.test", "A"] = ["192.0.2.1"]
    server.records["six.test", "AAAA"] = ["2001:db8::1"]
    assert (await client.route("a.test", 60)).hosts == ("a.test",)
    assert (await client.route("six.test", 60)).hosts == ("six.test",)


@dns_test
async def test_null_mx_is_final_but_beside_others_it_is_ignored(server: DnsServer, client: MailDns) -> None:
    server.records["null.test", "MX"] = ["0 ."]
    server.records["null.test", "A"] = ["192.0.2.1"]
    server.records["odd.test", "MX"] = ["0 .", "10 mx.odd.test."]
    assert (await client.route("null.test", 60)).status == "null_mx"
    assert (await client.route("odd.test", 60)).hosts == ("mx.odd.test",)


@dns_test
async def test_nothing_there_is_told_from_nothing_heard(server: DnsServer, client: MailDns) -> None:
    server.records["bare.test", "TXT"] = ['"x"']
    server.faults |= {"broken.test": "servfail", "mute.test": "silent"}
    seconds = {"gone": 60, "bare": 60, "broken": 60, "mute": 1}
    statuses = [(await client.route(f"{name}.test", most)).status for name, most in seconds.items()]
    assert statuses == ["domain_not_found", "no_mail_server", "dns_error", "dns_timeout"]


@dns_test
async def test_truncated_answers_are_asked_again_over_tcp(server: DnsServer, client: MailDns) -> None:
    server.records["big.test", "MX"] = [f"{n} mx{n}.big.test." for n in range(40)]
    server.faults["big.test"] = "truncate"
    assert len((await client.route("big.test", 60)).hosts) == 40
    assert server.queries["big.test", "MX", "tcp"] == 1


@dns_test
async def test_an_mx_may_point_at_an_alias(server: DnsServer, client: MailDns) -> None:
    server.records["mx.a.test", "CNAME"] = ["real.b.test."]
    server.records["real.b.test", "A"] = ["192.0.2.7"]
    assert (await client.addresses("mx.a.test", 60)).ips == ("192.0.2.7",)


@dns_test
async def test_answers_are_kept_for_their_ttl(server: DnsServer, client: MailDns) -> None:
    server.records["a.test", "MX"] = ["10 mx.a.test."]
    for _ in range(3):
        await client.route("a.test", 60)
    server.ttl = 0
    server.records["b.test", "MX"] = ["10 mx.b.test."]
    for _ in range(3):
        await client.route("b.test", 60)
    assert server.queries["a.test", "MX", "udp"] == 1
    assert server.queries["b.test", "MX", "udp"] == 3


@in_world
async def test_what_dns_says_becomes_the_verdict(world: World) -> None:
    dns = world.dns
    dns.records["null.test", "MX"] = ["0 ."]
    dns.records["bare.test", "TXT"] = ['"x"']
    dns.records["lost.test", "MX"] = ["10 gone.lost.test.", "20 away.test."]
    dns.records["half.test", "MX"] = ["10 gone.half.test.", "20 broken.test."]
    dns.faults |= {"broken.test": "servfail", "mute.test": "silent"}
    engine = world.engine()
    expected = {
        "gone.test": ("undeliverable", "domain_not_found"),
        "null.test": ("undeliverable", "null_mx"),
        "bare.test": ("undeliverable", "no_mail_server"),
        "lost.test": ("undeliverable", "no_mail_server"),
        "half.test": ("unknown", "dns_error"),
        "broken.test": ("unknown", "dns_error"),
        "mute.test": ("unknown", "dns_timeout"),
    }
    for domain, verdict in expected.items():
        one = await engine.verify(f"jane@{domain}", budget_seconds=1 if domain == "mute.test" else 60)
        assert (one.result, one.reason) == verdict, domain


@in_world
async def test_who_tells_nothing_is_not_asked(world: World) -> None:
    server = await world.server("yahoo.test", catch_all=True)
    world.dns.add("yahoo.test", "127.0.0.2", mx="mta5.am0.yahoodns.net")
    one = await world.engine().verify("jane@yahoo.test")
    assert (one.result, one.reason, one.mail_provider) == ("unknown", "unverifiable_provider", "yahoo")
    assert server.sessions == []
