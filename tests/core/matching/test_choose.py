"""Who is meant among several."""

import pytest

from addtocrm.core.matching.choose import Asked, Candidate, choose
from addtocrm.core.matching.companies import company
from addtocrm.core.matching.names import Grade, name

ACME, GLOBEX = company("Acme Inc.", "acme.test"), company("Globex", "globex.test")
URL = "https://www.linkedin.com/in/{}"


def known(
    id: str, full: str = "", *, at: object = ACME, before: object = None, urls: str = "", emails: str = ""
) -> Candidate:
    return Candidate(
        id,
        tuple(URL.format(slug) for slug in urls.split()),
        tuple(f"{local}@acme.test" for local in emails.split()),
        (name(full),) if full else (),
        (at,) if at else (),  # type: ignore[arg-type]
        (before,) if before else (),  # type: ignore[arg-type]
    )


def at_acme(full: str) -> Asked:
    return Asked(name=name(full), company=company("Acme"))


BY_NAME: dict[str, tuple[str, list[Candidate], str | None, Grade | None]] = {
    "the one of the name": ("Jane Doe", [known("1", "Jane Doe"), known("2", "Ann Roe")], "1", Grade.SAME),
    "nobody of the name": ("Jane Doe", [known("1", "John Doe")], None, None),
    "not at this company": ("Jane Doe", [known("1", "Jane Doe", at=GLOBEX)], None, None),
    "at no known company": ("Jane Doe", [known("1", "Jane Doe", at=None)], None, None),
    "was at this company": ("Jane Doe", [known("1", "Jane Doe", at=GLOBEX, before=ACME)], "1", Grade.SAME),
    "namesakes": ("Jane Doe", [known("1", "Jane Doe", urls="a"), known("2", "Jane Doe", urls="b")], None, None),
    "a namesake who left": (
        "Jane Doe",
        [known("1", "Jane Doe"), known("2", "Jane Doe", at=GLOBEX, before=ACME)],
        None,
        None,
    ),
    "twice by URL": (
        "Jane Doe",
        [known("1", "Jane Doe", urls="a"), known("2", "Jane Doe", urls="b a")],
        "1",
        Grade.SAME,
    ),
    "twice by email": (
        "Jane Doe",
        [known("1", "Jane Doe", emails="j"), known("2", "Jane Doe", emails="j")],
        "1",
        Grade.SAME,
    ),
    "one email, two profiles": (
        "Jane Doe",
        [known("1", "Jane Doe", emails="j", urls="a"), known("2", "Jane Doe", emails="j", urls="b")],
        None,
        None,
    ),
    "siblings": ("Jane Doe", [known("1", "John Doe"), known("2", "Jane Doe")], "2", Grade.SAME),
    "the same beats a nickname": ("Bob Doe", [known("1", "Robert Doe"), known("2", "Bob Doe")], "2", Grade.SAME),
    "two nicknames": ("Bob Doe", [known("1", "Robert Doe"), known("2", "Robbie Doe")], None, None),
    "an initial of one": ("J. Doe", [known("1", "Jane Doe"), known("2", "Mary Doe")], "1", Grade.INITIAL),
    "an initial of two": ("J. Doe", [known("1", "Jane Doe"), known("2", "John Doe")], None, None),
    "an initial that one is known by": ("J. Doe", [known("1", "J. Doe"), known("2", "John Doe")], None, None),
    "the same beats one known by an initial": (
        "Jane Doe",
        [known("1", "J. Doe"), known("2", "Jane Doe")],
        "2",
        Grade.SAME,
    ),
    "may be short for another": ("Ana García", [known("1", "Ana García"), known("2", "Ana García López")], None, None),
    "says more than another has": (
        "Ana García López",
        [known("1", "Ana García"), known("2", "Ana García López")],
        "2",
        Grade.SAME,
    ),
    "father and son": ("John Doe", [known("1", "John Doe"), known("2", "John Doe Jr.")], None, None),
    "the son": ("John Doe Jr.", [known("1", "John Doe"), known("2", "John Doe Jr.")], "2", Grade.SAME),
    "as written beats the other order": (
        "Martin James",
        [known("1", "James Martin"), known("2", "Martin James")],
        "2",
        Grade.SAME,
    ),
    "a nickname or an initial": ("Bob Doe", [known("1", "Robert Doe"), known("2", "B. Doe")], None, None),
}


@pytest.mark.parametrize("case", BY_NAME.values(), ids=BY_NAME)
def test_by_name(case: tuple[str, list[Candidate], str | None, Grade | None]) -> None:
    asked, candidates, id, by = case
    for some in (candidates, candidates[::-1]):
        choice = choose(at_acme(asked), some)
        twice = id and len(candidates) > 1 and all(one.names == candidates[0].names for one in candidates)
        assert (choice and choice.by) == by
        assert (choice and choice.candidate.id) == (some[0].id if twice else id)


BY_KEY: dict[str, tuple[Asked, list[Candidate], str | None, float | None]] = {
    "URL": (Asked(URL.format("a")), [known("1", urls="a"), known("2", urls="b")], "1", 1.0),
    "former URL": (Asked(URL.format("a")), [known("1", urls="b a")], "1", 0.95),
    "URL of now, and another's former": (
        Asked(URL.format("a")),
        [known("1", urls="b a"), known("2", urls="a")],
        "2",
        1.0,
    ),
    "two people's former URL": (Asked(URL.format("a")), [known("1", urls="b a"), known("2", urls="c a")], "1", 0.95),
    "main email": (Asked(email="j@acme.test"), [known("1", emails="j k")], "1", 0.95),
    "other email": (Asked(email="k@acme.test"), [known("1", emails="j k")], "1", 0.9),
    "an address of two": (
        Asked(email="j@acme.test"),
        [known("1", "Jane Doe", emails="j"), known("2", "John Doe", emails="k j")],
        None,
        None,
    ),
    "an address of one who is there twice": (
        Asked(email="j@acme.test"),
        [known("1", "Bob Doe", emails="j"), known("2", "Robert Doe", emails="k j", urls="a")],
        "1",
        0.95,
    ),
    "URL before name": (
        Asked(URL.format("a"), name=name("Ann Roe"), company=ACME),
        [known("1", "Jane Doe", urls="a")],
        "1",
        1.0,
    ),
    "nothing": (Asked(), [known("1", "Jane Doe")], None, None),
}


@pytest.mark.parametrize("case", BY_KEY.values(), ids=BY_KEY)
def test_by_key(case: tuple[Asked, list[Candidate], str | None, float | None]) -> None:
    asked, candidates, id, confidence = case
    choice = choose(asked, candidates)
    assert (choice and choice.candidate.id, choice and choice.confidence) == (id, confidence)


def test_confidence_by_name() -> None:
    def confidence(asked: str, employer: object, **there: object) -> float | None:
        choice = choose(Asked(name=name(asked), company=employer), [known("1", "Robert Doe", **there)])  # type: ignore[arg-type]
        return choice and choice.confidence

    assert confidence("Robert Doe", company(None, "www.acme.test")) == 0.9
    assert confidence("Robert Doe", company("ACME")) == 0.8
    assert confidence("Robert Doe", company("ACME"), at=GLOBEX, before=ACME) == 0.6
    assert confidence("Bob Doe", company(None, "acme.test")) == 0.765
    assert confidence("R. Doe", company("ACME")) == 0.56
