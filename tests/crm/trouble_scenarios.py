"""What every connector must do where the vendor is away, refuses, is busy or forgets us."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from desk import JANE, AtADesk, Desk
from vendors.base import Answer

from addtocrm.core.errors import ApiError
from addtocrm.crm import calling, connections, service


class TroubleScenarios(AtADesk):
    """See Scenarios."""

    def test_a_token_that_ended_is_refreshed_and_the_write_goes_on(self, run: Any, vendor: Any) -> None:
        if not self.oauth_refreshes:
            pytest.skip("its tokens do not end")

        async def work(desk: Desk) -> None:
            vendor.rotates = self.rotates
            await desk.write(JANE)
            vendor.expire()
            assert (await desk.write({**JANE, "phone": "+15550100100"})).action == "updated"
            vendor.expire()
            assert (await desk.write(JANE)).action == "unchanged"
            assert (await connections.info(desk.setup.pool, desk.account_id)).status == "connected"

        run(work, oauth=True)

    def test_fifty_refresh_once(self, run: Any, vendor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        if not self.oauth_refreshes:
            pytest.skip("its tokens do not end")

        async def work(desk: Desk) -> None:
            vendor.rotates = self.rotates
            monkeypatch.setattr(calling, "SINGLE_WAIT_SECONDS", 60.0)
            await service.owners(desk.setup, desk.account_id, None, 50)
            vendor.expire()
            before = len(vendor.asked("token$"))
            await asyncio.gather(
                *(service.owners(desk.setups[turn % 3], desk.account_id, None, 50) for turn in range(50))
            )
            assert len(vendor.asked("token$")) == before + 1

        run(work, hosts=3, oauth=True)

    def test_access_that_was_taken_away_is_told(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            vendor.forget_grants()
            await desk.fails("crm_token_expired", JANE)
            await desk.fails("crm_token_expired", JANE)
            assert (await connections.info(desk.setup.pool, desk.account_id)).status == "token_expired"
            assert (await desk.events()).count("crm.token_expired") == 1
            begun = await connections.begin(desk.setup, desk.account_id, self.crm)
            back = vendor.authorize(begun.authorize_url)
            await connections.finish(desk.setup, self.crm, dict(parse_qsl(urlsplit(back).query)))
            assert (await desk.write(JANE)).action == "created"

        run(work, oauth=True)

    def test_a_state_is_used_once_and_by_who_has_it(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            begun = await connections.begin(desk.setup, desk.account_id, self.crm)
            params = dict(parse_qsl(urlsplit(vendor.authorize(begun.authorize_url)).query))
            for wrong in ({**params, "state": "x"}, {name: params[name] for name in params if name != "state"}):
                with pytest.raises(ApiError) as refused:
                    await connections.finish(desk.setup, self.crm, wrong)
                assert refused.value.type == "validation_error"
            await connections.finish(desk.setup, self.crm, params)
            with pytest.raises(ApiError):
                await connections.finish(desk.setup, self.crm, params)

        run(work)

    @pytest.mark.parametrize("form", ["seconds", "date", "the vendor's own"])
    def test_a_quota_that_is_used_up_says_how_long(self, run: Any, vendor: Any, form: str) -> None:
        async def work(desk: Desk) -> None:
            date = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
            body = vendor.throttled().body
            answer = {
                "seconds": Answer(429, body, {"retry-after": "60"}),
                "date": Answer(429, body, {"retry-after": date}),
                "the vendor's own": vendor.throttled(),
            }[form]
            vendor.trouble(".", answer, times=1000)
            error = await desk.fails("crm_rate_limit", JANE)
            assert error.retry_after_seconds and error.retry_after_seconds >= 1
            if form != "the vendor's own":
                assert 50 <= error.retry_after_seconds <= 61
            assert vendor.contacts() == []

        run(work)

    def test_a_quota_that_is_free_again_soon_is_waited_for(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            vendor.trouble(".", Answer(429, vendor.throttled().body, {"retry-after": "1"}), times=2)
            assert (await desk.write(JANE)).action == "created"

        run(work)

    @pytest.mark.parametrize(
        "answer", [Answer(503, {"message": "away"}), Answer(200, "<html>maintenance</html>"), Answer(500, "oops")]
    )
    def test_a_vendor_that_is_away(self, run: Any, vendor: Any, answer: Answer) -> None:
        async def work(desk: Desk) -> None:
            vendor.trouble(".", answer, times=1000)
            error = await desk.fails("crm_unavailable", JANE)
            assert error.retry_after_seconds
            vendor.troubles.clear()
            assert vendor.contacts() == []

        run(work)

    @pytest.mark.parametrize("lag", [0.0, 1.0])
    @pytest.mark.parametrize("trouble", [{"lost": True}, {"answer": Answer(503, {"message": "away"})}])
    def test_a_create_whose_answer_is_lost_is_looked_for(
        self, run: Any, vendor: Any, trouble: dict[str, Any], lag: float
    ) -> None:
        async def work(desk: Desk) -> None:
            vendor.lag = lag
            vendor.trouble(self.creates, **trouble)
            for _ in range(20):
                try:
                    done = await desk.write(JANE)
                    break
                except ApiError as error:
                    assert error.type == "crm_unavailable"
                    await asyncio.sleep(1)
            else:
                raise AssertionError("it was never found")
            assert (done.action, len(vendor.contacts())) == ("created", 1)
            assert (await desk.events()).count("crm.contact.created") == 1
            assert (await desk.write(JANE)).action == "unchanged"

        run(work)
