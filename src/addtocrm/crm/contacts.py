"""Putting people into the active CRM, each once, with their companies; several are written together."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import msgspec

from addtocrm.core.caller import Caller
from addtocrm.core.errors import ApiError, invalid
from addtocrm.core.idempotency.service import done_before, keep
from addtocrm.crm import beside, credentials, finding, matching, values, writer
from addtocrm.crm.contract import Rule
from addtocrm.crm.failures import Failure, Rejected
from addtocrm.crm.kinds import Kind
from addtocrm.crm.model import ContactWrite, WriteResult
from addtocrm.crm.opening import Expected, OpenForWriting, writing
from addtocrm.crm.piece import Piece
from addtocrm.crm.service import with_owner
from addtocrm.crm.setup import Setup
from addtocrm.crm.telling import tell
from addtocrm.privacy.service import subjects

TO_BE_MADE = "(new)"


class Asked(msgspec.Struct, frozen=True, eq=False):
    """One person to be written, for a caller."""

    caller: Caller
    write: ContactWrite


class _Entry(msgspec.Struct, eq=False):
    """A person on the way: their values by our names, and those of their company."""

    caller: Caller
    write: ContactWrite
    company: dict[str, Any]
    about: Sequence[bytes]
    piece: Piece
    company_piece: Piece | None = None
    company_id: str | None = None
    failure: Failure | ApiError | None = None

    @property
    def lost(self) -> Failure | ApiError | None:
        return self.failure or self.piece.failure or (self.company_piece and self.company_piece.failure) or None


async def upsert(
    setup: Setup, caller: Caller, write: ContactWrite, *, rules: Mapping[Kind, list[Rule] | None] = {}
) -> WriteResult:
    """Puts a person into the active CRM, once, with their company, and tells what was written and what kept. `rules`
    are taken in place of the account's.

    Raises ApiError: `validation_error`, `crm_not_connected` and what the CRM answers (`crm_…`, `not_found`).
    """
    if before := done_before(caller.once, WriteResult):
        return before
    entry = _entry(caller, write)
    async with writing(setup, caller.account_id, Expected(write.expected_crm), "person") as crm:
        crm.use(rules)
        await _hold(crm, [] if write.dry_run else [entry])
        await crm.refuse_forgotten([entry.about], "person")
        await _put(crm, [entry], write.dry_run)
        if entry.lost:
            raise entry.lost
        return _result(crm, entry)


async def upsert_many(setup: Setup, account_id: str, expected: Expected, asked: Sequence[Asked]) -> list[Any]:
    """As `upsert`, after single calls: a WriteResult or an ApiError for each. Raises ApiError where all fail alike."""
    outcomes: list[Any] = [None] * len(asked)
    entries: dict[int, _Entry] = {}
    for place, one in enumerate(asked):
        try:
            if expected.crm and one.write.expected_crm and one.write.expected_crm != expected.crm:
                raise invalid("expected_crm", f"the active CRM is {expected.crm}; nothing was written.")
            entries[place] = _entry(one.caller, one.write)
        except ApiError as error:
            outcomes[place] = error
    if not entries:
        return outcomes
    async with writing(setup, account_id, expected, "person", bulk=True) as crm:
        await _hold(crm, [entry for entry in entries.values() if not entry.write.dry_run])
        await _refuse_forgotten(crm, entries, outcomes)
        for group in matching.rounds(list(entries.values()), _known_by):
            for dry_run in (False, True):
                if some := [entry for entry in group if entry.write.dry_run == dry_run]:
                    await _put(crm, some, dry_run)
        for place, entry in entries.items():
            lost = entry.lost
            if lost and crm.definition.vendor is None:
                raise lost  # Its one transaction ends with it: nothing was written.
            outcomes[place] = _told(lost) if lost else _result(crm, entry)
    return outcomes


def _told(lost: Failure | ApiError) -> ApiError:
    return lost if isinstance(lost, ApiError) else credentials.told(lost, "person")


async def _refuse_forgotten(crm: OpenForWriting, entries: dict[int, _Entry], outcomes: list[Any]) -> None:
    """Takes out those who asked to be forgotten."""
    places = list(entries)
    for found in await crm.forgotten([entry.about for entry in entries.values()]):
        outcomes[places[found]] = invalid("person", "asked to be forgotten; nothing was written.")
        del entries[places[found]]


def _known_by(entry: _Entry) -> list[bytes]:
    return [one.digest for one in entry.piece.identities] + (
        [entry.piece.contact_id.encode()] if entry.piece.contact_id else []
    )


def _entry(caller: Caller, write: ContactWrite) -> _Entry:
    """Raises ApiError for a person who cannot be written."""
    person = {**values.of_person(write.person), **values.of_custom(write.custom_fields)}
    company = values.company_of_person(write.person, write.company)
    if not any(name in company for name in ("name", *matching.KEYS["company"])):
        company = {}
    if write.company and company:
        person |= {f"company_{name}": company[name] for name in ("name", "domain") if name in company}
    emails = [person.get("email"), *person.get("other_emails", ())]
    about = subjects(person.get("linkedin_url"), emails, person.get("full_name", ""))
    piece = Piece(
        kind="contact",
        values=person,
        on_conflict=write.on_conflict,
        by=write.match_by,
        contact_id=write.contact_id,
    )
    return _Entry(caller, write, company, about, piece)


async def _put(crm: OpenForWriting, entries: Sequence[_Entry], dry_run: bool) -> None:
    """Writes people of whom no two are the same."""
    for entry in entries:
        await _prepare(crm, entry)
    entries = [entry for entry in entries if not entry.failure]
    await _find(crm, entries, dry_run)
    await _put_companies(crm, entries, dry_run)
    ready = [entry for entry in entries if not entry.lost]
    await writer.write(crm, [entry.piece for entry in ready], dry_run=dry_run)
    for entry in ready:
        if not entry.lost:
            linked = entry.piece.values.get("company_id") if "company_id" in entry.piece.fields else entry.company_id
            entry.company_id = None if linked in (None, TO_BE_MADE) else str(linked)
            tell(crm, entry.caller, "contact", entry.piece, dry_run=dry_run, company_id=entry.company_id)
    await _put_beside(crm, [entry for entry in ready if not entry.lost and entry.piece.action != "skipped"], dry_run)


async def _prepare(crm: OpenForWriting, entry: _Entry) -> None:
    """Checks what needs the CRM, and gives the piece its owner and kind."""
    piece = entry.piece
    try:
        if entry.write.note:
            beside.require(crm, "notes", "note")
        beside.check_custom(crm, piece.values)
        piece.values = with_owner(piece.values, await beside.owner_id(crm, entry.write.owner))
    except ApiError as error:
        entry.failure = error
    piece.kind = crm.person_kind
    if "companies" not in crm.definition.capabilities:
        entry.company = {}


async def _hold(crm: OpenForWriting, entries: Sequence[_Entry]) -> None:
    await crm.hold([number for entry in entries for number in crm.locks("contact", entry.piece.values)])


async def _find(crm: OpenForWriting, entries: Sequence[_Entry], dry_run: bool) -> None:
    await finding.find(crm, [entry.piece for entry in entries], dry_run=dry_run)
    for entry in entries:
        piece = entry.piece
        there = piece.choice.there
        if piece.choice.found is None and not piece.failure:
            await _give_default_owner(crm, entry)
        entry.company_id = str(there["company_id"]) if there.get("company_id") else None
        piece.keep_employment()
        if piece.kept_back:
            entry.company = {}


async def _give_default_owner(crm: OpenForWriting, entry: _Entry) -> None:
    if "owner" not in entry.piece.values:
        try:
            entry.piece.values = with_owner(entry.piece.values, await beside.default_owner_id(crm))
        except ApiError as error:
            entry.failure = error


async def _put_companies(crm: OpenForWriting, entries: Sequence[_Entry], dry_run: bool) -> None:
    """Finds or makes the companies of the people, and links them; those that are sent alike are written once."""
    alike: dict[bytes, list[_Entry]] = {}
    for entry in entries:
        found = entry.piece.choice.found
        kept = entry.company_id and entry.write.on_conflict != "overwrite" and not entry.write.company
        is_lead = (found.record.kind if found else entry.piece.kind) == "lead"
        if entry.lost or not entry.company or kept or is_lead or (found and entry.write.on_conflict == "skip"):
            continue
        owner = entry.piece.values.get("owner")
        sent = msgspec.json.encode([entry.company, entry.write.on_conflict, owner])
        entry.company_piece = Piece(kind="company", values=dict(entry.company), on_conflict=entry.write.on_conflict)
        alike.setdefault(sent, []).append(entry)
    groups = list(alike.values())
    numbers = [number for some in groups for number in crm.locks("company", some[0].company)]
    async with crm.briefly(numbers) if numbers and not dry_run else nullcontext():
        for group in matching.rounds(groups, _companies_known_by):
            await _put_some_companies(crm, group, dry_run)
        # Before somebody else may look for them.
        await crm.flush()


def _companies_known_by(some: Sequence[_Entry]) -> list[bytes]:
    return [one.digest for one in matching.identities("company", some[0].company)]


async def _put_some_companies(crm: OpenForWriting, groups: Sequence[Sequence[_Entry]], dry_run: bool) -> None:
    pieces = [some[0].company_piece for some in groups if some[0].company_piece]
    await finding.find(crm, pieces, dry_run=dry_run)
    for some, piece in zip(groups, pieces, strict=True):
        if piece.choice.found is None:
            try:
                owner = some[0].piece.values.get("owner") or await beside.default_owner_id(crm)
                piece.values = with_owner(piece.values, owner)
            except ApiError as error:
                piece.failure = error
    await writer.write(crm, pieces, dry_run=dry_run)
    for some, piece in zip(groups, pieces, strict=True):
        if not piece.failure:
            tell(crm, some[0].caller, "company", piece, dry_run=dry_run)
        for entry in some:
            entry.company_piece = piece
            if isinstance(piece.failure, Rejected):
                entry.failure = credentials.told(piece.failure, "company" if entry.write.company else "person.company")
            elif not piece.failure:
                entry.piece.values["company_id"] = piece.id or TO_BE_MADE


async def _put_beside(crm: OpenForWriting, entries: Sequence[_Entry], dry_run: bool) -> None:
    """Puts the contacts on their lists and attaches their notes."""
    by_list: dict[str | None, list[_Entry]] = {}
    for entry in entries:
        if entry.write.list or crm.default_list:
            by_list.setdefault(entry.write.list, []).append(entry)
    for name, some in by_list.items():
        try:
            await beside.put_on_list(crm, name, [entry.piece for entry in some], dry_run=dry_run)
        except (ApiError, Failure) as error:
            for entry in some:
                entry.failure = error
    for entry in entries:
        if entry.write.note and not entry.failure:
            try:
                await beside.attach_note(crm, entry.write.note, entry.piece, dry_run=dry_run)
            except Failure as error:
                entry.failure = error


def _result(crm: OpenForWriting, entry: _Entry) -> WriteResult:
    piece = entry.piece
    result = WriteResult(
        crm.definition.name,
        piece.id,
        entry.company_id,
        piece.url,
        piece.action,
        piece.choice.by,
        piece.fields,
        piece.kept,
        piece.sent if entry.write.dry_run else None,
    )
    crm.told.append(lambda db: keep(db, entry.caller.once, result))
    return result
