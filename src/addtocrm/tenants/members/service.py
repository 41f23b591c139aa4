"""The rules of members: who they are, how they prove it, and who may change them."""

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from addtocrm.core import identifiers
from addtocrm.core.db.pool import Connection, Pool
from addtocrm.core.errors import ApiError, invalid
from addtocrm.core.ids import new_id
from addtocrm.tenants.audit import service as audit
from addtocrm.tenants.audit.model import COMMAND_LINE, By
from addtocrm.tenants.keys import service as keys
from addtocrm.tenants.members import password as passwords
from addtocrm.tenants.members import store
from addtocrm.tenants.members.model import Invitation, Link, LinkKind, Member, Role, at_least

LIVES: dict[LinkKind, timedelta] = {
    "setup": timedelta(days=1),
    "invite": timedelta(days=7),
    "reset": timedelta(hours=1),
    "sign_in": timedelta(days=1),
    "sign_up": timedelta(days=1),
}
"""For how long a link can be used."""
WRONG = "The email address or the password is wrong."
DEAD = "This link was used, or is too old. Ask for a new one."


def address(email: str) -> str:
    """An email address as members have it. Raises ApiError."""
    try:
        return identifiers.email(email.strip()).lower()
    except ValueError as error:
        raise invalid("email", str(error)) from None


async def hashed(password: str) -> str:
    """What is stored of a new password: not to be waited for in a transaction. Raises ApiError for one that is too
    short or too long."""
    if not passwords.LEAST <= len(password) <= passwords.MOST:
        raise invalid("password", f"needs {passwords.LEAST} to {passwords.MOST:,} characters.")
    return await passwords.hashed(password)


async def add(
    connection: Connection,
    account_id: str,
    email: str,
    role: Role,
    *,
    password_hash: str | None = None,
    operator: bool = False,
) -> Member:
    """A new member of an account, by an address in its normal form (`address`). Raises ApiError where somebody has the
    address."""
    member = await store.insert(connection, new_id("usr"), account_id, email, role, password_hash, operator)
    if member is None:
        raise invalid("email", f"{email} has an account already. Sign in, or use another address.")
    return member


async def prove(pool: Pool, email: str, password: str) -> Member:
    """The member who has this address and password. Raises ApiError `invalid_auth`, which does not tell which of the
    two is wrong, nor by the time that it takes."""
    member = await by_email(pool, email)
    stored = await store.password(pool, member.id) if member else None
    fits = await passwords.fits(password[: passwords.MOST], stored)
    if not fits or not member or not stored:
        raise ApiError("invalid_auth", WRONG)
    if passwords.is_outdated(stored):
        await store.replace_password(pool, member.id, stored, await passwords.hashed(password))
    return member


async def by_email(pool: Pool, email: str) -> Member | None:
    """The member who has an address, in whatever form it is written."""
    try:
        return await store.by_email(pool, address(email))
    except ApiError:
        return None


async def get(pool: Pool, id: str) -> Member:
    """Raises ApiError `not_found`."""
    member = await store.by_id(pool, id)
    if member is None:
        raise ApiError("not_found", "There is no such member.")
    return member


async def of_account(pool: Pool, account_id: str) -> list[Member]:
    """All members of an account, the first one first."""
    return await store.of_account(pool, account_id)


async def last_seen(pool: Pool, account_id: str) -> dict[str, datetime]:
    """When the members of an account, by their ids, were last here; nobody whose sessions have ended."""
    return await store.last_seen(pool, account_id)


async def names(pool: Pool, account_id: str, actors: Collection[str]) -> dict[str, str]:
    """The addresses of those `actors` (`user:<id>`) who are, or were, members of an account."""
    found = await store.emails(
        pool, account_id, [one.removeprefix("user:") for one in actors if one.startswith("user:")]
    )
    return {f"user:{id}": email for id, email in found.items()}


async def set_shortcuts(pool: Pool, member_id: str, on: bool) -> None:
    """Whether single keys lead a member to pages."""
    await store.set_shortcuts(pool, member_id, on)


async def known(connection: Connection, email: str) -> Member | None:
    """The member who has an address, in its normal form."""
    return await store.by_email(connection, email)


async def owners(connection: Connection, account_id: str) -> list[Member]:
    """The owners of an account, the first one first."""
    return [one for one in await store.of_account(connection, account_id) if one.role == "owner"]


async def make_operator(connection: Connection, member_id: str, password_hash: str) -> None:
    """Lets a member run the deployment, with a password of their own."""
    await store.set_password(connection, member_id, password_hash)
    await store.set_operator(connection, member_id, True)


async def set_operator(pool: Pool, email: str, *, on: bool, by: By = COMMAND_LINE) -> Member:
    """Marks a member as operator of the deployment, who sees and changes all accounts, or no more. Raises ApiError."""
    async with pool.acquire() as connection, connection.transaction():
        member = await store.by_email(connection, address(email))
        if member is None:
            raise ApiError("not_found", f"Nobody signs in with {email}.")
        if member.operator != on:
            await store.set_operator(connection, member.id, on)
            action = "operator.marked" if on else "operator.unmarked"
            await audit.note_operator(connection, member.account_id, action, by, None, member.email)
    return await get(pool, member.id)


async def nobody_can_sign_in(pool: Pool) -> bool:
    """Whether the deployment is at its first start."""
    return await store.is_empty(pool)


async def check_first(connection: Connection) -> None:
    """Raises ApiError where somebody can sign in already; until the transaction ends, nobody else becomes the first."""
    await store.lock_all(connection)
    if not await store.is_empty(connection):
        raise invalid("", DEAD)


async def set_password(pool: Pool, member_id: str, password: str, but: str | None = None) -> None:
    """Raises ApiError for a password that is too short. Links that let the member in are void then, and they are signed
    out everywhere `but` in one session."""
    password_hash = await hashed(password)
    async with pool.acquire() as connection, connection.transaction():
        await _set_password(connection, member_id, password_hash, but)


async def _set_password(connection: Connection, member_id: str, password_hash: str, but: str | None) -> None:
    await store.set_password(connection, member_id, password_hash)
    await store.end_sessions(connection, member_id, but)
    for kind in ("reset", "sign_in"):
        await store.delete_links(connection, kind, member_id=member_id)


async def note_signed_out(pool: Pool | Connection, member_id: str) -> None:
    """Lets no sign-in in that began before; their sessions are ended next."""
    await store.note_signed_out(pool, member_id)


async def set_role(pool: Pool, account_id: str, member_id: str, role: Role, by: str) -> Member:
    """Lets the member `by` change a role. The account's open invitations are void then, as who made them may no longer,
    and so are the keys of the member's sessions. Raises ApiError `not_found`, `scope_required` where one of the roles
    is more than that of `by`, and where the account would have no owner."""
    async with pool.acquire() as connection, connection.transaction():
        members = await store.lock(connection, account_id)
        member = _of(members, member_id, by, becomes=role)
        await store.set_role(connection, member.id, role)
        await store.delete_invitations(connection, account_id)
        await keys.end_of_member(connection, member.id)
    return member


async def remove(pool: Pool, account_id: str, member_id: str, by: str) -> Member:
    """Lets the member `by` end a membership and its sessions, and with it the account's open invitations. Raises
    ApiError as `set_role`."""
    async with pool.acquire() as connection, connection.transaction():
        members = await store.lock(connection, account_id)
        member = _of(members, member_id, by, becomes=None)
        await store.delete(connection, member.id)
        await store.delete_invitations(connection, account_id)
    return member


def _of(members: list[Member], id: str, by: str, *, becomes: Role | None) -> Member:
    member = next((one for one in members if one.id == id), None)
    if member is None:
        raise ApiError("not_found", "There is no such member.")
    _check(members, by, member.role, becomes or "member")
    if becomes != "owner" and not any(one.role == "owner" for one in members if one.id != id):
        raise invalid("role", "is that of the only owner; make somebody else an owner first.")
    return member


def _check(members: list[Member], by: str, *roles: Role) -> None:
    """Admins change members; nobody gives a role that is more than their own, or changes a member who has one."""
    who = next((one for one in members if one.id == by), None)
    needed: tuple[Role, ...] = ("admin", *roles)
    if who is None or not all(at_least(who.role, one) for one in needed):
        least = "owner" if "owner" in roles else "admin"
        raise ApiError("scope_required", f"Only an {least} of the account may do this.")


async def link(pool: Pool, link: Link) -> str:
    """The token of a new one-time link; only its hash is kept. One of a kind that was made for the same member or
    address before is void."""
    async with pool.acquire() as connection, connection.transaction():
        return await _link(connection, link)


async def _link(connection: Connection, link: Link) -> str:
    token = secrets.token_urlsafe(32)
    await store.lock_links(connection, link.kind, f"{link.account_id} {link.member_id} {link.email}")
    await store.delete_links(
        connection, link.kind, account_id=link.account_id, member_id=link.member_id, email=link.email
    )
    await store.insert_link(connection, _hash(token), new_id("lnk"), link, LIVES[link.kind])
    return token


async def seen(pool: Pool, kind: LinkKind, token: str) -> Link:
    """What a link is for, without using it up. Raises ApiError where it is not good."""
    found = await store.link(pool, _hash(token), kind, take=False)
    if found is None:
        raise invalid("", DEAD)
    return found


async def taken(connection: Connection | Pool, kind: LinkKind, token: str) -> Link:
    """What a link is for, which is used up then. Raises ApiError where it is not good."""
    found = await store.link(connection, _hash(token), kind, take=True)
    if found is None:
        raise invalid("", DEAD)
    return found


async def invite(pool: Pool, account_id: str, email: str, role: Role, by: str) -> str:
    """The token of an invitation by the member `by`. Raises ApiError where they may not give that role, and where the
    address is a member's of this account; of others it tells nothing."""
    email = address(email)
    async with pool.acquire() as connection, connection.transaction():
        members = await store.lock(connection, account_id)
        _check(members, by, role)
        if any(one.email == email for one in members):
            raise invalid("email", f"{email} is a member already.")
        return await _link(connection, Link("invite", account_id, None, email, role))


async def invitations(pool: Pool, account_id: str) -> list[Invitation]:
    """Those that can still be accepted."""
    return await store.invitations(pool, account_id)


async def withdraw(pool: Pool, account_id: str, id: str) -> Invitation:
    """Makes an invitation void. Raises ApiError `not_found`."""
    found = await store.delete_invitation(pool, account_id, id)
    if found is None:
        raise ApiError("not_found", "There is no such invitation.")
    return found


async def accept(pool: Pool, token: str, password: str) -> Member:
    """Whoever was invited is a member now. Raises ApiError; the link is good again then."""
    await seen(pool, "invite", token)
    password_hash = await hashed(password)
    async with pool.acquire() as connection, connection.transaction():
        found = await taken(connection, "invite", token)
        assert found.account_id and found.email and found.role
        return await add(connection, found.account_id, found.email, found.role, password_hash=password_hash)


async def reset(pool: Pool, token: str, password: str) -> Member:
    """Sets the password by a link, which is used up, and signs the member out everywhere. Raises ApiError; the link is
    good again then."""
    await seen(pool, "reset", token)
    password_hash = await hashed(password)
    async with pool.acquire() as connection, connection.transaction():
        found = await taken(connection, "reset", token)
        assert found.member_id
        await _set_password(connection, found.member_id, password_hash, None)
    return await get(pool, found.member_id)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
