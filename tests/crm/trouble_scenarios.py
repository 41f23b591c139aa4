"""What every connector must do where the vendor is away, refuses, is busy or forgets us."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from desk import JANE, WHO, WITHOUT_FULL, AtADesk, Desk, people
from vendors.wire import Answer

from addtocrm.core.errors import ApiError
from addtocrm.crm import calling, connections, service
from addtocrm.crm.model import WriteResult

PHONE = "+15550100100"


class TroubleScenarios(AtADesk):
    """See Scenarios."""

    def test_a_token_that_ended_is_refreshed_and_the_write_goes_on(self, run: Any, vendor: Any) -> None:
        if not self.oauth_refreshes:
            pytest.skip("its tokens do not end")

        async def work(desk: Desk) -> None:
            vendor.rotates = self.rotates
            await desk.write(JANE)
            vendor.expire()
            assert (await desk.write({**JANE, "phone": PHONE})).action == "updated"
            vendor.expire()
            assert (await desk.write(JANE)).action == "unchanged"
            assert (await connections.info(desk.setup.pool, desk.account_id)).status == "connected"

        run(work, oauth=True)

    def test_a_token_that_ends_in_the_middle_of_a_push_is_refreshed(self, run: Any, vendor: Any) -> None:
        if not self.oauth_refreshes:
            pytest.skip("its tokens do not end")

        async def work(desk: Desk) -> None:
            vendor.rotates = self.rotates
            before = len(vendor.asked("token$"))
            vendor.trouble(self.creates, before=vendor.expire)
            done = await desk.write_many(people(20, 3))
            assert {one.action for one in done} == {"created"}
            assert (len(vendor.contacts()), len(vendor.companies()), vendor.troubles) == (20, 3, [])
            assert len(vendor.asked("token$")) == before + 1

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

    def test_a_code_that_the_vendor_refuses_is_told(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            begun = await connections.begin(desk.setup, desk.account_id, self.crm)
            params = dict(parse_qsl(urlsplit(vendor.authorize(begun.authorize_url)).query))
            with pytest.raises(ApiError) as refused:
                await connections.finish(desk.setup, self.crm, {**params, "code": "no-code"})
            assert refused.value.type == "validation_error"

        run(work)

    @pytest.mark.parametrize("form", ["seconds", "date", "the vendor's own"])
    def test_a_quota_that_is_used_up_says_how_long(
        self, run: Any, vendor: Any, monkeypatch: pytest.MonkeyPatch, form: str
    ) -> None:
        async def work(desk: Desk) -> None:
            monkeypatch.setattr(calling, "SINGLE_WAIT_SECONDS", 5.0)
            date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
            body = vendor.throttled().body
            answer = {
                "seconds": Answer(429, body, {"retry-after": "3600"}),
                "date": Answer(429, body, {"retry-after": date}),
                "the vendor's own": vendor.throttled(),
            }[form]
            vendor.trouble(".", answer, times=1000)
            error = await desk.fails("crm_rate_limit", JANE)
            assert error.retry_after_seconds and error.retry_after_seconds >= 1
            if form != "the vendor's own":
                assert 3000 <= error.retry_after_seconds <= 3600
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
            if "answer" in trouble:
                await desk.fails("crm_unavailable", JANE)
                assert vendor.contacts() == []
                await desk.fails("crm_unavailable", JANE)
                await desk.settled()
            done = await written_in_the_end(desk, JANE)
            assert (done.action, len(vendor.contacts())) == ("created", 1)
            assert (await desk.events()).count("crm.contact.created") == 1
            assert (await desk.write(JANE)).action == "unchanged"

        run(work)

    @pytest.mark.parametrize("person", [JANE, {**WHO, "company_name": "Acme"}, WHO])
    def test_a_create_that_is_done_after_we_looked_is_not_made_again(
        self, run: Any, vendor: Any, person: dict[str, Any]
    ) -> None:
        async def work(desk: Desk) -> None:
            late = threading.Event()
            vendor.trouble(self.creates, lost=True, late=late)
            error = await desk.fails("crm_unavailable", person)
            assert error.retry_after_seconds
            await desk.fails("crm_unavailable", person, host=1)
            late.set()
            done = await written_in_the_end(desk, person)
            assert (done.action, len(vendor.contacts())) == ("created", 1)
            assert (await desk.events()).count("crm.contact.created") == 1

        run(work, hosts=2)

    def test_a_create_that_is_done_after_who_asked_went_away_is_not_made_again(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            late = threading.Event()
            vendor.trouble(self.creates, late=late)
            writing = asyncio.create_task(desk.write(WHO))
            while not vendor.asked(self.creates):
                await asyncio.sleep(0.01)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            await desk.fails("crm_unavailable", WHO)
            late.set()
            done = await written_in_the_end(desk, WHO)
            assert (done.action, len(vendor.contacts())) == ("created", 1)

        run(work)

    def test_a_lost_create_that_cannot_be_looked_for_is_not_made_again(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            vendor.trouble(self.creates, lost=True)
            writing = asyncio.create_task(desk.write(WHO))
            while not vendor.asked(self.creates):
                await asyncio.sleep(0.01)
            vendor.trouble(".", Answer(503, {"message": "away"}), times=100)
            with pytest.raises(ApiError) as away:
                await writing
            assert away.value.type == "crm_unavailable"
            vendor.troubles.clear()
            done = await written_in_the_end(desk, WHO)
            assert (done.action, len(vendor.contacts())) == ("created", 1)

        run(work)

    def without_linkedin(self, vendor: Any) -> None:
        """Takes the field for LinkedIn URLs away, where an account may do without."""
        if self.linkedin_field:
            vendor.remove_field(self.linkedin_field)

    def test_who_has_a_url_alone_is_not_made_again(self, run: Any, vendor: Any) -> None:
        self.without_linkedin(vendor)

        async def work(desk: Desk) -> None:
            typed = vendor.put_contact(**WITHOUT_FULL)
            person = {**WHO, "linkedin_url": JANE["linkedin_url"]}
            vendor.trouble(self.creates, lost=True)
            if self.linkedin_field:
                await desk.fails("crm_unavailable", person, match_by=["linkedin_url"])
                await desk.settled()
            done = await written_in_the_end(desk, person, match_by=["linkedin_url"])
            assert (done.action, done.matched_by, len(vendor.contacts())) == ("created", "linkedin_url", 2)
            assert done.contact_id != typed
            assert (await desk.events()).count("crm.contact.created") == 1
            again = await desk.write(person)
            assert (again.action, again.contact_id) == ("unchanged", done.contact_id)

        run(work)

    def test_a_namesake_who_was_made_meanwhile_is_not_who_was_lost(self, run: Any, vendor: Any) -> None:
        self.without_linkedin(vendor)

        async def work(desk: Desk) -> None:
            first, second = ({**WHO, "linkedin_url": f"https://www.linkedin.com/in/jane-{turn}"} for turn in range(2))
            vendor.trouble(self.creates, Answer(503, {"message": "away"}))
            await desk.fails("crm_unavailable", first)
            another = await desk.another()
            await another.fails("crm_unavailable", second)
            await desk.settled()
            other, done = await another.write(second), await desk.write(first)
            assert (other.action, done.action, len(vendor.contacts())) == ("created", "created", 2)
            assert done.contact_id != other.contact_id

        run(work)

    @pytest.mark.parametrize(("on_conflict", "action"), [("skip", "skipped"), ("fill_empty", "updated")])
    def test_who_was_there_before_a_create_failed_is_not_told_as_created(
        self, run: Any, vendor: Any, on_conflict: str, action: str
    ) -> None:
        async def work(desk: Desk) -> None:
            person = {**WHO, "email": JANE["email"], "phone": PHONE}
            vendor.trouble(self.creates, Answer(503, {"message": "away"}))
            await desk.fails("crm_unavailable", person)
            there = vendor.put_contact(**WITHOUT_FULL, email=JANE["email"])
            done = await desk.write(person, on_conflict=on_conflict)
            assert (done.contact_id, done.action) == (there, action)
            assert "crm.contact.created" not in await desk.events()

        run(work)

    def test_an_update_whose_answer_is_lost_is_told(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            there = vendor.put_contact(first_name="Jane", last_name="Doe", email=JANE["email"])
            vendor.trouble(self.writes, lost=True)
            done = await desk.write({**WHO, "email": JANE["email"], "phone": PHONE})
            assert (done.contact_id, done.action, done.fields_written) == (there, "updated", ["phone"])
            assert await desk.events() == ["crm.connected", "crm.contact.updated"]

        run(work)

    def test_a_lost_update_that_cannot_be_read_is_told_when_it_is_sent_again(self, run: Any, vendor: Any) -> None:
        def goes_away() -> None:
            vendor.trouble(".", Answer(503, {"message": "away"}), times=100)

        async def work(desk: Desk) -> None:
            there = vendor.put_contact(first_name="Jane", last_name="Doe", email=JANE["email"])
            person = {**WHO, "email": JANE["email"], "phone": PHONE}
            vendor.trouble(self.writes, lost=True, before=goes_away)
            await desk.fails("crm_unavailable", person)
            vendor.troubles.clear()
            done = await desk.write(person)
            assert (done.contact_id, done.action, done.fields_written) == (there, "updated", ["phone"])
            assert await desk.events() == ["crm.connected", "crm.contact.updated"]
            assert (await desk.write(person)).action == "unchanged"

        run(work)

    def test_a_change_that_was_never_made_is_not_told(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            await desk.write(JANE)
            vendor.trouble(self.writes, Answer(503), times=100)
            await desk.fails("crm_unavailable", {**JANE, "phone": PHONE})
            vendor.troubles.clear()
            again = await desk.write(JANE)
            assert (again.action, again.fields_written) == ("unchanged", [])

        run(work)

    def test_who_could_be_somebody_just_lost_waits_for_them(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            late = threading.Event()
            vendor.trouble(self.creates, lost=True, late=late)
            await desk.fails("crm_unavailable", JANE)
            by_url = {name: JANE[name] for name in ("full_name", "linkedin_url", "company")}
            await desk.fails("crm_unavailable", {**by_url, "linkedin_url": "https://www.linkedin.com/in/jane-2"})
            by_name = {name: JANE[name] for name in ("full_name", "company")}
            await desk.fails("crm_unavailable", by_name)
            late.set()
            done = await written_in_the_end(desk, by_name)
            assert (done.action, len(vendor.contacts())) == ("created", 1)

        run(work)


async def written_in_the_end(desk: Desk, person: dict[str, Any], **more: Any) -> WriteResult:
    """What comes of a write that is repeated while the CRM is unavailable."""
    for _ in range(600):
        try:
            return await desk.write(person, **more)
        except ApiError as error:
            assert error.type == "crm_unavailable"
            await asyncio.sleep(0.1)
    raise AssertionError("it was never written")
