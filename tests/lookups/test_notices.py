"""What other processes are told of results: of those only that were still good, and of each account once."""

import asyncio
from collections.abc import Sequence

import asyncpg
from harness import Server, until, with_pool

from addtocrm.core.db.pool import Pool
from addtocrm.lookups import store
from addtocrm.lookups.hot import digest
from addtocrm.lookups.model import Ref

INSERT = """insert into results (account_id, operation, lookup_key, data, expires_at)
            select 'acc_' || n % $1, 'people.enrich', 'key ' || n, '{}', now() + $2::text::interval
            from generate_series(1, $3::int) n"""


def test_what_is_told(database_url: str) -> None:
    async def work(pool: Pool) -> None:
        heard: list[str] = []
        listening = await asyncpg.connect(database_url)
        await listening.add_listener("addtocrm", lambda _c, _p, _n, payload: heard.append(str(payload)))

        async def told(statement: str, *values: object) -> Sequence[str]:
            """The notices that a statement sends."""
            heard.clear()
            await pool.execute(statement, *values)
            await pool.execute("notify addtocrm, 'end'")
            async with asyncio.timeout(20):
                while "end" not in heard:
                    await asyncio.sleep(0.01)
            return sorted(set(heard) - {"end"}) if len(set(heard)) == len(heard) else heard

        def one(number: int, account: str) -> str:
            return f"result:{account}:{digest(Ref(account, 'people.enrich', f'key {number}'))}"

        assert await told(INSERT, 50, "-1 second", 3000) == []
        heard.clear()
        await store.delete_expired(pool)
        assert not await pool.fetch("select from results")
        assert await told("select 1") == []
        assert heard == ["end"]

        await pool.execute(INSERT, 2, "1 day", 400)
        assert await told("delete from results where lookup_key = 'key 3'") == [one(3, "acc_1")]
        assert await told("update results set data = '[]' where lookup_key = 'key 4'") == [one(4, "acc_0")]
        assert await told("delete from results") == ["results:acc_0", "results:acc_1"]

        await pool.execute(INSERT, 1, "-1 second", 1)
        assert await told("update results set expires_at = now() + interval '1 day'") == []
        await listening.close()

    with_pool(database_url, work)


def test_a_refresh_drops_that_result_only(server: Server) -> None:
    server.add_people("hot-1-example", "hot-2-example")
    account = server.account(credits=10)

    def headline(slug: str) -> object:
        return account.enrich(slug).json()["data"]["headline"]

    for slug in ("hot-1-example", "hot-2-example"):
        account.enrich(slug)
        assert headline(slug) is None

    async def change_unnoticed() -> None:
        """Only who asks the database can see it."""
        connection = await asyncpg.connect(server.database_url)
        await connection.execute("set session_replication_role = replica")
        await connection.execute(
            """update results set data = jsonb_set(data::jsonb, '{headline}', '"changed"')::json
               where account_id = $1 and lookup_key like '%hot-%'""",
            account.id,
        )
        await connection.close()

    account.enrich("hot-1-example", refresh=True)
    asyncio.run(change_unnoticed())
    until(lambda: headline("hot-1-example") == "changed")
    assert headline("hot-2-example") is None
