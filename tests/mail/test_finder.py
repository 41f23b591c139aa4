"""Finding an address from a name and a domain."""

from collections import Counter

import pytest
from world import World, in_world

from addtocrm.mail.finder import find
from addtocrm.mail.model import KnownAddress
from addtocrm.mail.names import family_names, given_names
from addtocrm.mail.patterns import MOST_CANDIDATES, candidates, learn


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("Jane", "Doe", ["jane.doe", "jdoe", "jane"]),
        ("José María", "de la Cruz", ["jose.delacruz", "jose.cruz", "josemaria.delacruz"]),
        ("Sinéad", "O'Brien", ["sinead.obrien", "sobrien"]),
        ("Sinéad", "O’Brien", ["sinead.obrien"]),
        ("Jan", "van der Berg", ["jan.vanderberg", "jvanderberg", "jan.berg"]),
        ("Anne-Marie", "Smith-Jones", ["anne-marie.smith-jones", "annemarie.smithjones"]),
        ("Jürgen", "Müller", ["juergen.mueller", "jurgen.muller"]),
        ("Søren", "Ødegård", ["soeren.oedegaard", "soren.odegard"]),
        ("Gabriel", "García Márquez", ["gabriel.garcia", "gabriel.garciamarquez"]),
        ("Иван", "Петров", ["ivan.petrov", "ipetrov"]),
        ("Dr. John", "Smith Jr.", ["john.smith", "jsmith"]),
        ("Madonna", "", ["madonna"]),
        ("", "Suharto", ["suharto"]),
    ],
)
def test_candidates(first: str, last: str, expected: list[str]) -> None:
    made = [candidate.local for candidate in candidates(first, last, Counter())]
    assert made[0] == expected[0] and set(expected) <= set(made)
    assert len(made) == len(set(made)) <= MOST_CANDIDATES
    assert all(local.isascii() and local == local.lower() and " " not in local for local in made)


def test_nothing_comes_of_no_letters() -> None:
    assert candidates("—", "!!", Counter()) == [] and given_names("") == [] and family_names(" ") == []


def test_patterns_are_learnt_from_known_people() -> None:
    known = [
        KnownAddress("Ada", "Long", "along@acme.test"),
        KnownAddress("Bo", "Ray", "BRAY@acme.test"),
        KnownAddress("Cy", "Fox", "cy.fox@acme.test"),
        KnownAddress("Di", "Orr", "di@other.test"),
        KnownAddress("Ed", "Kay", "sales@acme.test"),
    ]
    learnt = learn(known, "acme.test")
    assert learnt == {"{f}{last}": 2, "{first}.{last}": 1}
    assert [one.local for one in candidates("Jane", "Doe", learnt)][:2] == ["jdoe", "jane.doe"]


@in_world
async def test_the_first_confirmed_address_wins_over_one_connection(world: World) -> None:
    server = await world.server("acme.test", mailboxes={"jdoe@acme.test", "jane@acme.test"})
    found = await find(world.engine(), "Jane", "Doe", "ACME.test", [])
    assert found and (found.email, found.verification.result) == ("jdoe@acme.test", "deliverable")
    assert server.recipients()[:2] == ["jane.doe@acme.test", "jdoe@acme.test"]
    assert (len(server.sessions), len(server.recipients())) == (1, 3)


@in_world
async def test_nobody_is_found_where_nobody_is(world: World) -> None:
    server = await world.server("acme.test")
    assert await find(world.engine(), "Jane", "Doe", "acme.test", []) is None
    assert await find(world.engine(), "Jane", "Doe", "gone.test", []) is None
    assert await find(world.engine(), "", "", "acme.test", []) is None
    assert server.most_open == 1


@in_world
async def test_an_address_of_somebody_else_is_not_given(world: World) -> None:
    await world.server("acme.test", mailboxes={"jdoe@acme.test"})
    known = [KnownAddress("John", "Doe", "jdoe@acme.test")]
    assert await find(world.engine(), "Jane", "Doe", "acme.test", known) is None
    found = await find(world.engine(), "John", "Doe", "acme.test", known)
    assert found and found.email == "jdoe@acme.test"


@in_world
async def test_a_catch_all_needs_a_known_pattern(world: World) -> None:
    await world.server("any.test", catch_all=True)
    assert await find(world.engine(), "Jane", "Doe", "any.test", []) is None
    known = [KnownAddress("Ada", "Long", "along@any.test"), KnownAddress("Bo", "Ray", "bray@any.test")]
    found = await find(world.engine(), "Jane", "Doe", "any.test", known)
    assert found and (found.email, found.verification.result) == ("jdoe@any.test", "risky")
    assert found.pattern == "{f}{last}" and found.confidence == pytest.approx(2 / 3)


@in_world
async def test_names_in_other_scripts_and_domains(world: World) -> None:
    await world.server("xn--mnchen-3ya.test", mailboxes={"ivan.petrov@xn--mnchen-3ya.test"})
    found = await find(world.engine(), "Иван", "Петров", "münchen.test", [])
    assert found and found.email == "ivan.petrov@münchen.test"
