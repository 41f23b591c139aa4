"""The rules of accounts: making them, changing the plan and the credits."""

from addtocrm.core.db.pool import Connection, Pool
from addtocrm.core.errors import ApiError, invalid
from addtocrm.core.ids import new_id
from addtocrm.tenants.accounts import store
from addtocrm.tenants.accounts.model import MOST_CREDITS, Account, Plan
from addtocrm.tenants.keys import service as keys
from addtocrm.tenants.members import service as members


async def create(
    pool: Pool, email: str, plan: Plan = "free", credits: int | None = None, password: str | None = None
) -> Account:
    """A new account with its first month of credits, and its owner, who signs in with the address and the password.
    Raises ApiError where somebody has the address, or it is none."""
    async with pool.acquire() as connection, connection.transaction():
        return await create_within(connection, email, plan, credits, password)


async def create_within(
    connection: Connection,
    email: str,
    plan: Plan = "free",
    credits: int | None = None,
    password: str | None = None,
    *,
    operator: bool = False,
) -> Account:
    """As `create`, in the caller's transaction; an `operator` runs the deployment."""
    email = members.address(email)
    if credits is not None:
        _check_credits(credits)
    account = await store.insert(connection, new_id("acc"), email, plan, credits)
    if account is None:
        raise invalid("email", f"{email} has an account already.")
    await members.add(connection, account.id, email, "owner", password, operator=operator)
    return account


async def find(pool: Pool, email: str) -> Account:
    """The account of an e-mail address. Raises ApiError `not_found`."""
    async with pool.acquire() as connection:
        account = await store.by_email(connection, email.strip())
    if account is None:
        raise ApiError("not_found", f"There is no account {email}; `addtocrm accounts create` makes one.")
    return account


async def only(pool: Pool) -> Account:
    """The one account that there is. Raises ApiError `validation_error` where there are several, or none."""
    async with pool.acquire() as connection:
        emails = await store.emails(connection, 2)
    if not emails:
        raise invalid("account", "there is none yet; `addtocrm accounts create EMAIL` makes one.")
    if len(emails) > 1:
        raise invalid("account", "there are several; say whose credits it costs: --account EMAIL.")
    return await find(pool, emails[0])


async def set_plan(pool: Pool, email: str, plan: Plan, actor: str = "operator") -> Account:
    """Moves an account to a plan. Its keys work on Pro only.

    A better plan's extra credits come at once, and once in a period, whatever plans it went through.
    """
    found = await find(pool, email)
    async with pool.acquire() as connection, connection.transaction():
        account = await store.lock(connection, found.id)
        if account.plan != plan:
            await store.set_plan(connection, account.id, plan)
            await store.adjust(connection, account, await store.missing_credits(connection, account.id))
            await keys.tell_of_use(connection, account.id, usable=plan == "pro", actor=actor)
    return await find(pool, email)


async def set_credits(pool: Pool, email: str, credits: int) -> Account:
    """Makes `credits` what is left now and what every later month begins with."""
    _check_credits(credits)
    found = await find(pool, email)
    async with pool.acquire() as connection, connection.transaction():
        account = await store.lock(connection, found.id)
        await store.adjust(connection, account, credits - account.credits_available)
        await store.set_custom_credits(connection, account.id, credits)
    return await find(pool, email)


async def begin_due_period(pool: Pool, account_id: str) -> None:
    """Begins the account's period that contains now, where it is not begun yet."""
    async with pool.acquire() as connection, connection.transaction():
        await store.lock(connection, account_id)


def _check_credits(credits: int) -> None:
    if not 0 <= credits <= MOST_CREDITS:
        raise invalid("credits", f"is a whole number from 0 to {MOST_CREDITS:,}.")
