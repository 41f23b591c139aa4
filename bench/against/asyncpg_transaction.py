"""What P3 is held against: asyncpg alone doing the least transaction of a fresh look-up; prints look-ups/s."""

import asyncio
import itertools
import sys
import time

import asyncpg
import uvloop

from addtocrm.core.ids import new_id

TABLES = """
create table if not exists m_accounts (id text primary key, available int not null);
create table if not exists m_results (account_id text, key text, data json, primary key (account_id, key));
create table if not exists m_ledger (id text primary key, account_id text, amount int, request_id text);
create table if not exists m_events (id text primary key, account_id text, data json);
truncate m_accounts, m_results, m_ledger, m_events;
insert into m_accounts values ('a', 100000000);
"""


async def main(url: str, most: int, connections: int) -> float:
    pool = await asyncpg.create_pool(url, min_size=connections, max_size=connections)
    await pool.execute(TABLES)
    counter = itertools.count(1)

    async def work() -> None:
        while (number := next(counter)) <= most:
            async with pool.acquire() as connection, connection.transaction():
                data = await connection.fetchval("select data from people where identity = $1", f"in:b{number}-example")
                await connection.execute(
                    "update m_accounts set available = available - 1 where id = 'a' and available > 0"
                )
                await connection.execute("insert into m_results values ('a', $1, $2)", str(number), data)
                await connection.execute("insert into m_ledger values ($1, 'a', -1, 'r')", new_id("led"))
                await connection.execute("insert into m_events values ($1, 'a', $2)", new_id("evt"), data)

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(connections)))
    seconds = time.perf_counter() - began
    await pool.close()
    return most / seconds


if __name__ == "__main__":
    print(uvloop.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
