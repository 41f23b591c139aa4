"""What of a person or a company goes into which field of the CRM, with a look at what that does to a real person."""

from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args

import msgspec
from litestar import Response, get, post
from litestar.response import Redirect

from addtocrm.core.errors import ApiError, invalid
from addtocrm.crm import connections, contacts, mappings, registry, service
from addtocrm.crm.contract import Field, Rule
from addtocrm.crm.kinds import Kind
from addtocrm.crm.model import CompanyWrite, ContactWrite, MappingWrite, PersonInput
from addtocrm.crm.setup import Setup
from addtocrm.crm.values import COMPANY_FIELDS, CONTACT_FIELDS
from addtocrm.dashboard import forms, rules
from addtocrm.dashboard.asked import asked_of
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.page import go, page
from addtocrm.dashboard.visitor import AnyRequest, caller_of, signed_in
from addtocrm.dashboard.words import about, plain
from addtocrm.events import service as events
from addtocrm.lookups.people import service as people
from addtocrm.lookups.service import Lookups

PATH = "/dashboard/connection/mapping"
TITLES: dict[Kind, str] = {"contact": "Contacts", "company": "Companies", "lead": "Leads"}
ALL_FIELDS = 10_000
LATELY = 8
SAID = {"saved": "Saved. All writes take this mapping from now on.", "reset": "The usual mapping is back."}


@get("/connection/mapping", opt=needs("admin", recent=True))
async def show(request: AnyRequest, crm: Setup) -> Response[str]:
    return await _page(request, crm, _kind(request.query_params.get("object", "contact")))


@post("/connection/mapping", opt=needs("admin", recent=True), status_code=200)
async def save(request: AnyRequest, crm: Setup) -> Response[str] | Redirect:
    form = await forms.texts(request)
    kind, account_id = _kind(form.get("object", "")), signed_in(request).account_id
    asked: list[Rule] | None = None
    try:
        current = await mappings.get(crm, account_id, kind)
        asked = rules.edited(current.rules, _ours(kind), form)
        await mappings.put(crm, account_id, MappingWrite(object=kind, rules=asked))
    except ApiError as error:
        return await _page(request, crm, kind, error.status, asked, typed=form, faults=_faults(error, asked or ()))
    return go(PATH, object=kind, said="saved")


@post("/connection/mapping/reset", opt=needs("admin", recent=True), status_code=200)
async def reset(request: AnyRequest, crm: Setup) -> Redirect:
    kind = _kind((await forms.texts(request)).get("object", ""))
    await mappings.put(crm, signed_in(request).account_id, MappingWrite(object=kind))
    return go(PATH, object=kind, said="reset")


@post("/connection/mapping/preview", opt=needs("admin", recent=True), status_code=200)
async def preview(request: AnyRequest, crm: Setup, lookups: Lookups) -> Response[str]:
    """What a write would do by the mapping as it is on the page, saved or not."""
    form = await forms.texts(request)
    kind, account_id = _kind(form.get("object", "")), signed_in(request).account_id
    asked: list[Rule] | None = None
    try:
        current = await mappings.get(crm, account_id, kind)
        asked = rules.edited(current.rules, _ours(kind), form)
        await mappings.check(crm, account_id, kind, asked)
    except ApiError as error:
        return await _page(request, crm, kind, error.status, asked, typed=form, faults=_faults(error, asked or ()))
    own: dict[Kind, list[Rule] | None] = {kind: None if asked == current.rules and current.is_default else asked}
    who = form.get("person") or form.get("lately", "")
    try:
        person = await _person(request, lookups, who)
        result: Any
        if kind == "company":
            if person.company is None:
                raise invalid("", "Nothing is known of this person's company. Choose somebody else.")
            company = CompanyWrite(company=person.company, dry_run=True)
            result = await service.upsert_company(crm, caller_of(request), company, rules=own)
        else:
            write = ContactWrite(person=person, dry_run=True)
            result = await contacts.upsert(crm, caller_of(request), write, rules=own)
    except ApiError as error:
        return await _page(request, crm, kind, error.status, asked, typed=form, who=who, fault=plain(error.message))
    return await _page(request, crm, kind, 200, asked, who=who, result=result)


async def _person(request: AnyRequest, lookups: Lookups, who: str) -> PersonInput:
    """Somebody who was looked up lately, by what they are known by, or as JSON that the API answered."""
    if not who:
        raise invalid("", "Say whom to preview: choose somebody, or enter a LinkedIn URL or an email.")
    if who.startswith("{"):
        try:
            return msgspec.json.decode(who, type=PersonInput)
        except msgspec.DecodeError as error:
            raise invalid("", f"This is not a person as the API answers one: {error}.") from None
        except RecursionError:
            raise invalid("", "This is not a person as the API answers one: it is nested too deeply.") from None
    found = await people.cached(lookups, signed_in(request).account_id, people.query_of(asked_of(who)))
    if found is None:
        raise invalid("", "You have not looked up this person in the last 30 days. Enrich them first.")
    return msgspec.json.decode(found, type=PersonInput)


def _kind(text: str) -> Kind:
    if text not in get_args(Kind):
        raise ApiError("not_found", "There is no such mapping.")
    return cast(Kind, text)


def _ours(kind: Kind) -> tuple[str, ...]:
    return COMPANY_FIELDS if kind == "company" else CONTACT_FIELDS


def _faults(error: ApiError, asked: Sequence[Rule]) -> dict[str, str]:
    """What is wrong, by the field of the CRM that a rule is for; under `""` what is wrong with the whole."""
    found: dict[str, str] = {}
    for detail in error.details:
        place = detail.path.partition("[")[2].partition("]")[0]
        field = asked[int(place)].field if place.isdigit() else ""
        found[field] = about("", detail.message)
    return found or {"": plain(error.message)}


async def _page(
    request: AnyRequest,
    crm: Setup,
    kind: Kind,
    status: int = 200,
    asked: Sequence[Rule] | None = None,
    typed: Mapping[str, str] = {},
    **values: Any,
) -> Response[str]:
    """The page with the rules as `asked`; where the CRM does not say which fields it has, with what was `typed`, to be
    sent again."""
    account_id = signed_in(request).account_id
    active = await connections.info(crm.pool, account_id)
    definition = registry.load()[active.crm]
    fields: list[Field] = []
    fault = values.pop("fault", "")
    is_default = False
    try:
        fields, _ = await service.fields(crm, account_id, kind, None, ALL_FIELDS)
        if asked is None:
            current = await mappings.get(crm, account_id, kind)
            asked = rules.edited(current.rules, _ours(kind), typed) if typed else current.rules
            is_default = current.is_default
    except ApiError as error:
        fields, status, fault = [], error.status, plain(error.message)
        values.pop("faults", None)
    lately, _ = await events.latest(crm.pool, account_id, type="person.enriched", limit=LATELY)
    known = asked or []
    shown = {
        "crm": active,
        "kind": kind,
        "here": f"{PATH}?object={kind}",
        "tabs": [(f"{PATH}?object={one}", TITLES[one]) for one in definition.mapping],
        "typed": typed,
        "fields": {field.name: field for field in fields},
        "writable": sorted((one for one in fields if one.writable), key=lambda one: one.label.casefold()),
        "targets": {name: rules.target_of(known, name) for name in _ours(kind)},
        "fixed": [rule for rule in known if rule.constant is not None],
        "is_default": is_default,
        "lately": {one.data["linkedin_url"]: one.data for one in lately if one.data.get("linkedin_url")},
        "said": SAID.get(request.query_params.get("said", ""), ""),
        "fault": fault,
        "faults": {},
        "who": "",
        "result": None,
    }
    return page(request, "mapping.html", status, **{**shown, **values})


handlers = (show, save, reset, preview)
