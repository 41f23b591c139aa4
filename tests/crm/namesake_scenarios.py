"""What every connector must do about people of one name."""

from typing import Any

import pytest
from desk import WHO, AtADesk, Desk


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
