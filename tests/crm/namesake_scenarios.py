"""What every connector must do about people of one name."""

from typing import Any

import pytest
from desk import WHO, AtADesk, Desk

URLS = ("https://www.linkedin.com/in/jane-a", "https://www.linkedin.com/in/jane-b")


class NamesakeScenarios(AtADesk):
    """See Scenarios."""

    @pytest.mark.parametrize("company", [{}, {"company_name": "Acme"}])
    def test_who_was_written_by_another_url_is_another(self, run: Any, vendor: Any, company: dict[str, str]) -> None:
        self.without_linkedin(vendor)

        async def work(desk: Desk) -> None:
            jane, other = ({**WHO, **company, "linkedin_url": f"https://www.linkedin.com/in/jane-{n}"} for n in (1, 2))
            first = await desk.write(jane)
            second = await desk.write(other)
            assert (first.action, second.action, len(vendor.contacts())) == ("created", "created", 2)
            for person, made in ((jane, first), (other, second)):
                again = await desk.write({**person, "phone": "+15550100100"})
                assert (again.contact_id, again.matched_by) == (made.contact_id, "linkedin_url")
                assert (await desk.write(person)).contact_id == made.contact_id

        run(work)

    def test_two_who_were_merged_stay_one(self, run: Any, vendor: Any) -> None:
        if not (self.linkedin_field or self.tells_survivor):
            pytest.skip("the contact that is left says that it is one of them, and the CRM nothing of the other")
        self.without_linkedin(vendor)

        async def work(desk: Desk) -> None:
            one, two = ({**WHO, "company_name": "Acme", "linkedin_url": url} for url in URLS)
            kept, gone = await desk.write(one), await desk.write(two)
            vendor.merge_contacts(kept.contact_id, gone.contact_id)
            for person in (one, two, {**two, "phone": "+15550100100"}, one, two):
                again = await desk.write(person, on_conflict="overwrite")
                assert (again.contact_id, len(vendor.contacts())) == (kept.contact_id, 1)

        run(work)

    @pytest.mark.parametrize("company", [{}, {"company_name": "Acme"}])
    def test_who_may_have_been_merged_into_one_who_came_later_is_not_guessed(
        self, run: Any, vendor: Any, company: dict[str, str]
    ) -> None:
        if self.linkedin_field is None:
            pytest.skip("the CRM says who has which URL")
        self.without_linkedin(vendor)

        async def work(desk: Desk) -> None:
            one, two = ({**WHO, **company, "linkedin_url": url} for url in URLS)
            gone, kept = await desk.write(one), await desk.write(two)
            await desk.setup.pool.execute("update crm_links set at = at - interval '1 day' where record_id is not null")
            vendor.merge_contacts(kept.contact_id, gone.contact_id)
            for _ in range(2):
                error = await desk.fails("validation_error", one)
                assert str(gone.contact_id) in error.message and str(kept.contact_id) in error.message
                assert (await desk.write(two)).contact_id == kept.contact_id
            assert (await desk.write(one, contact_id=kept.contact_id)).contact_id == kept.contact_id
            assert (await desk.write(one)).contact_id == (await desk.write(two)).contact_id == kept.contact_id
            vendor.delete_contact(kept.contact_id)
            assert [(await desk.write(each)).action for each in (two, one)] == ["created", "created"]

        run(work)

    def test_what_was_made_for_one_is_not_a_namesakes(self, run: Any, vendor: Any) -> None:
        self.without_linkedin(vendor)

        async def work(desk: Desk) -> None:
            one, two = ({**WHO, "company_name": "Acme", "linkedin_url": url} for url in URLS)
            made = await desk.write({**one, "phone": "+15550100100"})
            # As where we stopped before it was noted.
            await desk.setup.pool.execute("update crm_links set record_id = null where kind = 'contact'")
            await desk.fails("crm_unavailable", {**two, "job_title": "Other"})
            await desk.settled()
            other = await desk.write({**two, "job_title": "Other"})
            assert (other.action, other.matched_by) == ("created", None)
            assert (await desk.write(one)).contact_id == made.contact_id
            titles = {contact["id"]: contact.get("job_title") for contact in vendor.contacts()}
            assert (len(titles), titles[made.contact_id]) == (2, None)

        run(work)
