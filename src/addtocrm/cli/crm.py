"""addtocrm crm …"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import App, Parameter

from addtocrm.cli.database import with_pool
from addtocrm.cli.output import emit
from addtocrm.cli.with_crm import with_crm
from addtocrm.core import settings as settings_module
from addtocrm.core.db.files import replacing
from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import invalid
from addtocrm.crm import connections, export, mappings, service
from addtocrm.crm.connections import Authorization
from addtocrm.crm.contract import Field, Rule
from addtocrm.crm.kinds import Kind
from addtocrm.crm.model import Connection, FieldMapping, MappingWrite
from addtocrm.crm.setup import Setup
from addtocrm.tenants.accounts import service as accounts

app = App(name="crm", help="Connect an account to its CRM; export its contacts.")

Json = Annotated[bool, Parameter(negative=())]


@app.command
def connect(
    email: str,
    crm: str,
    *,
    token: str | None = None,
    token_stdin: Annotated[bool, Parameter(negative=())] = False,
    contact_object: str | None = None,
    wait: bool = True,
    json: Json = False,
) -> None:
    """Make a CRM the account's active one; the one before is kept (see `switch`).

    Without a token, for a CRM with OAuth: prints the address to open, and waits until it is done.

    Args:
        email: the account's address
        crm: its name, such as `builtin` or `hubspot`; a wrong one is told which there are
        token: the CRM's token, where it takes one; others may see it in the list of processes
        token_stdin: read the token from standard input
        contact_object: whether new people become `contact`s or `lead`s (Salesforce, Zoho)
        wait: wait until the sign-in is over
        json: one JSON document instead of text
    """
    if token_stdin:
        token = sys.stdin.readline().strip()
    if token is not None and not token:
        raise invalid("TOKEN", "is empty.")
    options = {"contact_object": contact_object} if contact_object else {}

    async def work(setup: Setup) -> Connection | Authorization:
        account = await accounts.find(setup.pool, email)
        if token or connections.definition_named(crm).oauth is None:
            return await connections.connect(setup, account.id, crm, token=token, options=options)
        begun = await connections.begin(setup, account.id, crm, options=options)
        if not wait:
            return begun
        print(
            f"Open this address and allow access:\n\n  {begun.authorize_url}\n", file=sys.stderr if json else sys.stdout
        )
        print("Waiting until it is done …", file=sys.stderr, flush=True)
        return await connections.outcome(setup, account.id, begun.state)

    done = with_crm(work)
    if isinstance(done, Authorization):
        emit({"authorize_url": done.authorize_url}, json=json, text=done.authorize_url)
    else:
        emit(done, json=json, text=f"{email} writes to {done.name} ({done.account_name}).")


@app.command
def switch(email: str, crm: str, *, json: Json = False) -> None:
    """Make a CRM that was connected before the active one again.

    Args:
        email: the account's address
        crm: its name, or its own account's id where there are several of one name
        json: one JSON document instead of text
    """

    async def work(pool: Pool) -> Connection:
        return await connections.switch(pool, (await accounts.find(pool, email)).id, crm)

    done = with_pool(work)
    emit(done, json=json, text=f"{email} writes to {done.name} ({done.account_name}).")


@app.command
def disconnect(email: str, crm: str | None = None, *, json: Json = False) -> None:
    """End the connection to the active CRM, or to another one that is kept; what is in the CRM stays there."""

    async def work(setup: Setup) -> Connection:
        return await connections.disconnect(setup, (await accounts.find(setup.pool, email)).id, crm)

    done = with_crm(work)
    text = f"{email} is no longer connected to {done.name}."
    emit({"email": email, "crm": done.crm, "connected": False}, json=json, text=text)


@app.command
def info(email: str, *, all: Annotated[bool, Parameter(negative=())] = False, json: Json = False) -> None:
    """The account's active CRM; with --all, those that are kept too."""

    async def work(pool: Pool) -> Connection | Sequence[Connection]:
        account_id = (await accounts.find(pool, email)).id
        return await connections.all_of(pool, account_id) if all else await connections.info(pool, account_id)

    emit(with_pool(work), json=json)


@app.command
def fields(email: str, *, object: Kind = "contact", json: Json = False) -> None:
    """The fields of the active CRM, with ours that goes there."""

    async def work(setup: Setup) -> list[Field]:
        account = await accounts.find(setup.pool, email)
        return (await service.fields(setup, account.id, object, None, 10_000))[0]

    emit(with_crm(work), json=json)


@app.command(name="map")
def map_(
    email: str,
    rules: Annotated[list[str] | None, Parameter(negative=())] = None,
    *,
    object: Kind = "contact",
    file: Path | None = None,
    reset: Annotated[bool, Parameter(negative=())] = False,
    create_linkedin_field: Annotated[bool, Parameter(negative=())] = False,
    json: Json = False,
) -> None:
    """Show or change what the fields of the active CRM get.

    Args:
        email: the account's address
        rules: `FIELD=our_name,our_name` (the first that is not empty), `FIELD="text"` (constant), `FIELD=` (none)
        object: whose fields: `contact`, `company` or `lead`
        file: all rules, as this command prints them with --json, or an array of them
        reset: go back to the usual rules
        create_linkedin_field: make a field for LinkedIn URLs in the CRM where it has none
        json: one JSON document instead of text
    """

    async def work(setup: Setup) -> FieldMapping:
        account_id = (await accounts.find(setup.pool, email)).id
        before = await mappings.get(setup, account_id, object)
        if not (rules or file or reset or create_linkedin_field):
            return before
        new = None if reset else before.rules if not before.is_default else None
        if file:
            try:
                read = msgspec.json.decode(file.read_bytes(), type=list[Rule] | FieldMapping)
            except msgspec.DecodeError as error:
                raise invalid("--file", f"has no rules as JSON: {error}.") from None
            new = read.rules if isinstance(read, FieldMapping) else read
        for rule in rules or ():
            new = _with_rule(new if new is not None else before.rules, rule)
        write = MappingWrite(object=object, rules=new, create_linkedin_field=create_linkedin_field)
        return await mappings.put(setup, account_id, write)

    shown = with_crm(work)
    lines = [f"{rule.field:<32} {', '.join(rule.from_) or rule.constant!r}" for rule in shown.rules]
    emit(shown, json=json, text="\n".join(lines))


def _with_rule(rules: list[Rule], text: str) -> list[Rule]:
    field, equals, value = text.partition("=")
    if not equals:
        raise invalid("RULES", "are given as FIELD=our_name.")
    kept = [rule for rule in rules if rule.field != field]
    if not value:
        return kept
    if value[:1] == value[-1:] == '"' and len(value) > 1:
        return [*kept, Rule(field=field, constant=value[1:-1])]
    return [*kept, Rule(field=field, from_=tuple(name.strip() for name in value.split(",")))]


@app.command(name="export")
def export_(email: str, file: Path, *, json: Json = False) -> None:
    """Write every contact to a file: CSV, or vCard 4.0 where its name ends in .vcf.

    Args:
        email: the account's address
        file: a name that ends in .csv or .vcf
        json: one JSON document instead of text
    """
    formats: dict[str, export.Format] = {suffix: format for format, suffix in export.SUFFIX.items()}
    format = formats.get(file.suffix.lower())
    if format is None:
        raise invalid("FILE", "needs a name that ends in .csv or .vcf.")

    async def work(setup: Setup) -> int:
        account = await accounts.find(setup.pool, email)
        count = 0
        with replacing(file) as part, part.open("w", encoding="utf-8", newline="") as out:
            out.write(export.header(format))
            async for page in service.all_contacts(setup, account.id):
                out.write(export.body(format, page))
                count += len(page)
        return count

    count = with_crm(work)
    emit({"file": str(file), "contacts": count}, json=json, text=f"{count} contacts are in {file}.")


@app.command
def rotate_key(*, json: Json = False) -> None:
    """Seal every stored CRM token with a new key; older keys stay in the key file for older backups."""
    settings = settings_module.load()
    count = with_pool(lambda pool: connections.rotate_key(pool, settings))
    emit({"resealed": count}, json=json, text=f"A new key is in use; {count} tokens are sealed with it.")
