"""Signs that are part of a word."""

import pytest

from addtocrm.core.identifiers import plain
from addtocrm.sources.index.signs import spelt_out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("C++", "cplusplus"),
        ("c#", "csharp"),
        ("C♯ / F#", "csharp fsharp"),
        ("C/C++17, C#.NET", "c cplusplus 17 csharp net"),
        ("Objective-C++Builder", "objective cplusplus builder"),
        ("CompTIA A+", "comptia aplus"),
        ("Sales+Marketing", "sales marketing"),
        ("LGBTQ+, 5+ years, Team #1, A+B, ++", "lgbtq 5 years team 1 a b"),
    ],
)
def test_spelt_out(text: str, words: str) -> None:
    assert plain(spelt_out(text)) == words
    assert plain(spelt_out(words)) == words
