"""Who of several people is meant, or nobody where two could be."""

from collections.abc import Iterable
from typing import NamedTuple

from addtocrm.core.matching import companies, confidence, names
from addtocrm.core.matching.companies import Company
from addtocrm.core.matching.confidence import Key
from addtocrm.core.matching.names import Grade, Name


class Asked(NamedTuple):
    """Who is asked for: by the first of these that is there, each in its normal form (`identifiers`)."""

    linkedin_url: str | None = None
    email: str | None = None
    name: Name | None = None
    company: Company = companies.company(None)


class Candidate(NamedTuple):
    """Somebody who is known: LinkedIn URLs and email addresses, the main one of each first, names, and employers."""

    id: str
    linkedin_urls: tuple[str, ...]
    emails: tuple[str, ...]
    names: tuple[Name, ...]
    employers: tuple[Company, ...]
    former_employers: tuple[Company, ...]


class Choice(NamedTuple):
    """The one who is meant, what made the match (a key, or a grade of the name), and how sure it is, from 0 to 1."""

    candidate: Candidate
    by: Key | Grade
    confidence: float


def choose(asked: Asked, candidates: Iterable[Candidate]) -> Choice | None:
    """The one candidate who is meant; None where nobody is, or where two people could be.

    Candidates must be all who could be meant: one who is missing cannot make a match ambiguous. Of records of one
    person the one that fits best is given, of equals the first.
    """
    fits = _by_url if asked.linkedin_url else _by_email if asked.email else _by_name
    return _surest([choice for one in candidates if (choice := fits(asked, one))])


def one_person(one: Candidate, other: Candidate) -> bool:
    """Whether two records are of one person: a LinkedIn URL of both, or an email address and nothing that differs."""
    urls, others = set(one.linkedin_urls), set(other.linkedin_urls)
    if urls & others:
        return True
    if (urls and others) or set(one.emails).isdisjoint(other.emails):
        return False
    return not one.names or not other.names or _name_grade(one.names, other.names) is not None


def _by_url(asked: Asked, one: Candidate) -> Choice | None:
    if asked.linkedin_url not in one.linkedin_urls:
        return None
    return _by_key(one, "linkedin_url" if one.linkedin_urls[0] == asked.linkedin_url else "former_linkedin_url")


def _by_email(asked: Asked, one: Candidate) -> Choice | None:
    if asked.email not in one.emails:
        return None
    return _by_key(one, "email" if one.emails[0] == asked.email else "other_email")


def _by_key(one: Candidate, key: Key) -> Choice:
    return Choice(one, key, confidence.BY_KEY[key])


def _by_name(asked: Asked, one: Candidate) -> Choice | None:
    grade = _name_grade((asked.name,), one.names) if asked.name else None
    if grade is None:  # most are told from others by their names, which is quick
        return None
    now, before = (_employer_grade(asked.company, some) for some in (one.employers, one.former_employers))
    employer = now or before
    return Choice(one, grade, confidence.by_name(grade, employer, now=now is not None)) if employer else None


def _employer_grade(asked: Company, known: Iterable[Company]) -> companies.Grade | None:
    return min((grade for one in known if (grade := companies.compare(asked, one))), default=None)


def _name_grade(asked: Iterable[Name], known: tuple[Name, ...]) -> Grade | None:
    best: Grade | None = None
    for one in asked:
        for other in known:
            grade = names.compare(one, other)
            best = grade if grade and (best is None or grade < best) else best
    return best


def _surest(choices: list[Choice]) -> Choice | None:
    if not choices:
        return None
    best = min(choices, key=_rank)
    rivals = (one for one in choices if one is not best and _fits_as_well(one, best))
    return None if any(not one_person(one.candidate, best.candidate) for one in rivals) else best


def _rank(choice: Choice) -> tuple[int, float]:
    """The better grade first, then what is surer."""
    return (choice.by if isinstance(choice.by, Grade) else 0, -choice.confidence)


def _fits_as_well(one: Choice, best: Choice) -> bool:
    """Whether what is asked for may as well mean `one`, who has no better grade.

    A LinkedIn URL is whose it is now. An address that two have is nobody's. The same name beats one that is written
    otherwise, but not one of which what is asked for leaves out something: `Jane Doe` may be short for Jane Doe Roe.
    No other grade beats another: Bob may be Robert, or the B. who is also there.
    """
    if not isinstance(one.by, Grade) or not isinstance(best.by, Grade):
        return one.by != "former_linkedin_url" or best.by == one.by
    if best.by > Grade.REORDERED:
        return True
    return one.by in (best.by, Grade.SHORTER, Grade.INITIAL)
