"""Countries by any name or code: ISO 3166-1, and XK for Kosovo, which has no code there."""

import re
from functools import cache, lru_cache
from typing import Any, cast

import pycountry

from addtocrm.core import identifiers

USUAL = {
    "AE": "United Arab Emirates|UAE|Emirates",
    "BA": "Bosnia and Herzegovina|Bosnia",
    "BN": "Brunei",
    "BQ": "Caribbean Netherlands",
    "CC": "Cocos (Keeling) Islands|Cocos Islands|Keeling Islands",
    "CD": "Democratic Republic of the Congo|DR Congo|DRC|Congo - Kinshasa|Congo, Democratic Republic of the",
    "CG": "Republic of the Congo|Congo - Brazzaville|Congo, Republic of the",
    "CI": "Côte d'Ivoire|Ivory Coast",
    "CN": "China|PRC|Mainland China",
    "CV": "Cape Verde",
    "CZ": "Czechia|Czech Republic",
    "FK": "Falkland Islands",
    "FM": "Micronesia",
    "GB": "United Kingdom|UK|Great Britain|Britain|England|Scotland|Wales|Northern Ireland",
    "HK": "Hong Kong|Hong Kong SAR|Hong Kong SAR China",
    "IE": "Ireland|Republic of Ireland",
    "KR": "South Korea|Republic of Korea",
    "LA": "Laos",
    "MF": "Saint Martin",
    "MK": "North Macedonia|Macedonia|FYROM|Former Yugoslav Republic of Macedonia",
    "MM": "Myanmar|Burma|Myanmar (Burma)",
    "MO": "Macau|Macau SAR|Macao SAR|Macao SAR China",
    "NL": "Netherlands|Holland",
    "PN": "Pitcairn Islands",
    "PS": "Palestine|Palestinian Territories|Palestinian Territory|Occupied Palestinian Territory",
    "RU": "Russia",
    "SH": "Saint Helena",
    "ST": "São Tomé and Príncipe|Sao Tome",
    "SX": "Sint Maarten",
    "SZ": "Eswatini|Swaziland",
    "TF": "French Southern and Antarctic Lands",
    "TL": "Timor-Leste|East Timor",
    "TR": "Türkiye|Turkey",
    "TT": "Trinidad and Tobago|Trinidad",
    "UM": "United States Minor Outlying Islands|U.S. Outlying Islands",
    "US": "United States|United States of America",
    "VA": "Vatican City|Vatican|Holy See",
    "VC": "Saint Vincent and the Grenadines|Saint Vincent",
    "VG": "British Virgin Islands",
    "VI": "U.S. Virgin Islands|United States Virgin Islands|US Virgin Islands",
    "XK": "Kosovo|XKX|Republic of Kosovo",
}
"""What countries are called beside their names in ISO 3166-1; the first is what we call them. They are the English
short names of Unicode CLDR, those that People Data Labs writes (https://docs.peopledatalabs.com/docs/location-countries),
older names, and the parts of the United Kingdom. A name that several have (Korea, Virgin Islands) is none."""


@lru_cache(maxsize=4096)
def country(text: str) -> tuple[str, str | None]:
    """The country's usual name and its alpha-2 code; the text itself and None where it is no country."""
    return _known().get(_key(text), (text, None))


def iso2(text: str) -> str | None:
    """A country's alpha-2 code from its name or code; None where it is no country."""
    return country(text)[1]


@cache
def _known() -> dict[str, tuple[str, str]]:
    """The usual name and the code of each country, by the key of each of its names and codes."""
    names: dict[str, list[str]] = {}
    for one in cast(list[Any], list(pycountry.countries)):
        common, official = getattr(one, "common_name", one.name), getattr(one, "official_name", one.name)
        names[one.alpha_2] = [common, one.name, official, one.alpha_2, one.alpha_3, one.numeric]
    for code, usual in USUAL.items():
        names[code] = [*usual.split("|"), *names.get(code, [code])]
    return {_key(name): (called[0], code) for code, called in names.items() for name in called}


def _key(text: str) -> str:
    """What tells a country's name from others: its letters, without `the`."""
    words = re.sub(r"\bst ", "saint ", identifiers.plain(text.replace("&", " and "))).split()
    return "".join(word for word in words if word != "the")
