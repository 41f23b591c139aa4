"""An account's own field mapping: reading, checking and changing it."""

from collections.abc import Sequence

import msgspec

from addtocrm.core.errors import invalid
from addtocrm.crm import mapping, store
from addtocrm.crm.contract import Rule
from addtocrm.crm.failures import Rejected
from addtocrm.crm.kinds import Kind
from addtocrm.crm.model import FieldMapping, MappingWrite
from addtocrm.crm.opening import Open, reading
from addtocrm.crm.service import require_kind
from addtocrm.crm.setup import Setup
from addtocrm.crm.values import COMPANY_FIELDS, CONTACT_FIELDS


async def get(setup: Setup, account_id: str, kind: Kind) -> FieldMapping:
    """The rules in force for a kind of record in the active CRM. Raises ApiError."""
    async with reading(setup, account_id) as crm:
        require_kind(crm, kind)
        return await _shown(crm, kind)


async def check(setup: Setup, account_id: str, kind: Kind, rules: Sequence[Rule]) -> None:
    """Raises ApiError for a rule that the active CRM cannot have."""
    async with reading(setup, account_id) as crm:
        require_kind(crm, kind)
        _, fields = await crm.mapped(kind)
        _check(rules, kind, fields)


async def put(setup: Setup, account_id: str, write: MappingWrite) -> FieldMapping:
    """Changes the rules of the account's active CRM. Raises ApiError for a rule that the CRM cannot have."""
    kind: Kind = write.object
    async with reading(setup, account_id) as crm:
        require_kind(crm, kind)
        if crm.definition.vendor is None:
            raise invalid("rules", "are not for the built-in CRM: its fields are ours.")
        crm.forget()
        rules = write.rules
        if write.create_linkedin_field:
            rules = await _with_linkedin(crm, kind, rules)
        if rules is not None:
            _, fields = await crm.mapped(kind)
            _check(rules, kind, fields)
        await store.put_mapping(
            setup.pool, crm.id, kind, msgspec.json.encode(rules).decode() if rules is not None else None
        )
    return await get(setup, account_id, kind)


async def _with_linkedin(crm: Open, kind: Kind, rules: Sequence[Rule] | None) -> list[Rule] | None:
    """The rules with one for LinkedIn URLs, whose field is made where the CRM has none."""
    usual, _ = await crm.mapped(kind)
    current = list(rules) if rules is not None else list(usual)
    if any("linkedin_url" in rule.from_ for rule in current):
        return list(rules) if rules is not None else None
    wanted = crm.definition.linkedin.get(kind)
    if wanted is None or "create_fields" not in crm.definition.capabilities:
        raise invalid("create_linkedin_field", f"is not for {crm.definition.label}: make the field there, then map it.")
    made = await crm.connector.create_field(kind, wanted)
    crm.forget()
    return [*current, Rule(field=made.name, from_=("linkedin_url",))] if rules is not None else None


def _check(rules: Sequence[Rule], kind: Kind, fields: dict[str, mapping.Field]) -> None:
    ours = COMPANY_FIELDS if kind == "company" else CONTACT_FIELDS
    seen = set[str]()
    for place, rule in enumerate(rules):
        path = f"rules[{place}]"
        field = fields.get(rule.field)
        if rule.read_only:
            continue
        if field is None:
            raise invalid(f"{path}.field", f"`{rule.field[:100]}` is no field of the CRM; see GET /v1/crm/fields.")
        if not field.writable:
            raise invalid(f"{path}.field", f"`{rule.field}` cannot be written.")
        if rule.field in seen:
            raise invalid(f"{path}.field", f"`{rule.field}` has a rule already.")
        seen.add(rule.field)
        for name in rule.from_:
            if name not in ours:
                raise invalid(f"{path}.from", f"`{name[:100]}` is no field of a {kind}; one of {', '.join(ours)}.")
        if not rule.from_ and rule.constant is None:
            raise invalid(path, "needs `from` or `constant`.")
        try:
            if rule.constant is not None:
                mapping.converted(field, rule.constant, f"{path}.constant")
            for value in rule.values.values():
                mapping.converted(field, value, f"{path}.values")
        except Rejected as refusal:
            raise invalid(refusal.field, refusal.message) from None


async def _shown(crm: Open, kind: Kind) -> FieldMapping:
    rules, _ = await crm.mapped(kind)
    return FieldMapping(crm.definition.name, kind, list(rules), kind not in crm.own)
