"""A CRM vendor as a small stateful HTTP server on loopback, which refuses what its documentation does not allow."""

import base64
import hashlib
import html
import re
import secrets
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from http.server import BaseHTTPRequestHandler
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlencode, urlsplit

from vendors.wire import Answer, Request, Server, cut, read, send

ACCESS_SECONDS = 1800
GIVEN = {"client_id": "app-1", "client_secret": "hush-app-secret"}


class Refuse(Exception):
    """What the vendor's specification does not allow: answered, and kept in `Vendor.refused`."""

    def __init__(self, why: str, answer: Answer) -> None:
        super().__init__(why)
        self.answer = answer


class Trouble:
    """What happens to the next `times` requests whose `METHOD /path` matches `where`.

    `answer` is given instead of the work; with `lost`, the work is done and the connection cut without an answer;
    with `held`, the work is done and its answer sent when that is set; with `late`, the work is begun when that is set,
    and with `lost` too the connection is cut before. `before` is done before the work.
    """

    def __init__(
        self,
        where: str,
        answer: Answer | None = None,
        *,
        times: int = 1,
        lost: bool = False,
        held: threading.Event | None = None,
        late: threading.Event | None = None,
        before: Callable[[], None] | None = None,
    ) -> None:
        self.where, self.answer, self.times = re.compile(where), answer, times
        self.lost, self.held, self.late, self.before = lost, held, late, before


F = TypeVar("F", bound=Callable[..., Answer])


def route(method: str, template: str, *, public: bool = False) -> Callable[[F], F]:
    """Serves `method` at `template`, whose `{name}` parts are given by name. `public`: without a token."""
    pattern = re.compile(
        "".join(f"(?P<{p[1:-1]}>[^/]+)" if p[:1] == "{" else re.escape(p) for p in re.split(r"(\{\w+\})", template))
    )

    def mark(function: F) -> F:
        function.route = (method, pattern, public)  # type: ignore[attr-defined]
        return function

    return mark


class Vendor:
    """The server, to be used as a context: `with HubSpotServer() as vendor: … vendor.url`.

    A test makes things happen by `trouble`, `expire`, `lag`, and looks at `seen` and `refused`. Subclasses serve
    routes, say how an error looks, and give the test its own view of the records (see the methods that raise
    NotImplementedError).
    """

    quota: tuple[int, float] | None = None
    """So many requests in so many seconds; the next is answered by `throttled`."""
    rotates = False
    """Whether a refresh token is good for one refresh."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.lag = 0.0
        """Seconds that search is behind writes."""
        self.seen: list[Request] = []
        self._seen_at: list[float] = []
        self.refused: list[str] = []
        self.throttles = 0
        self.tokens: dict[str, float] = {"private-token-1": float("inf")}
        """Access tokens with the time of their end; the private one was made by hand."""
        self.refresh_tokens: set[str] = set()
        self.codes: dict[str, dict[str, str]] = {}
        self.spent_codes: set[str] = set()
        self.revoked: list[str] = []
        self.troubles: list[Trouble] = []
        self._times: deque[float] = deque()
        self._ids = iter(range(1001, 10**9))
        self._routes: list[tuple[str, re.Pattern[str], bool, Callable[..., Answer]]] = []
        for name in dir(type(self)):
            function = getattr(self, name)
            if hasattr(function, "route"):
                self._routes.append((*function.route, function))

    def __enter__(self) -> "Vendor":
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except (ConnectionError, TimeoutError):
                    self.close_connection = True

            def log_message(self, format: str, *args: Any) -> None:
                pass

            def serve(self) -> None:
                vendor._serve(self)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve  # noqa: N815

        self._server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    # What tests do.

    def renew(self) -> None:
        """Forgets all that it has; ids go on."""
        with self.lock:
            ids = self._ids
            self.__init__()
            self._ids = ids

    def trouble(self, where: str, answer: Answer | None = None, **more: Any) -> None:
        """See `Trouble`."""
        with self.lock:
            self.troubles.append(Trouble(where, answer, **more))

    def expire(self) -> None:
        """Every access token but the private one ends now."""
        with self.lock:
            for token in self.tokens:
                if token != "private-token-1":
                    self.tokens[token] = 0

    def forget_grants(self) -> None:
        """The user took the access away: no token is good any more."""
        with self.lock:
            self.tokens.clear()
            self.refresh_tokens.clear()

    def keeps_its_quotas(self) -> bool:
        """Whether it had to throttle no more than what a busy machine sends a moment late, in the next window."""
        return self.throttles <= len(self.seen) // 20

    def asked(self, where: str) -> list[Request]:
        """The requests whose `METHOD /path` matches."""
        return [one for one in self.seen if re.search(where, f"{one.method} {one.path}")]

    def times_of(self, where: str) -> list[float]:
        """When they came (seconds)."""
        pairs = zip(self.seen, self._seen_at, strict=True)
        return [at for one, at in pairs if re.search(where, f"{one.method} {one.path}")]

    def authorize(self, address: str, **more: str) -> str:
        """What the user's browser does at the authorization address: consents, and gives the address it is sent to."""
        query = {name: values[-1] for name, values in parse_qs(urlsplit(address).query).items()}
        if (
            query.get("response_type") != "code"
            or query.get("client_id") != GIVEN["client_id"]
            or not query.get("state")
        ):
            raise AssertionError(f"no authorization request: {query}")
        code = f"code-{secrets.token_hex(8)}"
        self.codes[code] = query
        extra = "".join(f"&{name}={value}" for name, value in more.items())
        return f"{query['redirect_uri']}?code={code}&state={query['state']}{extra}"

    @route("GET", "/oauth/authorize", public=True)
    def consent(self, request: Request) -> Answer:
        """The page at which the user allows access, or does not."""
        query = request.query
        allow = self.authorize(f"{self.url}/oauth/authorize?{urlencode(query)}")
        deny = f"{query['redirect_uri']}?{urlencode({'error': 'access_denied', 'state': query['state']})}"
        links = f'<a href="{html.escape(allow)}">Allow</a> <a href="{html.escape(deny)}">Deny</a>'
        return Answer(200, f'<!doctype html><link rel="icon" href="data:,"><h1>Allow access?</h1>{links}')

    # What subclasses use.

    def id(self) -> str:
        return str(next(self._ids))

    def now(self) -> float:
        return time.monotonic()

    def found(self, since: float) -> bool:
        """Whether search knows of what was written at `since`."""
        return since + self.lag <= time.monotonic()

    def grant(self, request: Request, *, refresh: bool = True, expires: bool = True, **more: Any) -> Answer:
        """The token endpoint's answer to authorization_code and refresh_token grants; credentials in the form or by
        Basic are checked by `client_of`."""
        client = self.client_of(request)
        if client != (GIVEN["client_id"], GIVEN["client_secret"]):
            return self.grant_refused("invalid_client")
        form = request.form
        match form.get("grant_type"):
            case "authorization_code":
                asked = self.codes.pop(form.get("code", ""), None)
                self.spent_codes.add(form.get("code", ""))
                if asked is None or asked["redirect_uri"] != form.get("redirect_uri"):
                    return self.grant_refused("invalid_grant")
                if "code_challenge" in asked and not proves(form.get("code_verifier", ""), asked["code_challenge"]):
                    return self.grant_refused("invalid_grant")
                kept = f"refresh-{secrets.token_hex(8)}"
            case "refresh_token":
                kept = form.get("refresh_token", "")
                if kept not in self.refresh_tokens:
                    return self.grant_refused("invalid_grant")
                if self.rotates:
                    self.refresh_tokens.discard(kept)
                    kept = f"refresh-{secrets.token_hex(8)}"
            case "client_credentials":
                kept = ""
            case _:
                return self.grant_refused("unsupported_grant_type")
        access = f"access-{secrets.token_hex(8)}"
        self.tokens[access] = time.monotonic() + ACCESS_SECONDS
        body: dict[str, Any] = {"access_token": access, "token_type": "Bearer", **more}
        if expires:
            body["expires_in"] = ACCESS_SECONDS
        if refresh and kept:
            self.refresh_tokens.add(kept)
            body["refresh_token"] = kept
        return Answer(200, body)

    def client_of(self, request: Request) -> tuple[str, str]:
        """Who asks at the token endpoint."""
        return request.form.get("client_id", ""), request.form.get("client_secret", "")

    def grant_refused(self, error: str) -> Answer:
        return Answer(400, {"error": error, "error_description": error.replace("_", " ")})

    def token_of(self, request: Request) -> str:
        return request.headers.get("authorization", "").removeprefix("Bearer ")

    def unauthorized(self) -> Answer:
        """The answer to a token that is none or has ended."""
        raise NotImplementedError

    def throttled(self) -> Answer:
        """The answer above `quota`."""
        raise NotImplementedError

    def no_such_route(self, request: Request) -> Answer:
        return Answer(404, {"message": "no such route"})

    # The test's view, the same for all vendors. A contact has, where known: id, email, other_emails, linkedin_url,
    # first_name, last_name, job_title, phone, city, company_id; a company: id, name, domain.

    def contacts(self) -> list[dict[str, Any]]:
        """Every contact (and lead), the oldest first."""
        raise NotImplementedError

    def companies(self) -> list[dict[str, Any]]:
        raise NotImplementedError

    def put_contact(self, **fields: Any) -> str:
        """A contact that somebody typed in long ago; its id."""
        raise NotImplementedError

    def put_company(self, **fields: Any) -> str:
        raise NotImplementedError

    def change_contact(self, id: str, **fields: Any) -> None:
        """Somebody changes fields in the CRM's own pages, now."""
        raise NotImplementedError

    def delete_contact(self, id: str) -> None:
        raise NotImplementedError

    def merge_contacts(self, kept: str, gone: str) -> None:
        """Somebody merges two contacts in the CRM's own pages, as the vendor does it."""
        raise NotImplementedError

    def remove_field(self, name: str) -> None:
        """Somebody deletes a custom field of contacts."""
        raise NotImplementedError

    def notes(self, contact_id: str) -> list[str]:
        """The texts of the contact's notes."""
        raise NotImplementedError

    def tasks(self, contact_id: str) -> list[str]:
        """The titles of the contact's tasks."""
        raise NotImplementedError

    def members(self, list_name: str) -> list[str]:
        """Ids of the contacts on the list (or what is nearest to one)."""
        raise NotImplementedError

    # How a request is served.

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        request = read(handler)
        called = f"{request.method} {request.path}"
        with self.lock:
            self.seen.append(request)
            self._seen_at.append(time.monotonic())
            trouble = next((one for one in self.troubles if one.where.search(called)), None)
            if trouble:
                trouble.times -= 1
                if trouble.times <= 0:
                    self.troubles.remove(trouble)
        if trouble and trouble.answer:
            return send(handler, trouble.answer)
        if trouble and trouble.late:
            if trouble.lost:
                cut(handler)
            trouble.late.wait(300)
        if trouble and trouble.before:
            trouble.before()
        with self.lock:
            answer = self._answer(request)
        if trouble and trouble.held:
            trouble.held.wait(300)
        if trouble and trouble.lost:
            return None if trouble.late else cut(handler)
        return send(handler, answer)

    def _answer(self, request: Request) -> Answer:
        for method, pattern, public, function in self._routes:
            match = pattern.fullmatch(request.path)
            if not match or method != request.method:
                continue
            if not public:
                if not self.tokens.get(self.token_of(request), 0) > time.monotonic():
                    return self.unauthorized()
                if self._over():
                    self.throttles += 1
                    return self.throttled()
            try:
                return function(request, **match.groupdict())
            except Refuse as refusal:
                self.refused.append(f"{request.method} {request.path}: {refusal}")
                return refusal.answer
        self.refused.append(f"{request.method} {request.path}: no such route")
        return self.no_such_route(request)

    def _over(self) -> bool:
        if self.quota is None:
            return False
        most, seconds = self.quota
        now = time.monotonic()
        while self._times and self._times[0] <= now - seconds:
            self._times.popleft()
        if len(self._times) >= most:
            return True
        self._times.append(now)
        return False


def proves(verifier: str, challenge: str) -> bool:
    """Whether a PKCE verifier is that of the challenge (S256)."""

    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge


def every(records: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Records by id, the oldest first."""
    yield from sorted(dict(records).items(), key=lambda one: number_of(one[0]))


@cache
def number_of(id: str) -> int:
    return int(re.sub(r"\D", "", id) or 0)
