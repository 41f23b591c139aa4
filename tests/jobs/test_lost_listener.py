"""A process whose sign of life is missing for a moment keeps what it carries."""

from typing import Any

from harness import Server, with_pool
from jobbing import ended, push, until_done

CARRIER = "select instance from jobs where id = $1"
CUT = """select pg_terminate_backend(pid), pg_notify('addtocrm', 'job:job_of_all') from pg_locks
         where locktype = 'advisory' and classid = 1096041283 and objid = $1 and granted"""


def test_a_job_stays_where_it_is_carried(new_server: Any) -> None:
    """The push is held up in the middle of a write, while its process is lost and all others look for jobs."""
    server: Server = new_server()
    new_server(server.database_url)
    account = server.account()
    account.connect_builtin()
    id = push(account, 500)
    until_done(account, id)

    async def lose(pool: Any) -> None:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("select from crm_connections where account_id = $1 for update", account.id)
            carrier = await pool.fetchval(CARRIER, id)
            for _ in range(10):
                while not await pool.fetch(CUT, carrier):
                    assert await pool.fetchval(CARRIER, id) == carrier

    with_pool(server.database_url, lose)
    assert ended(account, id)["succeeded"] == 500
