"""Somebody at the dashboard without a browser: a client that fills in forms."""

import itertools
import re
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx
from harness import Server, with_pool

from addtocrm.dashboard.pages.joining import address_for
from addtocrm.tenants.members import service as members
from addtocrm.tenants.members.model import Link, Role
from addtocrm.tenants.sessions import service as sessions

ADDRESSES = itertools.count(int(IPv4Address("198.18.0.1")))
PASSWORD = "a long password"
HASHES: list[str] = []
CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')


async def password_hash() -> str:
    """What is kept of PASSWORD, which is made once."""
    if not HASHES:
        HASHES.append(await members.hashed(PASSWORD))
    return HASHES[0]


class Visitor:
    """A client with its own cookies and address."""

    def __init__(self, server: Server, address: str | None = None) -> None:
        self.server = server
        self.client: httpx.Client = server.client()
        self.client.headers["x-forwarded-for"] = address or str(IPv4Address(next(ADDRESSES)))

    def get(self, path: str) -> httpx.Response:
        return self.client.get(f"/dashboard{path}")

    def post(self, path: str, on: str | None = None, **form: Any) -> httpx.Response:
        """Sends a form of the page `on` (which has the form's token), by default of the one it goes to."""
        form = {"csrf": self.csrf(path if on is None else on), **form}
        return self.client.post(f"/dashboard{path}", data=form)

    def csrf(self, path: str) -> str:
        page = self.get(path)
        found = CSRF.search(page.text)
        assert found, (page.status_code, page.headers.get("location"), page.text[-500:])
        return found[1]

    def sign_in(self, email: str, password: str = PASSWORD) -> httpx.Response:
        return self.post("/sign-in", email=email, password=password)

    def follow(self, link: str) -> httpx.Response:
        parts = urlsplit(link)
        return self.client.get(f"{parts.path}?{parts.query}")


def until_refused(attempt: Callable[[], httpx.Response], an_hour: int) -> list[httpx.Response]:
    """All answers up to the one that says it was one try too many, of so many `an_hour`; that may end meanwhile."""
    answers: list[httpx.Response] = []
    while len(answers) <= 2 * an_hour:
        answers.append(attempt())
        if answers[-1].status_code == 429:
            return answers
    raise AssertionError(f"{len(answers)} tries were allowed")


def token_of(server: Server, account_id: str, role: Role) -> str:
    """The token of a session of a new member of an account."""
    email = f"{role}-{account_id[-12:]}@example.com"

    async def made(pool: Any) -> str:
        async with pool.acquire() as connection:
            one = await members.add(connection, account_id, email, role, password_hash=await password_hash())
        return await sessions.begin(pool, one, "203.0.113.1", "a test")

    return with_pool(server.database_url, made)


def member(server: Server, account_id: str, role: Role) -> Visitor:
    """A member of an account who is signed in."""
    visitor = Visitor(server)
    token = token_of(server, account_id, role)
    visitor.client.cookies.set("addtocrm-session", token, domain="127.0.0.1", path="/")
    return visitor


def setup_link(server: Server) -> str:
    token = with_pool(server.database_url, lambda pool: members.link(pool, Link("setup", None, None, None, None)))
    return address_for(server.url, "setup", token)
