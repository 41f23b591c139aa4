"""People as a data set has them, and how others ask for them: the noise model of docs/matching.md.

It shares no code with the matcher. Whoever asks knows the person by one noisy form of the name and one of the company;
each form has a share of the queries, and is drawn among the people whom it applies to.
"""

import random
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import invented
from invented import CULTURES, Culture

COMPANIES = 1000
SIZES = (4, 8, 12, 20, 30, 50, 90)
"""People at a company, all sizes as often: 30,000 people altogether."""

NAMESAKES = 0.01
"""Of the people, those to whom a namesake at the same company is added."""

SIBLINGS = 0.05
"""Those to whom a sibling at the same company is added: the same family name, another given name."""

FATHERS = 0.003
"""Those who are somebody's son of the same name at the same company, and called Jr."""

TWICE = 0.01
"""Those who are there twice, with one email address."""

MOVED = 0.3
"""Those of whom a former employer is known."""

ABSENT = 0.1
"""Of the queries, those for somebody who is not there: a stranger, the sibling of somebody who is there, or somebody of
another company; a third of them each."""

NAME_NOISE = {
    "as it is": 0.31,
    "case": 0.08,
    "accents dropped": 0.08,
    "umlauts spelt out": 0.04,
    "order": 0.05,
    "double given name": 0.06,
    "one of two family names": 0.05,
    "particle": 0.04,
    "title or degree": 0.07,
    "without Jr.": 0.01,
    "nickname": 0.08,
    "initial": 0.04,
    "middle name": 0.05,
    "other script": 0.03,
    "slip of the keyboard": 0.01,
}
COMPANY_NOISE = {
    "domain": 0.25,
    "name": 0.2,
    "legal form": 0.15,
    "and": 0.05,
    "punctuation and case": 0.05,
    "web address": 0.1,
    "www": 0.05,
    "subdomain": 0.07,
    "umlauts spelt out in the company": 0.03,
    "former employer": 0.05,
}


class Firm(NamedTuple):
    name: str
    domain: str


class Person(NamedTuple):
    """Somebody as they are: `given` and `family` have one or two names each."""

    number: int
    culture: Culture
    given: tuple[str, ...]
    particle: str
    family: tuple[str, ...]
    junior: bool
    firm: Firm
    former: Firm | None


class Record(NamedTuple):
    """Somebody as the data have them. Two records of one person have one `person`."""

    person: int
    first: str
    last: str
    full: str
    email: str
    firm: Firm
    former: Firm | None


class Query(NamedTuple):
    """Who is asked for, by which noise. `person` is None where they are not there. `apart` is whether nobody else at
    the company, or there before, has the same name (asked for by an initial: the same initial and family name)."""

    person: int | None
    apart: bool
    name_noise: str
    company_noise: str
    first: str
    last: str
    company_name: str | None
    company_domain: str | None


class Shown(NamedTuple):
    """A name in its two fields."""

    first: str
    last: str


Rewrite = Callable[[random.Random, Person, Shown], Shown | None]
"""Writes a name in another way; None where that does not apply to the person."""


def world(seed: int, queries: int) -> tuple[list[Record], Iterator[Query]]:
    """The records of all people, in no order, and as many queries for them; the same for the same seed."""
    rng = random.Random(seed)
    people = _people(rng)
    records = [record for person in people for record in _records(rng, person)]
    rng.shuffle(records)
    return records, _queries(rng, people, records, queries)


def _firms(rng: random.Random) -> list[Firm]:
    firms: dict[str, Firm] = {}
    surnames = [name for name in invented.GERMAN.family if name.isalpha()]
    while len(firms) < COMPANIES:
        kind = rng.random()
        if kind < 0.15:
            brand = f"{rng.choice(surnames)} & {rng.choice(('Söhne', 'Partner', 'Töchter', 'Cie'))}"
        elif kind < 0.3:
            brand = f"{rng.choice(invented.BRANDS)} & {rng.choice(invented.BRANDS)}"
        elif kind < 0.4:
            brand = f"{rng.choice(invented.BRANDS)}-{rng.choice(invented.FIELDS)}"
        else:
            brand = f"{rng.choice(invented.BRANDS)} {rng.choice(invented.FIELDS)}"
        legal = f" {rng.choice(invented.LEGAL)}" if rng.random() < 0.6 else ""
        label = "".join(letter for letter in _plain(brand).lower() if letter.isalnum())
        firms.setdefault(label, Firm(brand + legal, f"{label}.{rng.choice(invented.ENDINGS)}"))
    return list(firms.values())


def _people(rng: random.Random) -> list[Person]:
    firms = _firms(rng)
    people: list[Person] = []

    def add(like: Person | None, firm: Firm) -> Person:
        former = rng.choice(firms) if rng.random() < MOVED else None
        person = _person(rng, len(people), firm, former if former != firm else None)
        if like:
            person = person._replace(culture=like.culture, particle=like.particle, family=like.family, given=like.given)
        people.append(person)
        return person

    for firm in firms:
        for _ in range(rng.choice(SIZES)):
            one = add(None, firm)
            luck = rng.random()
            if luck < NAMESAKES:
                add(one, firm)
            elif luck < NAMESAKES + SIBLINGS:
                sibling = add(one, firm)
                others = [name for name in one.culture.given if name != one.given[0]]
                people[-1] = sibling._replace(given=(rng.choice(others),))
            elif luck < NAMESAKES + SIBLINGS + FATHERS:
                add(one, firm)
                people[-1] = people[-1]._replace(junior=True)
    return people


def _person(rng: random.Random, number: int, firm: Firm, former: Firm | None) -> Person:
    culture = rng.choices(CULTURES, [one.share for one in CULTURES])[0]
    given = rng.sample(culture.given, 2 if rng.random() < culture.two_givens else 1)
    family = rng.sample(culture.family, 2 if rng.random() < culture.two_families else 1)
    particle = rng.choice(culture.particles) if culture.particles and rng.random() < 0.3 else ""
    return Person(number, culture, tuple(given), particle, tuple(family), False, firm, former)


def _shown(person: Person) -> Shown:
    """The name as its bearer writes it: Spaniards have two family names, others join them by a hyphen."""
    family = (" " if person.culture is invented.SPANISH else "-").join(person.family)
    last = " ".join(part for part in (person.particle, family, "Jr." if person.junior else "") if part)
    return Shown(" ".join(person.given), last)


def _records(rng: random.Random, person: Person) -> Iterator[Record]:
    """The person once, or twice under one email address. Some of the data lack accents, have a title, a short form of
    the given name, or the whole name in its own script."""
    email = f"p{person.number}@{person.firm.domain}"
    for _ in range(2 if rng.random() < TWICE else 1):
        shown, luck = _shown(person), rng.random()
        full = f"{shown.first} {shown.last}"
        if luck < 0.05:
            shown = Shown(_plain(shown.first), _plain(shown.last))
        elif luck < 0.08:
            shown = Shown(f"Dr. {shown.first}", shown.last)
        elif luck < 0.1:
            shown = Shown(shown.first, f"{shown.last}, MBA")
        elif luck < 0.13 and (native := _native(person)):
            full = native
        elif luck < 0.15 and (forms := invented.SHORT_FORMS.get(person.given[0])):
            shown = Shown(rng.choice(forms), shown.last)
        yield Record(person.number, shown.first, shown.last, full, email, person.firm, person.former)


def _queries(rng: random.Random, people: Sequence[Person], records: Sequence[Record], count: int) -> Iterator[Query]:
    applies = {noise: [one for one in people if NAMES[noise](rng, one, _shown(one))] for noise in NAME_NOISE}
    by_company: dict[str, list[Person]] = defaultdict(list)
    for one in people:
        for firm in {one.firm, one.former} - {None}:
            by_company[firm.domain].append(one)
    called = {domain: Counter(_called(one) for one in some) for domain, some in by_company.items()}
    initials = {domain: Counter(_initialled(one) for one in some) for domain, some in by_company.items()}
    names, companies = list(NAME_NOISE), list(COMPANY_NOISE)
    for _ in range(count):
        name_noise = rng.choices(names, list(NAME_NOISE.values()))[0]
        company_noise = rng.choices(companies, list(COMPANY_NOISE.values()))[0]
        person, firm, asked = _draw(rng, applies[name_noise], company_noise)
        there = rng.random() >= ABSENT
        who, written = person, None
        while written is None:
            who = person if there else _absent(rng, person, firm, people)
            if there or not called[firm.domain][_called(who)]:  # else somebody of this name is there by chance
                written = NAMES[name_noise](rng, who, _shown(who))
        alike = initials if name_noise == "initial" else called
        apart = alike[firm.domain][_initialled(who) if name_noise == "initial" else _called(who)] == 1
        yield Query(who.number if there else None, apart, name_noise, company_noise, *written, *asked)


def _draw(
    rng: random.Random, people: Sequence[Person], noise: str
) -> tuple[Person, Firm, tuple[str | None, str | None]]:
    """One of `people` to whose employer the noise applies; with that, and how it is written."""
    while True:
        person = rng.choice(people)
        firm = person.former if noise == "former employer" else person.firm
        if firm and (written := _company(rng, noise, firm)):
            return person, firm, written


def _called(person: Person) -> tuple[object, ...]:
    return (person.given, person.particle, person.family)


def _initialled(person: Person) -> tuple[object, ...]:
    return (person.given[0][0], person.particle, person.family)


def _absent(rng: random.Random, person: Person, firm: Firm, people: Sequence[Person]) -> Person:
    """Somebody who is not at the firm, and of whom the same can be written as of `person`."""
    kind = rng.randrange(3)
    if kind == 0:
        return _person(rng, -1, firm, None)
    if kind == 1:
        others = [name for name in person.culture.given if name != person.given[0]]
        return person._replace(given=(rng.choice(others),))
    return rng.choice(people)


def _as_it_is(rng: random.Random, person: Person, shown: Shown) -> Shown:
    return shown


def _case(rng: random.Random, person: Person, shown: Shown) -> Shown:
    change = rng.choice((str.upper, str.lower))
    return Shown(change(shown.first), change(shown.last))


def _plain(text: str) -> str:
    """Letters without their marks, as somebody types them who does not have them on the keyboard."""
    text = text.replace("ß", "ss").translate(str.maketrans("øØłŁđĐæÆ", "oOlLdDaA"))
    return "".join(one for one in unicodedata.normalize("NFD", text) if not unicodedata.combining(one))


def _accents_dropped(rng: random.Random, person: Person, shown: Shown) -> Shown | None:
    return _if_other(shown, Shown(_plain(shown.first), _plain(shown.last)))


def _umlauts_spelt_out(rng: random.Random, person: Person, shown: Shown) -> Shown | None:
    return _if_other(shown, Shown(_spelt_out(shown.first), _spelt_out(shown.last)))


UMLAUTS = invented.pairs("ä=ae ö=oe ü=ue ß=ss ø=oe å=aa æ=ae Ä=Ae Ö=Oe Ü=Ue Ø=Oe Å=Aa")


def _spelt_out(text: str) -> str:
    for letter, spelt in UMLAUTS.items():
        text = text.replace(letter, spelt)
    return text


def _if_other(shown: Shown, other: Shown) -> Shown | None:
    return other if other != shown else None


def _order(rng: random.Random, person: Person, shown: Shown) -> Shown:
    return Shown(shown.last, shown.first)


def _double_given_name(rng: random.Random, person: Person, shown: Shown) -> Shown | None:
    """Two given names: only the first, with a hyphen, with a blank, or as one word."""
    words = shown.first.replace("-", " ").split()
    if len(words) != 2:
        return None
    one, two = words
    return _if_other(shown, Shown(rng.choice((one, f"{one}-{two}", f"{one} {two}", f"{one}{two.lower()}")), shown.last))


def _one_of_two_family_names(rng: random.Random, person: Person, shown: Shown) -> Shown | None:
    """Of two family names: one (of Spaniards the first), or both with the other mark between them."""
    if len(person.family) != 2:
        return None
    one, two = person.family
    spanish = person.culture is invented.SPANISH
    last = rng.choice((one, one, f"{one}-{two}" if spanish else f"{one} {two}", one if spanish else two))
    return Shown(shown.first, f"{person.particle} {last}".strip())


def _particle(rng: random.Random, person: Person, shown: Shown) -> Shown | None:
    """A particle: left out, with a capital letter, or written together with the family name."""
    if not person.particle:
        return None
    family = shown.last.removeprefix(person.particle).strip()
    together = "".join(person.particle.split()).capitalize() + family.lower()
    return Shown(shown.first, rng.choice((family, f"{person.particle.title()} {family}", together)))


def _title_or_degree(rng: random.Random, person: Person, shown: Shown) -> Shown:
    before = rng.choice(("Dr.", "Prof.", "Prof. Dr.", "Mr.", "Ms", "Dr", "Dr. med."))
    after = rng.choice((", PhD", " PhD", ", MBA", " MBA", ", Ph.D.", ", MD", " M.D.", ", CPA", ", MSc"))
    return (
        Shown(f"{before} {shown.first}", shown.last) if rng.random() < 0.5 else Shown(shown.first, shown.last + after)
    )


def _without_junior(rng: random.Random, person: Person, shown: Shown) -> Shown | None:
    return Shown(shown.first, shown.last.removesuffix(" Jr.")) if person.junior else None


def _nickname(rng: random.Random, person: Person, shown: Shown) -> Shown | None:
    forms = invented.SHORT_FORMS.get(person.given[0])
    return Shown(rng.choice(forms), shown.last) if forms else None


def _initial(rng: random.Random, person: Person, shown: Shown) -> Shown:
    letters = [name[0] for name in shown.first.replace("-", " ").split()]
    return Shown(rng.choice((f"{letters[0]}.", letters[0], " ".join(f"{one}." for one in letters))), shown.last)


def _middle_name(rng: random.Random, person: Person, shown: Shown) -> Shown | None:
    """A further name or its initial that the data do not have, or the second given name as an initial."""
    if len(person.given) == 2:
        return Shown(f"{person.given[0]} {person.given[1][0]}.", shown.last)
    middle = rng.choice(person.culture.given)
    if middle in person.given or "-" in middle:
        return None
    return Shown(f"{shown.first} {rng.choice((middle, middle[0], middle[0] + '.'))}", shown.last)


def _other_script(rng: random.Random, person: Person, shown: Shown) -> Shown | None:
    """The person's own script, in two fields."""
    if not person.culture.script:
        return None
    given, family = person.culture.script
    return Shown(given[person.given[0]], family[person.family[0]])


def _native(person: Person) -> str | None:
    """The whole name in the person's own script."""
    if not person.culture.script:
        return None
    given, family = (
        names[one] for names, one in zip(person.culture.script, (person.given[0], person.family[0]), strict=True)
    )
    return family + given if person.culture.family_first else f"{given} {family}"


def _slip(rng: random.Random, person: Person, shown: Shown) -> Shown | None:
    """A letter of the family name left out, doubled, or exchanged with the next."""
    place = rng.randrange(1, max(len(shown.last) - 1, 2))
    before, letter, after = shown.last[:place], shown.last[place : place + 1], shown.last[place + 1 :]
    slipped = rng.choice((before + after, before + letter * 2 + after, before + after[:1] + letter + after[1:]))
    return _if_other(shown, Shown(shown.first, slipped))


NAMES: dict[str, Rewrite] = {
    "as it is": _as_it_is,
    "case": _case,
    "accents dropped": _accents_dropped,
    "umlauts spelt out": _umlauts_spelt_out,
    "order": _order,
    "double given name": _double_given_name,
    "one of two family names": _one_of_two_family_names,
    "particle": _particle,
    "title or degree": _title_or_degree,
    "without Jr.": _without_junior,
    "nickname": _nickname,
    "initial": _initial,
    "middle name": _middle_name,
    "other script": _other_script,
    "slip of the keyboard": _slip,
}


def _company(rng: random.Random, noise: str, firm: Firm) -> tuple[str | None, str | None] | None:
    """The company's name or its domain in another form; None where that form does not apply."""
    name, domain = firm
    brand = next((name.removesuffix(f" {legal}") for legal in invented.LEGAL if name.endswith(f" {legal}")), name)
    if noise == "domain":
        return None, domain
    if noise == "name":
        return name, None
    if noise == "legal form":
        return (brand if rng.random() < 0.6 else f"{brand} {rng.choice(invented.LEGAL)}"), None
    if noise == "and":
        return (name.replace("&", rng.choice(("and", "und", "+")), 1), None) if "&" in brand else None
    if noise == "punctuation and case":
        changed = rng.choice((name.upper(), name.lower(), name.replace(".", ""), brand + ",", name.replace("-", " ")))
        return (changed, None) if changed != name else None
    if noise == "web address":
        return None, rng.choice((f"https://{domain}/", f"https://www.{domain}/about?x=1", f"http://{domain.upper()}"))
    if noise == "www":
        return None, f"www.{domain}"
    if noise == "subdomain":
        return None, f"{rng.choice(('careers', 'mail', 'de', 'shop.eu'))}.{domain}"
    if noise == "umlauts spelt out in the company":
        return (_spelt_out(name), None) if _spelt_out(name) != name else None
    return rng.choice(((name, None), (None, domain)))
