"""Writing records so that each is in the CRM once: find, merge, create or update. The caller holds the locks.

What is written together fails alone: a piece's `failure` says why it was not written.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from addtocrm.core.errors import ApiError, invalid
from addtocrm.core.ids import ID
from addtocrm.crm import known, links, mapping, matching
from addtocrm.crm.contract import (
    CUSTOM,
    Capability,
    Changed,
    Duplicate,
    Expired,
    Failure,
    Kind,
    NotFound,
    RateLimited,
    Record,
    Rejected,
    Rule,
    Sought,
    Unavailable,
    UnknownField,
    Unlisted,
    Update,
    Value,
    Values,
)
from addtocrm.crm.matching import By, Candidate, Choice, Identity
from addtocrm.crm.merge import OnConflict, is_empty, writes
from addtocrm.crm.model import Action
from addtocrm.crm.opening import Open, OpenForWriting

TRIES = 3
"""So often a record is read and written again that somebody else changes meanwhile."""
LOOK_AGAIN_SECONDS = (0.5, 1.5, 3.0)
"""After these pauses a record is looked for that the CRM was asked to make and of which no answer came."""
BY_NAME: By = "name"
ALL_FAIL = (Expired, RateLimited)
"""What fails one fails all."""


class Piece(msgspec.Struct, kw_only=True, eq=False):
    """One record to be: what is to be written, then what became of it.

    `by` is what may find it, None for all keys and the name; `contact_id` is the one record that it may be. `empty` are
    our names of fields to be emptied. `record` is None only where a dry run would make it.
    """

    kind: Kind
    values: dict[str, Any]
    on_conflict: OnConflict = "fill_empty"
    by: Collection[By] | None = None
    contact_id: str | None = None
    taken: frozenset[str] = frozenset()
    empty: Sequence[str] = ()
    choice: Choice = Choice(None, None, frozenset())
    attempted: bool = False
    failure: Failure | ApiError | None = None
    record: Record | None = None
    action: Action = "unchanged"
    fields: list[str] = []
    kept: list[str] = []
    sent: dict[str, Value | None] = {}

    @property
    def id(self) -> str | None:
        return self.record.id if self.record else None

    @property
    def url(self) -> str | None:
        return self.record.url if self.record else None

    @property
    def identities(self) -> list[Identity]:
        return matching.identities(self.kind, self.values)

    @property
    def own_identities(self) -> list[Identity]:
        """Those that are no other record's."""
        return [one for one in self.identities if one.name not in self.choice.taken]

    def also(self, field: str) -> None:
        """Counts something written beside the record's own fields."""
        self.fields.append(field)
        if self.action == "unchanged":
            self.action = "updated"


async def find(crm: OpenForWriting, pieces: Sequence[Piece], *, dry_run: bool) -> None:
    """Finds which record of the CRM each piece is."""
    if not pieces:
        return
    kind = pieces[0].kind
    await _read_own_fields(crm, pieces)
    recalled = await links.recall(crm, kind, [one for piece in pieces for one in piece.identities])
    candidates = {one.record.id: one for one in await look(crm, kind, [one for one in pieces if not one.contact_id])}
    linked_ids = {link.record_id for link in recalled.values() if link.record_id}
    named = {piece.contact_id for piece in pieces if piece.contact_id}
    missing = [id for id in sorted(linked_ids | named) if id not in candidates]
    fetched = await crm.connector.get(_asked_for(kind), missing) if missing else {}
    candidates |= {id: candidate(await crm.mapped(one.kind), one) for id, one in fetched.items()}
    gone = [id for id in sorted(linked_ids) if id not in candidates]
    await links.drop(crm, gone)
    await _with_companies(crm, pieces, candidates)
    for piece in pieces:
        _choose(crm, piece, list(candidates.values()), recalled, dry_run=dry_run)


async def _read_own_fields(crm: Open, pieces: Sequence[Piece]) -> None:
    """Has records read with the custom fields that are to be written."""
    names = {name.removeprefix(CUSTOM) for piece in pieces for name in piece.values if name.startswith(CUSTOM)}
    for kind in await kinds(crm, pieces[0].kind):
        _, fields = await crm.mapped(kind)
        crm.reads[kind].update(field.name for name in names if (field := mapping.own_field(fields, name)))


async def look(crm: Open, kind: Kind, pieces: Sequence[Piece]) -> list[Candidate]:
    """The records of the CRM that could be meant, the oldest first."""
    sought: list[Sought] = []
    for each in await kinds(crm, kind):
        rules, _ = await crm.mapped(each)
        for piece in pieces:
            by = piece.by if piece.by is not None else (*matching.KEYS[kind], "name")
            terms = tuple(mapping.terms(rules, kind, piece.values, by))
            if terms or crm.definition.vendor is None:
                sought.append(Sought(piece.values, terms))
    if not sought:
        return []
    return [candidate(await crm.mapped(one.kind), one) for one in await crm.connector.find(_asked_for(kind), sought)]


def _asked_for(kind: Kind) -> Kind:
    """What a connector is asked for so that it looks among all `kinds`: contacts, for leads too."""
    return "company" if kind == "company" else "contact"


async def kinds(crm: Open, kind: Kind) -> list[Kind]:
    """The kinds among which a record of `kind` is looked for."""
    has_leads = "lead" in crm.definition.mapping and kind != "company"
    found: list[Kind] = ["company"] if kind == "company" else ["contact", *(["lead"] if has_leads else [])]
    for one in found:
        await crm.mapped(one)
    return found


def candidate(mapped: tuple[Sequence[Rule], Mapping[str, Any]], record: Record) -> Candidate:
    """The record with what it says by our names."""
    return Candidate(record, mapping.known_as(mapped[0], record))


async def _with_companies(crm: Open, pieces: Sequence[Piece], candidates: dict[str, Candidate]) -> None:
    """Adds where they work to candidates that have only the link to a company."""
    if pieces[0].kind == "company" or crm.definition.vendor is None or "companies" not in crm.definition.capabilities:
        return
    asks = any(matching.has_company(piece.values) for piece in pieces)
    bare = {
        id: str(one.values["company_id"])
        for id, one in candidates.items()
        if asks and one.values.get("company_id") and not matching.has_company(one.values)
    }
    if not bare:
        return
    companies = await crm.connector.get("company", sorted(set(bare.values())))
    mapped = await crm.mapped("company")
    for id, company_id in bare.items():
        if company_id in companies:
            company = mapping.known_as(mapped[0], companies[company_id])
            more = {f"company_{name}": company[name] for name in ("name", "domain") if name in company}
            candidates[id] = candidates[id]._replace(values={**candidates[id].values, **more})


def _choose(
    crm: OpenForWriting,
    piece: Piece,
    candidates: Sequence[Candidate],
    recalled: Mapping[bytes, links.Link],
    *,
    dry_run: bool,
) -> None:
    by_id = {one.record.id: one for one in candidates}
    if piece.contact_id:
        found = by_id.get(piece.contact_id)
        if found is None:
            piece.failure = NotFound(f"contact {piece.contact_id}")
        else:
            taken = matching.taken(piece.kind, piece.values, candidates, found)
            piece.choice = Choice(found, "contact_id", taken | piece.taken)
        return
    known_by = [(one, recalled[one.digest]) for one in piece.identities if one.digest in recalled]
    keyed = any(one.name != "name" for one in piece.identities)
    attempts = [link.age for one, link in known_by if link.record_id is None and (one.name != "name" or not keyed)]
    piece.attempted = bool(attempts)
    for identity, link in known_by:
        there = by_id.get(link.record_id or "")
        allowed = piece.by is None or identity.name in piece.by
        if there and identity.name == "name" and matching.is_ambiguous(piece.kind, piece.values, there, candidates):
            continue
        if there and allowed and matching.linked(piece.kind, piece.values, there, identity.name):
            taken = matching.taken(piece.kind, piece.values, candidates, there)
            piece.choice = Choice(there, identity.name, taken | piece.taken)
            return
    choice = matching.choose(piece.kind, piece.values, candidates, piece.by)
    piece.choice = choice._replace(taken=choice.taken | piece.taken)
    lag = crm.definition.search_lag
    if choice.found is None and attempts and min(attempts) < lag and not dry_run:
        # The CRM may have made the record, and its search not know of it yet.
        piece.failure = Unavailable(retry_after=lag - min(attempts))


async def write(crm: OpenForWriting, pieces: Sequence[Piece], *, dry_run: bool) -> None:
    """Creates the records of the pieces that were found nowhere, and merges into the others; fields that the CRM has no
    place for are left."""
    todo = [piece for piece in pieces if piece.failure is None]
    for _ in range(TRIES):
        plans = [plan for piece in todo if (plan := await _planned(crm, piece))]
        if dry_run:
            return
        crm.check()
        todo = await _create(crm, [piece for piece, update in plans if update is None])
        todo += await _update(crm, [(piece, update) for piece, update in plans if update])
        if not todo:
            break
    for piece in todo:
        piece.failure = piece.failure or Unavailable(retry_after=1)
    done = [(piece.record, piece.own_identities) for piece in pieces if piece.record and piece.failure is None]
    if done:
        links.keep(crm, pieces[0].kind, done)


async def _planned(crm: OpenForWriting, piece: Piece) -> tuple[Piece, Update | None] | None:
    """What is to be sent for the piece: nothing, a new record (None) or an update; its outcome as if it were done."""
    there = piece.choice.found
    kind = there.record.kind if there else piece.kind
    rules, fields = await crm.mapped(kind)
    has = piece.choice.there
    free = {name: value for name, value in piece.values.items() if name not in piece.choice.taken}
    try:
        wanted = mapping.wanted(
            rules,
            fields,
            free,
            usual=kind not in crm.own,
            open_fields="open_custom_fields" in crm.definition.capabilities,
        )
    except Rejected as refusal:
        if isinstance(refusal, Unlisted) and crm.anew(kind):
            return await _planned(crm, piece)
        piece.failure = refusal
        return None
    rule_of = {rule.field: rule for rule in rules}
    changes: dict[str, Value | None] = {}
    written: list[str] = []
    kept: list[str] = []
    for one in wanted:
        rule = rule_of.get(one.field.name)
        theirs = there.record.fields.get(one.field.name) if there else None
        if there and mapping.equal(rule, one.field, one.value, theirs):
            continue
        names = [name for name in one.names if not mapping.said(rule, one.field, piece.values.get(name), theirs)]
        if writes(piece.on_conflict if there else "overwrite", theirs):
            changes[one.field.name] = mapping.with_theirs(rule, one.value, theirs)
            written += names or [mapping.label(rules, one.field.name)]
        elif one.names:
            kept += names
    for rule in rules:
        emptied = [name for name in rule.from_[:1] if name in piece.empty]
        if emptied and not rule.read_only and rule.field in fields and not is_empty(has.get(emptied[0])):
            changes[rule.field] = None
            written += emptied
    mapped_names = {name for rule in rules if not rule.read_only and rule.field in fields for name in rule.from_}
    known_names = [name for name in piece.values if name in mapped_names or name.startswith(CUSTOM)]
    kept += [name for name in known_names if name in piece.choice.taken and has.get(name) != piece.values[name]]
    order = list(piece.values)
    piece.kept = [
        name
        for name in sorted(set(kept), key=lambda name: order.index(name) if name in order else len(order))
        if name not in matching.KEYS[kind] or not matching.same_key(name, piece.values, has)
    ]
    piece.fields, piece.sent = list(dict.fromkeys(written)), changes
    piece.record = there.record if there else None
    if there is None:
        piece.action = "created"
        return piece, None
    if piece.attempted and piece.on_conflict != "skip":
        piece.action = "created"  # By us, whose answer was lost.
    elif piece.on_conflict == "skip":
        piece.action, piece.fields = "skipped", []
        return None
    else:
        piece.action = "updated" if changes else "unchanged"
    return (piece, Update(there.record, changes, piece.on_conflict == "fill_empty")) if changes else None


async def _create(crm: OpenForWriting, pieces: Sequence[Piece]) -> list[Piece]:
    """Makes new records. Gives the pieces that are to be planned again: they turned out to be there."""
    if not pieces:
        return []
    kind = pieces[0].kind
    await links.attempt(crm, kind, [piece.own_identities for piece in pieces])
    rows = [{name: value for name, value in piece.sent.items() if value is not None} for piece in pieces]
    try:
        outcomes: Sequence[Record | Failure] = await crm.connector.create(kind, rows)
    except Failure as failure:
        outcomes = [failure] * len(pieces)
    again: list[Piece] = []
    lost: list[Piece] = []
    for piece, outcome in zip(pieces, outcomes, strict=True):
        match outcome:
            case Record():
                piece.record = outcome
            case Unavailable() if outcome.maybe_done and crm.pool is not None:
                piece.failure = outcome
                lost.append(piece)
            case _:
                await links.drop(crm, attempts=piece.own_identities)
                if await _there_already(crm, piece, outcome) or await _field_gone(crm, piece, outcome):
                    again.append(piece)
                else:
                    piece.failure = await _of_our_names(crm, piece, outcome)
    _raise_what_fails_all([*outcomes])
    return again + await _look_again(crm, lost)


async def _look_again(crm: OpenForWriting, lost: list[Piece]) -> list[Piece]:
    """The pieces whose record was made though no answer came: they are found now."""
    found: list[Piece] = []
    for pause in LOOK_AGAIN_SECONDS:
        if not lost:
            break
        await asyncio.sleep(pause)
        try:
            candidates = await look(crm, lost[0].kind, lost)
        except Unavailable:
            continue
        for piece in list(lost):
            choice = matching.choose(piece.kind, piece.values, candidates, piece.by)
            if choice.found:
                piece.choice, piece.failure, piece.attempted = choice, None, True
                lost.remove(piece)
                found.append(piece)
        if crm.definition.search_lag == 0:
            break
    if crm.definition.search_lag == 0 and lost:
        # Its search knows at once what it has: these were not made.
        await links.drop(crm, attempts=[one for piece in lost for one in piece.own_identities])
        for piece in lost:
            piece.failure, piece.choice = None, Choice(None, None, piece.choice.taken)
        found += lost
    return found


async def _update(crm: OpenForWriting, plans: Sequence[tuple[Piece, Update]]) -> list[Piece]:
    """Writes changes. Gives the pieces that are to be planned again: their record is another by now."""
    if not plans:
        return []
    again: list[Piece] = []
    outcomes: list[Record | Failure] = []
    by_kind: dict[Kind, list[tuple[Piece, Update]]] = {}
    for piece, update in plans:
        by_kind.setdefault(update.record.kind, []).append((piece, update))
    for kind, some in by_kind.items():
        try:
            outcomes = await crm.connector.update(kind, [update for _, update in some])
        except Failure as failure:
            outcomes = [failure] * len(some)
        for (piece, update), outcome in zip(some, outcomes, strict=True):
            match outcome:
                case Record():
                    piece.record = outcome
                case Changed():
                    fresh = (await crm.connector.get(kind, [update.record.id])).get(update.record.id)
                    again += await _chosen_anew(crm, piece, fresh)
                case NotFound():
                    await links.drop(crm, [update.record.id])
                    again += await _chosen_anew(crm, piece, None)
                case Unavailable() if outcome.maybe_done and crm.pool is not None:
                    piece.failure = outcome
                case _ if await _field_gone(crm, piece, outcome):
                    again.append(piece)
                case _:
                    piece.failure = await _of_our_names(crm, piece, outcome)
        _raise_what_fails_all(outcomes)
    return again


async def _chosen_anew(crm: OpenForWriting, piece: Piece, fresh: Record | None) -> list[Piece]:
    """The piece with the record as it is now; one whose record was deleted is looked for again."""
    if fresh is not None:
        piece.choice = piece.choice._replace(found=candidate(await crm.mapped(fresh.kind), fresh))
        return [piece]
    if piece.contact_id:
        piece.failure = NotFound(f"contact {piece.contact_id}")
        return []
    await find(crm, [piece], dry_run=False)
    return [] if piece.failure else [piece]


async def _there_already(crm: OpenForWriting, piece: Piece, outcome: Failure) -> bool:
    """Whether the CRM says which record the new one would double; that is the piece's then."""
    if not isinstance(outcome, Duplicate) or (outcome.kind == "company") != (piece.kind == "company"):
        return False
    id = outcome.id
    fresh = (await crm.connector.get(_asked_for(piece.kind), [id])).get(id) if id else None
    if fresh is not None:
        there = candidate(await crm.mapped(fresh.kind), fresh)
        same: list[By] = [
            one for one in matching.KEYS[piece.kind] if matching.same_key(one, piece.values, there.values)
        ]
        name = (*same, BY_NAME)[0]
        if name in piece.choice.taken or (piece.by is not None and name not in piece.by):
            return False
        if matching.linked(piece.kind, piece.values, there, name):
            piece.choice = Choice(there, name, piece.choice.taken)
            return True
        # Another person's: what of it identifies is theirs.
        piece.choice = piece.choice._replace(taken=piece.choice.taken | {name})
        return name in piece.values
    return False


async def _field_gone(crm: OpenForWriting, piece: Piece, outcome: Failure) -> bool:
    """Whether the CRM lost a field that the usual rules name, and so what it has is asked anew."""
    if not isinstance(outcome, UnknownField) or outcome.field not in piece.sent:
        return False
    if CUSTOM + outcome.field in piece.values or piece.kind in crm.own:
        crm.forget()
        return False
    crm.forget()
    _, fields = await crm.mapped(piece.kind)
    return outcome.field not in fields


async def _of_our_names(crm: OpenForWriting, piece: Piece, outcome: Failure) -> Failure:
    """The failure with our name of its field."""
    match outcome:
        case Rejected():
            rules, _ = await crm.mapped(piece.kind)
            return Rejected(mapping.label(rules, outcome.field), outcome.message)
        case Duplicate():
            where = f" It is record {outcome.id}." if outcome.id else ""
            return Rejected("", f"the CRM says that there is such a {piece.kind} already.{where}")
        case _:
            return outcome


def _raise_what_fails_all(outcomes: Sequence[Record | Failure]) -> None:
    """Raises where no outcome of several can be better than this one."""
    for outcome in outcomes:
        if isinstance(outcome, ALL_FAIL) and all(isinstance(one, Failure) for one in outcomes):
            raise outcome


def require(crm: Open, capability: Capability, path: str) -> None:
    """Raises ApiError where the CRM cannot do this; `path` is what asks for it."""
    if capability not in crm.definition.capabilities:
        raise invalid(path, f"{crm.definition.label} takes no {capability} through AddToCRM.")


def check_custom(crm: Open, values: Values) -> None:
    """Raises ApiError for a custom field where the CRM takes none."""
    if any(name.startswith(CUSTOM) for name in values) and "custom_fields" not in crm.definition.capabilities:
        raise invalid("custom_fields", f"{crm.definition.label} takes none.")


async def owner_id(crm: Open, reference: str | None) -> str | None:
    """The id of the owner that is meant by id or email. Raises ApiError for one that there is not."""
    if reference is None:
        return None
    if "owners" in crm.definition.capabilities:
        for connection in (crm.id, None) if crm.definition.vendor else (None,):
            for owner in await known.owners(connection, crm.connector):
                if reference == owner.id or reference.strip().casefold() == (owner.email or "").casefold():
                    return owner.id
    raise invalid("owner", "is no owner of the CRM; see GET /v1/crm/owners.")


async def put_on_list(crm: OpenForWriting, reference: str, pieces: Sequence[Piece], *, dry_run: bool) -> None:
    """Puts the contacts on the list that is meant by id or name, and makes it where the CRM can. Raises ApiError."""
    capabilities = crm.definition.capabilities
    lists = await crm.connector.lists() if "lists" in capabilities else []
    name = reference.strip()
    found = next((one for one in lists if name == one.id or name.casefold() == one.name.casefold()), None)
    if found is None and ("create_lists" not in capabilities or not name or ID.fullmatch(name)):
        raise invalid("list", "is no list of the CRM; see GET /v1/crm/lists.")
    ids = [piece.id for piece in pieces if piece.id]
    there = await crm.connector.in_list(found.id, ids) if found and ids else set[str]()
    missing = [id for id in ids if id not in there]
    if missing and not dry_run:
        crm.check()
        found = found or await crm.connector.create_list(name)
        await crm.connector.add_to_list(found.id, missing)
    for piece in pieces:
        if piece.id is None or piece.id in missing:
            piece.also("list")


async def attach_note(crm: OpenForWriting, text: str, piece: Piece, *, dry_run: bool) -> None:
    """Writes the note unless the contact has it already."""
    if piece.id and await crm.connector.has_note(piece.id, text):
        return
    if not dry_run and piece.id:
        crm.check()
        await crm.connector.add_note(piece.id, text)
    piece.also("note")
