"""Example answers, made of an answer's schema: what a field's name says it holds, else what its type allows."""

from typing import Any

Json = dict[str, Any]

FIELDS: dict[str, Any] = {
    "contact_id": "cco_0199d0c1b2a37c4d8e5f60718293a4b5",
    "company_id": "ccm_0199d0c1b2a37c4d8e5f60718293a4b5",
    "linkedin_url": "https://www.linkedin.com/in/jane-doe-example",
    "first_name": "Jane",
    "last_name": "Doe",
    "full_name": "Jane Doe",
    "headline": "VP of Sales at Acme Example",
    "job_title": "VP of Sales",
    "seniority": "vp",
    "department": "sales",
    "email": "jane.doe@acme.example.com",
    "email_status": "deliverable",
    "number": "+15550100",
    "city": "Berlin",
    "region": "Berlin",
    "country": "Germany",
    "country_code": "DE",
    "domain": "acme.example.com",
    "website": "https://acme.example.com",
    "industry": "Software",
    "size": "51-200",
    "employee_count": 120,
    "founded_year": 2011,
    "provider": "dataset",
    "confidence": 1.0,
    "result": "deliverable",
    "reason": "accepted",
    "score": 98,
    "did_you_mean": None,
    "mx_host": "mx.acme.example.com",
    "is_catch_all": False,
    "code": 250,
    "enhanced_code": "2.1.5",
    "crm": "builtin",
    "fields_written": ["email", "job_title"],
    "fields_kept": [],
    "scopes": ["enrich"],
    "plan": "pro",
    "status": "deliverable",
    "type": None,
    "name": "Acme Example",
    "mail_provider": None,
    "connected": True,
    "accepted": True,
    "skills": ["Negotiation"],
    "operation": "people.enrich",
    "start": "2026-01-01T00:00:00.000000Z",
    "end": "2026-02-01T00:00:00.000000Z",
    "date": "2026-01-31",
    "kind": "people.enrich",
    "error": None,
    "actor": "key:key_0199d0c1b2a37c4d8e5f60718293a4b5",
    "request_id": "8f14e45f-ceea-4c67-9d2a-3b1c5e7f9a01",
    "url": None,
    "limit": 1000,
    "used": 42,
    "remaining": 958,
    "total": 2,
    "succeeded": 2,
    "failed": 0,
    "pending": 0,
    "position": 1,
    "added": 1,
    "existing": 0,
    "credits_deducted": 1,
    "credits_remaining": 958,
    "cached": False,
    "next_cursor": None,
}
UUID = "0199d0c1b2a37c4d8e5f60718293a4b5"
PREFIXES = {
    "Person": "per",
    "Company": "com",
    "Contact": "cco",
    "PeopleList": "lst",
    "Member": "mem",
    "Job": "job",
    "Event": "evt",
}
DAY = "2026-01-31T09:00:00.000000Z"
DEEPEST = 5


def example(schema: Json, components: Json, name: str = "", depth: int = 0) -> Any:
    """A value that `schema` allows, for a field called `name`."""
    if name in FIELDS and _allows(schema, FIELDS[name]):
        return FIELDS[name]
    if "$ref" in schema:
        component = schema["$ref"].rpartition("/")[2]
        made = example(components[component], components, name, depth)
        return {**made, "id": f"{PREFIXES[component]}_{UUID}"} if component in PREFIXES else made
    if kinds := schema.get("anyOf"):
        return example(next(kind for kind in kinds if kind != {"type": "null"}), components, name, depth)
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object" if depth < DEEPEST:
            return {
                field: example(inner, components, field, depth + 1)
                for field, inner in schema.get("properties", {}).items()
            }
        case "object":
            return {}
        case "array":
            return [example(schema.get("items", {}), components, "", depth + 1)] if depth < DEEPEST else []
        case "string":
            return DAY if name.endswith(("_at", "_start", "_end", "date")) else name or "text"
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return False
        case _:
            return None


def _allows(schema: Json, value: Any) -> bool:
    """Whether the schema's own type (that of a reference is an object) is that of `value`."""
    named = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", type(None): "null"}
    possible: list[Json] = schema.get("anyOf", [schema])
    if any("enum" in one and value not in one["enum"] for one in possible):
        return False
    kinds = [one.get("type") for one in possible]
    return any(named[type(value)] in (kind if isinstance(kind, list) else [kind]) for kind in kinds)
