"""What follows from what is stored of a person."""

from typing import Any

import pytest

from addtocrm.sources.stored import filled_in


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ({"job_title": "VP Sales"}, {"seniority": "vp", "department": "Sales"}),
        ({"job_title": "VP Sales", "seniority": "Boss", "department": "EMEA"}, {}),
        ({"location": {"country": "russia"}}, {"location": {"country": "russia", "country_code": "RU"}}),
        ({"location": {"country": "Atlantis"}}, {"location": {"country": "Atlantis", "country_code": None}}),
        ({"location": {"country": "UK", "country_code": "UA"}}, {}),
        ({"location": None}, {}),
    ],
)
def test_what_is_not_known_is_filled_in_and_what_is_known_stays(stored: dict[str, Any], said: dict[str, Any]) -> None:
    assert filled_in(stored) == {**stored, **said}
