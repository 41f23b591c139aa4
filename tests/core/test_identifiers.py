"""What counts as the same person, company, address and domain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addtocrm.core import identifiers

JANE = "https://www.linkedin.com/in/jane-doe-example"


@pytest.mark.parametrize(
    "text",
    [
        "https://www.linkedin.com/in/jane-doe-example",
        "http://de.linkedin.com/in/Jane-Doe-Example/?trk=x",
        "https://m.linkedin.com/in/jane-doe-example",
        "https://touch.linkedin.com/in/jane-doe-example/",
        "linkedin.com/in/jane-doe-example",
        "www.linkedin.com/in/jane-doe-example/de",
        "//uk.linkedin.com/in/jane-doe-example",
        "HTTPS://WWW.LINKEDIN.COM/IN/JANE-DOE-EXAMPLE",
        "https://www.linkedin.com/in/jane-doe-example/details/experience/",
        "https://www.linkedin.com/in/jane-doe-example?utm_source=share#about",
        "https://www.linkedin.com/mwlite/in/jane-doe-example",
        "https://www.linkedin.com/in/jane%2Ddoe%2Dexample",
        "https://www.linkedin.com:443/in/jane-doe-example",
        "  <https://www.linkedin.com/in/jane-doe-example>  ",
        '"https://www.linkedin.com/in/jane-doe-example"',
        "in/jane-doe-example",
        "/in/jane-doe-example/",
        "https://www.linkedin.com//in//jane-doe-example//",
    ],
)
def test_every_pasted_form_is_one_person(text: str) -> None:
    assert identifiers.person_url(text) == JANE


def test_old_public_form() -> None:
    assert identifiers.person_url("http://www.linkedin.com/pub/jane-doe/1a/2b/3c4") == (
        "https://www.linkedin.com/in/jane-doe-3c42b1a"
    )


def test_one_form_for_unicode() -> None:
    encoded = "https://www.linkedin.com/in/jos%C3%A9-n%C3%BA%C3%B1ez-example"
    assert identifiers.person_url("linkedin.com/in/José-Núñez-example") == encoded
    assert identifiers.person_url("linkedin.com/in/Jose\u0301-Nu\u0301n\u0303ez-example") == encoded
    assert identifiers.person_url(encoded.upper()) == encoded


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("https://www.linkedin.com/company/acme", "companies/lookup"),
        ("https://www.linkedin.com/school/acme", "companies/lookup"),
        ("https://www.linkedin.com/sales/lead/ACw,NAME", "Sales Navigator"),
        ("https://www.linkedin.com/jobs/view/1", "not a LinkedIn profile"),
        ("https://www.linkedin.com/in/", "not a LinkedIn profile"),
        ("https://www.linkedin.com/", "not a LinkedIn profile"),
        ("https://linkedin.com.evil.test/in/jane", "not on linkedin.com"),
        ("https://notlinkedin.com/in/jane", "not on linkedin.com"),
        ("https://linkedin.com@evil.test/in/jane", "not on linkedin.com"),
        ("https://jane:x@linkedin.com/in/jane", "not on linkedin.com"),
        ("https://www.linkedin.com:8080/in/jane", "not on linkedin.com"),
        ("ftp://www.linkedin.com/in/jane", "no web address"),
        ("https://lnkd.in/abc", "short link"),
        ("https://www.linkedin.com/in/a%00b", "usable"),
        ("https://www.linkedin.com/in/%ff", "UTF-8"),
        ("https://www.linkedin.com/in/..", "usable"),
        ("https://www.linkedin.com/in/" + "a" * 200, "usable"),
        ("jane doe", "not on linkedin.com"),
        ("", "empty"),
        ("https://www.linkedin.com/in/ja\x00ne", "characters"),
        ("http://[::1/in/jane", "no web address"),
    ],
)
def test_other_things_are_refused_with_help(text: str, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        identifiers.person_url(text)


@given(st.text(max_size=60))
def test_person_url_never_crashes_and_is_idempotent(text: str) -> None:
    for given_text in (text, f"linkedin.com/in/{text}"):
        try:
            once = identifiers.person_url(given_text)
        except ValueError:
            continue
        assert identifiers.person_url(once) == once
        assert once.isascii()


def test_company_url() -> None:
    for text in ("linkedin.com/company/ACME/about/", "https://fr.linkedin.com/company-beta/acme?x=1"):
        assert identifiers.company_url(text) == "https://www.linkedin.com/company/acme"
    assert identifiers.company_url("linkedin.com/school/acme") == "https://www.linkedin.com/school/acme"
    with pytest.raises(ValueError, match="people/enrich"):
        identifiers.company_url(JANE)


def test_email() -> None:
    assert identifiers.email("Jane@ACME.com ") == identifiers.email("Jane@acme.com") == "Jane@acme.com"
    assert identifiers.email("mailto:jane@bücher.example") == "jane@xn--bcher-kva.example"
    for bad in (
        "",
        "jane",
        "@acme.com",
        "jane@",
        "ja ne@acme.com",
        "jane@acme",
        "jane@127.0.0.1",
        "j\0@acme.com",
    ):
        with pytest.raises(ValueError, match=r"address|domain"):
            identifiers.email(bad)


@pytest.mark.parametrize(
    ("text", "ascii"),
    [
        ("straße.de", "xn--strae-oqa.de"),
        ("STRAẞE.de", "xn--strae-oqa.de"),
        ("strasse.de", "strasse.de"),
        ("xn--strae-oqa.de", "xn--strae-oqa.de"),
        ("βόλος.com", "xn--nxasmm1c.com"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),
        ("ｅｘａｍｐｌｅ。com", "example.com"),
    ],
)
def test_unicode_domains(text: str, ascii: str) -> None:
    assert identifiers.domain(text) == ascii
    assert identifiers.email_key(f"Jo@{text}") == identifiers.email_key(f"jo@{ascii}") == f"jo@{ascii}"


def test_an_addresss_key_is_one_for_all_its_spellings() -> None:
    assert identifiers.email("J\u00d6RG@example.com") == "J\u00d6RG@example.com"
    keys = {identifiers.email_key(one) for one in ("JÖRG@Example.com", "jo\u0308rg@example.com", "<jörg@example.com.>")}
    assert keys == {"jörg@example.com"}


def test_domain() -> None:
    for text in ("acme.com", "https://www.Acme.com/path?x", "acme.com.", "www.acme.com", "ACME.COM:443"):
        assert identifiers.domain(text) == "acme.com"
    assert identifiers.domain("www.com") == "www.com"
    for bad in ("", "acme", "127.0.0.1", "[::1]", "a b.com", "-a.com", "a..com"):
        with pytest.raises(ValueError, match=r"domain|IP"):
            identifiers.domain(bad)


@given(st.text(max_size=40))
def test_keys_are_idempotent(text: str) -> None:
    for key in (identifiers.name_key, identifiers.company_key):
        assert key(key(text)) == key(text)


def test_keys() -> None:
    assert identifiers.name_key("  José  O’Brien-Núñez ") == "jose obrien nunez"
    assert identifiers.company_key("Acme Example, Inc.") == identifiers.company_key("ACME example GmbH")
    assert identifiers.company_key("S.A.") == "sa"
