"""By which words an index finds everybody whom `names.compare` may take for who is asked for."""

from collections.abc import Iterable, Sequence
from functools import lru_cache

from addtocrm.core.matching import nicknames
from addtocrm.core.matching.letters import Word, joined, sound
from addtocrm.core.matching.names import Name, Part, Reading, heard_part, sounded

Way = Sequence[Sequence[str]]
"""Groups of words: who is found so has a word of each."""


def words(known: Name) -> list[str]:
    """The words of a name: those of its parts, the parts and the whole written as one, each by its sound; initials as
    they are; and, with a full stop, the letters that its words begin with."""
    found: set[str] = set()
    for given, family, whole in known.readings:
        heard = tuple(sound(word) for word in (*given.words, *family.words))
        found |= sound(whole) | joined(heard) | _words(given) | _words(family)
    return sorted(found)


@lru_cache(maxsize=65_536)
def _words(part: Part) -> Word:
    heard = heard_part(part)
    return _written(part, heard) | {f"{one[0]}." for one in part.spelt | heard.spelt}


def ways(asked: Name) -> list[Way]:
    """The ways to find who may be meant: by the family name and a form of the first given name, in either order, or by
    all written as one."""
    found: list[Way] = []
    for plain, heard in _readings(asked):
        given, family = (plain.given, heard.given), (plain.family, heard.family)
        found += [[sorted(_written(*one)), sorted(_alike(*other))] for one, other in ((family, given), (given, family))]
        found.append([sorted(_whole(plain, heard))])
    return found


def _readings(name: Name) -> Iterable[tuple[Reading, Reading]]:
    return zip(name.readings, sounded(name).readings, strict=True)


def _whole(plain: Reading, heard: Reading) -> Word:
    return sound(plain.whole) | heard.whole


def _written(plain: Part, heard: Part) -> Word:
    spelt = plain.spelt | plain.joined | plain.joined_core
    initials = {one for one in spelt if len(one) == 1}
    return sound(spelt - initials) | initials | heard.spelt | heard.joined | heard.joined_core


def _alike(plain: Part, heard: Part) -> Word:
    """What a given name may be known by: its first word in all forms, by its initial, or all of it as one word."""
    first = frozenset(one for part in (plain, heard) for word in part.core[:1] for one in word)
    forms = sound(frozenset(form for one in first for form in nicknames.forms(one)))
    initials = {f"{one}." if len(one) == 1 else one[0] for one in first}
    return _written(plain, heard) | forms | initials
