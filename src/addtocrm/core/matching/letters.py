"""Words as ASCII, in each way that people write them."""

import re
import unicodedata
from functools import lru_cache
from itertools import product

from anyascii import anyascii

Word = frozenset[str]
"""A word in all its spellings, each of lower-case ASCII letters and digits."""

SPELT_OUT = {"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "æ": "ae", "œ": "oe", "đ": "dj", "ё": "yo"}
"""Letters that are spelt out, or else lose their marks."""

MOST_SPELT = 4
"""Letters of a word of which each may be written in either way; in a word with more, all are written in one."""

NOT_LETTER = re.compile(r"[^a-z0-9]+")

SOUNDS = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"shch|sch|tsh", "sh"),
        (r"tch", "ch"),
        (r"kh", "h"),
        (r"zh", "j"),
        (r"ts|tz", "c"),
        (r"ks", "x"),
        (r"ph", "f"),
        (r"oy|ou|yu|iu|ju", "u"),
        (r"[yij]+(?=e)", ""),
        (r"[yij]+", "i"),
        (r"w", "v"),
        (r"(.)\1+$", r"\1"),
    )
)
"""What the ways to write a Cyrillic or Greek name in Latin letters have in common: `Yuliya` and `Julia` are `ulia`."""


@lru_cache(maxsize=16_384)
def spellings(word: str) -> Word:
    """A word of letters of any script in all its spellings: `Jörg` is `jorg` and `joerg`. Of none, the empty set."""
    lower = unicodedata.normalize("NFC", unicodedata.normalize("NFC", word).casefold())
    if lower.isascii():
        found = {lower}
    elif 0 < sum(letter in SPELT_OUT for letter in lower) <= MOST_SPELT:
        found = {"".join(letters) for letters in product(*(_ways(letter) for letter in lower))}
    else:
        found = {lower, "".join(SPELT_OUT.get(letter, letter) for letter in lower)}
    return frozenset(ascii for one in found if (ascii := NOT_LETTER.sub("", anyascii(one).lower())))


def _ways(letter: str) -> tuple[str, ...]:
    return (letter, SPELT_OUT[letter]) if letter in SPELT_OUT else (letter,)


@lru_cache(maxsize=16_384)
def sound(word: Word) -> Word:
    """A word's spellings without what differs between the ways to write other scripts in Latin letters."""
    found: set[str] = set()
    for spelling in word:
        reduced = spelling
        for pattern, shorter in SOUNDS:
            reduced = pattern.sub(shorter, reduced)
        found.add(reduced or spelling)
    return frozenset(found)


def is_latin(text: str) -> bool:
    """Whether all letters of a text are Latin ones."""
    return text.isascii() or not any(
        letter.isalpha() and not unicodedata.name(letter, "").startswith("LATIN") for letter in text
    )


def joined(words: tuple[Word, ...]) -> Word:
    """Words written as one, in all spellings (of words with very many, two); of no words, none."""
    if len(words) < 2:
        return words[0] if words else frozenset()
    ways = 1
    for word in words:
        ways *= len(word)
    if ways <= 2**MOST_SPELT:
        return frozenset("".join(one) for one in product(*words))
    return frozenset({"".join(min(word) for word in words), "".join(max(word, key=len) for word in words)})


def syllables(word: str) -> list[str]:
    """The syllables of a word in Han or Hangul characters, in Latin letters; of another script, none."""
    return re.findall(r"[A-Z][a-z]*", anyascii(word)) if not word.isascii() and word.upper() == word.lower() else []
