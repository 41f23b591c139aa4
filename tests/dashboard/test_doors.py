"""Who may see a page and send a form: nobody without a session, no other site, no lower role, no other account."""

import itertools
import re
from typing import Any

import pytest
from harness import Server, until, with_pool
from signed import PASSWORD, Visitor, member, setup_link, token_of, until_refused

from addtocrm.dashboard.app import HANDLERS
from addtocrm.dashboard.limits import TRIES_A_MINUTE, TRIES_AN_HOUR
from addtocrm.tenants.members import service as members
from addtocrm.tenants.members.model import at_least
from addtocrm.tenants.sessions import service as sessions

PAGES = [
    (path, method, handler.opt) for handler in HANDLERS for path in handler.paths for method in handler.http_methods
]
CLOSED = [(path, method, opt) for path, method, opt in PAGES if not opt.get("open") and method in ("GET", "POST")]


LOOKED_AT = ("/members/audit", "/connection/test")
"""What changes nothing."""


def filled(path: str, id: str = "lst_0199d0c1b2a37c4d8e5f60718293a4b5") -> str:
    return re.sub(r"\{[^}]+\}", id, re.sub(r"\{\w+:int\}", "1", "" if path == "/" else path))


def test_nobody_sees_a_page_who_is_not_signed_in(server: Server) -> None:
    visitor = Visitor(server)
    csrf = visitor.csrf("/sign-in")
    for path, method, _ in CLOSED:
        answer = visitor.client.request(
            method, f"/dashboard{filled(path)}", data={"csrf": csrf} if method == "POST" else None
        )
        assert answer.status_code == 303 and answer.headers["location"].startswith("/dashboard/sign-in?next="), path


def test_a_form_that_is_not_ours_does_nothing(server: Server) -> None:
    owner = member(server, server.account().id, "owner")
    ours, another = owner.csrf("/lists"), Visitor(server).csrf("/sign-in")
    for path in sorted({path for path, method, _ in PAGES if method == "POST"}):
        for headers, form in (
            ({}, {}),
            ({}, {"csrf": "0" * 64}),
            ({}, {"csrf": another}),
            ({"origin": "https://elsewhere.example"}, {"csrf": ours}),
            ({"origin": "null"}, {"csrf": ours}),
        ):
            answer = owner.client.post(f"/dashboard{filled(path)}", data=form, headers=headers)
            assert answer.status_code == 403, (path, headers, form, answer.text)


@pytest.mark.parametrize("role", ["member", "admin"])
def test_each_role_does_what_it_may(server: Server, role: str) -> None:
    account = server.account()
    visitor = member(server, account.id, role)  # type: ignore[arg-type]
    csrf = visitor.csrf("/lists")
    for path, method, opt in CLOSED:
        wanted = opt.get("role", "member")
        refused = not at_least(role, wanted)  # type: ignore[arg-type]
        if method == "POST" and refused:
            answer = visitor.client.post(f"/dashboard{filled(path)}", data={"csrf": csrf})
            assert answer.status_code == 403 and wanted in answer.text, path
        if method == "GET":
            with visitor.client.stream("GET", f"/dashboard{filled(path)}") as answer:  # A live one has no end.
                status = answer.status_code
            assert (status == 403) == refused, path
    owner = member(server, account.id, "owner")
    ids = re.findall(r"/members/(usr_\w+)/role", owner.get("/members").text)
    for id in ids:
        answer = visitor.post(f"/members/{id}/role", on="/lists", role="owner")
        assert answer.status_code == 403, (role, id)
    answer = visitor.post("/members/invite", on="/lists", email="new@example.com", role="owner")
    assert answer.status_code == 403


def test_another_account_has_nothing_of_ours(server: Server) -> None:
    ours, theirs = server.account(), server.account()
    ours.connect_builtin()
    theirs.connect_builtin()
    list_id = ours.client.post("/v1/lists", json={"name": "Ours"}).json()["data"]["id"]
    person = {"full_name": "Jane Doe", "email": "jane.doe@acme.example.com"}
    added = ours.client.post(f"/v1/lists/{list_id}/members", json={"people": [person]}).json()["data"]
    contact = ours.client.post("/v1/crm/contacts", json={"person": person}).json()["data"]["contact_id"]
    company = ours.client.post("/v1/crm/companies", json={"company": {"name": "Ours"}}).json()["data"]["company_id"]
    job = ours.client.post("/v1/batch/emails-verify", json={"items": ["no address"]}).json()["data"]["id"]
    owner, stranger = member(server, ours.id, "owner"), member(server, theirs.id, "owner")
    asked = ours.client.get("/v1/usage").headers["x-request-id"]
    until(lambda: server.query("select from requests where id = $1::text::uuid", asked))
    of_job = [f"/jobs/{job}{more}" for more in ("", "/1", "/live", "/results.csv", "/cancel")]
    of_key = [f"/requests/{asked}", f"/keys/{ours.key_id}/revoke"]
    connection = with_pool(
        server.database_url,
        lambda pool: pool.fetchval("select id from crm_connections where account_id = $1", ours.id),
    )
    looked_at = (
        f"/lists/{list_id}",
        f"/lists/{list_id}/export.csv",
        f"/contacts/{contact}",
        f"/companies/{company}",
        f"/connection/switch/{connection}",
        f"/connection/disconnect/{connection}",
        *of_job,
        *of_key,
    )
    for path in looked_at:
        assert owner.get(path).status_code == 200, path
        assert stranger.get(path).status_code == 404, path
    member_id = re.findall(r"/members/(usr_\w+)/role", owner.get("/members").text)[0]
    sessions = "select s.id from sessions s join members m on m.id = s.member_id where m.account_id = $1"
    session = with_pool(server.database_url, lambda pool: pool.fetchval(sessions, ours.id))
    invited = owner.post("/members/invite", on="/members", email=f"new-{ours.id[-12:]}@example.com", role="member")
    invitation = re.findall(r"/members/invitations/(\w+)/withdraw", invited.text)[0]
    passkey = "insert into passkeys values ($1, $2, 'Laptop', convert_to($1, 'UTF8'), '', 0) returning id"
    server.query(passkey, f"psk_{ours.id}", member_id)
    tried: tuple[tuple[str, dict[str, str]], ...] = (
        (f"/lists/{list_id}", {"name": "Theirs"}),
        (f"/lists/{list_id}/delete", {}),
        (f"/lists/{list_id}/members/{added['members'][0]['id']}/remove", {}),
        (f"/lists/{list_id}/members/{added['members'][0]['id']}/note", {"note": "Theirs"}),
        (f"/lists/{list_id}/push", {"expected_crm": "builtin"}),
        (f"/contacts/{contact}", {"full_name": "Theirs"}),
        (f"/contacts/{contact}/notes", {"note": "Theirs"}),
        (f"/companies/{company}", {"name": "Theirs"}),
        (f"/jobs/{job}/cancel", {}),
        (f"/jobs/{job}/start", {}),
        (f"/jobs/{job}/preview", {}),
        (f"/jobs/{job}/write", {"expected_crm": "builtin"}),
        (f"/jobs/{job}/save", {"list": list_id}),
        (f"/keys/{ours.key_id}/revoke", {}),
        (f"/members/{member_id}/role", {"role": "member"}),
        (f"/members/{member_id}/remove", {}),
        (f"/members/{member_id}/reset", {}),
        (f"/security/sessions/{session}/end", {}),
        (f"/lists/{list_id}/import", {}),
        (f"/members/invitations/{invitation}/withdraw", {}),
        (f"/security/passkeys/psk_{ours.id}/remove", {}),
    )
    for path, form in tried:
        assert stranger.post(path, on="/lists", **form).status_code == 404, path
    done = {"GET": looked_at, "POST": [path for path, _ in tried]}
    for path, method, opt in CLOSED:
        if "{id" in path and not opt.get("operator"):
            pattern = re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path))
            assert any(pattern.fullmatch(one) for one in done[method]), (method, path)
    assert ours.client.get(f"/v1/lists/{list_id}").json()["data"]["name"] == "Ours"
    assert ours.client.get("/v1/usage").status_code == 200


def test_each_page_with_nothing_on_it_says_what_to_do(server: Server) -> None:
    """By a link, where it is not on the page itself."""
    account = server.account()
    owner = member(server, account.id, "owner")
    said: dict[str, str] = {}
    for path, method, opt in CLOSED:
        if method == "GET" and not opt.get("operator") and "{" not in path and not path.endswith("/live"):
            text = owner.get("" if path == "/" else path).text
            for title, body in re.findall(r'<div class="empty"><h2>([^<]+)</h2>(.*?)</div>', text, re.DOTALL):
                assert "<a " in body or path in ("/connection", "/lists", "/search"), (path, title)
                said[path] = title
    assert said.keys() >= {"/search", "/jobs", "/lists", "/contacts", "/requests", "/usage"}, said


def test_a_lock_out_does_not_tell_who_there_is(server: Server) -> None:
    account = server.account()
    member(server, account.id, "owner")
    known = f"owner-{account.id[-12:]}@example.com"
    said: list[list[str]] = []
    for email in (known, f"nobody-{account.id[-12:]}@example.com"):
        visitor = Visitor(server)
        answers = until_refused(lambda: visitor.sign_in(email, "not the password"), TRIES_AN_HOUR)
        assert {answer.status_code for answer in answers[:-1]} == {401} and len(answers) > TRIES_A_MINUTE
        changing = rf"{email}|Try again in .+\.|[0-9a-f]{{80}}|[0-9a-f-]{{36}}"
        said.append([re.sub(changing, "", answer.text) for answer in (answers[0], answers[-1])])
    assert said[0] == said[1]


@pytest.mark.parametrize(
    "next",
    ["https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example", "/v1/usage", "/dashboard/../v1/usage"],
)
def test_a_sign_in_leads_nowhere_else(server: Server, next: str) -> None:
    account = server.account()
    member(server, account.id, "owner")
    answer = Visitor(server).post(
        "/sign-in", email=f"owner-{account.id[-12:]}@example.com", password=PASSWORD, next=next
    )
    assert answer.status_code == 303 and answer.headers["location"] == "/dashboard"


def test_what_matters_asks_again_after_an_hour(server: Server) -> None:
    account = server.account()
    owner = member(server, account.id, "owner")
    assert owner.get("/keys/new").status_code == 200
    with_pool(
        server.database_url,
        lambda pool: pool.execute("update sessions set confirmed_at = now() - interval '61 minutes'"),
    )
    assert owner.get("/keys/new").headers["location"] == "/dashboard/confirm?next=/dashboard/keys/new"
    csrf = owner.csrf("/lists")
    for path, method, _ in CLOSED:
        if path.startswith(("/keys/", "/members/", "/connection/")) and path not in LOOKED_AT:
            answer = owner.client.request(
                method, f"/dashboard{filled(path)}", data={"csrf": csrf} if method == "POST" else None
            )
            assert answer.status_code == 303, (method, path)
            assert answer.headers["location"].startswith("/dashboard/confirm"), (method, path)
    assert owner.post("/keys/new", on="/lists", scopes="read").headers["location"].startswith("/dashboard/confirm")
    assert owner.post("/confirm", password="not the password", next="/dashboard/keys/new").status_code == 401
    answer = owner.post("/confirm", password=PASSWORD, next="/dashboard/keys/new")
    assert answer.headers["location"] == "/dashboard/keys/new" and owner.get("/keys/new").status_code == 200


def test_links_work_once(server: Server) -> None:
    account = server.account()
    owner = member(server, account.id, "owner")
    page = owner.post("/members/invite", on="/members", email=f"new-{account.id[-12:]}@example.com", role="member").text
    link = re.findall(r"<code>(http[^<]+)</code>", page)[0].replace("&amp;", "&")
    invited = Visitor(server)
    assert "token" not in invited.follow(link).headers["location"]
    assert invited.post("/join", password="short").status_code == 400
    assert invited.post("/join", password=PASSWORD).status_code == 303
    assert invited.get("/lists").status_code == 200 and invited.get("/keys/new").status_code == 403
    late = Visitor(server)
    late.follow(link)
    assert late.get("/join").status_code == 400
    page = owner.get("/members").text
    id = re.findall(r"/members/(usr_[a-z0-9]+)/remove", page[page.index("new-") :])[0]
    assert owner.post(f"/members/{id}/remove", on="/lists").status_code == 303
    assert invited.get("/lists").status_code == 303


def test_the_first_owner(new_server: Any) -> None:
    server = new_server()
    link, later = setup_link(server), Visitor(server)
    first = Visitor(server)
    first.follow(link)
    assert first.post("/setup", email="no address", password=PASSWORD).status_code == 400
    assert first.post("/setup", email="first@example.com", password=PASSWORD).status_code == 303
    assert "owner of" in first.get("").text
    for one in (link, setup_link(server)):  # One that was used, and one when there is an owner.
        later.follow(one)
        assert later.get("/setup").status_code == 400
    assert Visitor(server).sign_in("first@example.com").status_code == 303


def test_a_mail_goes_to_the_member_and_to_no_look_alike(server: Server) -> None:
    account = server.account()
    email = f"kim-{account.id[-12:]}@example.com"

    async def add(pool: Any) -> None:
        async with pool.acquire() as connection:
            await members.add(connection, account.id, email, "member")

    with_pool(server.database_url, add)
    for typed in (email.replace("k", "\u212a"), email.upper()):
        assert Visitor(server).post("/forgot", email=typed).status_code == 200
    until(lambda: f'"to":"{email}"' in server.log.read_text())
    assert "\u212a" not in server.log.read_text() and "\\u212a" not in server.log.read_text()
    assert Visitor(server).client.get("/dashboard/link?for=reset&token=%F0%9F%98%80").status_code == 400


def test_what_is_refused_costs_nothing(server: Server) -> None:
    account = server.account()
    server.add_people(f"costs-{server.port}-example")
    owner = member(server, account.id, "owner")
    assert owner.post("/enrich", lines="Madonna").status_code == 400
    assert owner.post("/search", on="/search", seniority="emperor").status_code == 400
    assert account.usage()["credits"]["used"] == 0


def test_invitations_of_one_account_are_its_own_and_end_with_who_may_make_them(server: Server) -> None:
    ours, theirs = server.account(), server.account()
    owner, stranger = member(server, ours.id, "owner"), member(server, theirs.id, "owner")
    email = f"asked-{ours.id[-12:]}@example.com"
    links: list[str] = []
    for one in (owner, stranger):
        page = one.post("/members/invite", on="/members", email=email, role="member").text
        links.append(re.findall(r"<code>(http[^<]+)</code>", page)[0].replace("&amp;", "&"))
    invited = Visitor(server)
    invited.follow(links[0])
    assert invited.get("/join").status_code == 200
    member(server, ours.id, "admin")
    page = owner.get("/members").text
    admin = re.findall(r"/members/(usr_[a-z0-9]+)/remove", page[page.index("admin-") :])[0]
    owner.post(f"/members/{admin}/remove", on="/lists")
    assert invited.get("/join").status_code == 400


def test_a_forgotten_password_is_set_by_a_link_and_ends_every_session(server: Server) -> None:
    account = server.account()
    owner = member(server, account.id, "owner")
    email = f"owner-{account.id[-12:]}@example.com"
    answers = [Visitor(server).post("/forgot", email=one) for one in (email, "nobody@example.com")]
    assert [answer.status_code for answer in answers] == [200, 200]
    mailed = re.compile(rf'"to":"{email}".*({server.url}/dashboard/link\?for=reset&token=[\w-]+)')
    link = until(lambda: mailed.search(server.log.read_text()))[1]
    again = Visitor(server)
    again.follow(link)
    assert again.post("/reset", password="another password").status_code == 303
    assert owner.get("/lists").status_code == 303
    assert Visitor(server).sign_in(email).status_code == 401
    assert Visitor(server).sign_in(email, "another password").status_code == 303


def test_headers_of_every_page(server: Server) -> None:
    account = server.account()
    owner = member(server, account.id, "owner")
    for visitor, path in ((Visitor(server), "/sign-in"), (owner, ""), (owner, "/nowhere")):
        answer = visitor.get(path)
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert answer.headers["cache-control"] == "no-store" and answer.headers["x-content-type-options"] == "nosniff"
        assert "<style" not in answer.text and "style=" not in answer.text and "onclick" not in answer.text


def test_the_cookie_is_the_hosts_where_it_is_reached_by_https(new_server: Any) -> None:
    server = new_server(start=False, ADDTOCRM_PUBLIC_URL="https://crm.example.com")
    local, server.url = server.url, "https://crm.example.com"
    server.start().url = local
    answer = Visitor(server).get("/sign-in")
    cookie = answer.headers["set-cookie"]
    assert (
        cookie.startswith("__Host-addtocrm-form=")
        and "Secure" in cookie
        and "HttpOnly" in cookie
        and "Path=/" in cookie
    )
    assert server.client().get("/").headers["location"] == "/dashboard"


def test_a_try_counts_however_the_address_is_written(server: Server) -> None:
    """Also with what no domain keeps of it, such as soft hyphens, and from each address of a network of IPv6."""
    name = server.account().id[-12:]
    for place, spelled in (
        ("198.51.100.{n}", f"nobody-{name}@exa{{hyphens}}mple.com"),
        ("2001:db8:0:{n}::1", f"mailto:nobody-{name}@exam{{hyphens}}ple.com."),
        ("2001:db8::{n}", f"nobody-{{n}}-{name}@example.com"),
    ):
        numbers = itertools.count(1)

        def attempt() -> Any:
            n = next(numbers)
            email = spelled.format(n=n, hyphens="\u00ad" * n)
            return Visitor(server, place.format(n=n)).sign_in(email, "not the password")

        *before, _ = until_refused(attempt, TRIES_AN_HOUR)
        assert {answer.status_code for answer in before} <= {401}


def test_a_new_password_signs_out_everywhere_at_once(server: Server) -> None:
    account = server.account()
    token = token_of(server, account.id, "owner")

    async def change(pool: Any) -> bool:
        found, _ = await sessions.find(pool, token)
        assert found
        await members.set_password(pool, found.member_id, "another long password")
        return (await sessions.find(pool, token))[0] is None

    assert with_pool(server.database_url, change)
