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
    return other in forms(one)


def forms(name: str) -> frozenset[str]:
    """A given name (a lower-case ASCII word) and all names of the table that are forms of the same; of one that is not
    there, none."""
    return _forms().get(name, frozenset())


@lru_cache(1)
def _forms() -> dict[str, frozenset[str]]:
    of_root: dict[str, set[str]] = {}
    for line in FILE.read_text(encoding="utf-8").splitlines():
        root, colon, forms = line.partition(":")
        if colon and not root.startswith("#"):
            of_root.setdefault(root, {root}).update(forms.split())
    found: dict[str, set[str]] = {}
    for names in of_root.values():
        for name in names:
            found.setdefault(name, set()).update(names)
    return {name: frozenset(names) for name, names in found.items()}
