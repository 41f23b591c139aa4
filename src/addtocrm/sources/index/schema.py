"""What is indexed of a person. The tokens are ours: words as `identifiers.plain` has them, separated by blanks."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import msgspec
import tantivy

from addtocrm.core import identifiers
from addtocrm.core.ids import ID
from addtocrm.core.matching import han, search
from addtocrm.sources import sizes, titles
from addtocrm.sources.index.signs import spelt_out
from addtocrm.sources.stored import Stored, employers, filled_in, names_of

VERSION = 6
"""An index of another version is built anew."""

WORDS = ("title", "department", "company", "company_han", "industry", "region", "city", "skills", "keywords", "shown")
"""Fields of words; of several texts each is a row of words of its own."""

TERMS = ("seniority", "domain", "size", "country", "name_words", "sites", "company_keys")
"""Fields of one whole value."""

FLAGS = ("has_email", "has_phone", "has_company_han")

FACETS = {
    "seniority": "seniority",
    "department": "department_value",
    "industry": "industry_value",
    "company_size": "size",
    "country": "country",
    "region": "region_value",
    "city": "city_value",
    "company_name": "company_value",
    "skills": "skills_value",
}
"""The filters that are counted by value, and the field that has the values."""

COMPLETE = (
    "linkedin_url",
    "full_name",
    "headline",
    "job_title",
    "seniority",
    "department",
    "email",
    "phones",
    "location",
    "company",
    "skills",
    "experience",
    "education",
)
"""The fields of a person by which it is told who is known better: at most 15."""

PLACE_BITS, ID_DIGITS = 60, 15


def build() -> tantivy.Schema:
    """The schema of the index."""
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("id", tokenizer_name="raw", index_option="basic")
    builder.add_text_field("place", tokenizer_name="raw", index_option="basic", fast=True)
    builder.add_unsigned_field("near", fast=True)
    for name in WORDS:
        builder.add_text_field(name, tokenizer_name="whitespace", index_option="position")
    builder.add_text_field("whole_title", tokenizer_name="raw", index_option="basic")
    for name in dict.fromkeys((*TERMS, *FACETS.values())):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic", fast=name in FACETS.values())
    for name in FLAGS:
        builder.add_boolean_field(name, indexed=True)
    return builder.build()


def document(id: str, data: Mapping[str, Any]) -> str:
    """What is indexed of the person `id`, whose `data` are those of the people table, as JSON."""
    complete = sum(1 for name in COMPLETE if data.get(name))
    data = filled_in(data)
    company: Mapping[str, Any] = data.get("company") or {}
    location: Mapping[str, Any] = data.get("location") or {}
    title, whole_title = _title(data.get("job_title") or "")
    skills: list[str] = data.get("skills") or []
    skilled, shown = _plain(skills), _plain([data.get("job_title"), data.get("headline")])
    past = [text for job in data.get("experience") or () for text in (job.get("title"), job.get("company_name"))]
    company_han = han.words(company.get("name") or "")
    near, place = order(id, complete)
    fields: dict[str, Any] = {
        "id": id,
        "place": place,
        "near": near,
        "title": title,
        "whole_title": whole_title,
        "seniority": titles.level(data.get("seniority") or ""),
        **_both("department", data.get("department")),
        **_both("company", company.get("name")),
        "company_han": company_han,
        "has_company_han": True if company_han else None,
        "domain": company.get("domain"),
        **_both("industry", company.get("industry")),
        "size": sizes.size(company.get("size") or ""),
        "country": location.get("country_code"),
        **_both("region", location.get("region")),
        **_both("city", location.get("city")),
        "skills": skilled,
        "skills_value": skills,
        "shown": shown,
        "keywords": [*shown, *skilled, *_plain(past)],
        **_meant(data),
        "has_email": bool(data.get("email")),
        "has_phone": bool(data.get("phones")),
    }
    return msgspec.json.encode({name: value for name, value in fields.items() if value not in (None, "", [])}).decode()


def _meant(data: Mapping[str, Any]) -> dict[str, list[str]]:
    """By what somebody is found of whom a name and a company are known."""
    stored = msgspec.convert(data, Stored)
    words = {word for name in names_of(stored) for word in search.words(name)}
    places = [one for some in employers(stored) for one in some]
    return {
        "name_words": sorted(words),
        "sites": sorted({site for one in places for site in one.sites}),
        "company_keys": sorted({key for one in places for key in one.keys}),
    }


def order(id: str, complete: int) -> tuple[int, str]:
    """The place of a person among those who are as relevant: the better known before, then by id.

    The text sorts exactly so; the number does but for ids that begin alike, and can be compared faster.
    """
    missing = len(COMPLETE) - complete
    digits = id[4 : 4 + ID_DIGITS] if ID.fullmatch(id) else "f" * ID_DIGITS
    return (missing << PLACE_BITS) + int(digits, 16), f"{missing:x}{id}"


@lru_cache(maxsize=16_384)
def _title(text: str) -> tuple[str, str]:
    """The words of a title, and the same whatever their order, as one term."""
    words = titles.words(spelt_out(text))
    return " ".join(words), " ".join(sorted(words))


def _both(name: str, text: str | None) -> dict[str, str]:
    return {name: _words(text), f"{name}_value": text} if text else {}


def _plain(texts: Iterable[str | None]) -> list[str]:
    return [plain for text in texts if text and (plain := _signed(text))]


_words = lru_cache(maxsize=65_536)(identifiers.plain)


@lru_cache(maxsize=65_536)
def _signed(text: str) -> str:
    return identifiers.plain(spelt_out(text))
