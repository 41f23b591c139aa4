"""Which given names are one person's: Bob is Robert.

The table is `nicknames.txt`, with its source; a line has a root and the forms of it. A form may have several roots (Al
is Albert and Alfred). Direction does not matter: two names are one where one is a form of the other, or both are forms
of one root (Bob and Rob). Two roots of one form are not (Albert is not Alfred). Its limits: it is mostly English; a
form says little of who has it (Sam is Samuel or Samantha); and it knows nothing of translations (Heinrich is not
Henry).
"""

from functools import lru_cache
from pathlib import Path

FILE = Path(__file__).with_name("nicknames.txt")


def same(one: str, other: str) -> bool:
    """Whether two given names (lower-case ASCII words) that differ are forms of one name."""
    roots = _roots()
    return one in roots and other in roots and not roots[one].isdisjoint(roots[other])


@lru_cache(1)
def _roots() -> dict[str, frozenset[str]]:
    """The roots of each name of the table; a root is one of its own."""
    found: dict[str, set[str]] = {}
    for line in FILE.read_text(encoding="utf-8").splitlines():
        root, colon, forms = line.partition(":")
        if colon and not root.startswith("#"):
            for name in (root, *forms.split()):
                found.setdefault(name, set()).add(root)
    return {name: frozenset(roots) for name, roots in found.items()}
