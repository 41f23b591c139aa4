"""Jobs: how far they are, what came of each item, and what to do with whom they found."""

from typing import Any, cast

import msgspec
from litestar import Response, get, post
from litestar.response import Redirect, Stream

from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError
from addtocrm.core.records.person import Person
from addtocrm.crm import batch, connections
from addtocrm.crm.merge import OnConflict
from addtocrm.crm.model import NoteText, PersonInput, WriteResult
from addtocrm.dashboard import forms
from addtocrm.dashboard.asking import Cost, shown
from addtocrm.dashboard.guard import needs
from addtocrm.dashboard.live import Live
from addtocrm.dashboard.page import go, page
from addtocrm.dashboard.places import places
from addtocrm.dashboard.visitor import AnyRequest, caller_of, signed_in
from addtocrm.dashboard.words import plain
from addtocrm.jobs import service
from addtocrm.jobs.model import ItemStatus, Job, JobResult
from addtocrm.jobs.table import table
from addtocrm.lists import service as lists
from addtocrm.lookups.emails.service import VERIFY
from addtocrm.lookups.people.service import ENRICH
from addtocrm.mail.model import Verification

ON_A_PAGE = 50
ENDED: tuple[ItemStatus, ...] = ("succeeded", "failed")
"""The items that a job's page can be asked for alone."""


class Chosen(msgspec.Struct, frozen=True):
    """The item at `position`, or all of the job: how they are written and noted, or the list they go on."""

    position: int | None = None
    on_conflict: OnConflict = "fill_empty"
    note: str = ""
    list: str = ""


class Writing(msgspec.Struct, frozen=True):
    expected_crm: str
    note: NoteText | None = None


@get("/jobs", opt=needs())
async def show_all(request: AnyRequest, pool: Pool) -> Response[str]:
    cursor = request.query_params.get("cursor")
    known, after = await service.page(pool, signed_in(request).account_id, cursor, ON_A_PAGE)
    return page(request, "jobs.html", jobs=known, cursor=after)


@get("/jobs/{id:str}", opt=needs())
async def show(request: AnyRequest, id: str, pool: Pool) -> Response[str]:
    return await _job(request, id, pool)


async def _job(
    request: AnyRequest, id: str, pool: Pool, status: int = 200, chosen: Chosen | None = None, fault: str = ""
) -> Response[str]:
    """The page of a job; of a form on it that was refused with what was chosen and what is wrong."""
    account_id = signed_in(request).account_id
    job = await service.get(pool, account_id, id)
    held = await service.held(pool, account_id, id)
    cursor, state = (request.query_params.get(name) for name in ("cursor", "state"))
    only: ItemStatus | None = state if state in ENDED else None
    results, cursor = await service.results(pool, account_id, id, cursor, ON_A_PAGE, status=only)
    return page(
        request,
        "job.html",
        status,
        job=job,
        cost=msgspec.convert(held, Cost) if held else None,
        results=results,
        cursor=cursor,
        state=only,
        request_id=await service.request_of(pool, account_id, id),
        is_preview=_is_preview(job, results[0] if results else None),
        chosen=chosen or Chosen(),
        fault=fault,
        **await places(pool, account_id),
    )


@get("/jobs/{id:str}/{position:int}", opt=needs())
async def show_one(request: AnyRequest, id: str, position: int, pool: Pool) -> Response[str] | Redirect:
    return await _one(request, id, position, pool)


async def _one(
    request: AnyRequest,
    id: str,
    position: int,
    pool: Pool,
    status: int = 200,
    chosen: Chosen | None = None,
    fault: str = "",
) -> Response[str] | Redirect:
    """The page of an item; of a form on it that was refused with what was chosen and what is wrong."""
    account_id, chosen = signed_in(request).account_id, chosen or Chosen()
    job = await service.get(pool, account_id, id)
    one = await service.result(pool, account_id, id, position)
    if one.data is None:
        if one.status == "pending" or job.total > 1:
            return go(f"/dashboard/jobs/{id}")
        return page(request, "item.html", job=job, one=one)
    if job.kind == ENRICH.name:
        person = msgspec.convert(one.data, Person)
        shown = {"job": job, "one": one, "person": person, "chosen": chosen, "fault": fault}
        return page(request, "person.html", status, **shown, **await places(pool, account_id))
    if job.kind == VERIFY.name:
        return page(request, "verification.html", job=job, one=one, found=msgspec.convert(one.data, Verification))
    if "action" in one.data:
        result = msgspec.convert(one.data, WriteResult)
        asked = one.input["person"]
        return page(
            request,
            "written.html",
            status,
            job=job,
            one=one,
            result=result,
            on_conflict=one.input.get("on_conflict", "fill_empty"),
            name=asked.get("full_name") or asked.get("email") or asked.get("linkedin_url") or "",
            label=connections.definition_named(result.crm).label,
            is_preview=_is_preview(job, one),
            note=chosen.note,
            fault=fault,
        )
    return page(request, "item.html", job=job, one=one)


@get("/jobs/{id:str}/live", opt=needs())
async def follow(request: AnyRequest, id: str, pool: Pool, live: Live) -> Response[Any]:
    """Server-sent events that say when there is something new on the job's page."""
    account_id = signed_in(request).account_id
    await service.get(pool, account_id, id)

    async def is_over() -> bool:
        try:
            return (await service.get(pool, account_id, id)).finished_at is not None
        except ApiError:  # It was held, and is gone without a trace.
            return True

    return live.stream(request, f"progress:{id}", is_over)


@get("/jobs/{id:str}/results.csv", opt=needs())
async def download(request: AnyRequest, id: str, pool: Pool) -> Stream:
    await service.get(pool, signed_in(request).account_id, id)
    headers = {"content-disposition": f'attachment; filename="{id}.csv"', "cache-control": "no-store"}
    return Stream(table(lambda: service.pages(pool, id)), media_type="text/csv; charset=utf-8", headers=headers)


@post("/jobs/{id:str}/start", opt=needs(), status_code=200)
async def start(request: AnyRequest, id: str, pool: Pool) -> Redirect:
    """Begins what was held until its cost was seen."""
    account_id = signed_in(request).account_id
    await service.get(pool, account_id, id)
    await service.start(pool, account_id, id)
    return go(f"/dashboard/jobs/{id}")


@get("/jobs/{id:str}/cancel", opt=needs())
async def ask_to_cancel(request: AnyRequest, id: str, pool: Pool) -> Response[str]:
    job = await service.get(pool, signed_in(request).account_id, id)
    return page(request, "job_cancel.html", job=job)


@post("/jobs/{id:str}/cancel", opt=needs(), status_code=200)
async def cancel(request: AnyRequest, id: str, pool: Pool) -> Redirect:
    """Ends a job early; one that is held goes without a trace."""
    job = await service.get(pool, signed_in(request).account_id, id)
    if await service.discard(pool, signed_in(request).account_id, id):
        return go("/dashboard/verify" if job.kind == VERIFY.name else "/dashboard/enrich")
    await service.cancel(pool, caller_of(request), id)
    return go(f"/dashboard/jobs/{id}")


@post("/jobs/{id:str}/preview", opt=needs(), status_code=200)
async def preview(request: AnyRequest, id: str, pool: Pool, live: Live) -> Response[str] | Redirect:
    """Goes to what would be written and kept in the CRM; nothing is. Of a preview: the same in another way."""
    asked = await forms.read(request, Chosen)
    job = await service.get(pool, signed_in(request).account_id, id)
    try:
        made = await batch.submit_after(
            pool, caller_of(request), job, asked.position, on_conflict=asked.on_conflict, dry_run=True
        )
    except ApiError as error:
        return await _refused(request, id, pool, asked, error)
    return await shown(request, pool, live, made)


@post("/jobs/{id:str}/write", opt=needs(), status_code=200)
async def write(request: AnyRequest, id: str, pool: Pool, live: Live) -> Response[str] | Redirect:
    """Writes what a preview showed, to the CRM that it named."""
    job = await service.get(pool, signed_in(request).account_id, id)
    if job.kind != batch.KIND:
        raise ApiError("not_found", "This job is not a preview. Choose “Add to CRM…” on its page.")
    try:
        asked = await forms.read(request, Writing)
        made = await batch.submit_after(
            pool, caller_of(request), job, dry_run=False, expected_crm=asked.expected_crm, note=asked.note
        )
    except ApiError as error:
        return await _refused(request, id, pool, await forms.read(request, Chosen), error)
    return await shown(request, pool, live, made)


@post("/jobs/{id:str}/save", opt=needs(), status_code=200)
async def save(request: AnyRequest, id: str, pool: Pool) -> Response[str] | Redirect:
    """Puts whom the job found on a list: all of them, or one."""
    account_id = signed_in(request).account_id
    asked = await forms.read(request, Chosen)
    job = await service.get(pool, account_id, id)
    if job.kind != ENRICH.name:
        raise ApiError("not_found", "This job has found no people.")
    try:
        await lists.get(pool, account_id, asked.list)
        if asked.position is not None:
            await _add(request, pool, asked.list, [await service.result(pool, account_id, id, asked.position)])
        else:
            async for results in service.pages(pool, id):
                await _add(request, pool, asked.list, results)
    except ApiError as error:
        return await _refused(request, id, pool, asked, error)
    return go(f"/dashboard/lists/{asked.list}", said="added")


async def _refused(
    request: AnyRequest, id: str, pool: Pool, asked: Chosen, error: ApiError
) -> Response[str] | Redirect:
    """The page that the form is on again."""
    status, fault = error.status, plain(error.message)
    if asked.position is None:
        return await _job(request, id, pool, status, asked, fault)
    return await _one(request, id, asked.position, pool, status, asked, fault)


async def _add(request: AnyRequest, pool: Pool, list_id: str, results: list[JobResult]) -> None:
    people = [msgspec.convert(one.data, PersonInput) for one in results if one.data]
    if people:
        await lists.add(pool, caller_of(request), list_id, people)


def _is_preview(job: Job, one: JobResult | None) -> bool:
    """Whether the job of contacts writes nothing."""
    asked: Any = one.input if one else None
    return job.kind == batch.KIND and isinstance(asked, dict) and bool(cast(dict[str, Any], asked).get("dry_run"))


handlers: tuple[Any, ...] = (
    show_all,
    show,
    show_one,
    follow,
    download,
    start,
    ask_to_cancel,
    cancel,
    preview,
    write,
    save,
)
