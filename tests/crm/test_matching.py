"""Who is the same: docs/crm.md as a table."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addtocrm.crm import mapping, matching
from addtocrm.crm.contract import Field, Record, Rule
from addtocrm.crm.kinds import Kind
from addtocrm.crm.matching import Candidate

U1, U2 = "https://www.linkedin.com/in/jane-1", "https://www.linkedin.com/in/jane-2"
E1, E2 = "jane@acme.example.com", "jane@example.org"


def person(
    url: str | None = None,
    email: str | None = None,
    name: str | None = None,
    at: str | None = None,
    domain: str | None = None,
) -> dict[str, Any]:
    values = {
        "linkedin_url": url,
        "email": email,
        "full_name": name,
        "company_name": at,
        "company_domain": domain,
    }
    return {field: value for field, value in values.items() if value}


def candidates(kind: Kind, *there: dict[str, Any]) -> list[Candidate]:
    """Records of the CRM, the oldest first."""
    return [
        Candidate(Record(kind=kind, id=str(number), url=None, fields={}), values) for number, values in enumerate(there)
    ]


CONTACTS: dict[str, tuple[dict[str, Any], list[dict[str, Any]], int | None, set[str]]] = {
    # what: (sent, in the CRM from the oldest, which one it is or None, keys that stay another's)
    "by URL": (person(U1), [person(U2), person(U1)], 1, set()),
    "by e-mail": (person(email=E1), [person(email=E2), person(email=E1)], 1, set()),
    "by e-mail in any case": (person(email="JANE@acme.example.com"), [person(email=E1)], 0, set()),
    "URL before e-mail": (person(U1, E1), [person(email=E1), person(U1)], 1, {"email"}),
    "e-mail of one without a URL": (person(U1, E1), [person(email=E1)], 0, set()),
    "e-mail of one with another URL": (person(U2, E1), [person(U1, E1)], None, {"email"}),
    "URL decides though the e-mail differs": (person(U1, E2), [person(U1, E1)], 0, set()),
    "name and company": (person(name="Jane Doe", at="Acme"), [person(U1, E1, "Jane Doe", "Acme")], 0, set()),
    "Han characters that sound the same": (
        person(name="王伟", at="Acme"),
        [person(name="汪伟", at="Acme")],
        None,
        set(),
    ),
    "Han characters in the other form": (person(name="王偉", at="Acme"), [person(name="王伟", at="Acme")], 0, set()),
    "a company in Han characters that sound the same": (
        person(name="Wei Li", at="中信集团"),
        [person(name="Wei Li", at="中新集团"), person(name="Wei Li", at="中信集團")],
        1,
        set(),
    ),
    "name in other letters, company's legal form": (
        person(name="JANÉ  doe", at="ACME Inc."),
        [person(U1, None, "Jane Doe", "Acme")],
        0,
        set(),
    ),
    "by the company's domain": (
        person(name="Jane Doe", domain="acme.example.com"),
        [person(name="Jane Doe", at="Acme Tools", domain="acme.example.com")],
        0,
        set(),
    ),
    "companies of one name and other domains": (
        person(name="Jane Doe", at="Acme", domain="acme.example.net"),
        [person(name="Jane Doe", at="Acme", domain="acme.example.com")],
        None,
        set(),
    ),
    "the same name elsewhere": (
        person(name="Jane Doe", at="Acme"),
        [person(name="Jane Doe", at="Globex")],
        None,
        set(),
    ),
    "name and company with another URL": (
        person(U2, name="Jane Doe", at="Acme"),
        [person(U1, name="Jane Doe", at="Acme")],
        None,
        set(),
    ),
    "name and company with another e-mail": (
        person(email=E2, name="Jane Doe", at="Acme"),
        [person(email=E1, name="Jane Doe", at="Acme")],
        None,
        set(),
    ),
    "name and company fill a missing URL": (
        person(U1, name="Jane Doe", at="Acme"),
        [person(email=E1, name="Jane Doe", at="Acme")],
        0,
        set(),
    ),
    "namesakes at one company": (
        person(email=E2, name="Jane Doe", at="Acme"),
        [person(U1, name="Jane Doe", at="Acme"), person(U2, name="Jane Doe", at="Acme")],
        None,
        set(),
    ),
    "namesakes, the nameless key is the one without keys": (
        person(name="Jane Doe", at="Acme"),
        [
            person(U1, name="Jane Doe", at="Acme"),
            person(U2, name="Jane Doe", at="Acme"),
            person(name="Jane Doe", at="Acme"),
        ],
        2,
        set(),
    ),
    "a name alone is not a person with keys": (person(name="Jane Doe"), [person(U1, name="Jane Doe")], None, set()),
    "a name alone is the same name alone": (person(name="Jane Doe"), [person(name="Jane Doe")], 0, set()),
    "a name alone is nobody's at a company": (
        person(name="Jane Doe"),
        [person(name="Jane Doe", at="Acme")],
        None,
        set(),
    ),
    "a key and a name without a company": (person(U1, name="Jane Doe"), [person(name="Jane Doe")], None, set()),
}
A, B = "acme.example.com", "acme.example.net"
L1, L2 = "https://www.linkedin.com/company/acme-1", "https://www.linkedin.com/company/acme-2"
COMPANIES: dict[str, tuple[dict[str, Any], list[dict[str, Any]], int | None, set[str]]] = {
    "by domain": ({"domain": A}, [{"domain": B}, {"domain": A}], 1, set()),
    "domain before page": (
        {"domain": A, "linkedin_url": L1},
        [{"linkedin_url": L1}, {"domain": A}],
        1,
        {"linkedin_url"},
    ),
    "page of one with another domain": (
        {"domain": A, "linkedin_url": L1},
        [{"domain": B, "linkedin_url": L1}],
        None,
        {"linkedin_url"},
    ),
    "by name": ({"name": "ACME, Inc."}, [{"name": "Acme", "domain": A}], 0, set()),
    "name with another domain": ({"name": "Acme", "domain": B}, [{"name": "Acme", "domain": A}], None, set()),
    "by the domain that is the website": ({"domain": A}, [{"website": f"http://www.{A}/"}], 0, set()),
    "by the website that is the domain": ({"website": f"http://www.{A}/"}, [{"domain": A}], 0, set()),
    "name with another website": (
        {"name": "Acme", "domain": B},
        [{"name": "Acme", "website": f"https://{A}/en"}],
        None,
        set(),
    ),
    "name with a page of the domain's site": (
        {"name": "Acme", "domain": A},
        [{"name": "Acme", "website": f"https://shop.{A}/en"}],
        0,
        set(),
    ),
    "name with the same website beside a domain": (
        {"name": "Acme", "domain": B, "website": f"https://{A}"},
        [{"name": "Acme", "website": f"https://{A}"}],
        0,
        set(),
    ),
    "pages at a host that many share": (
        {"name": "Acme", "website": "https://www.facebook.com/acme"},
        [{"name": "Globex", "website": "https://www.facebook.com/globex"}],
        None,
        set(),
    ),
    "two of a name": (
        {"name": "Acme", "linkedin_url": L2},
        [{"name": "Acme", "domain": A}, {"name": "Acme", "domain": B}],
        None,
        set(),
    ),
}


@pytest.mark.parametrize(
    ("kind", "case"),
    [*(("contact", one) for one in CONTACTS.values()), *(("company", one) for one in COMPANIES.values())],
    ids=[*CONTACTS, *COMPANIES],
)
def test_choice(kind: Kind, case: tuple[dict[str, Any], list[dict[str, Any]], int | None, set[str]]) -> None:
    sent, there, index, taken = case
    choice = matching.choose(kind, sent, candidates(kind, *there))
    assert (choice.found and int(choice.found.record.id)) == index
    assert {name for name in matching.KEYS[kind] if matching.key(name, sent) in choice.taken} == taken


PEOPLE = st.builds(
    person,
    st.sampled_from([None, U1, U2]),
    st.sampled_from([None, E1, E2]),
    st.sampled_from([None, "Jane Doe", "John Roe"]),
    st.sampled_from([None, "Acme", "Globex"]),
)


@given(PEOPLE, st.lists(PEOPLE, max_size=5))
def test_two_that_disagree_are_never_one(sent: dict[str, Any], there: list[dict[str, Any]]) -> None:
    known = candidates("contact", *there)
    choice = matching.choose("contact", sent, known)
    if choice.found is None:
        return
    has = choice.found.values
    urls = (sent.get("linkedin_url"), has.get("linkedin_url"))
    assert None in urls or urls[0] == urls[1]
    if urls[0] is None or urls[0] != urls[1]:
        emails = (sent.get("email"), has.get("email"))
        assert None in emails or emails[0] == emails[1]
    for other in known:
        for key in ("linkedin_url", "email"):
            if other is not choice.found and sent.get(key) and other.values.get(key) == sent[key]:
                assert sent[key] in choice.taken


@given(PEOPLE, PEOPLE)
def test_who_could_be_the_same_shares_a_lock(one: dict[str, Any], other: dict[str, Any]) -> None:
    if matching.choose("contact", one, candidates("contact", other)).found:
        locks = [set(matching.locks("builtin", "acc", "contact", values)) for values in (one, other)]
        assert locks[0] & locks[1]


def test_a_list_has_the_domain_first_and_others_after_it() -> None:
    rule, field = Rule(field="domains", from_=("domain",)), Field(name="domains", label="Domains", type="list")
    record = Record(kind="company", id="1", url=None, fields={"domains": ["acme.example.org", "acme.example.com"]})
    there = matching.Candidate(record, mapping.known_as([rule], record))
    assert there.values["domain"] == "acme.example.org"
    choice = matching.choose("company", {"domain": "acme.example.com"}, [there])
    assert (choice.found, choice.by) == (there, "domain")
    assert mapping.equal(rule, field, ["acme.example.com"], record.fields["domains"])
    assert mapping.with_theirs(rule, ["new.example.com"], record.fields["domains"]) == [
        *("new.example.com", "acme.example.org", "acme.example.com")
    ]
