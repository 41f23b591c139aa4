"""Which record of the CRM each piece is: by what was written before, and by what the CRM's search gives."""

import math
from collections.abc import Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta
from typing import Any

from addtocrm.core import times
from addtocrm.crm import links, mapping, matching
from addtocrm.crm.contract import CUSTOM, Record, Rule, Sought
from addtocrm.crm.failures import NotFound, Rejected, Unavailable
from addtocrm.crm.kinds import Kind
from addtocrm.crm.matching import By, Candidate, Choice
from addtocrm.crm.opening import Open, OpenForWriting
from addtocrm.crm.piece import Piece

CREATING = timedelta(minutes=5)
"""So long before an attempt was noted last its record may have been made, by the CRM's clock: it is noted again when no
answer came, after the wait for the quota and the request's own 60 s (`Calls`, `Outgoing.call`)."""


async def find(crm: OpenForWriting, pieces: Sequence[Piece], *, dry_run: bool) -> None:
    """Finds which record of the CRM each piece is."""
    if not pieces:
        return
    kind = pieces[0].kind
    await _read_own_fields(crm, pieces)
    identities = [one for piece in pieces for one in piece.identities]
    recalled = await links.recall(crm, kind, identities)
    of_others = await links.of_others(crm, kind, identities)
    for piece in pieces:
        attempts = [] if piece.contact_id else links.attempts(recalled, [one.digest for one in _telling(piece)])
        piece.attempted = made_after(max(one.age for one in attempts)) if attempts else None
        piece.tried = frozenset(name for one in attempts for name in one.fields)
    candidates = {one.record.id: one for one in await look(crm, kind, pieces)}
    linked_ids = {link.record_id for link in (*recalled.values(), *of_others.values()) if link.record_id}
    named = {piece.contact_id for piece in pieces if piece.contact_id}
    missing = [id for id in sorted(linked_ids | named) if id not in candidates]
    fetched = await crm.connector.get(matching.among(kind), missing) if missing else {}
    asked_as = {id: one.id for id, one in fetched.items()}
    candidates |= {one.id: candidate(await crm.mapped(one.kind), one) for one in fetched.values()}
    for piece in pieces:
        piece.contact_id = asked_as.get(piece.contact_id or "", piece.contact_id)
    await _with_companies(crm, pieces, candidates)
    there = await links.remembered(crm, kind, list(candidates.values()))
    gone = {id for id in linked_ids if asked_as.get(id, id) not in candidates}
    if gone:
        await links.drop(crm, kind, sorted(gone - _merged_perhaps(pieces, there, recalled)))
    of_attempts = await links.urls_of_attempts(crm, kind, recalled)
    for piece in pieces:
        seen = _with_attempts(piece, there, recalled, of_attempts)
        _choose(crm, piece, seen, recalled, of_others, asked_as, dry_run=dry_run)
        if piece.attempted and piece.choice.found is None and piece.failure is None:
            await _take_what_was_made(crm, piece, seen, recalled)
        if piece.crowded and piece.failure is None and _may_be_unread(piece, seen):
            message = "has a name that too many in the CRM have to look at all of them."
            how = " Send contact_id, or match_by without name." if piece.kind != "company" else ""
            piece.failure = Rejected("", message + how)
    new = [piece for piece in pieces if piece.choice.found is None and piece.failure is None]
    if gone and not dry_run:
        await links.part(crm, kind, [one for piece in new for one in piece.identities], gone)


async def _read_own_fields(crm: Open, pieces: Sequence[Piece]) -> None:
    """Has records read with the custom fields that are to be written."""
    names = {name.removeprefix(CUSTOM) for piece in pieces for name in piece.values if name.startswith(CUSTOM)}
    for kind in await kinds(crm, pieces[0].kind):
        _, fields = await crm.mapped(kind)
        crm.reads[kind].update(field.name for name in names if (field := mapping.own_field(fields, name)))


async def look(crm: Open, kind: Kind, pieces: Sequence[Piece]) -> list[Candidate]:
    """The records of the CRM that could be meant, the oldest first."""
    sought: list[Sought] = []
    named_by: list[tuple[Piece, mapping.Texts]] = []
    for each in await kinds(crm, kind):
        rules, fields = await crm.mapped(each)
        for piece in pieces:
            named = not piece.contact_id and (piece.attempted or piece.by is None or "name" in piece.by)
            by = (*matching.KEYS[kind], *(("name",) if named else ()))
            terms = tuple(mapping.terms(rules, kind, piece.values, by, fields))
            if terms or crm.definition.vendor is None:
                sought.append(Sought(piece.values, terms, mapping.within(rules, kind, piece.values)))
            if named:
                named_by += [(piece, term) for term in mapping.terms(rules, kind, piece.values, ("name",), fields)]
    if not sought:
        return []
    found = await crm.connector.find(matching.among(kind), sought)
    for piece, term in named_by:
        piece.crowded = piece.crowded or found.is_cut(term)
    return [candidate(await crm.mapped(one.kind), one) for one in found]


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


def _merged_perhaps(
    pieces: Sequence[Piece], candidates: Sequence[Candidate], recalled: Mapping[bytes, links.Link]
) -> set[str | None]:
    """The records known by the pieces that have namesakes, into which somebody may have merged them."""
    named = [piece for piece in pieces if matching.namesakes(piece.kind, piece.values, candidates)]
    known = {one.digest for piece in named for one in piece.identities}
    return {link.record_id for digest, link in recalled.items() if digest in known}


def _with_attempts(
    piece: Piece,
    candidates: Sequence[Candidate],
    recalled: Mapping[bytes, links.Link],
    of_attempts: Mapping[bytes, Set[bytes]],
) -> list[Candidate]:
    """The candidates, with the LinkedIn URLs by which those that nobody is known to be may just have been made, by the
    piece's name."""
    names = [one.digest for one in piece.identities if one.digest in of_attempts]
    if not names:
        return list(candidates)
    urls = frozenset[bytes]().union(*(of_attempts[one] for one in names))
    since = made_after(max(recalled[one].age for one in names))
    return [
        one._replace(urls=urls)
        if not one.urls and not one.values.get("linkedin_url") and (made_at(one.record) or since) >= since
        else one
        for one in candidates
    ]


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
            said = {"company_name": company.get("name"), "company_domain": matching.key("domain", company)}
            more = {name: value for name, value in said.items() if value}
            candidates[id] = candidates[id]._replace(values={**candidates[id].values, **more})


def _choose(
    crm: OpenForWriting,
    piece: Piece,
    candidates: Sequence[Candidate],
    recalled: Mapping[bytes, links.Link],
    of_others: Mapping[bytes, links.Link],
    asked_as: Mapping[str, str],
    *,
    dry_run: bool,
) -> None:
    """`asked_as`: which record the CRM gives for the id of one that was merged into it."""
    by_id = {one.record.id: one for one in candidates}
    by_id |= {id: by_id[now] for id, now in asked_as.items()}
    if piece.contact_id:
        found = by_id.get(piece.contact_id)
        if found is None:
            piece.failure = NotFound(f"contact {piece.contact_id}")
        else:
            piece.choice = Choice(found, "contact_id", matching.taken(piece.kind, piece.values, candidates, found))
        return
    known_by = [(one, recalled[one.digest]) for one in piece.identities if one.digest in recalled]
    digests = [one.digest for one in piece.identities]
    for identity, link in known_by:
        there = by_id.get(link.record_id or "")
        allowed = piece.by is None or identity.name in piece.by
        if there and identity.name == "name" and matching.is_ambiguous(piece.kind, piece.values, there, candidates):
            continue
        if there is None or not allowed:
            continue
        taken = matching.taken(piece.kind, piece.values, candidates, there)
        if there.record.id != link.record_id and identity.name != "name":
            # The survivor of a merge keeps what it is known by, and the link to the old id is what says who it is too.
            piece.choice = Choice(there, identity.name, taken | matching.differing(piece.kind, piece.values, there))
            return
        if matching.linked(piece.kind, piece.values, there, identity.name):
            piece.choice = Choice(there, identity.name, taken)
            return
    piece.choice = matching.choose(piece.kind, piece.values, candidates, piece.by)
    attempts = [*links.attempts(recalled, digests), *links.attempts(of_others, digests)]
    still = crm.unsettled_seconds - min((one.age for one in attempts), default=math.inf)
    if piece.choice.found is None and still > 0 and not dry_run:
        # The CRM may be making the record, or its search not know of it yet.
        piece.failure = Unavailable(retry_after=still)
    lost = [link for one, link in known_by if one.name != "name" and link.record_id and link.record_id not in by_id]
    if piece.choice.found is None and piece.failure is None and lost:
        _take_survivor(piece, candidates, lost)


def _take_survivor(piece: Piece, candidates: Sequence[Candidate], lost: Sequence[links.Link]) -> None:
    """Chooses the record into which the piece's own, of which only these links are left, was merged: the one of its
    name and company that was there beside it. Where it could be another or was deleted, nothing is guessed."""
    named = piece.by is None or "name" in piece.by
    same = matching.made_of(piece.kind, piece.values, candidates) if named else []
    written = datetime.now(UTC) - timedelta(seconds=min(link.age for link in lost))
    beside = [one for one in same if (at := made_at(one.record)) is not None and at <= written]
    if len(same) == len(beside) == 1 and (piece.kind == "company" or matching.has_company(piece.values)):
        [one] = same
        piece.choice = Choice(one, "name", matching.taken(piece.kind, piece.values, candidates, one))
    elif same and piece.kind != "company":
        were = ", ".join(sorted({str(link.record_id) for link in lost}))
        there = ", ".join(one.record.id for one in same[:10])
        message = f"the contact that this person was ({were}) is gone, and may have been merged into {there}."
        how = "Send the contact_id of the one that is meant, or match_by without name for a new one."
        piece.failure = Rejected("", f"{message} {how}")


def _may_be_unread(piece: Piece, candidates: Sequence[Candidate]) -> bool:
    """Whether a contact of the piece's name that was not read could change what it is."""
    by_name = piece.choice.found is None or piece.choice.by == "name"
    asked = not piece.contact_id and (piece.by is None or "name" in piece.by)
    return by_name and asked and not matching.is_decided(piece.kind, piece.values, candidates)


def _telling(piece: Piece) -> list[matching.Identity]:
    """What tells the piece from others of its name: keys, or the name where it has none."""
    keys = [one for one in piece.identities if one.name != "name"]
    return keys or piece.identities


async def _take_what_was_made(
    crm: OpenForWriting, piece: Piece, candidates: Sequence[Candidate], recalled: Mapping[bytes, links.Link]
) -> None:
    """Chooses the record that an attempt made, where the CRM has no place for what identifies the piece: the one of its
    name since then that is nobody else's. Where it could be several, it is not made again."""
    made = [one for one in matching.made_of(piece.kind, piece.values, candidates) if _is_made(piece, one.record)]
    claimed = await links.claimed(crm, piece.kind, [one.record.id for one in made])
    own = [one for one in made if one.record.id not in claimed]
    if len(own) > 1:
        ids = ", ".join(one.record.id for one in own[:10])
        what = "company" if piece.kind == "company" else "contact"
        how = "Send the contact_id of the one that is meant" if what == "contact" else "Merge them there"
        message = (
            f"the CRM was asked to make this {what} and did not answer, and has several of this name since: {ids}."
        )
        piece.failure = Rejected("", f"{message} {how}.")
    elif own:
        [one] = own
        by: By = next(each.name for each in _telling(piece) if links.attempts(recalled, [each.digest]))
        piece.choice = Choice(one, by, matching.taken(piece.kind, piece.values, candidates, one))


def made_after(seconds: float) -> datetime:
    """When at the earliest a record was made, of which the last attempt was noted so many seconds ago."""
    return datetime.now(UTC) - timedelta(seconds=seconds) - CREATING


def made_at(record: Record) -> datetime | None:
    """When the CRM says that it made the record; None where it does not."""
    try:
        return times.parse(record.created_at) if record.created_at else None
    except ValueError:
        return None


def _is_made(piece: Piece, record: Record) -> bool:
    at = made_at(record)
    return piece.attempted is not None and at is not None and at >= piece.attempted
