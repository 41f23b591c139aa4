"""E-mail verification and finding: which look-up a request is, and what the engine's word becomes."""

from typing import Protocol

import msgspec

from addtocrm.core import identifiers
from addtocrm.core.caller import Caller
from addtocrm.core.errors import ApiError, invalid
from addtocrm.lookups.model import Answer, Operation, Outcome, Refresh
from addtocrm.lookups.service import Lookups
from addtocrm.mail import finder
from addtocrm.mail.desk import Desk
from addtocrm.mail.engine import Engine
from addtocrm.mail.inquiry import conclude_invalid
from addtocrm.mail.model import Checked, KnownAddress, Verification
from addtocrm.mail.syntax import parse
from addtocrm.privacy.service import subjects

VERIFY = Operation("emails.verify", "email.verified")
FIND = Operation("emails.find", "email.verified")


class KnownAddresses(Protocol):
    """Who knows people with addresses at a domain."""

    async def known_addresses(self, domain: str) -> list[KnownAddress]: ...


class Name(msgspec.Struct, frozen=True):
    """Whose address is looked for, and at which domain (ASCII)."""

    first_name: str
    last_name: str
    domain: str


def verify_key(address: str) -> str:
    """What makes two addresses the same look-up: the address as it is sent, for a server may tell `Jane@` from `jane@`;
    of a text that is none, the text itself."""
    parsed = parse(address)
    return parsed.envelope if parsed else address.strip()


def is_address(text: str) -> bool:
    """Whether a text is an address at all; what is none is answered for free."""
    return parse(text) is not None


async def verify(
    lookups: Lookups, desk: Desk, caller: Caller, address: str, *, refresh: Refresh = False
) -> tuple[Answer, Checked | None]:
    """A Verification of `address`; costs a credit unless it is cached, ends `unknown` or is no address.

    Beside the answer, what the desk said, where it was asked for this call. Raises ApiError
    `insufficient_credits`, `not_found` (free) for somebody who asked to be forgotten.
    """
    if parse(address) is None:
        no_address = conclude_invalid(address)
        return lookups.free(caller, msgspec.json.encode(no_address.verification)), no_address
    checked: Checked | None = None

    async def work() -> Outcome:
        nonlocal checked
        checked = await desk.check_one(address)
        found = checked.verification
        told = {"email": found.email, "result": found.result, "reason": found.reason}
        return Outcome(msgspec.json.encode(found), told, billable=is_billable(found), subjects=about)

    about = subjects(None, [address])
    answer = await lookups.run(caller, VERIFY, verify_key(address), work, refresh=refresh, subjects=about)
    if answer is None:
        raise ApiError("not_found", "Who has this address asked to be forgotten: it is not verified. Free.")
    return answer, checked


def is_billable(found: Verification) -> bool:
    """Whether a verification costs a credit and is kept."""
    return found.result != "unknown" and found.reason != "invalid_syntax"


def name_of(first_name: str, last_name: str, domain: str) -> Name:
    """The normalised question. Raises ApiError `validation_error` that names the field."""
    try:
        ascii_domain = identifiers.domain(domain)
    except ValueError as error:
        raise invalid("domain", str(error)) from None
    if not (identifiers.name_key(first_name) or identifiers.name_key(last_name)):
        raise invalid("first_name", "or `last_name` needs a letter.")
    return Name(first_name.strip(), last_name.strip(), ascii_domain)


def find_key(name: Name) -> str:
    """What makes two names at a domain the same look-up."""
    return f"{name.first_name.casefold()}|{name.last_name.casefold()}|{name.domain}"


async def find(
    lookups: Lookups,
    engine: Engine,
    known: KnownAddresses,
    caller: Caller,
    name: Name,
    *,
    refresh: Refresh = False,
) -> Answer:
    """The work address of a person (Found); one credit if there is one.

    Raises ApiError: `not_found` (free) where no address could be confirmed, `insufficient_credits`.
    """

    async def work() -> Outcome | None:
        people = await known.known_addresses(name.domain)
        found = await finder.find(engine, name.first_name, name.last_name, name.domain, people)
        if found is None:
            return None
        verification = found.verification
        told = {"email": found.email, "result": verification.result, "reason": verification.reason}
        about = subjects(None, [found.email], f"{name.first_name} {name.last_name}")
        return Outcome(msgspec.json.encode(found), told, subjects=about)

    answer = await lookups.run(caller, FIND, find_key(name), work, refresh=refresh)
    if answer is None:
        raise ApiError(
            "not_found",
            "No address of this person could be confirmed at the domain; nothing was charged. Try another spelling.",
        )
    return answer
