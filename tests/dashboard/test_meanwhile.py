"""What is judged at the door may be otherwise when it is done: nobody gets in, or makes anything, by what they were."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from addtocrm.core.db.pool import Pool, open_pool
from addtocrm.core.errors import ApiError
from addtocrm.tenants.accounts import service as accounts
from addtocrm.tenants.keys import service as keys
from addtocrm.tenants.members import password as passwords
from addtocrm.tenants.members import service as members
from addtocrm.tenants.members.model import Member
from addtocrm.tenants.sessions import service as sessions

OLD, NEW = "an old password 1", "a new password 22"


@asynccontextmanager
async def account(database_url: str) -> AsyncIterator[tuple[Pool, Member, Member]]:
    """An account with an owner and an admin."""
    pool = await open_pool(database_url, size=6)
    try:
        made = await accounts.create(pool, "owner@example.com", "pro", password=OLD)
        async with pool.acquire() as connection, connection.transaction():
            admin = await members.add(connection, made.id, "admin@example.com", "admin", password_hash="none")
        owner = await members.by_email(pool, "owner@example.com")
        assert owner
        yield pool, owner, admin
    finally:
        await pool.close()


@pytest.mark.parametrize("half", [False, True])
def test_the_old_password_lets_nobody_in_while_it_is_changed(
    database_url: str, monkeypatch: pytest.MonkeyPatch, half: bool
) -> None:
    async def run() -> None:
        async with account(database_url) as (pool, owner, _):
            fits = passwords.fits

            async def fits_meanwhile(password: str, stored: str | None) -> bool:
                good = await fits(password, stored)
                await members.set_password(pool, owner.id, NEW)
                return good

            monkeypatch.setattr(passwords, "fits", fits_meanwhile)
            proven = await members.prove(pool, owner.email, OLD)
            begun: Any = sessions.begin_half(pool, proven) if half else sessions.begin(pool, proven, "203.0.113.1", "")
            with pytest.raises(ApiError, match="Sign in again"):
                await begun
            assert await sessions.of_member(pool, owner.id) == []

    asyncio.run(run())


def test_who_is_signed_out_everywhere_while_they_sign_in_is_not_let_in(database_url: str) -> None:
    async def run() -> None:
        async with account(database_url) as (pool, owner, _):
            proven = await members.prove(pool, owner.email, OLD)
            await sessions.end_others(pool, owner.id)
            with pytest.raises(ApiError, match="Sign in again"):
                await sessions.begin(pool, proven, "203.0.113.1", "")

    asyncio.run(run())


def test_an_admin_who_is_one_no_more_invites_changes_and_removes_nobody(database_url: str) -> None:
    async def run() -> None:
        async with account(database_url) as (pool, owner, admin):
            token = await sessions.begin(pool, admin, "203.0.113.1", "")
            signed, _ = await sessions.find(pool, token)
            assert signed
            await members.set_role(pool, owner.account_id, admin.id, "member", owner.id)
            with pytest.raises(ApiError, match="Only an admin"):
                await members.invite(pool, owner.account_id, "c@example.com", "admin", admin.id)
            with pytest.raises(ApiError, match="Only an owner"):
                await members.set_role(pool, owner.account_id, admin.id, "owner", admin.id)
            with pytest.raises(ApiError, match="Only an owner"):
                await members.remove(pool, owner.account_id, owner.id, admin.id)
            with pytest.raises(ApiError, match="another role"):
                name, actor = "Reference", f"user:{admin.id}"
                await keys.create_for_session(pool, owner.email, ["write"], signed.session_id, name, actor, signed.role)

    asyncio.run(run())


def test_of_two_invitations_at_once_one_is_good(database_url: str) -> None:
    async def run() -> None:
        async with account(database_url) as (pool, owner, _):
            await asyncio.gather(
                *(members.invite(pool, owner.account_id, "c@example.com", "member", owner.id) for _ in range(5))
            )
            assert len(await members.invitations(pool, owner.account_id)) == 1

    asyncio.run(run())
