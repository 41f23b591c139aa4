"""The second step of signing in: codes of an authenticator app, recovery codes, passkeys."""

import base64
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from browser import Watched, chromium
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from harness import Server, cli, until, with_pool
from playwright.sync_api import CDPSession, expect
from signed import PASSWORD, Visitor, member, until_refused

from addtocrm.dashboard.limits import CODES_AN_HOUR, TRIES_A_MINUTE, TRIES_AN_HOUR
from addtocrm.tenants.factors import service as factors

OF_ACCOUNT = "member_id in (select id from members where account_id = $1)"


def code(secret: str, off: int = 0, at: float | None = None) -> str:
    """What an app shows (now, or at a time), whose clock is `off` steps wrong."""
    totp = TOTP(base64.b32decode(secret.replace(" ", "")), 6, SHA1(), 30)
    return totp.generate(int(at or time.time()) + 30 * off).decode()


def execute(server: Server, sql: str, *values: Any) -> None:
    """Changes the database, also where a browser has the thread's loop."""
    with ThreadPoolExecutor(1) as beside:
        beside.submit(server.query, sql, *values).result()


def forget_steps(server: Server) -> None:
    """As if the codes so far had been taken long ago."""
    execute(server, "update authenticator_apps set last_step = 0")


def at_one_step(send: Callable[[float], httpx.Response]) -> tuple[float, httpx.Response]:
    """The answer to what is sent with a time of now, and that time; anew where it was refused in a later step."""
    while True:
        now = time.time()
        answer = send(now)
        if answer.status_code == 303 or time.time() // 30 == now // 30:
            return now, answer


def email_of(account: Any, role: str = "owner") -> str:
    return f"{role}-{account.id[-12:]}@example.com"


def shown(page: str) -> list[str]:
    """The texts with a button to copy them."""
    return re.findall(r"<pre[^>]*><code>([^<]+)</code>", page)


def with_app(server: Server, visitor: Visitor, at: float | None = None) -> tuple[str, list[str]]:
    """Sets an authenticator app up, with the code of now or of a time, written as apps show it; gives its secret and
    the recovery codes."""
    page = visitor.post("/security/app", on="/security").text
    secret = shown(page)[0]
    assert "<svg" in page and "qrline" in page
    typed = code(secret, at=at)
    answer = visitor.post("/security/app/confirm", on="/security", code=f"{typed[:3]} {typed[3:]}")
    codes = shown(answer.text)[0].split("\n")
    assert answer.status_code == 200 and len(set(codes)) == 10
    return secret, codes


def half_in(server: Server, email: str, password: str = PASSWORD) -> Visitor:
    """Somebody who gave the password, and has the second step before them."""
    visitor = Visitor(server)
    answer = visitor.sign_in(email, password)
    assert answer.status_code == 303 and answer.headers["location"].startswith("/dashboard/sign-in/second")
    return visitor


def second(visitor: Visitor, code: str, **more: str) -> int:
    return visitor.post("/sign-in/second", code=code, **more).status_code


def is_in(visitor: Visitor) -> bool:
    return visitor.get("/lists").status_code == 200


def test_codes_of_an_app(server: Server) -> None:
    account = server.account()
    owner = member(server, account.id, "owner")
    secret = shown(owner.post("/security/app", on="/security").text)[0]
    near = {code(secret, off) for off in range(-2, 4)}
    none = next(one for one in (f"{number:06}" for number in range(10)) if one not in near)
    wrong = owner.post("/security/app/confirm", on="/security", code=none)
    assert wrong.status_code == 401 and shown(wrong.text)[0] == secret
    set_up = time.time()
    secret, codes = with_app(server, owner, set_up)
    (stored,) = server.query(f"select secret from authenticator_apps where {OF_ACCOUNT}", account.id)
    assert secret.replace(" ", "").encode() not in stored["secret"] and len(stored["secret"]) > 40
    assert len(server.query(f"select from recovery_codes where {OF_ACCOUNT}", account.id)) == 10

    # The code that set it up was used; half-signed in, nothing else is open.
    visitor = half_in(server, email_of(account))
    assert second(visitor, code(secret, at=set_up)) == 401 and not is_in(visitor)
    for path in ("", "/security", "/keys/new", "/confirm"):
        assert visitor.get(path).headers["location"].startswith("/dashboard/sign-in"), path
    assert visitor.post("/security/app/remove", on="/sign-in").headers["location"].startswith("/dashboard/sign-in")

    # A clock may be a step wrong, not two; each step counts once, on every worker, and none before it any more.
    forget_steps(server)
    assert second(visitor, code(secret, -2)) == 401 and second(visitor, code(secret, 3)) == 401
    now, answer = at_one_step(
        lambda now: visitor.post("/sign-in/second", code=code(secret, -1, now), next="/dashboard/lists")
    )
    assert answer.headers["location"] == "/dashboard/lists" and is_in(visitor)
    assert "half" not in visitor.client.cookies
    visitor = half_in(server, email_of(account))
    assert second(visitor, code(secret, 1, now)) == 303 and is_in(visitor)
    for off in (1, 0, -1):
        assert second(half_in(server, email_of(account)), code(secret, off, now)) == 401

    # A recovery code works once; new ones end those before.
    visitor = half_in(server, email_of(account))
    assert second(visitor, codes[0].upper()) == 303 and is_in(visitor)


def test_recovery_codes_and_what_ends_them(server: Server) -> None:
    account = server.account()
    owner = member(server, account.id, "owner")
    secret, codes = with_app(server, owner)
    assert second(half_in(server, email_of(account)), codes[0].replace("-", " ")) == 303
    assert second(half_in(server, email_of(account)), codes[0]) == 401
    assert "9 codes left" in owner.get("/security").text
    asks = owner.post("/security/codes", on="/security", sure="yes")
    new = shown(asks.text)[0].split("\n")
    assert second(half_in(server, email_of(account)), codes[1]) == 401
    assert second(half_in(server, email_of(account)), new[1]) == 303

    # Half a session ends with its time, and with a new password.
    late, waiting = half_in(server, email_of(account)), half_in(server, email_of(account))
    token = late.client.cookies["addtocrm-half"].encode()
    execute(server, "update half_sessions set expires_at = now() where hash = sha256($1)", token)
    assert late.get("/sign-in/second").headers["location"] == "/dashboard/sign-in"
    assert waiting.get("/sign-in/second").status_code == 200
    owner.post("/security/password", password="another password")
    assert waiting.get("/sign-in/second").status_code == 303

    # A link for a new password leads to the second step, too, and so does proving it again.
    Visitor(server).post("/forgot", email=email_of(account))
    mailed = re.compile(rf'"to":"{email_of(account)}".*({server.url}/dashboard/link\?for=reset&token=[\w-]+)')
    link = until(lambda: mailed.search(server.log.read_text()))[1]
    again = Visitor(server)
    again.follow(link)
    answer = again.post("/reset", password="a third password")
    assert answer.headers["location"].startswith("/dashboard/sign-in/second") and not is_in(again)
    assert second(again, new[2]) == 303 and is_in(again)
    execute(server, "update sessions set confirmed_at = now() - interval '2 hours'")
    assert again.post("/confirm", password="a third password").status_code == 401
    assert again.post("/confirm", password="a third password", code=codes[3]).status_code == 401
    assert again.get("/keys/new").status_code == 303
    forget_steps(server)
    assert again.post("/confirm", password="a third password", code=code(secret)).status_code == 303
    assert again.get("/keys/new").status_code == 200

    # Off: the password is enough, and the recovery codes are gone.
    assert again.post("/security/app/remove", on="/security", sure="yes").status_code == 303
    visitor = Visitor(server)
    assert visitor.sign_in(email_of(account), "a third password").headers["location"] == "/dashboard"
    assert server.query(f"select from recovery_codes where {OF_ACCOUNT}", account.id) == []
    for action in ("authenticator app: added", "recovery codes: made", "recovery code: used", "sign in: failed"):
        until(lambda action=action: action in visitor.get("/members/audit").text)


def test_codes_cannot_be_guessed(server: Server) -> None:
    account = server.account()
    with_app(server, member(server, account.id, "owner"))
    visitor = half_in(server, email_of(account))
    *before, _ = until_refused(lambda: visitor.post("/sign-in/second", code="no code"), CODES_AN_HOUR)
    assert {answer.status_code for answer in before} == {401} and len(before) + 1 >= TRIES_A_MINUTE


def test_passkeys_cannot_be_tried_without_end(server: Server) -> None:
    visitor = member(server, server.account().id, "owner")
    for path in ("/sign-in/passkey", "/confirm/passkey"):
        *before, _ = until_refused(lambda: visitor.post(path, on="/lists", credential="none"), TRIES_AN_HOUR)
        assert {answer.status_code for answer in before} <= {404}, path


def test_an_owner_resets_who_lost_everything(server: Server) -> None:
    account = server.account()
    owner, lost = member(server, account.id, "owner"), member(server, account.id, "member")
    admin = member(server, account.id, "admin")
    with_app(server, lost)
    id = server.query("select id from members where email = $1", email_of(account, "member"))[0]["id"]
    assert "Second step" not in lost.get("/members").text
    assert f"/members/{id}/reset" not in admin.get("/members").text and ">on<" in admin.get("/members").text
    assert admin.post(f"/members/{id}/reset", on="/lists", sure="yes").status_code == 403
    stranger = member(server, server.account().id, "owner")
    assert stranger.post(f"/members/{id}/reset", on="/lists", sure="yes").status_code == 404
    assert owner.post(f"/members/{id}/reset", on="/members", sure="yes").status_code == 303
    assert lost.get("/lists").status_code == 303
    assert Visitor(server).sign_in(email_of(account, "member")).headers["location"] == "/dashboard"
    until(lambda: re.search(rf'"to":"{email_of(account, "member")}".*second step', server.log.read_text()))
    with_app(server, owner)  # The only owner has nobody to ask; the operator helps.
    cli("accounts", "reset-second-step", email_of(account), environment=server.environment)
    assert Visitor(server).sign_in(email_of(account)).headers["location"] == "/dashboard"
    owner = Visitor(server)
    owner.sign_in(email_of(account))
    owner.post(f"/members/{id}/remove", on="/members", sure="yes")
    audit = owner.get("/members/audit").text
    assert "second step: reset" in audit and f"<td>{email_of(account, 'member')}</td>" in audit


@pytest.fixture(scope="module")
def named(new_database: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A server at a name, as passkeys need one."""
    server = Server(new_database(), tmp_path_factory.mktemp("named"), ADDTOCRM_TRUSTED_PROXIES="127.0.0.1")
    local, server.url = server.url, server.url.replace("127.0.0.1", "localhost")
    server.environment["ADDTOCRM_PUBLIC_URL"] = server.url
    server.start()
    yield server, local
    server.kill()


def authenticator(watched: Watched) -> tuple[CDPSession, str]:
    """A device that makes passkeys, and knows its owner."""
    cdp = watched.context.new_cdp_session(watched.page)
    cdp.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    return cdp, cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]


def test_passkeys_and_an_app_in_a_browser(named: Any) -> None:
    server, local = named
    account = server.account()
    member(server, account.id, "owner")
    with chromium() as browser:
        watched = Watched(browser, server.url)
        page = watched.page
        cdp, device = authenticator(watched)
        sent: list[Any] = []
        page.on(
            "request", lambda one: sent.append(one) if one.method == "POST" and one.url.endswith("/passkey") else None
        )

        def sign_in_by_password() -> None:
            page.goto("/dashboard/sign-in")
            page.fill("#email", email_of(account))
            page.fill("#password", PASSWORD)
            page.click("main button:has-text('Sign in')")

        def sign_out() -> None:
            page.goto("/dashboard")
            page.click(".who summary")
            page.click("text=Sign out")
            expect(page.get_by_role("heading", name="Sign in")).to_be_visible()

        def age() -> None:
            execute(server, "update sessions set confirmed_at = now() - interval '2 hours'")

        sign_in_by_password()
        page.goto("/dashboard/security")
        watched.check()
        page.click("text=Set up an authenticator app")
        secret = page.locator("pre").inner_text().split("\n")[0]
        watched.check()
        page.fill("#code", code(secret))
        page.click("text=Turn it on")
        expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
        watched.check()
        page.click("text=I have kept them")
        page.click("text=Add a passkey")
        watched.check()
        page.fill("#name", "Work laptop")
        page.click("main button")
        expect(page.get_by_role("cell", name="Work laptop")).to_be_visible()
        watched.check()
        sign_out()

        # In by the app, then by the passkey, which counts for both.
        forget_steps(server)
        sign_in_by_password()
        expect(page.get_by_role("heading", name="Second step")).to_be_visible()
        watched.check()
        page.fill("#code", code(secret))
        page.click("main button:has-text('Sign in')")
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        sign_out()
        watched.check()
        page.click("text=Use a passkey")
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        age()
        page.goto("/dashboard/keys/new")
        expect(page.get_by_role("heading", name="Confirm it is you")).to_be_visible()
        watched.check()
        page.click("text=Use a passkey")
        expect(page.get_by_role("heading", name="Make an API key")).to_be_visible()

        # An answer is good once, and for who was asked.
        for one in sent:
            for headers in ({"cookie": one.all_headers()["cookie"]}, {}):
                answer = server.client().post(
                    one.url.removeprefix(server.url),
                    content=one.post_data,
                    headers={**headers, "content-type": "application/x-www-form-urlencoded"},
                )
                assert answer.status_code in (401, 403), one.url
        sign_out()

        # One who was not asked who they are, and one that says it was used less often, are refused.
        watched.forget_trouble()
        cdp.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
        page.click("text=Use a passkey")
        expect(page.get_by_role("alert")).to_contain_text("no passkey")
        cdp.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": True})
        execute(server, "update passkeys set sign_count = 1000")
        page.click("text=Use a passkey")
        expect(page.get_by_role("alert")).to_contain_text("not accepted")
        execute(server, "update passkeys set sign_count = 1")
        page.goto("/dashboard/sign-in")
        page.click("text=Use a passkey")
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()

        # Elsewhere it says where to go.
        stranger = Watched(browser, local)
        stranger.page.goto("/dashboard/sign-in")
        expect(stranger.page.get_by_role("alert")).to_contain_text(f"Passkeys work at {server.url}")

        page.goto("/dashboard/security")
        page.on("dialog", lambda dialog: dialog.accept())
        page.click("td button:has-text('Remove')")
        expect(page.get_by_role("status")).to_contain_text("The passkey is removed")
        sign_out()
        watched.forget_trouble()
        page.click("text=Use a passkey")
        expect(page.get_by_role("alert")).to_contain_text("not accepted")


def test_single_keys_can_be_turned_off(server: Server) -> None:
    owner = member(server, server.account().id, "owner")
    assert "data-no-shortcuts" not in owner.get("/lists").text
    owner.post("/security/shortcuts", on="/security")
    assert "data-no-shortcuts" in owner.get("/lists").text


def test_a_secret_that_does_not_open_keeps_no_other_from_a_new_key(server: Server, tmp_path: Path) -> None:
    account = server.account()
    owner = member(server, account.id, "owner")
    owner.post("/security/app", on="/security")

    async def reseal(pool: Any) -> None:
        async with pool.acquire() as connection:
            await factors.reseal(connection, tmp_path)  # Where the key of none is.

    with_pool(server.database_url, reseal)
    assert owner.post("/security/app/confirm", on="/security", code="000000").status_code == 401
