"""The verdict as a function of the facts."""

from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from addtocrm.mail.model import Reason, Result
from addtocrm.mail.replies import Stage, classify
from addtocrm.mail.verdict import REFUSALS, Facts, Obstacle, Outcome, verdict

outcomes = st.sampled_from(get_args(Outcome))
facts = st.builds(
    Facts,
    obstacle=st.none() | st.sampled_from(get_args(Obstacle)),
    recipient=st.none() | outcomes,
    random=st.none() | outcomes,
    other_accepted=st.booleans(),
    is_disposable=st.booleans(),
    is_role=st.booleans(),
)

ABOUT_US = (
    "Service unavailable; Client host [{ip}] blocked using zen.spamhaus.org",
    "Your IP {ip} is on our block list (S3140)",
    "IP={ip} - None/bad reputation. Ask your postmaster for help (NOWL)",
    "Message rejected: {ip} is listed in a DNSBL",
    "Client host rejected: cannot find your reverse hostname, [{ip}]",
    "Sender address rejected: Domain not found",
    "Sender verify failed: no such user here",
    "SPF check failed for probe.test",
    "Access denied, banned sending IP [{ip}]",
    "Our system has detected that this message is likely unsolicited mail",
    "HELO command rejected: need fully-qualified hostname",
    "Mail from {ip} refused: no PTR record, user unknown",
    "Connections from dynamic IP addresses are not accepted",
    "Blacklisted",
    "Callout verification: mailbox does not exist",
)
ips = st.ip_addresses().map(str)
five = st.integers(500, 599)
enhanced = st.sampled_from(["", "5.1.1 ", "5.7.1 ", "5.0.0 ", "5.2.1 ", "5.1.10 ", "5.4.1 "])


@given(facts)
def test_deliverable_needs_an_accepted_recipient_and_a_refused_random_one(facts: Facts) -> None:
    judged = verdict(facts)
    if judged.result == "deliverable":
        assert facts.recipient == "accepted" and facts.random in REFUSALS
        assert not facts.is_disposable and not facts.is_role


@given(facts)
def test_every_verdict_is_of_the_closed_sets(facts: Facts) -> None:
    judged = verdict(facts)
    assert judged.result in get_args(Result) and judged.reason in get_args(Reason)
    assert 0 <= judged.score <= 100 and (judged.score == 0) == (judged.result == "undeliverable")


@given(facts)
def test_what_is_said_about_us_never_condemns_the_address(facts: Facts) -> None:
    if facts.recipient in ("blocked", "policy", "tls_required", "greylisted", "temporary", "protocol_error"):
        assert verdict(facts).result in ("unknown", "risky")


@given(st.sampled_from(get_args(Stage)), five, enhanced, st.sampled_from(ABOUT_US), ips, facts)
def test_a_5xx_about_us_never_becomes_undeliverable(
    stage: Stage, code: int, enhanced: str, text: str, ip: str, other: Facts
) -> None:
    reply = classify(stage, code, enhanced + text.format(ip=ip), "jane@acme.test")
    facts = Facts(
        recipient=reply.outcome,
        random=other.random,
        other_accepted=other.other_accepted,
        is_disposable=other.is_disposable,
        is_role=other.is_role,
    )
    assert verdict(facts).result in ("unknown", "risky")


@given(st.sampled_from(("connect", "helo", "starttls", "mail")), five, enhanced, st.text(max_size=60))
def test_no_refusal_before_a_recipient_condemns_it(stage: Stage, code: int, enhanced: str, text: str) -> None:
    reply = classify(stage, code, enhanced + text)
    assert reply.outcome in ("blocked", "policy", "tls_required")


@given(st.sampled_from(get_args(Stage)), st.integers(-1, 999), st.text(max_size=200))
def test_any_text_is_classified(stage: Stage, code: int, text: str) -> None:
    reply = classify(stage, code, text, "jane@acme.test")
    assert reply.outcome in get_args(Outcome) and 0 <= reply.wait <= 86_400
