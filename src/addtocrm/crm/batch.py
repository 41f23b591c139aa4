"""The job that writes people to the CRM, one contact an item."""

from collections.abc import Sequence
from typing import Annotated, Any, Protocol

import msgspec
from msgspec import Meta

from addtocrm.core.caller import Caller
from addtocrm.core.db.pool import Pool
from addtocrm.core.idempotency.service import done_before
from addtocrm.crm import credentials, opening
from addtocrm.crm.gathering import AT_ONCE, Gatherer
from addtocrm.crm.merge import OnConflict
from addtocrm.crm.model import ContactWrite, WriteResult
from addtocrm.crm.opening import Expected
from addtocrm.crm.setup import Setup
from addtocrm.jobs import service as jobs
from addtocrm.jobs.kind import Kind
from addtocrm.jobs.model import Item, Job, NewItem

KIND = "crm.contacts"


class CrmContactsBatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """People, each as in `POST /v1/crm/contacts`."""

    items: Annotated[list[ContactWrite], Meta(min_length=1, max_length=10_000)]


class Services(Protocol):
    @property
    def crm(self) -> Setup: ...


async def submit(pool: Pool, caller: Caller, items: Sequence[ContactWrite]) -> Job:
    """A queued job for the CRM that is active now. Raises ApiError `crm_not_connected`."""
    if before := done_before(caller.once, Job):
        return before
    target = await expected(pool, caller.account_id)
    async with pool.acquire() as db, db.transaction():
        return await jobs.create(db, caller, KIND, "write", target, [NewItem(item) for item in items])


async def submit_after(
    pool: Pool,
    caller: Caller,
    before: Job,
    position: int | None = None,
    *,
    on_conflict: OnConflict | None = None,
    dry_run: bool,
    expected_crm: str | None = None,
    note: str | None = None,
) -> Job:
    """A job for those (or the one at `position`) whom a job of enrichments found, or whom one of writes would write.
    Raises ApiError `crm_not_connected`, and where another CRM is active than expected."""
    target = await expected(pool, caller.account_id, expected_crm)
    given = {"on_conflict": on_conflict, "dry_run": dry_run, "note": note}
    changes = {name: value for name, value in given.items() if value is not None}
    field = None if before.kind == KIND else "person"
    async with pool.acquire() as db, db.transaction():
        return await jobs.create_after(
            db, caller, KIND, "write", target, (before.id, before.kind), position, field, changes
        )


async def expected(pool: Pool, account_id: str, crm: str | None = None) -> Expected:
    """The CRM that is active now, for a job that goes to no other one. Raises ApiError where `crm` is another."""
    row = await credentials.active(pool, account_id)
    opening.check_expected(row, Expected(crm))
    return Expected(row["crm"], row["id"])


def kind(services: Services) -> Kind:
    """The kind of job, bound to the running services."""
    gatherer = Gatherer(services.crm)

    async def write(caller: Caller, options: dict[str, Any], item: Item) -> WriteResult:
        target = msgspec.convert(options, Expected)
        return await gatherer.put(caller, target, msgspec.convert(item.input, ContactWrite))

    return Kind(KIND, write, at_once=AT_ONCE, cancellable=True)
