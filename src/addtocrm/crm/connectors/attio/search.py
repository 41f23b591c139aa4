"""Attio's query language: filters and sorts."""

import re
from collections.abc import Sequence
from typing import Any

from addtocrm.crm.connectors.attio.attributes import KINDS, PARTS, PROPERTY, Schema
from addtocrm.crm.contract import Term

OLDEST = [{"direction": "asc", "attribute": "created_at"}, {"direction": "asc", "attribute": "record_id"}]


def any_of(schema: Schema, terms: Sequence[Term], exact: bool) -> dict[str, Any]:
    """The filter for records for which one of the terms, on attributes of `schema`, holds.

    Texts and parts need only contain the words, unless `exact`.
    """
    return {
        "$or": [
            {"$and": [{"$or": _conditions(schema, name, texts, exact)} for name, texts in term.items()]}
            for term in terms
        ]
    }


def _conditions(schema: Schema, name: str, texts: Sequence[str], exact: bool) -> list[dict[str, Any]]:
    slug, _, part = name.partition(".")
    type = schema[slug].type
    property = part or PROPERTY.get(type, "value")
    if type in KINDS:
        return [{slug: text} for text in texts]
    if type == "domain":
        texts = list(dict.fromkeys(re.sub(r"^https?://|/.*", "", text.lower()) for text in texts))
    if type == "email-address":
        texts = [text.lower() for text in texts]
    if exact or type not in ("text", *PARTS):
        return [{slug: {property: {"$eq": text}}} for text in texts]
    lower = {text.lower(): text for text in texts}
    shortest = [text for low, text in lower.items() if not any(one != low and one in low for one in lower)]
    return [{slug: {property: {"$contains": text}}} for text in shortest]


def entries(list_id: str, contact_ids: Sequence[str]) -> dict[str, Any]:
    """The filter for the entries of a list that are these contacts."""
    path = [[list_id, "parent_record"], ["people", "record_id"]]
    return {"path": path, "constraints": {"value": {"$in": contact_ids}}}
