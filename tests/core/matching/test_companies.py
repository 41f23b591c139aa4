"""Which company is the same."""

import time

import pytest

from addtocrm.core.matching.companies import Grade, company, compare, keys, site

SITES = {
    "acme.co.uk": "acme.co.uk",
    "careers.acme.co.uk": "acme.co.uk",
    "www.acme.com": "acme.com",
    "https://www.Acme.com/about?x=1": "acme.com",
    "a.b.acme.com.br": "acme.com.br",
    "acme.github.io": "acme.github.io",
    "docs.acme.github.io": "acme.github.io",
    "github.io": "github.io",
    "co.uk": "co.uk",
    "jobs.straße.de": "xn--strae-oqa.de",
    "acme.example.com": "acme.example.com",
    "jobs.acme.example.com": "acme.example.com",
    "example.com": "example.com",
    "jobs.acme.test": "acme.test",
    "acme.wordpress.com": "acme.wordpress.com",
    "www.acme.business.site": "acme.business.site",
    "facebook.com": "facebook.com",
    "https://de.linkedin.com/": "linkedin.com",
}


@pytest.mark.parametrize(("address", "found"), SITES.items())
def test_site(address: str, found: str) -> None:
    assert site(address) == found
    assert site(found) == found


def test_no_site() -> None:
    shared = "https://www.facebook.com/acme", "linkedin.com/company/acme", "sites.google.com/acme", "gmail.com"
    for text in ("", "acme", "127.0.0.1", "a b", *shared):
        with pytest.raises(ValueError, match="domain"):
            site(text)


@pytest.mark.parametrize(
    ("one", "other", "are_same"),
    [
        ("Acme Tools, Inc.", "ACME Tools", True),
        ("Acme GmbH & Co. KG", "Acme", True),
        ("Doe & Sons Ltd", "Doe and Sons", True),
        ("Müller & Söhne GmbH", "Mueller und Soehne", True),
        ("Müller & Söhne", "Muller Sohne", True),
        ("The Acme Company", "Acme", True),
        ("Acme Sp. z o.o.", "Acme S.A. de C.V.", True),
        ("Acme A/S", "Acme (UK) Ltd.", True),
        ("Coca-Cup Co.", "CocaCup", True),
        ("O'Neil LLC", "ONeil", True),
        ("ООО Ромашка", "Romashka", True),
        ("D&B", "D and B", True),
        ("S.A.", "SA", True),
        ("Acme Tools", "Acme Foods", False),
        ("Acme", "Acme Group", False),
        ("Co", "Inc", False),
        ("", "", False),
        ("&", "&", False),
    ],
)
def test_names(one: str, other: str, are_same: bool) -> None:
    assert (not keys(one).isdisjoint(keys(other))) is are_same


@pytest.mark.parametrize(
    ("one", "other", "grade"),
    [
        (company("Acme", "acme.test"), company("Globex", "jobs.acme.test"), Grade.SITE),
        (company(None, "acme.test"), company("Acme", None, "https://acme.test/x"), Grade.SITE),
        (company("Acme", "acme.test"), company("Acme Inc.", None), Grade.NAME),
        (company("Acme", "acme.test"), company("Acme", "acme.example.com"), None),
        (company(None, "acme.test"), company("Acme"), None),
        (company(None), company(None), None),
        (company("Acme", "no domain"), company("Acme"), Grade.NAME),
        (company("中信集团"), company("中信集團"), Grade.NAME),
        (company("中信集团"), company("中新集团"), None),
        (company("中信 Bank Ltd"), company("中新 Bank"), None),
        (company("中信集团"), company("Zhongxinjituan"), Grade.NAME),
        (company("中信集团", "acme.test"), company("中新集团", "acme.test"), Grade.SITE),
    ],
)
def test_two_companies(one: object, other: object, grade: Grade | None) -> None:
    assert compare(one, other) is compare(other, one) is grade  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["ö" * 10_000, "ö " * 5000, "(" * 10_000, "a (" * 3000, "inc " * 2500, "\ud800"])
def test_any_text_is_read_quickly(text: str) -> None:
    began = time.process_time()
    assert all(len(key.encode()) <= 400 for key in keys(text))
    assert time.process_time() - began < 1
