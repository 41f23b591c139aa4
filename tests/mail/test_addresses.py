"""A table of addresses: what each is, and what is said of it."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import World, world

from addtocrm.mail.model import Verification
from addtocrm.mail.syntax import parse
from addtocrm.mail.typos import did_you_mean

MAILBOXES = ["jane", "john.doe", "o'brien", "a+b", "info", "sales", "jane_doe", "1234", "x"]
PEOPLE = ("jane", "john.doe", "o'brien", "a+b", "jane_doe", "1234", "x")
DELIVERABLE = [f"{name}@acme.test" for name in PEOPLE] + [
    "Jane@ACME.test",
    " jane@acme.test ",
    "jane@Acme.Test\n",
    "jane@münchen.test",
    "jane@MÜNCHEN.test",
    "jane@xn--mnchen-3ya.test",
    "jane@implicit.test",
    "jane@sub.acme.test",
]
NO_SUCH_USER = [
    f"{name}@acme.test"
    for name in ("nobody", "jane.doe", "john", "j", "obrien", "a", "b+c", "jane-doe", "0", "ja.ne", "a_b", "{x}", "#1")
] + ["nobody@münchen.test", "nobody@implicit.test", "billing@acme.test", "hr@acme.test"]
INVALID = [
    *("", " ", "@", "jane", "jane@", "@acme.test", "jane@@acme.test", "jane@acme", "jane@localhost", "jane@test"),
    *("jane doe@acme.test", "jane@acme .test", "jane..doe@acme.test", ".jane@acme.test", "jane.@acme.test"),
    *("jane@.acme.test", "jane@acme..test", "jane@acme.test.", "jane@-acme.test", "jane@acme-.test", "jane@acme.123"),
    *("jane@[127.0.0.1]", "jane@[IPv6:::1]", "jane@127.0.0.1", '"jane doe"@acme.test', "Jane <jane@acme.test>"),
    *(
        "<jane@acme.test>",
        "mailto:jane@acme.test@x",
        "jane@acme.test,john@acme.test",
        "jane@acme.test;x",
        "jane(c)@acme.test",
    ),
    *(
        "jane\u200b@acme.test",
        "jane@ac\u200bme.test",
        "jane\x00@acme.test",
        "ja\nne@acme.test",
        "jane\r\nRCPT@acme.test",
    ),
    *("jane@acme_co.test", "jane@acme!.test", "jane@a" + "c" * 63 + ".test", "j" * 65 + "@acme.test"),
    *(
        "jane@" + "a." * 125 + "test",
        "jane@xn--a.test",
        "jane@acme.invalid",
        "jane@acme.local",
        "jane\\@acme.test",
        "ja<ne@acme.test",
    ),
    *("jane@ａcme@.test", "jane@example.onion", "jane@acme.test\x7f", "[jane]@acme.test", "jane:x@acme.test"),
]
CATCH_ALL = [f"{name}@any.test" for name in ("jane", "nobody", "x.y", "a+b", "1", "z-z")]
FULL = [f"{name}@full.test" for name in ("jane", "john")]
ROLE = ["info@acme.test", "sales@acme.test", "Info@acme.test", "info@implicit.test"]
ROLES = (
    *("info", "Sales", "support+eu", "no-reply", "noreply", "postmaster", "webmaster", "hostmaster", "abuse", "hr"),
    *("customer.service", "help_desk", "jobs", "billing", "kontakt", "contacto", "datenschutz", "press"),
)
NO_ROLES = ("jane.sales", "information.jane", "salesman", "mr.info")
FREE = (
    "outlook.com",
    "web.de",
    "orange.fr",
    "mail.ru",
    "qq.com",
    "proton.me",
    "icloud.com",
    "libero.it",
    "tutanota.com",
)
DISPOSABLE = ["jane@mailinator.com", "x@sub.mailinator.com", "info@guerrillamail.com", "jane@yopmail.com"]
GONE = [
    f"jane@{domain}" for domain in ("gone.test", "a.gone.test", "nowhere.test", "gmial.com", "acme.con", "例子.test")
]
UNKNOWN = {
    "jane@grey.test": "greylisted",
    "jane@blocks.test": "blocked",
    "jane@broken.test": "dns_error",
    "jane@down.test": "connection_failed",
    "jane@garbage.test": "protocol_error",
    "jane@relay.test": "policy",
    "jane@busy.test": "temporary",
    "jane@gmail.com": "connection_failed",
    "jane@yahoo.com": "unverifiable_provider",
}

TABLE: list[tuple[str, str, str, dict[str, Any]]] = [
    *((text, "deliverable", "accepted", {"is_catch_all": False, "is_role": False}) for text in DELIVERABLE),
    *((text, "undeliverable", "no_such_user", {"is_catch_all": False, "score": 0}) for text in NO_SUCH_USER),
    *((text, "undeliverable", "invalid_syntax", {"domain": None, "score": 0}) for text in INVALID),
    *((text, "risky", "catch_all", {"is_catch_all": True}) for text in CATCH_ALL),
    *((text, "risky", "mailbox_full", {"is_mailbox_full": True}) for text in FULL),
    *((text, "risky", "role", {"is_role": True, "is_catch_all": False}) for text in ROLE),
    *((text, "risky", "disposable", {"is_disposable": True}) for text in DISPOSABLE),
    *((text, "undeliverable", "domain_not_found", {"mx_host": None}) for text in GONE),
    *((text, "unknown", reason, {}) for text, reason in UNKNOWN.items()),
    *((f"{role}@any.test", "risky", "catch_all", {"is_role": True, "score": 40}) for role in ROLES),
    *((f"{name}@any.test", "risky", "catch_all", {"is_role": False, "score": 50}) for name in NO_ROLES),
    *((f"jane@{free}", "undeliverable", "domain_not_found", {"is_free": True, "did_you_mean": None}) for free in FREE),
    ("jane@null.test", "undeliverable", "null_mx", {}),
    ("jane@bare.test", "undeliverable", "no_mail_server", {}),
    ("jane@closed.test", "undeliverable", "mailbox_disabled", {}),
    ("jürgen@acme.test", "undeliverable", "smtputf8_unsupported", {}),
    ("jürgen@utf8.test", "deliverable", "accepted", {"email": "jürgen@utf8.test"}),
    ("用户@utf8.test", "undeliverable", "no_such_user", {}),
    (
        "jane@xn--mnchen-3ya.test",
        "deliverable",
        "accepted",
        {"email": "jane@münchen.test", "domain": "xn--mnchen-3ya.test"},
    ),
    ("JANE.X@ACME.test", "undeliverable", "no_such_user", {"email": "JANE.X@acme.test"}),
    ("jane@gmail.com", "unknown", "connection_failed", {"is_free": True, "mail_provider": "google"}),
    ("jane@gmx.de", "undeliverable", "domain_not_found", {"is_free": True, "did_you_mean": None}),
    ("jane@gmial.com", "undeliverable", "domain_not_found", {"did_you_mean": "jane@gmail.com", "is_free": False}),
    ("jane@hotmial.com", "undeliverable", "domain_not_found", {"did_you_mean": "jane@hotmail.com"}),
    ("jane@yaho.com", "undeliverable", "domain_not_found", {"did_you_mean": "jane@yahoo.com"}),
    ("jane@acme.con", "undeliverable", "domain_not_found", {"did_you_mean": "jane@acme.com"}),
    ("ja ne@gmial.com", "undeliverable", "invalid_syntax", {"did_you_mean": None}),
]


async def prepare(net: World) -> None:
    mailboxes = {f"{name}@{domain}" for name in MAILBOXES for domain in ("acme.test", "implicit.test", "sub.acme.test")}
    mailboxes |= {"Jane@acme.test", "Info@acme.test", "jane@xn--mnchen-3ya.test"}
    await net.server("acme.test", "sub.acme.test", "xn--mnchen-3ya.test", mailboxes=mailboxes)
    net.dns.records["implicit.test", "A"] = ["127.0.0.2"]
    await net.server("any.test", "mailinator.com", "sub.mailinator.com", "yopmail.com", catch_all=True)
    await net.server("full.test", rcpt=lambda a: "552 5.2.2 Mailbox full")
    await net.server("grey.test", rcpt=lambda a: "450 4.7.1 Greylisted for 900 seconds")
    await net.server("blocks.test", banner="554 5.7.1 Your IP is blocked")
    await net.server("garbage.test", banner=b"\x16\x03\x01\x02\r\n")
    await net.server("relay.test", rcpt=lambda a: "554 5.7.1 Relay access denied")
    await net.server("busy.test", mail=lambda line, secure: "451 4.3.2 Try later")
    await net.server("closed.test", rcpt=lambda a: "550 5.2.1 This account is disabled")
    await net.server("utf8.test", mailboxes={"jürgen@utf8.test"}, ehlo="250-mx.test\r\n250 SMTPUTF8")
    net.dns.add("down.test", "127.0.0.98")
    net.dns.add("guerrillamail.com", "127.0.0.98")
    net.dns.add("gmail.com", "127.0.0.98", mx="gmail-smtp-in.l.google.com")
    net.dns.add("yahoo.com", "127.0.0.3", mx="mta5.am0.yahoodns.net")
    net.dns.records["null.test", "MX"] = ["0 ."]
    net.dns.records["bare.test", "TXT"] = ['"x"']
    net.dns.faults["broken.test"] = "servfail"


@pytest.fixture(scope="module")
def verified() -> dict[str, Verification]:
    async def body() -> dict[str, Verification]:
        async with world() as net:
            await prepare(net)
            engine = net.engine()
            texts = list(dict.fromkeys(text for text, *_ in TABLE))
            results = await asyncio.gather(*(engine.verify(text, budget_seconds=200) for text in texts))
            assert not any("DATA" in line.upper() for server in net.servers for line in server.lines)
            assert max(server.most_open for server in net.servers) <= 2
            return dict(zip(texts, results, strict=True))

    return asyncio.run(body())


def test_the_table_is_large() -> None:
    assert len({text for text, *_ in TABLE}) >= 150


@pytest.mark.parametrize(("text", "result", "reason", "more"), TABLE)
def test_verdicts(verified: dict[str, Verification], text: str, result: str, reason: str, more: dict[str, Any]) -> None:
    one = verified[text]
    assert (one.result, one.reason) == (result, reason)
    assert {name: getattr(one, name) for name in more} == more


@pytest.mark.parametrize(
    "domain",
    [
        "gmail.com",
        "gmx.net",
        "aol.com",
        "acme.com",
        "acme.co",
        "acme.de",
        "acme.test",
        "mail.com",
        "email.com",
        "aon.com",
        "hey.com",
        "ya.ru",
    ],
)
def test_what_is_right_is_left_alone(domain: str) -> None:
    assert did_you_mean(domain) is None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        *(
            (typo, "gmail.com")
            for typo in ["gmial.com", "gamil.com", "gnail.com", "gmai.com", "gmal.com", "gmail.con", "gmail.cm"]
        ),
        *((typo, "hotmail.com") for typo in ["hotmial.com", "hotmal.com", "homail.com", "hotmail.cmo"]),
        *((typo, "yahoo.com") for typo in ["yaho.com", "yahooo.com", "yhaoo.com", "yahoo.cm"]),
        *((typo, "outlook.com") for typo in ["outlok.com", "outllok.com", "outlook.con"]),
        *(("acme.cmo", "acme.com"), ("acme.nte", "acme.net"), ("acme.ogr", "acme.org")),
    ],
)
def test_what_is_misspelt_is_seen(typed: str, meant: str) -> None:
    assert did_you_mean(typed) == meant


@given(st.text(max_size=80))
def test_any_text_is_an_address_or_none(text: str) -> None:
    address = parse(text)
    if address is not None:
        assert len(address.envelope.encode()) <= 254 and len(address.local.encode()) <= 64
        assert not set(address.envelope) & set(" \r\n<>\0") and address.domain.isascii()


@given(
    st.from_regex(
        r"[a-z0-9]([a-z0-9+_-]{0,20}[a-z0-9])?(\.[a-z0-9]{1,8}){0,2}@([a-z]{2,12}\.){1,3}(com|test)", fullmatch=True
    )
)
def test_plain_addresses_are_taken_as_they_are(text: str) -> None:
    address = parse(text)
    assert address is not None and address.email == text and parse(f" {text.upper()} ").domain == address.domain


@given(st.emails())
def test_parsing_what_was_parsed_changes_nothing(text: str) -> None:
    address = parse(text)
    if address is not None:
        assert parse(address.email) == address == parse(address.envelope)
