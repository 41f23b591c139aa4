"""Sessions and what is noted of them: their life, where they are, failed sign-ins, invitations."""

import re
from typing import Any

import pytest
from harness import Server, until
from signed import PASSWORD, Visitor, member

from addtocrm.dashboard.browsers import readable
from addtocrm.dashboard.pages.members import AUDIT_PAGE

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def email_of(account_id: str) -> str:
    return f"owner-{account_id[-12:]}@example.com"


def test_a_session_lives_on_with_use_but_not_for_ever(server: Server) -> None:
    account = server.account()
    member(server, account.id, "owner")
    visitor = Visitor(server)
    visitor.client.headers["user-agent"] = FIREFOX
    visitor.sign_in(email_of(account.id))
    assert "Firefox on Linux" in visitor.get("/security").text
    assert "addtocrm-session" not in visitor.get("/lists").headers.get("set-cookie", "")
    mine = "id in (select s.id from sessions s join members m on m.id = s.member_id where m.account_id = $1)"
    server.query(f"update sessions set seen_at = now() - interval '29 days' where {mine}", account.id)
    renewed = visitor.get("/lists").headers["set-cookie"]
    assert "addtocrm-session=" in renewed and "Max-Age=2592000" in renewed and "HttpOnly" in renewed
    server.query(f"update sessions set created_at = now() - interval '181 days' where {mine}", account.id)
    assert visitor.get("/lists").headers["location"].startswith("/dashboard/sign-in")
    visitor.sign_in(email_of(account.id))
    server.query(f"update sessions set seen_at = now() - interval '31 days' where {mine}", account.id)
    assert visitor.get("/lists").headers["location"].startswith("/dashboard/sign-in")


def test_signing_in_again_ends_the_session_before_and_others_can_be_ended(server: Server) -> None:
    account = server.account()
    visitor, elsewhere = Visitor(server), member(server, account.id, "owner")
    visitor.sign_in(email_of(account.id))
    before = visitor.client.cookies["addtocrm-session"]
    visitor.post("/sign-in", on="/lists", email=email_of(account.id), password=PASSWORD)
    stale = Visitor(server)
    stale.client.cookies.set("addtocrm-session", before, domain="127.0.0.1", path="/")
    assert stale.get("/lists").status_code == 303
    typed = {"csrf": elsewhere.csrf("/lists"), "name": "Fair", "description": "Met <there>", "password": PASSWORD}
    assert visitor.get("/lists").status_code == 200
    visitor.post("/security/sessions/end-others", on="/security")
    assert elsewhere.get("/lists").status_code == 303 and visitor.get("/lists").status_code == 200

    def sent_late(**headers: str) -> Any:
        return elsewhere.client.post("/dashboard/lists", data=typed, headers=headers)

    here = f"{server.url}/dashboard/lists/lst_1"
    late = sent_late(referer=here)
    assert (
        late.status_code == 401 and "You are signed out" in late.text and ">Met &lt;there&gt;</textarea>" in late.text
    )
    assert 'href="/dashboard/lists/lst_1">Sign in<' in late.text and PASSWORD not in late.text
    assert elsewhere.get("/lists/lst_1").headers["location"] == "/dashboard/sign-in?next=/dashboard/lists/lst_1"
    for foreign in ("https://elsewhere.example/dashboard/lists", f"{server.url}.elsewhere.example/dashboard/lists"):
        assert 'href="/dashboard">Sign in<' in sent_late(referer=foreign).text
    foreign = sent_late(origin="https://elsewhere.example")
    assert foreign.status_code == 403 and "Met" not in foreign.text
    elsewhere.sign_in(email_of(account.id))
    again = sent_late(referer=here)
    assert again.status_code == 403 and "Met &lt;there&gt;" in again.text
    assert 'href="/dashboard/lists/lst_1">Go back<' in again.text and "Fair" not in elsewhere.get("/lists").text


def test_the_audit_log_has_failed_sign_ins_and_goes_back_page_by_page(server: Server) -> None:
    account = server.account()
    owner = member(server, account.id, "owner")
    server.query(
        """insert into audit (id, account_id, actor, action, detail, address)
           select 'aud_' || lpad(to_hex(n), 32, '0'), $1, 'operator', 'crm.switched', '{}', 'entry ' || n || '.'
           from generate_series(1, $2) n""",
        account.id,
        AUDIT_PAGE,
    )
    Visitor(server, "198.51.100.77").sign_in(email_of(account.id), "not the password")
    Visitor(server).sign_in("nobody@example.com", "not the password")
    page = until(lambda: (text := owner.get("/members/audit").text).count("198.51.100.77") and text)
    assert "sign in: failed" in page and email_of(account.id) in page and "nobody@example.com" not in page
    assert f"entry {AUDIT_PAGE}." in page and "entry 1." not in page
    next = re.search(r'rel="next" href="/dashboard([^"]+)"', page)
    assert next and "entry 1." in owner.get(next[1]).text


def test_an_invitation_does_not_tell_who_has_an_account_elsewhere(server: Server) -> None:
    ours, theirs = server.account(), server.account()
    owner = member(server, ours.id, "owner")
    member(server, theirs.id, "owner")
    told: list[str] = []
    for email in (email_of(theirs.id), f"new-{ours.id[-12:]}@example.com"):
        answer = owner.post("/members/invite", on="/members", email=email, role="member")
        assert answer.status_code == 200
        told.append(
            re.sub(
                r"token=[\w-]+|[0-9a-f]{64,}|[0-9]{13}",
                "",
                answer.text[: answer.text.index("<table")].replace(email, ""),
            )
        )
    assert told[0] == told[1]
    assert owner.post("/members/invite", on="/members", email=email_of(ours.id), role="member").status_code == 400


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"),
        ("curl/8.5.0", "curl"),
        ("", "Unknown"),
    ],
)
def test_browsers_in_words(agent: str, words: str) -> None:
    assert readable(agent) == words
