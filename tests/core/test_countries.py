"""Countries by the names that people and data give them."""

import pycountry
import pytest

from addtocrm.core.countries import country, iso2

USUAL = {
    "RU": "Russia, russia, Russian Federation",
    "TR": "Turkey, Türkiye, Turkiye",
    "GB": "UK, U.K., Great Britain, England, Scotland, Wales, Northern Ireland, The United Kingdom",
    "US": "USA, U.S., U.S.A., United States of America, the united states",
    "AE": "UAE, U.A.E., United Arab Emirates",
    "KR": "South Korea, Republic of Korea",
    "KP": "North Korea",
    "CI": "Ivory Coast, Cote d'Ivoire, Côte d’Ivoire, Cote d Ivoire",
    "CZ": "Czech Republic, Czechia",
    "CD": "Democratic Republic of the Congo, DR Congo, Congo (Kinshasa)",
    "CG": "Republic of the Congo, Congo",
    "NL": "The Netherlands, Holland",
    "MO": "Macau, Macao",
    "PS": "Palestine, Palestinian Territories",
    "XK": "Kosovo, XK",
    "VA": "Vatican City, Holy See",
    "MM": "Burma, Myanmar",
    "MK": "Macedonia, North Macedonia",
    "SZ": "Swaziland, Eswatini",
    "CV": "Cape Verde, Cabo Verde",
    "TL": "East Timor, Timor Leste",
    "TT": "Trinidad & Tobago, Trinidad and Tobago",
    "BA": "Bosnia & Herzegovina, Bosnia",
    "LC": "St. Lucia, St Lucia, Saint Lucia",
    "ST": "Sao Tome, São Tomé and Príncipe, ST",
    "RE": "Reunion, Réunion",
    "CW": "Curacao, curaçao",
    "BN": "Brunei",
    "VI": "U.S. Virgin Islands",
    "GM": "the gambia",
    "AD": "AND, Andorra",
    "DE": "germany, DEU, de, 276",
}


@pytest.mark.parametrize(
    ("name", "code"), [(name, code) for code, names in USUAL.items() for name in names.split(", ")]
)
def test_a_usual_name_is_the_country(name: str, code: str) -> None:
    assert iso2(name) == code


@pytest.mark.parametrize("name", ["Korea", "Virgin Islands", "Atlantis", "Georgia, USA", "", "the"])
def test_what_several_or_none_are_called_is_no_country(name: str) -> None:
    assert country(name) == (name, None)


def test_every_name_and_code_of_iso_3166_is_its_country_and_none_anothers() -> None:
    for one in pycountry.countries:
        names = [one.name, one.alpha_2, one.alpha_3, one.numeric]
        names += [getattr(one, kind, one.name) for kind in ("common_name", "official_name")]
        assert {iso2(name) for name in names} == {one.alpha_2}


def test_a_country_has_its_usual_name() -> None:
    assert country("russian federation") == ("Russia", "RU")
    assert country("VN") == ("Vietnam", "VN")
