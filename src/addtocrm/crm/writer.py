"""Writing records so that each is in the CRM once: merge, create or update. The caller has found them, under locks.

What is written together fails alone: a piece's `failure` says why it was not written.
"""

import asyncio
from collections.abc import Sequence

from addtocrm.crm import links, mapping, matching
from addtocrm.crm.contract import CUSTOM, Fields, Record, Update, Value
from addtocrm.crm.failures import (
    Changed,
    Duplicate,
    Expired,
    Failure,
    NotFound,
    RateLimited,
    Rejected,
    Unavailable,
    UnknownField,
    Unlisted,
)
from addtocrm.crm.finding import candidate, find, look, made_after, made_at
from addtocrm.crm.kinds import Kind
from addtocrm.crm.matching import Candidate
from addtocrm.crm.merge import PLACE, is_empty, writes
from addtocrm.crm.opening import OpenForWriting
from addtocrm.crm.piece import Piece

TRIES = 3
"""So often a record is read and written again that somebody else changes meanwhile."""
LOOK_AGAIN_SECONDS = (0.5, 1.5, 3.0)
"""After these pauses a record is looked for that the CRM was asked to make and of which no answer came."""
ALL_FAIL = (Expired, RateLimited)
"""What fails one fails all."""


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
    done = [(piece, piece.record) for piece in pieces if piece.record and piece.failure is None]
    if done:
        known = [(record, piece.own_identities) for piece, record in done]
        changed = [record for piece, record in done if piece.choice.found and piece.fields]
        links.keep(crm, pieces[0].kind, known, changed)


async def _planned(crm: OpenForWriting, piece: Piece) -> tuple[Piece, Update | None] | None:
    """What is to be sent for the piece: nothing, a new record (None) or an update; its outcome as if it were done."""
    piece.keep_employment()
    there = piece.choice.found
    kind = there.record.kind if there else piece.kind
    rules, fields = await crm.mapped(kind)
    has = piece.choice.there
    free = piece.free
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
    before: Fields = there.record.fields if there else {}
    differing = [
        one
        for one in wanted
        if not there or not mapping.equal(rule_of.get(one.field.name), one.field, one.value, before.get(one.field.name))
    ]
    of_place = [one for one in differing if not set(PLACE).isdisjoint(one.names)]
    elsewhere = piece.on_conflict == "fill_empty" and any(not is_empty(before.get(one.field.name)) for one in of_place)
    for one in differing:
        rule = rule_of.get(one.field.name)
        theirs = before.get(one.field.name)
        names = [name for name in one.names if not mapping.said(rule, one.field, free.get(name), theirs)]
        if not (elsewhere and one in of_place) and writes(piece.on_conflict if there else "overwrite", theirs):
            changes[one.field.name] = mapping.with_theirs(rule, one.value, theirs)
            written += names or [mapping.label(rules, one.field.name)]
        elif one.names:
            kept += names
    changing = there.changing if there else ()
    for one in wanted:
        if one.field.name in changing and one not in differing:
            written += one.names or [mapping.label(rules, one.field.name)]
    for rule in rules:
        emptied = [name for name in rule.from_[:1] if name in piece.empty]
        if emptied and not rule.read_only and rule.field in fields and not is_empty(has.get(emptied[0])):
            changes[rule.field] = None
            written += emptied
        elif emptied and rule.field in changing and is_empty(before.get(rule.field)):
            written += emptied
    mapped_names = {name for rule in rules if not rule.read_only and rule.field in fields for name in rule.from_}
    known_names = [name for name in piece.values if name in mapped_names or name.startswith(CUSTOM)]
    kept += [name for name in known_names if piece.values[name] not in (free.get(name), has.get(name))]
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
    if _may_be_ours(piece, there.record):
        piece.action = "created"
    elif piece.on_conflict == "skip":
        piece.action, piece.fields = "skipped", []
        return None
    else:
        piece.action = "updated" if piece.fields else "unchanged"
    return (piece, Update(there.record, changes, piece.on_conflict == "fill_empty")) if changes else None


def _may_be_ours(piece: Piece, record: Record) -> bool:
    """Whether the record may be the one of an attempt to make the piece, whose answer was lost: it has all of it."""
    at = made_at(record)
    since = piece.attempted is not None and (at is None or at >= piece.attempted)
    return since and not any(is_empty(record.fields.get(name)) for name in piece.tried)


async def _create(crm: OpenForWriting, pieces: Sequence[Piece]) -> list[Piece]:
    """Makes new records. Gives the pieces that are to be planned again: they turned out to be there."""
    if not pieces:
        return []
    kind = pieces[0].kind
    rows = [{name: value for name, value in piece.sent.items() if value is not None} for piece in pieces]
    await links.attempt(crm, kind, [(piece.own_identities, list(row)) for piece, row in zip(pieces, rows, strict=True)])
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
                await links.drop(crm, kind, attempts=piece.own_identities)
                if await _there_already(crm, piece, outcome) or await _field_gone(crm, piece, outcome):
                    again.append(piece)
                else:
                    piece.failure = await _of_our_names(crm, piece, outcome)
    _raise_what_fails_all(outcomes)
    return again + await _look_again(crm, lost)


async def _look_again(crm: OpenForWriting, lost: list[Piece]) -> list[Piece]:
    """The pieces whose record was made though no answer came: they are found now. The others stay attempts, for
    the CRM may still be at them."""
    if lost:
        await links.attempt(crm, lost[0].kind, [(piece.own_identities, list(piece.sent)) for piece in lost])
    found: list[Piece] = []
    for pause in LOOK_AGAIN_SECONDS:
        if not lost:
            break
        await asyncio.sleep(pause)
        try:
            candidates = await links.remembered(crm, lost[0].kind, await look(crm, lost[0].kind, lost))
        except Failure:
            continue
        for piece in list(lost):
            choice = matching.choose(piece.kind, piece.values, candidates, piece.by)
            if choice.found:
                piece.choice, piece.failure = choice, None
                piece.attempted, piece.tried = made_after(0), frozenset(piece.sent)
                lost.remove(piece)
                found.append(piece)
    return found


async def _update(crm: OpenForWriting, plans: Sequence[tuple[Piece, Update]]) -> list[Piece]:
    """Writes changes. Gives the pieces that are to be planned again: their record is another by now."""
    again: list[Piece] = []
    first: dict[tuple[Kind, str], Piece] = {}
    by_kind: dict[Kind, list[tuple[Piece, Update]]] = {}
    for piece, update in plans:
        if first.setdefault((update.record.kind, update.record.id), piece) is piece:
            by_kind.setdefault(update.record.kind, []).append((piece, update))
    for kind, some in by_kind.items():
        await links.change(crm, kind, [(update, piece.own_identities) for piece, update in some])
        try:
            outcomes: Sequence[Record | Failure] = await crm.connector.update(kind, [update for _, update in some])
        except Failure as failure:
            outcomes = [failure] * len(some)
        undone = [
            update.record
            for (_, update), outcome in zip(some, outcomes, strict=True)
            if isinstance(outcome, Failure) and not (isinstance(outcome, Unavailable) and outcome.maybe_done)
        ]
        await links.unchange(crm, kind, undone)
        for (piece, update), outcome in zip(some, outcomes, strict=True):
            match outcome:
                case Record():
                    piece.record = outcome
                case Changed():
                    again += await _read_anew(crm, piece, update.record)
                case NotFound():
                    await links.drop(crm, kind, [update.record.id])
                    again += await _chosen_anew(crm, piece, None)
                case Unavailable() if outcome.maybe_done and not piece.unanswered:
                    piece.unanswered = True
                    again += await _read_anew(crm, piece, update.record, changing=frozenset(update.changes))
                case _ if await _is_anothers(crm, piece, outcome) or await _field_gone(crm, piece, outcome):
                    again.append(piece)
                case _:
                    piece.failure = await _of_our_names(crm, piece, outcome)
        _raise_what_fails_all(outcomes)
    for piece, update in plans:
        if first[update.record.kind, update.record.id] is not piece:
            again += await _read_anew(crm, piece, update.record)
    return again


async def _read_anew(
    crm: OpenForWriting, piece: Piece, record: Record, *, changing: frozenset[str] = frozenset()
) -> list[Piece]:
    """The piece with the record as it is now, where it can be read."""
    try:
        fresh = await crm.connector.get(record.kind, [record.id])
    except Failure as failure:
        piece.failure = failure
        return []
    return await _chosen_anew(crm, piece, fresh.get(record.id), changing)


async def _chosen_anew(
    crm: OpenForWriting, piece: Piece, fresh: Record | None, changing: frozenset[str] = frozenset()
) -> list[Piece]:
    """The piece with the record as it is now; one whose record was deleted is looked for again."""
    if fresh is not None:
        found = candidate(await crm.mapped(fresh.kind), fresh)._replace(changing=changing)
        piece.choice = piece.choice._replace(found=found)
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
    there = await _doubled(crm, piece, outcome)
    if there is None:
        return False
    shared = matching.taken(piece.kind, piece.free, [there], None)
    choice = matching.choose(piece.kind, piece.values, [there], piece.by)
    if choice.found:
        piece.choice = choice._replace(taken=piece.choice.taken)
        return True
    # Another person's: what of it identifies is theirs.
    piece.choice = piece.choice._replace(taken=piece.choice.taken | shared)
    return bool(shared)


async def _is_anothers(crm: OpenForWriting, piece: Piece, outcome: Failure) -> bool:
    """Whether the CRM says that another record got, since it was looked at, what would identify this one: it stays
    there then."""
    there = await _doubled(crm, piece, outcome) if isinstance(outcome, Duplicate) else None
    if there is None:
        return False
    shared = matching.taken(piece.kind, piece.free, [there], piece.choice.found)
    piece.choice = piece.choice._replace(taken=piece.choice.taken | shared)
    return bool(shared)


async def _doubled(crm: OpenForWriting, piece: Piece, outcome: Duplicate) -> Candidate | None:
    """The record that the CRM says has the piece's values already; None where it names none, or it is gone."""
    id = outcome.id
    fresh = (await crm.connector.get(matching.among(piece.kind), [id])).get(id) if id else None
    if fresh is None:
        return None
    [there] = await links.remembered(crm, fresh.kind, [candidate(await crm.mapped(fresh.kind), fresh)])
    return there


async def _field_gone(crm: OpenForWriting, piece: Piece, outcome: Failure) -> bool:
    """Whether the CRM lost a field that the usual rules name, and so what it has is asked anew."""
    if not isinstance(outcome, UnknownField) or outcome.field not in piece.sent:
        return False
    crm.forget()
    if CUSTOM + outcome.field in piece.values or piece.kind in crm.own:
        return False
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
