"""What well-known replies to RCPT TO mean."""

import pytest

from addtocrm.mail.replies import classify

REPLIES = [
    (250, "2.1.5 OK", "accepted"),
    (251, "User not local; will forward", "accepted"),
    (550, "5.1.1 <jane@acme.test>: Recipient address rejected: User unknown in local recipient table", "no_such_user"),
    (
        550,
        "5.1.1 The email account that you tried to reach does not exist. Please try double-checking the "
        "recipient's email address for typos or unnecessary spaces. https://support.google.com/mail/?p=NoSuchUser",
        "no_such_user",
    ),
    (550, "5.5.0 Requested action not taken: mailbox unavailable (S2017062302).", "no_such_user"),
    (550, "5.4.1 Recipient address rejected: Access denied. [XX.prod.protection.outlook.com]", "no_such_user"),
    (550, "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup", "no_such_user"),
    (550, "#5.1.0 Address rejected.", "no_such_user"),
    (550, "Invalid Recipient", "no_such_user"),
    (550, "sorry, no mailbox here by that name (#5.1.1 - chkuser)", "no_such_user"),
    (550, "No Such User Here", "no_such_user"),
    (550, "Unrouteable address", "no_such_user"),
    (553, "5.3.0 <jane@acme.test>... User unknown", "no_such_user"),
    (554, "delivery error: dd This user doesn't have an acme.test account (jane@acme.test)", "no_such_user"),
    (550, "5.1.1 unknown or illegal alias: jane@acme.test", "no_such_user"),
    (550, "Empfänger unbekannt", "no_such_user"),
    (550, "<spam@acme.test>: no such user", "no_such_user"),
    (550, "5.2.1 The email account that you tried to reach is disabled.", "mailbox_disabled"),
    (550, "This account has been suspended", "mailbox_disabled"),
    (554, "30 Sorry, this mailbox is disabled", "mailbox_disabled"),
    (452, "4.2.2 The email account that you tried to reach is over quota.", "mailbox_full"),
    (552, "5.2.2 <jane@acme.test>: user is over quota", "mailbox_full"),
    (552, "Mailbox full", "mailbox_full"),
    (554, "5.2.2 mailbox exceeds its size", "mailbox_full"),
    (450, "4.7.1 <jane@acme.test>: Recipient address rejected: Greylisted for 300 seconds", "greylisted"),
    (451, "4.7.1 Greylisting in action, please come back in 00:05:00", "greylisted"),
    (450, "4.2.0 <jane@acme.test>: Recipient address rejected: Greylisted, see http://postgrey.test/x", "greylisted"),
    (451, "Please try again in 5 minutes", "greylisted"),
    (450, "4.2.1 The user you are trying to contact is receiving mail at a rate that is too high", "temporary"),
    (450, "4.1.1 <jane@acme.test>: Recipient address rejected: unverified address", "temporary"),
    (452, "4.3.1 Insufficient system storage", "temporary"),
    (452, "4.5.3 Too many recipients", "temporary"),
    (451, "4.7.500 Server busy. Please try again later", "temporary"),
    (421, "4.7.0 Try again later, closing connection.", "temporary"),
    (550, "5.7.1 Unfortunately, messages from [192.0.2.9] weren't sent. Please contact your ISP (S3140).", "blocked"),
    (550, "5.7.606 Access denied, banned sending IP [192.0.2.9]", "blocked"),
    (554, "5.7.1 Service unavailable; Client host [192.0.2.9] blocked using zen.spamhaus.org", "blocked"),
    (554, "IP=192.0.2.9 - None/bad reputation. (NOWL)", "blocked"),
    (421, "4.7.0 [TSS04] Messages from 192.0.2.9 temporarily deferred due to user complaints", "blocked"),
    (450, "4.7.25 Client host rejected: cannot find your reverse hostname", "blocked"),
    (550, "5.7.26 Unauthenticated email from probe.test is not accepted due to domain's DMARC policy", "blocked"),
    (554, "Blocked - see https://ipcheck.test/?ip=192.0.2.9", "blocked"),
    (550, "5.7.1 Sender verify failed: no such user here", "blocked"),
    (554, "5.7.1 <jane@acme.test>: Relay access denied", "policy"),
    (550, "5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required", "policy"),
    (550, "5.7.1 Administrative prohibition", "policy"),
    (553, "sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", "policy"),
    (530, "5.7.0 Must issue a STARTTLS command first", "tls_required"),
    (454, "4.7.0 TLS is required", "tls_required"),
    (550, "no", "refused"),
    (503, "5.5.1 RCPT before MAIL", "protocol_error"),
    (354, "go on", "protocol_error"),
]


@pytest.mark.parametrize(("code", "text", "outcome"), REPLIES)
def test_replies(code: int, text: str, outcome: str) -> None:
    assert classify("rcpt", code, text, "jane@acme.test").outcome == outcome


def test_the_address_does_not_speak_for_itself() -> None:
    text = "5.1.1 <blocked.sender@spamhaus.test>: User unknown"
    assert classify("rcpt", 550, text, "blocked.sender@spamhaus.test").outcome == "no_such_user"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Greylisted for 300 seconds", 300),
        ("greylisting: retry in 5 minutes", 300),
        ("Greylisted, come back in 00:10:30", 630),
        ("greylisted, try again after 1 hour", 3600),
        ("greylisted", 0),
        ("greylisted, retry in 99999999999 seconds", 86_400),
    ],
)
def test_the_wait_that_is_asked_for(text: str, seconds: int) -> None:
    assert classify("rcpt", 450, text).wait == seconds


def test_enhanced_codes_of_another_class_are_ignored() -> None:
    assert classify("rcpt", 550, "4.2.2 nobody").enhanced_code is None
