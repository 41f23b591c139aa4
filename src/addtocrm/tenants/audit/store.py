"""The SQL of the audit log."""

from datetime import timedelta
from typing import Any

import msgspec

from addtocrm.core.db.pool import Connection, Pool
from addtocrm.tenants.audit.model import Action, Entry, OperatorEntry


async def insert(
    pool: Pool | Connection,
    id: str,
    account_id: str,
    actor: str,
    action: Action,
    detail: dict[str, Any],
    address: str,
) -> None:
    await pool.execute(
        "insert into audit (id, account_id, actor, action, detail, address) values ($1, $2, $3, $4, $5, $6)",
        id,
        account_id,
        actor,
        action,
        msgspec.json.encode(detail).decode(),
        address,
    )


async def page(pool: Pool, account_id: str, before: str | None, limit: int) -> list[Entry]:
    """The newest entries first, those older than `before`."""
    rows = await pool.fetch(
        """select id, at, actor, action, detail, address from audit
           where account_id = $1 and action not like 'operator.%' and ($2::text is null or id < $2)
           order by id desc limit $3""",
        account_id,
        before,
        limit,
    )
    return [Entry(**{**row, "detail": msgspec.json.decode(row["detail"])}) for row in rows]


async def of_operators(pool: Pool, account_id: str | None, before: str | None, limit: int) -> list[OperatorEntry]:
    """What operators did (to one account), the newest first."""
    rows = await pool.fetch(
        """select e.id, e.at, e.actor, e.action, e.detail, e.address, e.account_id, a.email as account_email,
                  m.email as who
           from audit e join accounts a on a.id = e.account_id left join members m on e.actor = 'user:' || m.id
           where e.action like 'operator.%' and ($1::text is null or e.account_id = $1)
             and ($2::text is null or e.id < $2)
           order by e.id desc limit $3""",
        account_id,
        before,
        limit,
    )
    return [OperatorEntry(**{**row, "detail": msgspec.json.decode(row["detail"])}) for row in rows]


async def delete_failures(pool: Pool, age: timedelta) -> None:
    await pool.execute("delete from audit where action = 'sign_in.failed' and at < now() - $1::interval", age)
