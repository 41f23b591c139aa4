"""Terms as Pipedrive's searches."""

from collections.abc import Mapping
from typing import NamedTuple

from addtocrm.crm.connectors.pipedrive.fields import KEY
from addtocrm.crm.connectors.pipedrive.values import texts_of
from addtocrm.crm.contract import Fields, Term

SEARCHED: Mapping[str, str] = {"emails": "email", "phones": "phone", "website": "", "linkedin": "", "name": "name"}
"""Where search looks for a field, "" for everywhere; the first decides where a term has several."""
LONGEST_TERM = 255


class Question(NamedTuple):
    """What one search asks for: a text in a field, "" for everywhere."""

    where: str
    text: str
    exact: bool

    def query(self) -> dict[str, str]:
        where = {"fields": self.where} if self.where else {}
        exact = {"exact_match": "true"} if self.exact else {}
        return {"term": self.text, **where, **exact}


def asked(term: Term) -> list[Question]:
    """The searches of which one finds whatever the term holds for; none where search cannot look for its fields."""
    if "name" not in term and "first_name" in term and "last_name" in term:
        term = {**term, "name": tuple(f"{a} {b}" for a in term["first_name"] for b in term["last_name"])}
    custom = next((name for name in term if KEY.fullmatch(name.partition(".")[0])), None)
    by = custom or next((name for name in SEARCHED if name in term), None)
    if by is None:
        return []
    texts = {text.strip().lower() for text in term[by]} - {""}
    short = {one for one in texts if not any(two != one and two in one for two in texts)}
    exact = short == texts
    where = SEARCHED.get(by, "custom_fields")
    return [Question(where, text, exact) for text in short if (1 if exact else 2) <= len(text) <= LONGEST_TERM]


def holds(term: Term, fields: Fields) -> bool:
    """Whether a record that has just been written may be meant; of its organization nothing is known here."""
    for name, texts in term.items():
        if name.startswith("organization."):
            continue
        there = {text.casefold() for text in texts_of(fields.get(name))}
        if not there & {text.strip().casefold() for text in texts}:
            return False
    return True
