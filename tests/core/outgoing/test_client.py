"""What a caller sees, and what the vendor saw, when a vendor behaves as vendors do at their worst."""

import asyncio
import contextlib
import gzip
import socket
from collections import Counter
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any

import pytest
from calling import ACCOUNT, VENDOR, cut, run, saying
from prometheus_client import REGISTRY
from vendor_server import Talk, VendorServer

from addtocrm.core.db.pool import open_pool
from addtocrm.core.outgoing.client import Outgoing, retry_after
from addtocrm.core.outgoing.failures import BadAnswer, NoAnswer, NotReached, Refused, ServerFailed, Throttled
from addtocrm.core.outgoing.quotas import PostgresQuotas
from addtocrm.core.outgoing.vendor import Account, Lesson, Quota, Vendor, Window
from addtocrm.core.settings import Settings

DAY = 86_400


def retries() -> float:
    return REGISTRY.get_sample_value("addtocrm_vendor_retries_total", {"vendor": "acme"}) or 0


def test_an_answer_and_what_the_vendor_sees() -> None:
    async def test(outgoing: Outgoing) -> None:
        async with VendorServer(saying(200, b'{"id": 7}', "application/json; charset=utf-8")) as server:
            reply = await outgoing.call(
                ACCOUNT, "POST", f"{server.url}/v1/x", params={"q": "a b"}, json={"name": "Zoë"}, headers={"x-a": "1"}
            )
            assert (reply.status, reply.data) == (200, {"id": 7})
            talk = server.seen[0]
            assert (talk.method, talk.path, talk.body) == ("POST", "/v1/x?q=a+b", '{"name":"Zoë"}'.encode())
            assert talk.headers["user-agent"].startswith("AddToCRM/")
            assert talk.headers["content-type"] == "application/json"
            assert talk.headers["x-a"] == "1"

    run(test)


def test_a_form_is_sent_as_a_form_and_gzip_is_read() -> None:
    async def test(outgoing: Outgoing) -> None:
        async with VendorServer(saying(200, gzip.compress(b'{"a":[1,2]}'), content_encoding="gzip")) as server:
            reply = await outgoing.call(ACCOUNT, "POST", server.url, form={"grant_type": "refresh_token"})
            assert reply.data == {"a": [1, 2]}
            assert server.seen[0].body == b"grant_type=refresh_token"

    run(test)


def test_a_client_error_is_a_reply() -> None:
    async def test(outgoing: Outgoing) -> None:
        async with VendorServer(saying(409, b'{"message":"exists"}'), saying(401, b"", "")) as server:
            reply = await outgoing.call(ACCOUNT, "POST", server.url, json={})
            assert (reply.status, reply.data) == (409, {"message": "exists"})
            assert (await outgoing.call(ACCOUNT, "GET", server.url)).status == 401
            assert len(server.seen) == 2

    run(test)


def test_what_one_account_is_given_to_keep_does_not_go_out_for_another() -> None:
    async def test(outgoing: Outgoing) -> None:
        async with VendorServer(saying(200, set_cookie="session=of-portal-1; Path=/")) as server:
            await outgoing.call(ACCOUNT, "GET", server.url)
            await outgoing.call(Account(VENDOR, "portal-2"), "GET", server.url)
            assert "cookie" not in server.seen[1].headers

    run(test)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_is_asked_again_where_that_does_no_harm(status: int) -> None:
    async def test(outgoing: Outgoing) -> None:
        before = retries()
        async with VendorServer(saying(status, b"<html>", "text/html"), saying(200)) as server:
            assert (await outgoing.call(ACCOUNT, "GET", server.url)).status == 200
            assert (len(server.seen), retries()) == (2, before + 1)
        async with VendorServer(saying(status), saying(200)) as server:
            with pytest.raises(ServerFailed) as raised:
                await outgoing.call(ACCOUNT, "POST", server.url, json={})
            assert raised.value.maybe_done
            assert len(server.seen) == 1
        async with VendorServer(saying(status), saying(200)) as server:
            await outgoing.call(ACCOUNT, "POST", server.url, json={}, idempotent=True)
            assert (len(server.seen), retries()) == (2, before + 2)

    run(test)


@pytest.mark.parametrize(("method", "connections"), [("POST", 1), ("GET", 4)])
def test_a_connection_that_breaks_before_the_request_was_read(method: Any, connections: int) -> None:
    """That it was not read cannot be known here: a create is not repeated."""
    seen = 0

    def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        seen += 1
        writer.transport.abort()

    async def test(outgoing: Outgoing) -> None:
        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        with pytest.raises(NoAnswer) as raised:
            await outgoing.call(ACCOUNT, method, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", within=300)
        server.close()
        assert raised.value.maybe_done
        assert seen == connections

    run(test)


def test_a_connection_that_breaks_after_the_work_is_not_repeated_for_a_create() -> None:
    async def test(outgoing: Outgoing) -> None:
        async with VendorServer(cut, saying(200)) as server:
            with pytest.raises(NoAnswer) as raised:
                await outgoing.call(ACCOUNT, "POST", server.url, json={})
            assert raised.value.maybe_done
            assert len(server.seen) == 1
        async with VendorServer(cut, saying(200)) as server:
            await outgoing.call(ACCOUNT, "GET", server.url)
            assert len(server.seen) == 2

    run(test)


def test_a_connection_that_cannot_be_made_is_tried_again_also_for_a_create() -> None:
    async def test(outgoing: Outgoing) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            before = retries()
            with pytest.raises(NotReached) as raised:
                await outgoing.call(ACCOUNT, "POST", f"http://127.0.0.1:{closed.getsockname()[1]}/", json={})
        assert not raised.value.maybe_done
        assert retries() > before

    run(test)


def test_an_answer_byte_by_byte_ends_at_the_deadline() -> None:
    async def slow(talk: Talk) -> None:
        await talk.raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
        while True:
            await talk.raw(b" ")
            await asyncio.sleep(0.02)

    async def never(talk: Talk) -> None:
        await asyncio.sleep(60)

    async def test(outgoing: Outgoing) -> None:
        for script in (slow, never):
            async with VendorServer(script) as server:
                with pytest.raises(NoAnswer):
                    await outgoing.call(ACCOUNT, "POST", server.url, json={}, within=0.5)

    run(test)


def test_nothing_goes_out_that_has_no_time_left_for_its_answer() -> None:
    async def test(outgoing: Outgoing) -> None:
        async with VendorServer(saying(201)) as server:
            await outgoing.pause(ACCOUNT, 2.5)
            with pytest.raises(Throttled):
                await outgoing.call(ACCOUNT, "POST", server.url, json={}, bulk=True, wait=3, within=3)
            assert not server.seen
            assert (await outgoing.call(ACCOUNT, "POST", server.url, json={}, bulk=True, wait=30)).status == 201

    run(test)


def test_a_lie_about_the_length_is_no_answer() -> None:
    async def short(talk: Talk) -> None:
        await talk.raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{}")
        talk.writer.close()
        raise ConnectionError

    async def test(outgoing: Outgoing) -> None:
        async with VendorServer(short) as server:
            with pytest.raises(NoAnswer):
                await outgoing.call(ACCOUNT, "POST", server.url, json={})

    run(test)


def test_an_answer_is_read_only_so_far() -> None:
    async def endless(talk: Talk) -> None:
        await talk.raw(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
        while True:
            await talk.raw(b"[" * 65536)

    async def bomb(talk: Talk) -> None:
        await talk.answer(200, gzip.compress(b" " * 50_000_000), content_encoding="gzip")

    async def test(outgoing: Outgoing) -> None:
        for script in (endless, bomb):
            for most, said in (({"max_bytes": 100_000}, "100,000"), ({}, "10,485,760")):
                async with VendorServer(script) as server:
                    with pytest.raises(BadAnswer, match=f"longer than {said} bytes"):
                        await outgoing.call(ACCOUNT, "GET", server.url, **most)
                    assert len(server.seen) == 1

    run(test)


@pytest.mark.parametrize(
    ("status", "body", "kind", "headers"),
    [
        (200, b"<html>Maintenance</html>", "text/html", {}),
        (404, b"<html>Blocked</html>", "text/html", {}),
        (200, b'{"cut": ', "application/json", {}),
        (200, b"", "application/json", {}),
        (200, b'{"a":1}', "", {}),
        (200, b"\xff\xfe", "application/json", {}),
        (200, b"[" * 100_000, "application/json", {}),
        (200, b"not gzip", "application/json", {"content_encoding": "gzip"}),
        (200, gzip.compress(b'{"a":1}' * 1000, mtime=0)[:-20], "application/json", {"content_encoding": "gzip"}),
        (200, b"xx", "application/json", {"content_encoding": "br"}),
    ],
    ids=["html", "html 404", "cut", "empty", "no type", "no text", "too deep", "no gzip", "cut gzip", "brotli"],
)
def test_what_is_not_json_is_one_kind_of_failure(status: int, body: bytes, kind: str, headers: dict[str, str]) -> None:
    async def test(outgoing: Outgoing) -> None:
        async with VendorServer(saying(status, body, kind, **headers)) as server:
            with pytest.raises(BadAnswer):
                await outgoing.call(ACCOUNT, "POST", server.url, json={})
            assert len(server.seen) == 1

    run(test)


def test_an_empty_answer_where_nothing_was_promised() -> None:
    async def test(outgoing: Outgoing) -> None:
        async with VendorServer(saying(204, b"", "")) as server:
            assert (await outgoing.call(ACCOUNT, "DELETE", server.url)).data is None

    run(test)


@pytest.mark.parametrize("form", ["seconds", "date", "none"])
def test_a_429_is_waited_for_where_there_is_time(form: str) -> None:
    async def throttled(talk: Talk) -> None:
        later = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
        headers = {"seconds": {"retry_after": "1"}, "date": {"retry_after": later}, "none": {}}[form]
        await talk.answer(429, b"slow down", "text/plain", **headers)

    async def test(outgoing: Outgoing) -> None:
        async with VendorServer(throttled, saying(201)) as server:
            assert (await outgoing.call(ACCOUNT, "POST", server.url, json={}, wait=60)).status == 201
            assert len(server.seen) == 2

    run(test)


def test_a_429_for_long_is_told_at_once_and_no_other_call_goes_out_meanwhile() -> None:
    async def test(outgoing: Outgoing) -> None:
        async with VendorServer(saying(429, b"{}", retry_after="1200"), saying(200)) as server:
            for _ in range(2):
                with pytest.raises(Throttled) as raised:
                    await outgoing.call(ACCOUNT, "GET", server.url)
                assert 1000 < raised.value.seconds <= 1200
                assert not raised.value.maybe_done
            assert len(server.seen) == 1
            assert (await outgoing.call(Account(VENDOR, "portal-2"), "GET", server.url)).status == 200

    run(test)


def test_the_quota_is_learnt_from_the_answers() -> None:
    def learn(headers: Any) -> Lesson | None:
        return Lesson(Quota((Window(int(headers["x-limit"]), 600),))) if "x-limit" in headers else None

    vendor = Vendor(name="learning", quota=Quota((Window(100, 600),)), learn=learn)

    async def test(outgoing: Outgoing) -> None:
        async with VendorServer(saying(200, x_limit="2")) as server:
            account = Account(vendor, "1")
            await outgoing.call(account, "GET", server.url)
            await outgoing.call(account, "GET", server.url)
            with pytest.raises(Throttled):
                await outgoing.call(account, "GET", server.url, wait=0)
            assert len(server.seen) == 2

    run(test)


def test_a_circuit_opens_lets_one_through_and_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("addtocrm.core.outgoing.circuit.time", SimpleNamespace(monotonic=lambda: now))

    async def test(outgoing: Outgoing) -> None:
        nonlocal now
        async with VendorServer(*[saying(503)] * 6, saying(200)) as server:

            async def post(account: Account = ACCOUNT) -> Any:
                return await outgoing.call(account, "POST", server.url, json={})

            for _ in range(5):
                with pytest.raises(ServerFailed):
                    await post()
            with pytest.raises(Refused) as raised:
                await post()
            first = raised.value.retry_after
            assert first
            assert len(server.seen) == 5
            assert REGISTRY.get_sample_value("addtocrm_vendor_circuits_open", {"vendor": "acme"}) == 1
            now += first
            together = await asyncio.gather(*(post() for _ in range(20)), return_exceptions=True)
            assert Counter(map(type, together)) == {ServerFailed: 1, Refused: 19}
            assert len(server.seen) == 6
            with pytest.raises(Refused) as raised:
                await post()
            assert raised.value.retry_after == 2 * first, "twice as long as the first time"
            now += 2 * first
            assert (await post()).status == 200
            assert (await post()).status == 200
            assert REGISTRY.get_sample_value("addtocrm_vendor_circuits_open", {"vendor": "acme"}) == 0

    run(test)


def test_calls_are_counted_by_vendor_and_outcome() -> None:
    def counted(outcome: str) -> float:
        labels = {"vendor": "acme", "outcome": outcome}
        return REGISTRY.get_sample_value("addtocrm_vendor_calls_total", labels) or 0

    def timed(what: str) -> float:
        return REGISTRY.get_sample_value(f"addtocrm_vendor_{what}_count", {"vendor": "acme"}) or 0

    async def test(outgoing: Outgoing) -> None:
        outcomes = ("ok", "refused", "server_failed", "no_answer")
        before = [*map(counted, outcomes), timed("seconds"), timed("wait_seconds")]
        async with VendorServer(saying(200), saying(422), saying(503), cut) as server:
            for failure in (None, None, ServerFailed, NoAnswer):
                with pytest.raises(failure) if failure else contextlib.nullcontext():
                    await outgoing.call(ACCOUNT, "POST", server.url, json={})
        after = [*map(counted, outcomes), timed("seconds"), timed("wait_seconds")]
        assert [later - earlier for earlier, later in zip(before, after, strict=True)] == [1, 1, 1, 1, 4, 4]

    run(test)


def test_no_secret_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    async def test(outgoing: Outgoing) -> None:
        async with VendorServer(saying(200, b'{"s":"secret-b"}', x_s="secret-h"), cut) as server:
            for _ in range(2):
                with pytest.raises(NoAnswer) if len(server.seen) else contextlib.nullcontext():
                    await outgoing.call(
                        ACCOUNT,
                        "POST",
                        f"{server.url}/path",
                        params={"q": "secret-q"},
                        headers={"authorization": "Bearer secret-t"},
                        json={"b": "secret-j"},
                    )

    run(test)
    said = "".join(capsys.readouterr())
    assert "/path" in said
    assert "127.0.0.1" in said
    assert "secret" not in said


def test_retry_after_forms() -> None:
    assert retry_after({"retry-after": "7"}) == 7
    assert retry_after({"retry-after": "-7"}) == 0
    assert retry_after({"retry-after": "inf"}) is None
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None
    assert 500 < (retry_after({"retry-after": format_datetime(datetime.now(UTC) + timedelta(seconds=600))}) or 0) <= 600
    assert retry_after({"retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"}) == 0
    assert retry_after({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}) == DAY
    assert retry_after({"retry-after": "Fri, 31 Dec 9999 23:59:59 -1200"}) == DAY
    assert retry_after({"retry-after": "Mon, 01 Jan 99999999999 00:00:00 GMT"}) is None
    assert retry_after({"retry-after": "1" * 5000}) is None


@pytest.mark.parametrize("said", ["1764200000", "99999999999999999", "1e300", "Mon, 01 Jan 99999999999 00:00:00 GMT"])
def test_a_429_that_says_what_cannot_be_is_believed_for_a_day_at_most(said: str, database_url: str) -> None:
    async def test() -> None:
        pool = await open_pool(database_url, size=2)
        outgoing = Outgoing(Settings(allow_private_networks=True), PostgresQuotas(pool))
        async with VendorServer(saying(429, b"{}", retry_after=said)) as server:
            with pytest.raises(Throttled) as raised:
                await outgoing.call(ACCOUNT, "GET", server.url, wait=0)
            assert raised.value.seconds <= DAY
        left = await pool.fetchval("select extract(epoch from paused_until - now())::float8 from quota_accounts")
        assert 0 < left <= DAY, "all hosts wait for it"
        await outgoing.close()
        await pool.close()

    asyncio.run(test())


def test_one_account_takes_no_other_ones_connections() -> None:
    async def test(outgoing: Outgoing) -> None:
        held = asyncio.Event()

        async def script(talk: Talk) -> None:
            if talk.path == "/slow":
                await held.wait()
            await talk.answer(200, b"{}")

        async with VendorServer(script) as server:
            slow = [
                asyncio.create_task(outgoing.call(ACCOUNT, "GET", f"{server.url}/slow", wait=60)) for _ in range(30)
            ]
            while len(server.seen) < VENDOR.account_connections:
                await asyncio.sleep(0.01)
            assert (await outgoing.call(Account(VENDOR, "portal-2"), "GET", server.url)).status == 200
            assert len(server.seen) == VENDOR.account_connections + 1
            with pytest.raises(Throttled):
                await outgoing.call(ACCOUNT, "GET", server.url, wait=0.1)
            held.set()
            assert [one.status for one in await asyncio.gather(*slow)] == [200] * 30

    run(test)


def test_a_part_of_a_quota_is_counted_in_the_whole() -> None:
    whole = Vendor(name="acme", quota=Quota((Window(3, 600),)))
    search = Account(Vendor(name="acme-search", quota=Quota((Window(2, 600),)), part_of=whole), "portal-1")

    async def test(outgoing: Outgoing) -> None:
        async def refused(account: Account) -> None:
            with pytest.raises(Throttled):
                await outgoing.call(account, "GET", server.url, wait=0.05)

        async with VendorServer(saying(200)) as server:
            for _ in range(2):
                await outgoing.call(search, "GET", server.url)
            await refused(search)
            await outgoing.call(Account(whole, "portal-1"), "GET", server.url)
            await refused(Account(whole, "portal-1"))

    run(test)
