"""Countries by any name or code (ISO 3166-1)."""

from functools import lru_cache
from typing import Any, cast

import pycountry


@lru_cache(maxsize=4096)
def country(text: str) -> tuple[str, str | None]:
    """The country's common name and its alpha-2 code; the text itself and None where it is no country."""
    try:
        found: Any = cast(Any, pycountry.countries).lookup(text)
    except LookupError:
        return text, None
    return getattr(found, "common_name", found.name), found.alpha_2


def iso2(text: str) -> str | None:
    """A country's alpha-2 code from its name or code; None where it is no country."""
    return country(text)[1]
