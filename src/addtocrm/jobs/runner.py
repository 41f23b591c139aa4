"""Carries jobs out. Our tables are the only truth of a job: one that has not ended and that no living process carries
is taken by the next one that looks, on any host, and goes on where its items stand.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import asyncpg
import msgspec
import structlog

from addtocrm.core.background import repeat
from addtocrm.core.caller import Caller
from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import ApiError, ItemError
from addtocrm.core.individuals import digests, spoken_of
from addtocrm.jobs import service, store
from addtocrm.jobs.kind import Done, Kind, Postponed
from addtocrm.jobs.lanes import BEGINNING, Carried, Lane, Suspects
from addtocrm.jobs.model import Item, Outcome
from addtocrm.jobs.outage import Outage
from addtocrm.jobs.under_way import UnderWay
from addtocrm.privacy.model import FORGOTTEN, FORGOTTEN_ERROR
from addtocrm.tenants.accounts import service as accounts
from addtocrm.tenants.keys import service as keys

log = structlog.get_logger()

LOOK_SECONDS = 1.0
"""How often is looked for jobs, and for what became of those carried, where no notice came."""
JOBS_OF_ACCOUNT = 16
"""Jobs of one account that a process carries at a time; the others are for other hosts, or wait."""
TAKEN_AT_ONCE = 100
TURN_SECONDS = 10.0
"""After so long a job makes room for another one of its account."""
READY_ITEMS = 8
STOP_SECONDS = 8.0
SETTLED_AT_ONCE = 200
TELL_SECONDS = 0.3
MOST_UNSETTLED = 1000
TRIES = 3
RETRY_SECONDS = 0.5
LONGEST_WAIT = 3600.0
OF_THE_CRM = ("crm_rate_limit", "crm_unavailable")
"""What makes all of a job wait, not this item alone."""
AGAIN_TRIES = 20
MOST_DEATHS = 5
"""An item that was under way at the end of so many processes is not tried again."""
KILLS = f"This item is not tried again: {MOST_DEATHS} times it was under way when its process ended unexpectedly."
OUR_FAULT = "Something failed on our side; nothing was charged. Send the item again."
UNREADABLE = "What is kept of this job cannot be read. Send its items again."


class Runner:
    """Takes jobs and carries them out, many at once; `news` is set where there may be something to look at."""

    def __init__(
        self, pool: Pool, kinds: Mapping[str, Kind], instance: int, news: asyncio.Event, under_way: UnderWay
    ) -> None:
        self._pool = pool
        self._kinds = kinds
        self._instance = instance
        self._news = news
        self._outage = Outage(pool)
        self._under_way = under_way
        self._deaths_counted = False
        suspects = Suspects()
        self._lanes = {name: Lane(kind.at_once, suspects) for name, kind in kinds.items()}
        self._jobs: dict[str, Carried] = {}
        self._gone = asyncio.Event()
        self._outcomes: list[tuple[Carried, Outcome]] = []
        self._written = asyncio.Event()
        self._progressed: set[str] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop`, then leaves the jobs where they stand, for another process or this one's successor."""
        tasks = [
            asyncio.create_task(self._keep_settling()),
            asyncio.create_task(repeat("tell_of_progress", TELL_SECONDS, self._tell_of_progress)),
        ]
        try:
            while not stop.is_set():
                self._news.clear()
                try:
                    await self._look()
                except Exception as error:
                    if not await self._outage.caused(error):
                        log.exception("jobs_stumbled")
                        await _first(LOOK_SECONDS, stop)
                        continue
                    log.warning("jobs_wait_for_database", error=type(error).__name__)
                    await self._outage.over()
                await _first(LOOK_SECONDS, self._news, stop)
            await self._leave()
        finally:
            for task in tasks:
                task.cancel()

    async def _look(self) -> None:
        """Takes jobs, and hears of those that are cancelled, not allowed any more, or another process's now."""
        await self._count_deaths()
        await store.orphan(self._pool, self._instance)
        ours = await store.carried(self._pool, self._instance, list(self._jobs))
        refused = await self._refused(job.caller for job in self._jobs.values())
        for job in self._jobs.values():
            if job.id not in ours or ours[job.id]:
                _stop(job)
            elif error := refused.get(_asker(job.caller)):
                job.error = error
                _stop(job)
            elif job.active:
                job.dry = False
        self._make_room()
        await self._take()
        for job in list(self._jobs.values()):
            self._tend(job)

    async def _refused(self, callers: Iterable[Caller]) -> dict[str, str]:
        """Who of them may have nothing done any more, with the reason in words."""
        askers = {_asker(caller): caller.key_id is not None for caller in callers}
        by_key = [id for id, is_key in askers.items() if is_key]
        by_person = [id for id, is_key in askers.items() if not is_key]
        return {**await keys.unusable(self._pool, by_key), **await accounts.unusable(self._pool, by_person)}

    async def _count_deaths(self) -> None:
        """Tells the database what was under way in the processes before this one that died."""
        if self._deaths_counted:
            return
        for file, places in self._under_way.left():
            await store.died(self._pool, places)
            file.unlink(missing_ok=True)
        self._deaths_counted = True

    def _make_room(self) -> None:
        """Where an account has as many jobs as may be carried, the one that was longest is let go."""
        now = asyncio.get_running_loop().time()
        count = Counter(job.caller.account_id for job in self._jobs.values() if not job.leaving)
        for account_id, jobs in count.items():
            if jobs >= JOBS_OF_ACCOUNT:
                of_account = [job for job in self._jobs.values() if job.caller.account_id == account_id]
                longest = min(of_account, key=lambda job: job.taken_at)
                if now - longest.taken_at > TURN_SECONDS:
                    longest.leaving = True

    async def _take(self) -> None:
        accounts = [job.caller.account_id for job in self._jobs.values()]
        rows = await store.take(self._pool, self._instance, list(self._jobs), accounts, JOBS_OF_ACCOUNT, TAKEN_AT_ONCE)
        taken = [_read(row) for row in rows]
        refused = await self._refused(caller for caller, _, _ in taken)
        now = asyncio.get_running_loop().time()
        for row, (caller, options, unreadable) in zip(rows, taken, strict=True):
            kind = self._kinds.get(row["kind"])
            error = unreadable or refused.get(_asker(caller))
            if kind is None:
                await service.finish(self._pool, caller, row["id"], f"This version has no jobs of kind {row['kind']}.")
                continue
            job = Carried(row["id"], kind, caller, options, row["created_at"], now, error=error)
            job.leaving = error is not None or row["cancelled_by"] is not None
            self._jobs[job.id] = job
            self._lanes[kind.name].add(job)
        if len(rows) == TAKEN_AT_ONCE:
            self._news.set()

    def _tend(self, job: Carried) -> None:
        """Begins what of the job can be begun now, and what is to be done about the job as a whole."""
        now = asyncio.get_running_loop().time()
        wanted = max(self._lanes[job.kind.name].share(), READY_ITEMS)
        if self._jobs.get(job.id) is job and job.work is None:
            resting = job.rests_until > now
            if not (job.dry or job.leaving or resting) and len(job.ready) * 2 < wanted:
                self._work(job, self._fetch(job, wanted))
            elif job.idle and (job.leaving or resting or (job.dry and not job.ready)):
                self._work(job, self._let_go(job))
        self._begin(self._lanes[job.kind.name], now)

    def _work(self, job: Carried, work: Any) -> None:
        async def run() -> None:
            try:
                await work
            except Exception as error:
                if not await self._outage.caused(error):
                    log.exception("job_stumbled", job=job.id)
                    await asyncio.sleep(LOOK_SECONDS)
                await self._outage.over()
            job.work = None
            self._tend(job)

        job.work = asyncio.create_task(run())

    async def _fetch(self, job: Carried, wanted: int) -> None:
        """Makes more items ready: those after the last ones, else those that have come due since."""
        known = [*job.active, *job.unsettled, *(row["position"] for row in job.ready)]
        rows = await store.due(self._pool, job.id, job.after, known, wanted)
        if job.leaving:
            return
        if rows:
            job.ready.extend(rows)
            job.after = (rows[-1]["not_before"], rows[-1]["turn"])
        elif job.after == BEGINNING:
            job.dry = True
        else:
            job.after = BEGINNING

    async def _let_go(self, job: Carried) -> None:
        """Ends the job where all of it is done or it may not go on, else gives it back until there is something due."""
        rest = max(job.rests_until - asyncio.get_running_loop().time(), 0.0)
        ours = await store.carried(self._pool, self._instance, [job.id])
        if job.id in ours:
            wait = await store.wait_seconds(self._pool, job.id)
            if wait is None or ours[job.id] or job.error:
                await service.finish(self._pool, job.caller, job.id, job.error if wait is not None else None)
            elif wait <= 0 and not (job.leaving or rest):
                job.dry = False
                return
            else:
                seconds = max(rest, 0.0 if job.leaving else wait)
                await store.give_back(self._pool, self._instance, [job.id], seconds)
                asyncio.get_running_loop().call_later(seconds, self._news.set)
        del self._jobs[job.id]
        self._lanes[job.kind.name].remove(job)
        self._gone.set()
        self._news.set()

    def _begin(self, lane: Lane, now: float) -> None:
        """Begins items while there are places."""
        while len(self._outcomes) < MOST_UNSETTLED and (job := lane.begin(now)):
            row: asyncpg.Record = job.ready.popleft()
            task = asyncio.create_task(self._do(job, row))
            job.active[row["position"]] = task
            task.add_done_callback(lambda _, job=job, row=row: self._done(lane, job, row))
            if not job.ready:
                asyncio.get_running_loop().call_soon(self._tend, job)

    def _done(self, lane: Lane, job: Carried, row: asyncpg.Record) -> None:
        del job.active[row["position"]]
        lane.end(job, row["deaths"])
        self._tend(job)
        if row["deaths"]:
            for other in self._lanes.values():
                self._begin(other, asyncio.get_running_loop().time())

    async def _do(self, job: Carried, row: asyncpg.Record) -> None:
        structlog.contextvars.bind_contextvars(request_id=job.caller.request_id, job=job.id)
        note = self._under_way.begin(job.id, row["position"])
        try:
            outcome = await self._outcome(job, row)
        except asyncio.CancelledError:
            return
        finally:
            self._under_way.end(note)
        job.unsettled.add(outcome.position)
        self._outcomes.append((job, outcome))
        self._written.set()

    async def _outcome(self, job: Carried, row: asyncpg.Record) -> Outcome:
        """Does an item; a lost database is waited for, other failures on our side are tried again a few times."""
        position, tries = row["position"], 0
        if row["deaths"] >= MOST_DEATHS:
            log.error("job_item_ends_processes", position=position, deaths=row["deaths"])
            return _failed(job, position, ItemError("internal_error", KILLS))
        while True:
            try:
                if row["input"] == f'"{FORGOTTEN}"':
                    return _failed(job, position, FORGOTTEN_ERROR)
                item = Item(position, msgspec.json.decode(row["input"]), row["attempts"], job.since)
                caller = msgspec.structs.replace(job.caller, item=f"{job.id}/{position}")
                return _succeeded(job, position, await job.kind.handle(caller, job.options, item))
            except Postponed as later:
                return self._put_off(job, position, later.seconds, all_items=later.all_items)
            except ApiError as error:
                failure = error
                if error.retry_after_seconds is not None and row["attempts"] < AGAIN_TRIES:
                    seconds = float(error.retry_after_seconds)
                    if error.type in OF_THE_CRM:
                        self._rest(job, seconds)
                    return self._put_off(job, position, seconds * 2.0 ** min(row["attempts"], 10))
                if error.type != "internal_error":
                    return _failed(job, position, ItemError(error.type, error.message))
            except Exception as error:
                failure = error
            if await self._outage.caused(failure):
                await self._outage.over()
                continue
            tries += 1
            if tries == TRIES or not self._outage.may_pass(failure):
                if isinstance(failure, ApiError):
                    return _failed(job, position, ItemError(failure.type, failure.message))
                log.error("job_item_failed", position=position, exc_info=failure)
                return _failed(job, position, ItemError("internal_error", OUR_FAULT))
            await asyncio.sleep(RETRY_SECONDS * tries)

    def _put_off(self, job: Carried, position: int, seconds: float, *, all_items: bool = False) -> Outcome:
        if all_items:
            self._rest(job, seconds)
        until = min(max(seconds, 0.05), LONGEST_WAIT)
        return Outcome(job_id=job.id, position=position, put_off=until, tried=not all_items)

    def _rest(self, job: Carried, seconds: float) -> None:
        """Begins nothing more of the job for a while; what is ready is looked for again after it."""
        job.rests_until = max(job.rests_until, asyncio.get_running_loop().time() + min(seconds, LONGEST_WAIT))
        job.ready.clear()
        job.after, job.dry = BEGINNING, False

    async def _keep_settling(self) -> None:
        """Writes what was done: all that has come together while the last was written, in one commit."""
        while True:
            await self._written.wait()
            self._written.clear()
            while self._outcomes:
                batch = self._outcomes[:SETTLED_AT_ONCE]
                await self._settle(batch)
                del self._outcomes[: len(batch)]
                for job, outcome in batch:
                    job.unsettled.discard(outcome.position)
                    self._progressed.add(job.id)
                for job in {id(job): job for job, _ in batch}.values():
                    self._tend(job)

    async def _tell_of_progress(self) -> None:
        """Tells who looks at the jobs that went on since; beside settling, so that it holds nothing up."""
        if self._progressed:
            ids, self._progressed = self._progressed, set()
            await store.tell_of_progress(self._pool, list(ids))

    async def _settle(self, batch: list[tuple[Carried, Outcome]]) -> None:
        tries = 0
        while True:
            try:
                await store.settle(self._pool, [outcome for _, outcome in batch])
                return
            except Exception as error:
                if await self._outage.caused(error):
                    await self._outage.over()
                    continue
                tries += 1
                if tries < TRIES and self._outage.may_pass(error):
                    log.warning("jobs_unsettled", items=len(batch), error=type(error).__name__)
                    await asyncio.sleep(RETRY_SECONDS * tries)
                    continue
                if len(batch) > 1:
                    for one in batch:
                        await self._settle([one])
                    return
                job, outcome = batch[0]
                log.error("job_item_unsettled", job=job.id, position=outcome.position, exc_info=error)
                if outcome.status == "failed":
                    job.error = OUR_FAULT
                    _stop(job)
                    return
                batch = [(job, _failed(job, outcome.position, ItemError("internal_error", OUR_FAULT)))]

    async def _leave(self) -> None:
        """Ends what is under way, for STOP_SECONDS at most, and gives all jobs back."""
        self._under_way.close()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + STOP_SECONDS
        for job in list(self._jobs.values()):
            _stop(job)
            self._tend(job)
        while self._jobs and (left := deadline - loop.time()) > 0:
            self._gone.clear()
            await _first(left, self._gone)
        try:
            await store.give_back(self._pool, self._instance, list(self._jobs), 0)
        except Exception as error:
            log.warning("jobs_left_to_others", error=type(error).__name__)


def _read(row: asyncpg.Record) -> tuple[Caller, Any, str | None]:
    """Who began a job and its options; where they cannot be read others in their place, and that in words."""
    try:
        return msgspec.json.decode(row["caller"], type=Caller), msgspec.json.decode(row["options"]), None
    except (msgspec.MsgspecError, RecursionError):
        log.exception("job_unreadable", job=row["id"])
        return Caller(row["account_id"], "operator", row["id"]), {}, UNREADABLE


def _asker(caller: Caller) -> str:
    """The key that asks, or the account where a person does."""
    return caller.key_id or caller.account_id


def _stop(job: Carried) -> None:
    """Begins nothing more of the job, and ends what is under way as soon as may be."""
    if job.kind.cancellable and not job.stopped:
        for task in job.active.values():
            task.cancel()
    job.leaving = job.stopped = True
    job.ready.clear()


def _succeeded(job: Carried, position: int, result: Any) -> Outcome:
    if isinstance(result, Done):
        return Outcome(
            job_id=job.id,
            position=position,
            status="succeeded",
            result=result.data.decode(),
            cached=result.cached,
            credits_deducted=result.credits_deducted,
            subjects=digests(spoken_of(msgspec.json.decode(result.data))),
        )
    encoded = msgspec.json.encode(result).decode()
    return Outcome(job_id=job.id, position=position, status="succeeded", result=encoded)


def _failed(job: Carried, position: int, error: ItemError) -> Outcome:
    return Outcome(job_id=job.id, position=position, status="failed", error=msgspec.json.encode(error).decode())


async def _first(seconds: float, *events: asyncio.Event) -> None:
    """Waits until one of the events is set, for so many seconds at most."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when="FIRST_COMPLETED")
    finally:
        for wait in waits:
            wait.cancel()
