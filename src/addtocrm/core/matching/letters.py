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

SOUNDS = {
    "shch": "sh",
    "sch": "sh",
    "tsh": "sh",
    "tch": "ch",
    "kh": "h",
    "zh": "j",
    "ts": "c",
    "tz": "c",
    "ks": "x",
    "ph": "f",
    "oy": "u",
    "ou": "u",
    "yu": "u",
    "iu": "u",
    "ju": "u",
}
"""What the ways to write a Cyrillic or Greek name in Latin letters have in common, in this order: with `LETTERS`,
`Yuliya` and `Julia` are `ulia`."""

LETTERS = str.maketrans("yjw", "iiv")
SEVERAL_I, I_BEFORE_E = re.compile(r"i{2,}"), re.compile(r"i+(?=e)")


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


def sound(word: Word) -> Word:
    """A word's spellings without what differs between the ways to write other scripts in Latin letters."""
    return frozenset(map(_sound, word))


@lru_cache(maxsize=65_536)
def _sound(spelling: str) -> str:
    heard = spelling
    for written, shorter in SOUNDS.items():
        if written in heard:
            heard = heard.replace(written, shorter)
    heard = heard.translate(LETTERS)
    if "ie" in heard:
        heard = I_BEFORE_E.sub("", heard)
    if "ii" in heard:
        heard = SEVERAL_I.sub("i", heard)
    if heard[-2:-1] == heard[-1:]:
        heard = heard.rstrip(heard[-1:]) + heard[-1:]
    return heard or spelling


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
