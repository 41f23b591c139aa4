"""Any number of generated people: numbered, and the same under the same number. Written as they are made."""

import hashlib
from typing import NamedTuple

from bench.deployment import Deployment

TITLES = (
    "VP Sales",
    "Chief Technology Officer",
    "Software Engineer",
    "Account Manager",
    "Head of Growth",
    "Accountant",
)
COUNTRIES = ("DE", "FR", "GB", "US", "ES")
SKILLS = ("Python", "Negotiation", "Project finance", "Machine learning", "CAD")
CITIES, COMPANIES, FIRST_NAMES, LAST_NAMES = 997, 50_021, 1_999, 99_991
SOUNDS = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]


class Somebody(NamedTuple):
    """A row of the file; the names are those of its columns."""

    linkedin_url: str
    first_name: str
    last_name: str
    email: str
    job_title: str
    city: str
    country: str
    company_name: str
    company_domain: str
    skills: str


def person(number: int) -> Somebody:
    """Their URLs lie at random in an index, as real ones do; several of one name are at different companies."""
    slug = hashlib.md5(str(number).encode()).hexdigest()
    company = number % COMPANIES
    return Somebody(
        f"https://www.linkedin.com/in/{slug}",
        _word(number * 7_919 % FIRST_NAMES),
        _word(number * 15_485_863 % LAST_NAMES + FIRST_NAMES),
        f"{slug}@c{company}.example.com",
        TITLES[number * 7 % len(TITLES)],
        f"City {number % CITIES}",
        COUNTRIES[number % len(COUNTRIES)],
        f"Company {company}",
        f"c{company}.example.com",
        SKILLS[number // 11 % len(SKILLS)],
    )


def imported(deployment: Deployment, first: int, count: int) -> float:
    """Imports the people `first` and following, who are new; gives rows a second."""
    file = deployment.folder / f"{first}.csv"
    with file.open("w") as opened:
        opened.write(",".join(Somebody._fields) + "\n")
        opened.writelines(",".join(person(number)) + "\n" for number in range(first, first + count))
    result = deployment.cli("import", "people", str(file))
    file.unlink()
    assert result["created"] == count, result
    return count / result["seconds"]


def _word(number: int) -> str:
    """A name of two or more syllables: each number another."""
    word = ""
    while number or len(word) < 4:
        number, sound = divmod(number, len(SOUNDS))
        word += SOUNDS[sound]
    return word.capitalize()
