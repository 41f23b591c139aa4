"""Between our values and a CRM's fields, by an account's rules (docs/crm.md, "Field mapping")."""

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple, cast

import msgspec

from addtocrm.core import identifiers, times
from addtocrm.core.countries import iso2
from addtocrm.crm.contract import CUSTOM, Definition, Field, Record, Rule, Value, Values
from addtocrm.crm.failures import Rejected, Unlisted
from addtocrm.crm.kinds import Kind
from addtocrm.crm.matching import CUT, KEYS, OTHERS, keys
from addtocrm.crm.merge import PLACE, is_empty

Shape = Callable[[str], str]
Texts = dict[str, tuple[str, ...]]
LISTS = frozenset({"other_emails", "other_phones", "skills", "technologies"})
"""Those of our names that have several values; a text of the CRM has them with semicolons between."""

IDENTIFYING = frozenset({name for several in KEYS.values() for one in several for name in (one, OTHERS.get(one, one))})


class Wanted(NamedTuple):
    """What one field of the CRM is to have; `names` are our names of it, none of a constant."""

    field: Field
    value: Value
    names: tuple[str, ...]


def rules_of(
    definition: Definition, kind: Kind, own: Sequence[Rule] | None, fields: Mapping[str, Field]
) -> tuple[Rule, ...]:
    """The account's rules where it has some, else the usual ones for which the CRM has the field.

    LinkedIn URLs without a rule go into the field that is named like them.
    """
    if own is not None:
        return tuple(own)
    usual = definition.mapping.get(kind, ())
    rules = [rule for rule in usual if rule.read_only or rule.field in fields]
    if not any("linkedin_url" in rule.from_ for rule in rules):
        named = next((one for one in fields.values() if one.custom and _is_linkedin(one)), None)
        rules += [Rule(field=named.name, from_=("linkedin_url",))] if named else []
    return tuple(rules)


def _is_linkedin(field: Field) -> bool:
    return field.writable and field.type == "text" and "linkedin" in f"{field.name} {field.label}".lower()


def wanted(
    rules: Sequence[Rule],
    fields: Mapping[str, Field],
    values: Values,
    *,
    usual: bool = False,
    open_fields: bool = False,
) -> list[Wanted]:
    """What the fields of the CRM get of `values`.

    `usual`: the account did not choose the rules, so a value that is no option of its CRM has no place there.
    `open_fields`: a custom field is made by naming it. Raises Rejected, with our name, for what a field cannot have.
    """
    values = whole_name(values)
    found: dict[str, Wanted] = {}
    for rule in rules:
        field = fields.get(rule.field)
        if rule.read_only or field is None:
            continue
        given = [(name, values[name]) for name in rule.from_ if name in values and not is_empty(values[name])]
        if field.type not in ("list", "choices"):
            given = given[:1]
        if given:
            try:
                of_each = [converted(field, _mapped(rule, value), name, _shape(rule)) for name, value in given]
            except Rejected:
                if usual and field.type in ("choice", "choices"):
                    continue
                raise
            value = _unique(of_each) if field.type in ("list", "choices") else of_each[0]
            found[rule.field] = Wanted(field, value, tuple(name for name, _ in given))
        elif rule.constant is not None:
            found[rule.field] = Wanted(field, converted(field, rule.constant, rule.field), ())
    for name, value in values.items():
        if name.startswith(CUSTOM):
            own = name.removeprefix(CUSTOM)
            if open_fields:
                found[name] = Wanted(Field(name=name, label=own, type="text", custom=True), value, (name,))
                continue
            field = own_field(fields, own)
            if field is None or not field.writable:
                raise Unlisted(name, "is no field that can be written; see GET /v1/crm/fields.")
            if known := next((rule.from_[0] for rule in rules if rule.field == field.name and identifying(rule)), None):
                raise Rejected(name, f"is the CRM's field of {known}; send that instead.")
            found[field.name] = Wanted(field, converted(field, value, name), (name,))
    return list(found.values())


def identifying(rule: Rule) -> bool:
    """Whether the rule's field has what a person or company is known by."""
    return not IDENTIFYING.isdisjoint(rule.from_)


def own_field(fields: Mapping[str, Field], name: str) -> Field | None:
    """A field of the CRM by its name, or by the label that it alone has."""
    if name in fields:
        return fields[name]
    labelled = [field for field in fields.values() if field.label.casefold() == name.casefold()]
    return labelled[0] if len(labelled) == 1 else None


def whole_name(values: Values) -> Values:
    """`values` with both forms of a name where one is given: the full one, and its first and last part."""
    full = str(values.get("full_name") or "").strip()
    parts = {name: str(values[name]) for name in ("first_name", "last_name") if not is_empty(values.get(name))}
    if not full and parts:
        return {**values, "full_name": " ".join(parts.values())}
    if full and not parts:
        first, _, last = full.rpartition(" ")
        return {**values, **({"first_name": first} if first else {}), "last_name": last}
    return values


def known_as(rules: Sequence[Rule], record: Record) -> dict[str, Any]:
    """A record of the CRM by our names, in our normal forms where they have one."""
    found: dict[str, Any] = {}
    mapped = set[str]()
    for rule in rules:
        mapped.add(rule.field)
        value = record.fields.get(rule.field)
        names = list(rule.from_)
        if is_empty(value) or not names:
            continue
        theirs = {their: our for our, their in rule.values.items()}
        name = "website" if "website" in names else names[0]
        if isinstance(value, list) and joined(rule):
            first, *rest = (_normal(name, one) for one in value)
            found[name] = first
            found |= {(names[1:] or [OTHERS[name]])[0]: rest} if rest else {}
        elif isinstance(value, str) and name in LISTS:
            found.setdefault(name, [one.strip() for one in value.split(";") if one.strip()])
        else:
            found.setdefault(name, _normal(name, theirs.get(value, value) if isinstance(value, str) else value))
    own = {name: value for name, value in record.fields.items() if name not in mapped}
    found |= {name if name.startswith(CUSTOM) else CUSTOM + name: value for name, value in own.items()}
    if record.kind != "company" and "full_name" not in found:
        found |= {name: value for name, value in whole_name(found).items() if name == "full_name"}
    return found


def terms(
    rules: Sequence[Rule], kind: Kind, values: Values, by: Collection[str], fields: Mapping[str, Field] = {}
) -> list[dict[str, tuple[str, ...]]]:
    """What to look for in the CRM's fields (see `contract.Term`), for what of `values` is named in `by`: names as long
    as `fields` take them."""
    values = whole_name(values) if kind != "company" else values
    field_of = {rule.from_[0]: rule.field for rule in rules if rule.from_}
    found: list[dict[str, tuple[str, ...]]] = []
    if "linkedin_url" in by and "linkedin_url" in values and "linkedin_url" in field_of:
        found.append({field_of["linkedin_url"]: tuple(linkedin_forms(str(values["linkedin_url"])))})
    domains = sorted(keys("domain", values)) if "domain" in by else []
    if domains and (field := field_of.get("domain") or field_of.get("website")):
        found.append({field: tuple(form for one in domains for form in _domain_forms(one))})
    if "email" in by:
        given = [one for name in ("email", "other_emails") if name in values for one in _several(values[name])]
        addresses = tuple(str(one).lower() for one in given)
        held = [rule.field for rule in rules if rule.from_[:1] == ("email",)]
        held += [rule.field for rule in rules if rule.from_[:1] == ("other_emails",) and not rule.read_only]
        found += [{field: addresses} for field in held if addresses]
    if "name" in by:
        found += [
            {field: tuple(_cut(text, fields.get(field)) for text in texts) for field, texts in term.items()}
            for term in _named(field_of, kind, values)
        ]
    return found


def within(rules: Sequence[Rule], kind: Kind, values: Values) -> dict[str, tuple[str, ...]]:
    """Where a company is known by a website, what to look for anywhere in it (see `contract.Sought`): its domains."""
    fields = [rule.field for rule in rules if "website" in rule.from_ and "domain" in rule.from_]
    domains = tuple(sorted(keys("domain", values))) if kind == "company" else ()
    return {field: domains for field in fields[:1] if domains}


def _named(field_of: Mapping[str, str], kind: Kind, values: Values) -> list[dict[str, tuple[str, ...]]]:
    if kind == "company":
        names = [str(values["name"])] if values.get("name") and "name" in field_of else []
        bare = [identifiers.without_legal_form(name) for name in names]
        return [{field_of["name"]: tuple(_unique([*names, *bare]))}] if names else []
    if "full_name" in values and "full_name" in field_of:
        return [{field_of["full_name"]: (str(values["full_name"]),)}]
    parts = {
        field_of[name]: (str(values[name]),)
        for name in ("first_name", "last_name")
        if name in values and name in field_of
    }
    return [parts] if len(parts) == 2 or (parts and "last_name" in values and "first_name" not in values) else []


def linkedin_forms(url: str) -> list[str]:
    """The forms in which people keep a LinkedIn URL; ours first."""
    bare = url.removeprefix("https://www.")
    starts = ("https://www.", "https://", "http://www.", "http://", "www.", "")
    return [start + bare + end for start in starts for end in ("", "/")]


def _domain_forms(domain: str) -> list[str]:
    starts = ("", "www.", "https://", "https://www.", "http://", "http://www.")
    return [start + domain + end for start in starts for end in ("", "/")]


def converted(field: Field, value: Any, name: str, shape: Shape | None = None) -> Value:
    """The value as the field takes it. Raises Rejected with `name` for one that it cannot have."""
    match field.type:
        case "choice":
            return _option(field, value, name)
        case "choices":
            return [_option(field, one, name) for one in _several(value)]
        case "list":
            return [_text(field, one, name, shape) for one in _several(value)]
        case "number":
            return _number(value, name)
        case "boolean":
            if isinstance(value, bool):
                return value
            if str(value).lower() in ("true", "false"):
                return str(value).lower() == "true"
            raise Rejected(name, f"is true or false in the CRM's field {field.label!r}.")
        case "date":
            return _date(value, name)
        case "datetime":
            return _time(value, name)
        case _:
            if isinstance(value, list):
                texts = [str(one) for one in _several(value)]
                value = texts[0] if field.form == "single" else "; ".join(texts)
            return _text(field, value, name, shape)


def _option(field: Field, value: Any, name: str) -> str:
    text = str(value).strip().casefold()
    for option in field.options:
        if text in (option.value.casefold(), option.label.casefold()):
            return option.value
    allowed = ", ".join(option.label for option in field.options[:50])
    more = f", … ({len(field.options):,} in all)" if len(field.options) > 50 else ""
    raise Unlisted(name, f"is not among the options of the CRM's field {field.label!r}: {allowed}{more}.")


def _number(value: Any, name: str) -> int | float:
    text = str(value).strip()
    if re.fullmatch(r"-?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?", text):
        text = text.replace(",", "")
    if isinstance(value, bool) or not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", text):
        raise Rejected(name, "is a number in the CRM, such as 1200 or 0.5.")
    if not math.isfinite(float(text)):
        raise Rejected(name, "is too large a number.")
    number = value if isinstance(value, int) else float(text)
    return int(number) if float(number).is_integer() else number


def _date(value: Any, name: str) -> str:
    try:
        return value if re.fullmatch(r"\d{4}-\d\d-\d\d", str(value)) and date.fromisoformat(str(value)) else _day(value)
    except ValueError:
        raise Rejected(name, "must be an ISO 8601 date such as 2026-01-31.") from None


def _day(value: Any) -> str:
    moment: datetime = times.parse(str(value))
    return moment.date().isoformat()


def _time(value: Any, name: str) -> str:
    try:
        return _moment(value).isoformat()
    except ValueError:
        raise Rejected(name, "must be an ISO 8601 date or time such as 2026-01-31T09:00:00Z.") from None


def _moment(value: Any) -> datetime:
    """The time to the second, in UTC. Raises ValueError."""
    return times.parse(str(value)).replace(microsecond=0)


def _text(field: Field, value: Any, name: str, shape: Shape | None) -> str:
    text = ("true" if value else "false") if isinstance(value, bool) else str(value).strip()
    if field.form == "e164":
        text = _e164(text, name)
    elif field.form == "iso2":
        code = iso2(text)
        if code is None:
            raise Rejected(name, f"is no country that is known; send its name or its ISO code ({text[:50]!r}).")
        text = code
    cut = _cut(text, field)
    if cut != text and (shape is not None or field.form == "single"):
        raise Rejected(name, f"has more than the {field.max_length} characters that the CRM's field takes.")
    return cut


def _cut(text: str, field: Field | None) -> str:
    """As much of the text as the field takes."""
    if field is None or field.max_length is None or len(text) <= field.max_length:
        return text
    return text[: field.max_length - 1].rstrip() + CUT


def _e164(text: str, name: str) -> str:
    digits = re.sub(r"[^\d+]", "", re.sub(r"\(0\)", "", text))
    digits = "+" + digits[2:] if digits.startswith("00") else digits
    if not re.fullmatch(r"\+[1-9]\d{6,14}", digits):
        raise Rejected(name, "needs the country's code, such as +1 555 010 0100: the CRM takes no other phone number.")
    return digits


def equal(rule: Rule | None, field: Field, ours: Value, theirs: Value | None) -> bool:
    """Whether the CRM's value says the same as ours, whatever the form that somebody gave it."""
    if theirs is None:
        return False
    if isinstance(ours, list):
        several = theirs.split(";") if field.type == "choices" and isinstance(theirs, str) else _several(theirs)
        there = [_comparable(rule, field, one) for one in several]
        wanted = [_comparable(rule, field, one) for one in ours]
        if field.type == "choices":
            return set(wanted) == set(there)
        return set(wanted) <= set(there) if joined(rule) else wanted == there
    return _comparable(rule, field, ours) == _comparable(rule, field, theirs)


def joined(rule: Rule | None) -> bool:
    """Whether the rule's list is of more than one field of ours, so that what else is in it stays."""
    return rule is not None and (len(rule.from_) > 1 or any(name in OTHERS for name in rule.from_))


def said(rule: Rule | None, field: Field, ours: Any, theirs: Value | None) -> bool:
    """Whether such a list has what one of our fields, `ours`, says."""
    if not joined(rule) or ours is None or theirs is None:
        return False
    return equal(rule, field, _several(ours), theirs)


def with_theirs(rule: Rule | None, ours: Value, theirs: Value | None) -> Value:
    """What is written over `theirs`: of such a list nothing is lost."""
    if not joined(rule) or not isinstance(ours, list) or not isinstance(theirs, list):
        return ours
    return _unique([*ours, *theirs])


def _comparable(rule: Rule | None, field: Field, value: Any) -> Any:
    name = rule.from_[0] if rule and rule.from_ else ""
    match field.type:
        case "number":
            try:
                return float(value)
            except (TypeError, ValueError):
                return str(value)
        case "boolean":
            return str(value).lower() == "true"
        case "date":
            return str(value)[:10]
        case "datetime":
            try:
                return _moment(value)
            except ValueError:
                return str(value)
        case _:
            text = str(value).strip()
    if name in ("phone", "other_phones"):
        return re.sub(r"\D", "", text) or text
    if name == "email":
        return text.lower()
    if name == "country":
        return iso2(text) or text.casefold()
    if name in PLACE:
        return text.casefold()
    return _normal(name, text)


def _normal(name: str, value: Any) -> Any:
    shape = NORMAL.get(name)
    if shape is None or not isinstance(value, str):
        return value
    try:
        return shape(value)
    except ValueError:
        return value.strip()


NORMAL: Mapping[str, Shape] = {
    "linkedin_url": lambda text: (
        identifiers.company_url(text) if "/in/" not in text and "/pub/" not in text else identifiers.person_url(text)
    ),
    "email": identifiers.email,
    "domain": identifiers.domain,
    "company_domain": identifiers.domain,
    "website": lambda text: text.strip().rstrip("/").lower(),
}


def _shape(rule: Rule) -> Shape | None:
    """What identifies is never cut."""
    return next((NORMAL[name] for name in rule.from_ if name in NORMAL), None)


def _mapped(rule: Rule, value: Any) -> Any:
    if not rule.values:
        return value
    known = {our.casefold(): their for our, their in rule.values.items()}
    if isinstance(value, list):
        return [known.get(str(one).casefold(), one) for one in _several(value)]
    return known.get(str(value).casefold(), value)


def _several(value: Any) -> list[Any]:
    return cast(list[Any], value) if isinstance(value, list) else [value]


def _unique(values: Sequence[Any]) -> list[Any]:
    """Each once, where it is first."""
    found: dict[str, Any] = {}
    for value in values:
        for one in _several(value):
            found.setdefault(str(one).casefold(), one)
    return list(found.values())


def label(rules: Sequence[Rule], field: str) -> str:
    """Our name of a CRM's field, for a message: ours where a rule has one."""
    if not field or field.startswith(CUSTOM):
        return field
    return next((rule.from_[0] for rule in rules if rule.field == field and rule.from_), CUSTOM + field)


def with_ours(rules: Sequence[Rule], fields: Mapping[str, Field]) -> list[Field]:
    """The fields, each with the name of ours that goes there."""
    ours = {rule.field: rule.from_[0] for rule in rules if rule.from_ and not rule.read_only}
    return [msgspec.structs.replace(field, maps_to=ours.get(field.name)) for field in fields.values()]
