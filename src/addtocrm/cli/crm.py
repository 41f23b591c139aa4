"""addtocrm crm …"""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from addtocrm.cli.database import with_pool
from addtocrm.cli.output import emit
from addtocrm.cli.with_crm import with_crm
from addtocrm.core import settings as settings_module
from addtocrm.core.db.files import replacing
from addtocrm.core.db.pool import Pool
from addtocrm.core.errors import invalid
from addtocrm.crm import connections, export, service
from addtocrm.crm.model import Connection
from addtocrm.crm.setup import Setup
from addtocrm.tenants.accounts import service as accounts

app = App(name="crm", help="Connect an account to its CRM; export its contacts.")

Json = Annotated[bool, Parameter(negative=())]


@app.command
def connect(email: str, crm: str, *, token: str | None = None, json: Json = False) -> None:
    """Make a CRM the account's active one, in place of the one before.

    Args:
        email: the account's address
        crm: `builtin`, or another CRM
        token: the CRM's access token, where it takes one
        json: one JSON document instead of text
    """

    async def work(setup: Setup) -> Connection:
        account = await accounts.find(setup.pool, email)
        return await connections.connect(setup, account.id, crm, token=token)

    connected = with_crm(work)
    emit(connected, json=json, text=f"{email} writes to {connected.name} ({connected.account_name}).")


@app.command
def disconnect(email: str, *, json: Json = False) -> None:
    """End the connection to the CRM; what is in the CRM stays there."""

    async def work(pool: Pool) -> None:
        await connections.disconnect(pool, (await accounts.find(pool, email)).id)

    with_pool(work)
    emit({"email": email, "connected": False}, json=json, text=f"{email} has no active CRM now.")


@app.command
def info(email: str, *, json: Json = False) -> None:
    """The account's active CRM."""

    async def work(pool: Pool) -> Connection:
        return await connections.info(pool, (await accounts.find(pool, email)).id)

    emit(with_pool(work), json=json)


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
