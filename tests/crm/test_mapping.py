"""Values as a CRM's fields take them."""

from typing import Any

import pytest

from addtocrm.crm import mapping
from addtocrm.crm.contract import Field
from addtocrm.crm.failures import Rejected

NUMBER = Field(name="n", label="N", type="number")


@pytest.mark.parametrize(
    ("text", "number"),
    [("1200", 1200), ("1,200", 1200), ("1,234,567.5", 1234567.5), ("-0.5", -0.5), (7, 7), (2.5, 2.5)],
)
def test_a_number(text: Any, number: float) -> None:
    assert mapping.converted(NUMBER, text, "x") == number


@pytest.mark.parametrize("text", ["1,5", "1.234,56", "nan", "inf", "1e999", "", "many", True, "١٢"])
def test_no_number(text: Any) -> None:
    with pytest.raises(Rejected):
        mapping.converted(NUMBER, text, "x")
