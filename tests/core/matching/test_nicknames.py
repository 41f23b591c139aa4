"""The table of nicknames."""

import pytest

from addtocrm.core.matching.nicknames import FILE, same


@pytest.mark.parametrize(
    ("one", "other", "are_same"),
    [
        ("bob", "robert", True),
        ("bill", "william", True),
        ("bob", "rob", True),
        ("al", "albert", True),
        ("al", "alan", True),
        ("bob", "bert", False),
        ("bill", "robert", False),
        ("albert", "alan", False),
        ("alexander", "alexandra", False),
        ("john", "jonathan", False),
        ("robert", "robert", True),
        ("nobody", "nobody", False),
    ],
)
def test_one_name(one: str, other: str, are_same: bool) -> None:
    assert same(one, other) is same(other, one) is are_same


def test_the_table_is_whole() -> None:
    lines = [line for line in FILE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    for line in lines:
        root, forms = line.split(": ")
        assert all(word.isascii() and word.isalpha() and word.islower() for word in (root, *forms.split())), line
        assert root not in forms.split() and len(set(forms.split())) == len(forms.split()), line
