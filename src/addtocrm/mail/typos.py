"""Which domain was meant by a misspelt one, told without asking anybody."""

from functools import lru_cache

from publicsuffixlist import PublicSuffixList

from addtocrm.mail.knowledge import is_free

_LARGE = """
    gmail.com yahoo.com hotmail.com outlook.com icloud.com aol.com live.com msn.com protonmail.com proton.me
    googlemail.com ymail.com mail.com zoho.com fastmail.com gmx.net gmx.de gmx.com web.de t-online.de
    freenet.de yahoo.co.uk yahoo.fr yahoo.de yahoo.it yahoo.es yahoo.ca yahoo.in yahoo.co.in yahoo.com.br
    yahoo.co.jp hotmail.co.uk hotmail.fr hotmail.de hotmail.it hotmail.es outlook.de outlook.fr outlook.es
    live.co.uk live.fr btinternet.com sky.com virginmedia.com comcast.net verizon.net sbcglobal.net
    bellsouth.net charter.net earthlink.net cox.net rocketmail.com orange.fr wanadoo.fr laposte.net
    libero.it virgilio.it mail.ru yandex.ru yandex.com naver.com 163.com 126.com qq.com rediffmail.com
    uol.com.br bol.com.br terra.com.br bigpond.com optusnet.com.au telenet.be ziggo.nl bluewin.ch seznam.cz
    interia.pl
"""
LARGE = tuple(_LARGE.split())
"""The providers that addresses are most often at, most frequent first."""

NO_TYPO = frozenset(
    ["hey.com", "box.com", "sky.de", "139.com", "189.com", "263.net", "ya.ru", "charter.com", "gmail.de"]
)
"""Domains of their own that look like a misspelt large one, beside the free providers."""

MISSPELT_ANYWAY = frozenset(("yaho.com", "vahoo.com", "sbcglbal.net", "hotmail.co", "yahoo.co", "hitmail.com"))
"""Listed among the free providers, but hardly ever meant."""

TOP_LEVEL = ("com", "net", "org", "edu", "gov", "info", "de", "fr", "co.uk")
SAFE_LENGTH = 5
"""Names shorter than this are too near to one another for a changed letter to tell anything."""


def did_you_mean(domain: str) -> str | None:
    """The domain most likely meant where `domain` (lower case) looks misspelt, else None.

    A large provider within one slip (two for names of seven letters and more: a letter missing, added,
    changed or two swapped), or a usual top-level domain in place of one that does not exist.
    """
    if domain in LARGE or domain in NO_TYPO or (is_free(domain) and domain not in MISSPELT_ANYWAY):
        return None
    near = [(distance(domain, large), rank) for rank, large in enumerate(LARGE) if _comparable(domain, large)]
    best = min(near, default=None)
    if best is not None and best[0] <= _slips_allowed(LARGE[best[1]]):
        return LARGE[best[1]]
    return _with_real_top_level(domain)


def distance(one: str, other: str) -> int:
    """How many letters are missing, added, changed or swapped with their neighbour (optimal string alignment)."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        above, before, row = before, row, [i]
        for j, wanted in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, above[j - 2] + 1)
            row.append(cost)
    return row[-1]


def _comparable(domain: str, large: str) -> bool:
    if abs(len(domain) - len(large)) > 2:
        return False
    name, _, _ = large.partition(".")
    same_name = domain.partition(".")[0] == name
    return same_name or (len(name) >= SAFE_LENGTH and domain[0] == large[0]) or _only_first_differs(domain, large)


def _only_first_differs(domain: str, large: str) -> bool:
    name = large.partition(".")[0]
    return len(name) >= SAFE_LENGTH and (domain[1:] in (large[1:], large) or domain == large[1:])


def _slips_allowed(large: str) -> int:
    return 2 if len(large.partition(".")[0]) >= 7 else 1


@lru_cache(1)
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=False)


def _with_real_top_level(domain: str) -> str | None:
    if _suffixes().publicsuffix(domain) is not None or domain.endswith(".test"):
        return None
    name, _, last = domain.rpartition(".")
    close = [top for top in TOP_LEVEL if distance(last, top) == 1]
    if not close and sorted(last) == sorted("com"):
        close = ["com"]
    return f"{name}.{close[0]}" if close else None
