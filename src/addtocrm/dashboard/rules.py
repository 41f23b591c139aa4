"""A field mapping as a form has it: for each of our fields, where in the CRM it goes."""

from collections.abc import Mapping, Sequence

import msgspec

from addtocrm.crm.contract import Rule

TO, VALUES, CONSTANT, FIXED, FIXED_VALUE = "to.", "values.", "constant.", "fixed", "fixed_value"
"""How the form calls what it asks: where a field of ours goes, which of our values become which of the CRM's, a fixed
value that a field of the CRM has, and a new one of these."""


def target_of(rules: Sequence[Rule], name: str) -> Rule | None:
    """The rule by which a field of ours is written."""
    return next((rule for rule in rules if name in rule.from_ and not rule.read_only), None)


def edited(rules: Sequence[Rule], ours: Sequence[str], form: Mapping[str, str]) -> list[Rule]:
    """The rules with what a form changes of them; what it does not ask about stays."""
    found = list(rules)
    for name in ours:
        _send(found, name, form.get(TO + name, ""))
    for field in {rule.field for rule in found if not rule.read_only}:
        if CONSTANT + field in form:
            _put(found, field, constant=form[CONSTANT + field] or None)
        if VALUES + field in form:
            _put(found, field, values=pairs(form[VALUES + field]))
    if field := form.get(FIXED):
        _put(found, field, constant=form.get(FIXED_VALUE) or None)
    return [rule for rule in found if rule.read_only or rule.from_ or rule.constant is not None]


def pairs(text: str) -> dict[str, str]:
    """`ours = theirs`, with semicolons between."""
    split = (one.partition("=") for one in text.split(";") if "=" in one)
    return {ours.strip(): theirs.strip() for ours, _, theirs in split}


def _send(rules: list[Rule], name: str, field: str) -> None:
    before = target_of(rules, name)
    if (before.field if before else "") == field:
        return
    if before:
        _put(rules, before.field, from_=tuple(one for one in before.from_ if one != name))
    if field:
        there = next((rule for rule in rules if rule.field == field and not rule.read_only), None)
        _put(rules, field, from_=(*(there.from_ if there else ()), name))


def _put(rules: list[Rule], field: str, **changes: object) -> None:
    """Changes the rule of a field, or adds one."""
    for place, rule in enumerate(rules):
        if rule.field == field and not rule.read_only:
            rules[place] = msgspec.structs.replace(rule, **changes)
            return
    rules.append(msgspec.structs.replace(Rule(field=field), **changes))
