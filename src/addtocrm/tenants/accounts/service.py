"""The rules of accounts: making them, changing the plan and the credits, suspending them."""

from collections.abc import Collection

from addtocrm.core import cursors
from addtocrm.core.db.pool import Connection, Pool
from addtocrm.core.errors import ApiError, invalid
from addtocrm.core.idempotency.service import take_form
from addtocrm.core.ids import new_id
from addtocrm.tenants.accounts import store
from addtocrm.tenants.accounts.model import MOST_CREDITS, Account, Listed, Plan
from addtocrm.tenants.audit import service as audit
from addtocrm.tenants.audit.model import COMMAND_LINE, By
from addtocrm.tenants.keys import service as keys
from addtocrm.tenants.members import service as members


async def create(
    pool: Pool, email: str, plan: Plan = "free", credits: int | None = None, password: str | None = None
) -> Account:
    """A new account with its first month of credits, and its owner, who signs in with the address and the password.
    Raises ApiError where somebody has the address, or it is none."""
    password_hash = None if password is None else await members.hashed(password)
    async with pool.acquire() as connection, connection.transaction():
        return await create_within(connection, email, plan, credits, password_hash=password_hash)


async def create_within(
    connection: Connection,
    email: str,
    plan: Plan = "free",
    credits: int | None = None,
    *,
    password_hash: str | None = None,
    operator: bool = False,
) -> Account:
    """As `create`, in the caller's transaction; an `operator` runs the deployment."""
    email = members.address(email)
    if credits is not None:
        _check_credits(credits)
    account = await store.insert(connection, new_id("acc"), email, plan, credits)
    if account is None:
        raise invalid("email", f"{email} has an account already.")
    await members.add(connection, account.id, email, "owner", password_hash=password_hash, operator=operator)
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


async def get(pool: Pool, id: str) -> Account:
    """An account. Raises ApiError `not_found`."""
    async with pool.acquire() as connection:
        account = await store.by_id(connection, id)
    if account is None:
        raise ApiError("not_found", "There is no such account.")
    return account


async def page(pool: Pool, search: str, cursor: str | None, limit: int) -> tuple[list[Listed], str | None]:
    """A page of all accounts, the newest first, and the cursor of the next: those whose email begins with `search`, or
    that have it as their id or as a member's email. Raises ApiError."""
    before = cursors.decode(cursor, str) if cursor else None
    found = await store.page(pool, search.strip().lower(), before, limit + 1)
    return found[:limit], cursors.encode(found[limit - 1].id) if len(found) > limit else None


async def set_plan(pool: Pool, email: str, plan: Plan, by: By = COMMAND_LINE) -> Account:
    """Moves an account to a plan. Its keys work on Pro only.

    A better plan's extra credits come at once, and once in a period, whatever plans it went through.
    """
    found = await find(pool, email)
    async with pool.acquire() as connection, connection.transaction():
        account = await store.lock(connection, found.id)
        if account.plan != plan:
            await store.set_plan(connection, account.id, plan)
            await store.adjust(connection, account, await store.missing_credits(connection, account.id))
            await _tell_of_use(connection, account)
            await audit.note_operator(connection, account.id, "operator.plan_set", by, account.plan, plan)
    return await find(pool, email)


async def set_credits(pool: Pool, email: str, credits: int, by: By = COMMAND_LINE) -> Account:
    """Makes `credits` what is left now and what every later month begins with."""
    _check_credits(credits)
    found = await find(pool, email)
    async with pool.acquire() as connection, connection.transaction():
        account = await store.lock(connection, found.id)
        left = account.credits_available
        await store.adjust(connection, account, credits - left)
        await store.set_custom_credits(connection, account.id, credits)
        await audit.note_operator(connection, account.id, "operator.credits_set", by, left, credits)
    return await find(pool, email)


async def grant_credits(
    pool: Pool, email: str, credits: int, by: By = COMMAND_LINE, form: bytes | None = None
) -> Account:
    """Adds `credits` to what is left of this period, beside what plans bring; later months begin as before. The same
    `form` (a fingerprint) sent again by the same operator adds nothing."""
    found = await find(pool, email)
    async with pool.acquire() as connection, connection.transaction():
        account = await store.lock(connection, found.id)
        left = account.credits_available
        _check_credits(left + credits)
        if credits < 1:
            raise invalid("credits", "must be a whole number from 1 on.")
        if form is None or await take_form(connection, by.actor, form):
            await store.adjust(connection, account, credits)
            await store.add_extra(connection, account.id, credits)
            await audit.note_operator(connection, account.id, "operator.credits_granted", by, left, left + credits)
    return await find(pool, email)


async def suspend(pool: Pool, email: str, by: By = COMMAND_LINE) -> Account:
    """Stops all that an account does: its keys are refused, and its members only look. Raises ApiError for that of an
    operator."""
    return await _set_suspended(pool, email, by, suspended=True)


async def unsuspend(pool: Pool, email: str, by: By = COMMAND_LINE) -> Account:
    """Lets an account go on; its keys work again by themselves."""
    return await _set_suspended(pool, email, by, suspended=False)


async def unusable(pool: Pool, ids: Collection[str]) -> dict[str, str]:
    """Those of the accounts that are suspended, with the reason in words."""
    suspended = await store.suspended(pool, list(ids)) if ids else []
    return dict.fromkeys(suspended, keys.why_unusable("suspended"))


async def _set_suspended(pool: Pool, email: str, by: By, *, suspended: bool) -> Account:
    found = await find(pool, email)
    async with pool.acquire() as connection, connection.transaction():
        account = await store.lock(connection, found.id)
        if suspended and await store.has_operator(connection, account.id):
            raise invalid("email", "is an operator's account, which cannot be suspended; unmark the operator first.")
        if (account.suspended_at is not None) != suspended:
            await store.set_suspended(connection, account.id, suspended)
            await _tell_of_use(connection, account)
            words = ("active", "suspended") if suspended else ("suspended", "active")
            action = "operator.suspended" if suspended else "operator.unsuspended"
            await audit.note_operator(connection, account.id, action, by, *words)
    return await find(pool, email)


async def _tell_of_use(connection: Connection, before: Account) -> None:
    """The events of an account's keys where they can be used again, or no more."""
    now = await store.by_id(connection, before.id)
    if now and now.usable != before.usable:
        await keys.tell_of_use(connection, now.id, usable=now.usable, actor="operator")


async def begin_due_period(pool: Pool, account_id: str) -> None:
    """Begins the account's period that contains now, where it is not begun yet."""
    async with pool.acquire() as connection, connection.transaction():
        await store.lock(connection, account_id)


def _check_credits(credits: int) -> None:
    if not 0 <= credits <= MOST_CREDITS:
        raise invalid("credits", f"must be a whole number from 0 to {MOST_CREDITS:,}.")
