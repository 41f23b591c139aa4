"""What the engine says to mail servers, and what it makes of their answers."""

import asyncio

import pytest
from smtp_server import SmtpServer, greylisting, tls_context
from world import World, in_world


@in_world
async def test_a_mailbox_is_told_from_none_and_no_mail_is_sent(world: World) -> None:
    server = await world.server("acme.test", mailboxes={"jane@acme.test"})
    engine = world.engine()
    jane, john = [await engine.verify(f"{name}@acme.test") for name in ("jane", "john")]
    assert (jane.result, jane.reason, jane.is_catch_all, jane.smtp.code) == ("deliverable", "accepted", False, 250)
    assert (john.result, john.reason, john.smtp.enhanced_code) == ("undeliverable", "no_such_user", "5.1.1")
    assert jane.mx_host == "mx.acme.test" and jane.smtp.connected and jane.smtp.accepted
    for session in server.sessions:
        assert session[0] == "EHLO probe.test" and session[1] == "MAIL FROM:<>" and session[-2:] == ["RSET", "QUIT"]
    assert not any(line.upper().startswith("DATA") for line in server.lines)


@in_world
async def test_one_connection_serves_a_domain_and_asks_a_random_address_once(world: World) -> None:
    server = await world.server("acme.test", mailboxes={f"a{n}@acme.test" for n in range(0, 8, 2)})
    results = await world.engine().verify_domain([f"a{n}@acme.test" for n in range(8)])
    assert [one.result for one in results] == ["deliverable", "undeliverable"] * 4
    assert len(server.sessions) == 1 and len(server.recipients()) == 9
    assert len(set(server.recipients()) - {f"a{n}@acme.test" for n in range(8)}) == 1


@in_world
async def test_many_addresses_go_in_several_connections(world: World) -> None:
    server = await world.server("acme.test", mailboxes={f"a{n}@acme.test" for n in range(25)})
    results = await world.engine().verify_domain([f"a{n}@acme.test" for n in range(25)])
    assert {one.result for one in results} == {"deliverable"}
    assert len(server.sessions) == 3 and server.most_open == 1


@in_world
async def test_a_catch_all_is_risky(world: World) -> None:
    await world.server("any.test", catch_all=True)
    one = await world.engine().verify("jane@any.test")
    assert (one.result, one.reason, one.is_catch_all) == ("risky", "catch_all", True)


@pytest.mark.parametrize(
    ("answer", "result", "reason"),
    [
        ("552 5.2.2 Mailbox full", "risky", "mailbox_full"),
        ("452 4.2.2 The email account that you tried to reach is over quota", "risky", "mailbox_full"),
        ("550 5.2.1 The account is disabled", "undeliverable", "mailbox_disabled"),
        ("450 4.7.1 Greylisted, try again in 300 seconds", "unknown", "greylisted"),
        ("554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using a list", "unknown", "blocked"),
        ("550 5.1.1 User unknown; your IP is listed at Spamhaus", "unknown", "blocked"),
        ("550 5.7.1 Relaying denied", "unknown", "policy"),
        ("530 5.7.0 Must issue a STARTTLS command first", "unknown", "tls_required"),
        ("451 4.3.0 Temporary failure", "unknown", "temporary"),
        ("421 4.3.2 Shutting down", "unknown", "temporary"),
        ("503 5.5.1 Bad sequence", "unknown", "protocol_error"),
        ("550 nope", "unknown", "policy"),
        (b"\xff\xfe\x00garbage\r\n", "unknown", "protocol_error"),
        (b"999 what\r\n", "unknown", "protocol_error"),
        (None, "unknown", "connection_failed"),
    ],
)
@in_world
async def test_recipient_answers(world: World, answer: str, result: str, reason: str) -> None:
    server = await world.server("odd.test", rcpt=lambda address: answer)
    one = await world.engine().verify("jane@odd.test", budget_seconds=90)
    assert (one.result, one.reason) == (result, reason)
    assert one.is_mailbox_full == (reason == "mailbox_full")
    assert not any(line.upper().startswith("DATA") for line in server.lines)


@pytest.mark.parametrize(
    ("banner", "reason"),
    [
        ("554 5.7.1 Your IP is on our block list", "blocked"),
        ("554 No SMTP service here", "blocked"),
        ("421 4.3.2 Too busy", "temporary"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "protocol_error"),
        (b"220-" + b"x" * 70_000 + b"\r\n", "protocol_error"),
        (b"220-more\r\n" * 9_000, "protocol_error"),
        (None, "connection_failed"),
    ],
)
@in_world
async def test_banners(world: World, banner: str, reason: str) -> None:
    await world.server("odd.test", banner=banner)
    one = await world.engine().verify("jane@odd.test", budget_seconds=90)
    assert (one.result, one.reason, one.smtp.accepted) == ("unknown", reason, False)


@in_world
async def test_a_silent_server_ends_with_the_budget(world: World) -> None:
    await world.server("mute.test", silent=True)
    one = await world.engine().verify("jane@mute.test", budget_seconds=8)
    assert (one.result, one.reason, one.smtp.connected) == ("unknown", "timeout", True)


@in_world
async def test_a_dripping_server_ends_with_the_budget(world: World) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        for _ in range(10_000):
            writer.write(b"2")
            await writer.drain()
            await asyncio.sleep(0.05)

    await world.server("slow.test", banner=drip)
    one = await world.engine().verify("jane@slow.test", budget_seconds=8)
    assert (one.result, one.reason) == ("unknown", "timeout")


@in_world
async def test_starttls_is_used_where_offered(world: World, tmp_path) -> None:
    server = await world.server("tls.test", mailboxes={"jane@tls.test"}, tls=tls_context(tmp_path))
    assert (await world.engine().verify("jane@tls.test")).result == "deliverable"
    assert server.lines[:2] == ["EHLO probe.test", "STARTTLS"] and server.encrypted[0] == "EHLO probe.test"
    assert server.encrypted == server.lines[2:]


@in_world
async def test_starttls_is_used_where_demanded(world: World, tmp_path) -> None:
    def mail(line: str, secure: bool) -> str:
        return "250 ok" if secure else "530 5.7.0 Must issue a STARTTLS command first"

    server = await world.server("tls.test", mailboxes={"jane@tls.test"}, mail=mail)
    server.tls, server.ehlo = tls_context(tmp_path), "250 mx.test"
    assert (await world.engine().verify("jane@tls.test")).result == "deliverable"
    assert len(server.sessions) == 1


@in_world
async def test_broken_tls_falls_back_to_plain(world: World) -> None:
    server = await world.server("tls.test", mailboxes={"jane@tls.test"}, ehlo="250-mx.test\r\n250 STARTTLS")
    assert (await world.engine().verify("jane@tls.test")).result == "deliverable"
    assert len(server.sessions) == 2 and server.most_open == 1


@in_world
async def test_helo_where_ehlo_is_refused(world: World) -> None:
    server = await world.server("old.test", mailboxes={"jane@old.test"}, ehlo="502 5.5.1 not implemented")
    assert (await world.engine().verify("jane@old.test")).result == "deliverable"
    assert server.lines[:2] == ["EHLO probe.test", "HELO probe.test"]


@in_world
async def test_greylisting_is_waited_for_within_the_budget(world: World) -> None:
    server = await world.server("grey.test", mailboxes={"jane@grey.test"}, rcpt=greylisting())
    one = await world.engine().verify("jane@grey.test", budget_seconds=90)
    assert (one.result, one.is_catch_all, len(server.sessions)) == ("deliverable", False, 2)


@in_world
async def test_a_long_greylisting_names_when_to_come_back(world: World) -> None:
    server = await world.server("grey.test", rcpt=lambda address: "450 4.2.0 Greylisted for 10 minutes")
    (checked,) = await world.engine().check(["jane@grey.test"])
    assert (checked.verification.reason, checked.retry_after, len(server.sessions)) == ("greylisted", 600, 1)


@in_world
async def test_smtputf8_is_asked_for_where_needed(world: World) -> None:
    able = await world.server("able.test", mailboxes={"jürgen@able.test"}, ehlo="250-mx.test\r\n250 SMTPUTF8")
    unable = await world.server("unable.test", catch_all=True)
    engine = world.engine()
    assert (await engine.verify("jürgen@able.test")).result == "deliverable"
    assert "MAIL FROM:<> SMTPUTF8" in able.lines
    one = await engine.verify("jürgen@unable.test")
    assert (one.result, one.reason) == ("undeliverable", "smtputf8_unsupported")
    assert not unable.recipients()


@in_world
async def test_the_next_mx_is_asked_where_the_first_is_down(world: World) -> None:
    server = await world.server("two.test", mailboxes={"jane@two.test"})
    world.dns.records["two.test", "MX"] = ["20 mx.two.test.", "5 gone.two.test.", "10 down.two.test."]
    world.dns.records["down.two.test", "A"] = ["127.0.0.99"]
    one = await world.engine().verify("jane@two.test")
    assert (one.result, one.mx_host, len(server.sessions)) == ("deliverable", "mx.two.test", 1)


@in_world
async def test_a_host_that_blocks_us_is_left_alone(world: World) -> None:
    server = await world.server("a.test", "b.test", banner="554 5.7.1 Your host is blocked")
    engine = world.engine()
    (first,) = await engine.check(["jane@a.test"])
    (second,) = await engine.check(["jane@b.test"])
    assert [one.verification.reason for one in (first, second)] == ["blocked", "blocked"]
    assert len(server.sessions) == 1 and first.retry_after and second.retry_after


@in_world
async def test_never_more_than_two_connections_to_a_host(world: World) -> None:
    domains = [f"d{n}.test" for n in range(8)]
    server = await world.server(*domains, catch_all=True, delay=0.02)
    engine = world.engine()
    results = await asyncio.gather(*(engine.verify(f"jane@{domain}", budget_seconds=90) for domain in domains))
    assert {one.reason for one in results} == {"catch_all"}
    assert server.most_open <= 2 and len(server.sessions) == 8


@in_world
async def test_private_addresses_are_refused_unless_allowed(world: World) -> None:
    server = await world.server("inside.test", catch_all=True)
    one = await world.engine(private=False).verify("jane@inside.test")
    assert (one.result, one.reason, server.sessions) == ("unknown", "private_network", [])


@in_world
async def test_hanging_up_after_a_recipient_still_leads_to_the_random_address(world: World) -> None:
    asked: list[str] = []

    def rcpt(address: str) -> str | None:
        asked.append(address)
        return None if len(asked) == 2 else ""

    server = await world.server("curt.test", mailboxes={"jane@curt.test"}, rcpt=rcpt)
    one = await world.engine().verify("jane@curt.test")
    assert (one.result, len(server.sessions)) == ("deliverable", 2)


@in_world
async def test_one_recipient_a_session_is_enough(world: World) -> None:
    count: dict[int, int] = {}

    def rcpt(address: str) -> str:
        session = len(server.sessions)
        count[session] = count.get(session, 0) + 1
        return "" if count[session] == 1 else "452 4.5.3 Too many recipients"

    server = await world.server("strict.test", mailboxes={"a@strict.test", "b@strict.test"}, rcpt=rcpt)
    results = await world.engine().verify_domain(["a@strict.test", "b@strict.test", "c@strict.test"])
    assert [one.result for one in results] == ["deliverable", "deliverable", "undeliverable"]


@in_world
async def test_a_bare_refusal_counts_where_the_server_takes_others(world: World) -> None:
    await world.server("terse.test", rcpt=lambda a: "250 ok" if a == "jane@terse.test" else "550 no")
    jane, john = await world.engine().verify_domain(["jane@terse.test", "john@terse.test"])
    assert (jane.result, john.result, john.reason) == ("deliverable", "undeliverable", "refused")


@in_world
async def test_a_server_with_only_an_ipv6_address_is_asked(world: World) -> None:
    server = SmtpServer(mailboxes={"jane@six.test"})
    world.port = await server.start("::1")
    world.servers.append(server)
    world.dns.records["six.test", "MX"] = ["10 mx.six.test."]
    world.dns.records["mx.six.test", "AAAA"] = ["::1"]
    one = await world.engine().verify("jane@six.test")
    assert (one.result, one.mx_host) == ("deliverable", "mx.six.test")
    assert server.sessions[0][-1] == "QUIT"
    refused = await world.engine(private=False).verify("john@six.test")
    assert (refused.result, refused.reason) == ("unknown", "private_network")


@in_world
async def test_ipv6_is_asked_where_ipv4_is_down(world: World) -> None:
    server = SmtpServer(mailboxes={"jane@both.test"})
    world.port = await server.start("::1")
    world.servers.append(server)
    world.dns.add("both.test", "127.0.0.99")
    world.dns.records["mx.both.test", "AAAA"] = ["::1"]
    assert (await world.engine().verify("jane@both.test")).result == "deliverable"
