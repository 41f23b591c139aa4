"""What an account has used: read from the ledger, so that it always adds up."""

from addtocrm.accounts import store as accounts
from addtocrm.accounts.model import PLAN_CREDITS
from addtocrm.db.pool import Pool
from addtocrm.times import rfc3339
from addtocrm.usage import store
from addtocrm.usage.model import Credits, DayUse, KeyUse, OperationUse, Period, Usage


async def of_account(pool: Pool, account_id: str) -> Usage:
    """The current period of an account, of one moment."""
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        await accounts.roll_if_due(connection, account_id)
        row = await store.account(connection, account_id)
        period = (account_id, row["period_start"])
        operations = [OperationUse(**one) for one in await store.by_operation(connection, *period)]
        used = sum(one.credits for one in operations)
        return Usage(
            plan=row["plan"],
            period=Period(rfc3339(row["period_start"]), rfc3339(row["period_end"])),
            credits=Credits(
                limit=row["period_credits"],
                used=used,
                held=row["held"],
                remaining=row["available"],
                monthly=PLAN_CREDITS[row["plan"]] if row["custom_credits"] is None else row["custom_credits"],
            ),
            by_operation=operations,
            by_key=[KeyUse(**one) for one in await store.by_key(connection, *period)],
            by_day=[DayUse(**one) for one in await store.by_day(connection, *period)],
        )
