"""Signs that are part of a word, as letters: C, C++ and C# are three skills."""

import re

SAME = str.maketrans("＋＃♯", "+##")
SIGN = re.compile(r"(?<=[^\W\d_])\+\++|(?<=\b[^\W\d_])(?:\+(?!\w)|#(?![^\W\d_]))")
"""Several `+` after a letter; one, or `#`, after a word of one letter. `LGBTQ+`, `5+ years` and `Team #1` have none."""


def spelt_out(text: str) -> str:
    """A text whose words have letters for such signs: of `C++` and `C#`, Cplusplus and Csharp."""
    return SIGN.sub(_letters, text.translate(SAME))


def _letters(sign: re.Match[str]) -> str:
    return sign[0].replace("+", "plus").replace("#", "sharp") + " "
