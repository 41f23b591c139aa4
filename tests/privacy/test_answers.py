"""Answers that are kept for repeats, of somebody who is forgotten while they are stored."""

import asyncio
import json
from pathlib import Path
from typing import Any

import asyncpg
from forgetting import World
from harness import until

from addtocrm.core.db.pool import open_pool
from addtocrm.core.idempotency.model import Once, Stored
from addtocrm.core.idempotency.service import Idempotency
from addtocrm.privacy import service

PERSON = {"linkedin_url": "https://www.linkedin.com/in/ida-answered", "full_name": "Ida Answered"}
LOCK = 78
STOP_AT_THE_ANSWER = f"""
create function stop_at_the_answer() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock_shared({LOCK}, 0);
    return new;
end $$;
create trigger stop_at_the_answer before update on idempotency
    for each row when (new.status is not null) execute function stop_at_the_answer();
"""
WAITING = """select count(*)::int from pg_locks where locktype = 'advisory' and classid = $1 and not granted
    and database = (select oid from pg_database where datname = current_database())"""
LIST = 1096041286


def test_an_answer_that_is_stored_while_its_person_is_forgotten(world: World) -> None:
    world.imported(PERSON)
    asked = {"linkedin_url": PERSON["linkedin_url"]}
    headers = {"idempotency-key": "ida"}
    assert world.post("/v1/people/enrich", asked).status_code == 200

    async def run() -> None:
        control = await asyncpg.connect(world.server.database_url)
        await control.execute(STOP_AT_THE_ANSWER)
        await control.execute("select pg_advisory_lock($1, 0)", LOCK)

        async def waits(number: int) -> None:
            async with asyncio.timeout(60):
                while not await control.fetchval(WAITING, number):
                    await asyncio.sleep(0.05)

        answered = asyncio.create_task(asyncio.to_thread(world.post, "/v1/people/enrich", asked, headers=headers))
        await waits(LOCK)
        forgotten = asyncio.create_task(asyncio.to_thread(world.forget, PERSON["linkedin_url"]))
        waiting = asyncio.create_task(waits(LIST))
        await asyncio.wait((forgotten, waiting), return_when="FIRST_COMPLETED")
        await control.execute("select pg_advisory_unlock($1, 0)", LOCK)
        assert (await answered).status_code == 200
        await forgotten
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await control.execute("drop function stop_at_the_answer cascade")
        await control.close()

    asyncio.run(run())
    until(lambda: not world.mentions("ida-answered"))
    assert world.post("/v1/people/enrich", asked, headers=headers).status_code == 404


def test_an_answer_that_is_stored_after_its_person_was_forgotten(database_url: str, tmp_path: Path) -> None:
    async def run() -> Any:
        session = await service.session(database_url, tmp_path)
        pool = await open_pool(database_url, size=4, session=session)
        try:
            idempotency = Idempotency(pool, 1)
            begun = await idempotency.begin("key", "ida", b"asked")
            assert isinstance(begun, Once)
            await service.forget(pool, PERSON["linkedin_url"])
            answer = Stored(200, "application/json", json.dumps({"data": PERSON}).encode())
            await idempotency.finish(begun, answer)
            return await idempotency.begin("key", "ida", b"asked")
        finally:
            await pool.close()

    assert isinstance(asyncio.run(run()), Once)
