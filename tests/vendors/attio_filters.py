"""Attio's filters, strict as its documentation: rest-api/guides/filtering-and-sorting, docs/attribute-types."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from vendors.base import Refuse
from vendors.wire import Answer

Records = Mapping[str, Mapping[str, Mapping[str, list[dict[str, Any]]]]]

LOCATION = (
    *("line_1", "line_2", "line_3", "line_4", "locality", "region"),
    *("postcode", "country_code", "latitude", "longitude"),
)
TEXT_FILTERS = {"$eq", "$contains", "$starts_with", "$ends_with"}
NUMBER_FILTERS = {"$eq", "$gt", "$gte", "$lt", "$lte"}


class Type(NamedTuple):
    """The properties of a value, the first is what a filter without one means, and the operators of filters."""

    properties: tuple[str, ...]
    filters: set[str]


TYPES = {
    "text": Type(("value",), TEXT_FILTERS | {"$in"}),
    "number": Type(("value",), NUMBER_FILTERS),
    "checkbox": Type(("value",), {"$eq"}),
    "date": Type(("value",), NUMBER_FILTERS),
    "timestamp": Type(("value",), NUMBER_FILTERS),
    "select": Type(("option",), {"$eq"}),
    "domain": Type(("domain", "root_domain"), TEXT_FILTERS | {"$not_empty"}),
    "email-address": Type(("email_address", "email_domain", "original_email_address"), TEXT_FILTERS),
    "phone-number": Type(
        ("normalized_phone_number", "original_phone_number", "country_code"), TEXT_FILTERS | {"$not_empty"}
    ),
    "personal-name": Type(("full_name", "first_name", "last_name"), TEXT_FILTERS | {"$not_empty"}),
    "location": Type(LOCATION, TEXT_FILTERS),
    "record-reference": Type(("target_record_id", "target_object"), {"$eq", "$in"}),
    "actor-reference": Type(("referenced_actor_id", "referenced_actor_type"), {"$eq"}),
}


class UnknownAttribute(Exception):
    """A filter is on an attribute that there is not; `path` is where."""

    def __init__(self, *path: str) -> None:
        super().__init__(path[-1])
        self.path = path


def refuse(why: str) -> Refuse:
    body = {"status_code": 400, "type": "invalid_request_error", "code": "filter_error", "message": why}
    return Refuse(why, Answer(400, body))


class Filters:
    """Judges filters over `records`, by object, id and attribute; `attributes` have their `type`, by object and slug.

    Both are looked at when asked. Raises UnknownAttribute and Refuse.
    """

    def __init__(self, attributes: Mapping[str, Mapping[str, Any]], records: Records) -> None:
        self.attributes, self.records = attributes, records

    def holds(self, object: str, id: str, filter: dict[str, Any], at: tuple[str, ...] = ()) -> bool:
        """Whether the record fits; `at` is where the filter stands in a larger one."""
        if "path" in filter:
            if set(filter) != {"path", "constraints"}:
                raise refuse("a path filter has path and constraints")
            return self.along(object, id, filter["path"], filter["constraints"])
        results = []
        for key, wanted in filter.items():
            if key in ("$and", "$or"):
                each = [self.holds(object, id, one, (*at, key, str(n))) for n, one in enumerate(wanted)]
                results.append(all(each) if key == "$and" else any(each))
            elif key not in self.attributes[object]:
                raise UnknownAttribute(*at, key)
            else:
                held = self.records[object][id].get(key, [])
                results.append(_some(self.attributes[object][key].type, held, wanted))
        return all(results)

    def along(self, object: str, id: str, path: list[list[str]], constraints: dict[str, Any]) -> bool:
        """Whether a value at the end of the path of references, which begins at `object`, fits the constraints."""
        (on, slug), *rest = path
        if on != object or slug not in self.attributes[object]:
            raise UnknownAttribute("path", slug)
        held = self.records[object][id].get(slug, [])
        if not rest:
            return _some(self.attributes[object][slug].type, held, constraints)
        return any(self.along(rest[0][0], one["target_record_id"], rest, constraints) for one in held)


def _some(type: str, held: list[dict[str, Any]], wanted: Any) -> bool:
    """Whether a value fits; the condition is judged also where there is none."""
    results = [_fits(type, one, wanted) for one in held or [{}]]
    return any(results)


def _fits(type: str, held: dict[str, Any], wanted: Any) -> bool:
    properties, filters = TYPES[type]
    if not isinstance(wanted, dict) or any(key.startswith("$") for key in wanted):
        wanted = {properties[0]: wanted}
    results = []
    for property, condition in wanted.items():
        if property not in properties:
            raise refuse(f"a {type} has no {property}")
        has = held.get(property)
        if isinstance(has, dict):
            has = has["title"]
        for operator, value in (condition if isinstance(condition, dict) else {"$eq": condition}).items():
            if operator not in filters:
                raise refuse(f"{operator} on a {type}")
            results.append(has is not None and _compared(operator, has, value, fold=type == "email-address"))
    return all(results)


def _compared(operator: str, has: Any, value: Any, *, fold: bool) -> bool:
    match operator:
        case "$not_empty":
            return True
        case "$in":
            return has in value
        case "$eq":
            return has == (value.lower() if fold else value)
        case "$gt" | "$gte" | "$lt" | "$lte":
            return {"$gt": has > value, "$gte": has >= value, "$lt": has < value, "$lte": has <= value}[operator]
    has, value = has.lower(), value.lower()
    return {"$contains": value in has, "$starts_with": has.startswith(value), "$ends_with": has.endswith(value)}[
        operator
    ]
