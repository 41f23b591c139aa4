"""Whether two names may be one person's, and what makes them so."""

from collections.abc import Sequence
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from addtocrm.core import identifiers
from addtocrm.core.individuals import same_name
from addtocrm.core.matching import nicknames
from addtocrm.core.matching.han import han
from addtocrm.core.matching.letters import Word, is_latin, joined, sound, spellings, syllables
from addtocrm.core.matching.written import PARTICLES, taken_apart

MOST_WORDS = 8
"""Of a name with more words, only the last is taken for a family name."""


class Grade(IntEnum):
    """What makes two names one, the surest first: the name that is asked for, beside one that is known."""

    SAME = 1
    """The same words; case, accents, hyphens, titles and degrees do not count."""
    REORDERED = 2
    """The same, with given and family name exchanged."""
    SHORTER = 3
    """What is asked for leaves out a further given name, one of two family names, a particle, or Jr."""
    LONGER = 4
    """What is known leaves that out, or each leaves out something else."""
    NICKNAME = 5
    """A given name and its short form, or two short forms of one name (`nicknames`)."""
    TRANSLITERATED = 6
    """One is in another script, and sounds the same."""
    INITIAL = 7
    """Asked for by an initial, which the known given name has."""
    VAGUE = 8
    """Known by an initial only, which the given name has that is asked for."""


class Part(NamedTuple):
    """Given or family names: all words, and those that are no particles; each also written as one word. `spelt` has the
    spellings of the latter."""

    words: tuple[Word, ...]
    core: tuple[Word, ...]
    spelt: frozenset[str]
    joined: Word
    joined_core: Word


class Reading(NamedTuple):
    """One way to tell given names from family names; `whole` is the name written as one word."""

    given: Part
    family: Part
    whole: Word


class Marks(NamedTuple):
    """What a name says beside its words, or nothing: `generation` and `address` as `written` has them, `han` as
    `letters.han`. `latin`: all its letters are."""

    generation: str
    address: str
    han: str
    latin: bool


class Name(NamedTuple):
    """A name in all ways to read it. `words` has the spellings of all its words and of those written as one."""

    readings: tuple[Reading, ...]
    marks: Marks
    words: frozenset[str]


def name(full: str, *, first: str = "", last: str = "") -> Name:
    """A name from what is written: by its given and family name where both are there, else by the whole (`Jane Doe`, or
    `Doe, Jane`). An empty one is like no other."""
    if first.strip() and last.strip():
        given, family = taken_apart(first), taken_apart(last)
        generation, address = family.generation or given.generation, given.address or family.address
        splits = [(_spelt([*given.words, *given.after]), _spelt([*family.words, *family.after]))]
        return _name(splits, Marks(generation, address, han(first + last), is_latin(first + last)))
    text = full or first or last
    written = taken_apart(text)
    marks = Marks(written.generation, written.address, han(text), is_latin(text))
    if written.after:
        return _name([(_spelt(written.after), _spelt(written.words))], marks)
    return _name(_splits(written.words), marks)


def given_and_family(text: str) -> tuple[str, str]:
    """A whole name in two, without titles and degrees: of `Dr. Ludwig van Beethoven`, Ludwig and van Beethoven; of
    `Doe, Jane`, Jane and Doe. The given name is empty where there is only one word."""
    written = taken_apart(text)
    given, family = written.after, written.words
    if not given:
        begins = max(_family_begins([spellings(word) for word in family]), 0)
        given, family = family[:begins], family[begins:]
    return " ".join(given), " ".join([*family, written.generation]).strip()


def compare(asked: Name, known: Name) -> Grade | None:
    """What makes the name that is asked for one with a known one; None where they differ."""
    if _contrary(asked.marks, known.marks):
        return None
    if asked.marks.latin != known.marks.latin:
        heard = _compare(sounded(asked), sounded(known))
        grade = heard and max(heard, Grade.TRANSLITERATED)
    elif asked.words.isdisjoint(known.words):
        return None
    else:
        grade = _compare(asked, known)
    if grade and asked.marks.generation != known.marks.generation:
        grade = max(grade, Grade.LONGER if asked.marks.generation else Grade.SHORTER)
    return grade


def _contrary(one: Marks, other: Marks) -> bool:
    return any(mark and known and mark != known for mark, known in zip(one[:3], other[:3], strict=True))


def told_apart(one: str, other: str) -> bool:
    """Whether two names are two people's, whatever else speaks for one: Mr Doe and Mrs Doe, father and son, or two in
    other Han characters."""
    return _contrary(_read(one).marks, _read(other).marks)


def may_be_one(one: str, other: str) -> bool:
    """Whether two names at one email address may be one person's: `individuals.same_name`, or the same in other words.
    An initial does not do: a family may share an address."""
    if told_apart(one, other):
        return False
    if same_name(identifiers.name_key(one), identifiers.name_key(other)):
        return True
    grade = compare(_read(one), _read(other))
    return grade is not None and grade < Grade.INITIAL


@lru_cache(maxsize=1024)
def _read(text: str) -> Name:
    return name(text)


def _spelt(words: list[str]) -> tuple[Word, ...]:
    spelt: list[Word] = []
    for word in words:
        parts = syllables(word)
        spelt.append(frozenset({"".join(parts).lower()}) if parts else spellings(word))
    return tuple(word for word in spelt if word)


def _splits(words: list[str]) -> list[tuple[tuple[Word, ...], tuple[Word, ...]]]:
    """The ways to tell given from family names in a whole name, the likeliest first."""
    if words and (parts := syllables(words[0])):
        if len(words) > 1:
            return [(_spelt(words[1:]), _spelt(words[:1]))]
        return [(_spelt(["".join(parts[place:])]), _spelt(["".join(parts[:place])])) for place in (1, 2)]
    spelt = _spelt(words)
    if len(spelt) < 2:
        return [((), spelt)]
    likely = _family_begins(spelt)
    places = [likely]
    if len(spelt) <= MOST_WORDS:
        places += [one for one in range(len(spelt) - 1, 0, -1) if one != likely and _initial(spelt[one]) is None]
    return [(spelt[:place], spelt[place:]) for place in places]


def _family_begins(words: Sequence[Word]) -> int:
    """Where the family name most likely begins: at the first particle within the name, else at the last word."""
    particles = (place for place in range(1, len(words) - 1) if not words[place].isdisjoint(PARTICLES))
    return next(particles, len(words) - 1)


def _name(splits: list[tuple[tuple[Word, ...], tuple[Word, ...]]], marks: Marks) -> Name:
    parts = [(_part(given), _part(family)) for given, family in splits]
    readings = tuple(_reading(given, family) for given, family in parts)
    words = {
        spelling
        for reading in readings
        for word in (*reading.given.words, *reading.family.words, *reading[2:], *_joined(reading))
        for spelling in word
    }
    return Name(readings, marks, frozenset(words))


def _joined(reading: Reading) -> tuple[Word, ...]:
    return (reading.given.joined, reading.family.joined, reading.given.joined_core, reading.family.joined_core)


def _reading(given: Part, family: Part) -> Reading:
    return Reading(given, family, joined((*given.words, *family.words)))


@lru_cache(maxsize=65_536)
def _part(words: tuple[Word, ...]) -> Part:
    core = words if all(map(PARTICLES.isdisjoint, words)) else tuple(filter(PARTICLES.isdisjoint, words)) or words
    together = joined(words)
    return Part(
        words,
        core,
        frozenset(spelling for word in core for spelling in word),
        together,
        together if core is words else joined(core),
    )


def heard_part(part: Part) -> Part:
    """A part by what its words sound like."""
    return _part(tuple(sound(word) for word in part.words))


@lru_cache(maxsize=4096)
def sounded(one: Name) -> Name:
    """A name by what its words sound like, in the same readings."""
    splits = [
        (tuple(sound(word) for word in reading.given.words), tuple(sound(word) for word in reading.family.words))
        for reading in one.readings
    ]
    return _name(splits, one.marks)


def _compare(asked: Name, known: Name) -> Grade | None:
    best: Grade | None = None
    for one in asked.readings:
        turned = _reading(one.family, one.given)
        for other in known.readings:
            grade, exchanged = _one(one, other), _one(turned, other)
            if grade is Grade.SAME:
                return grade
            for found in (grade, exchanged and max(exchanged, Grade.REORDERED)):
                best = found if found and (best is None or found < best) else best
    return best


def _one(asked: Reading, known: Reading) -> Grade | None:
    if not asked.whole.isdisjoint(known.whole):
        return Grade.SAME
    family = _family(asked.family, known.family)
    given = _given(asked.given, known.given) if family else None
    if not family or not given or (given >= Grade.INITIAL and family is Grade.LONGER):
        return None
    return None if Grade.SAME not in (family, given) and _contradict(asked, known) else max(family, given)


def _contradict(asked: Reading, known: Reading) -> bool:
    """Whether each name has a word that the other does not have: neither is the other with something left out."""
    words, others = ((*one.given.core, *one.family.core) for one in (asked, known))
    return not all(any(_given_name(one, other) for other in others) for one in words) and not all(
        any(_given_name(one, other) for one in words) for other in others
    )


def _family(asked: Part, known: Part) -> Grade | None:
    if not asked.joined.isdisjoint(known.joined):
        return Grade.SAME
    if not asked.joined_core.isdisjoint(known.joined_core):
        return Grade.SHORTER if len(asked.words) < len(known.words) else Grade.LONGER
    if asked.spelt.isdisjoint(known.spelt):
        return None
    if _all_in(asked.core, known.core):
        return Grade.SHORTER
    return Grade.LONGER if _all_in(known.core, asked.core) else None


def _all_in(words: tuple[Word, ...], others: tuple[Word, ...]) -> bool:
    """Whether each of `words` is one of `others`, and they are more than initials."""
    return any(_initial(word) is None for word in words) and all(
        any(not word.isdisjoint(other) for other in others) for word in words
    )


def _given(asked: Part, known: Part) -> Grade | None:
    if not asked.joined_core.isdisjoint(known.joined_core):
        return Grade.SAME if len(asked.words) == len(known.words) else Grade.LONGER
    return _aligned(asked.core, known.core)


def _aligned(asked: tuple[Word, ...], known: tuple[Word, ...]) -> Grade | None:
    """Given names one by one: those of the shorter are the first of the longer, or follow the first in its order."""
    if not asked or not known:
        return None
    first = _given_name(asked[0], known[0])
    if first is None:
        return None
    rest, known_rest = asked[1:], known[1:]
    few, many = (rest, known_rest) if len(rest) <= len(known_rest) else (known_rest, rest)
    left = iter(many)
    if not all(any(_given_name(one, other) for other in left) for one in few):
        return None
    if (first is Grade.INITIAL and _more_than_initials(rest, few)) or (
        first is Grade.VAGUE and _more_than_initials(known_rest, few)
    ):
        return None  # who writes `J. Robert` is Robert: the initial of another's first name does not do
    if len(rest) == len(known_rest):
        return first if first is not Grade.SAME else _worst(rest, known_rest)
    return max(first, Grade.SHORTER if len(rest) < len(known_rest) else Grade.LONGER)


def _more_than_initials(rest: tuple[Word, ...], few: tuple[Word, ...]) -> bool:
    return len(rest) > len(few) and any(_initial(word) is None for word in rest)


def _worst(rest: tuple[Word, ...], known_rest: tuple[Word, ...]) -> Grade:
    """What a further given name that is not written the same makes of the match: less is said of it on one side."""
    grades = [_given_name(one, other) for one, other in zip(rest, known_rest, strict=True)]
    if Grade.VAGUE in grades or Grade.NICKNAME in grades:
        return Grade.LONGER
    return Grade.SHORTER if Grade.INITIAL in grades else Grade.SAME


def _given_name(asked: Word, known: Word) -> Grade | None:
    if not asked.isdisjoint(known):
        return Grade.SAME
    if letter := _initial(asked):
        return Grade.INITIAL if any(one.startswith(letter) for one in known) else None
    if letter := _initial(known):
        return Grade.VAGUE if any(one.startswith(letter) for one in asked) else None
    return Grade.NICKNAME if any(nicknames.same(one, other) for one in asked for other in known) else None


def _initial(word: Word) -> str | None:
    """The letter of a word that is one letter."""
    return next((one for one in word if len(one) == 1), None)
