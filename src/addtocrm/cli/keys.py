"""addtocrm keys …"""

from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from addtocrm.cli.database import with_pool
from addtocrm.cli.output import emit
from addtocrm.core.db.pool import Pool
from addtocrm.core.settings import MOST_REQUESTS
from addtocrm.tenants.accounts import service as accounts
from addtocrm.tenants.keys import service
from addtocrm.tenants.keys.model import Key

app = App(name="keys", help="Make, list and revoke API keys.")

Rate = Annotated[int, Parameter(validator=Number(gte=1, lte=MOST_REQUESTS))]


@app.command
def create(
    email: str,
    *,
    scopes: str,
    name: str = "",
    rate_per_minute: Rate | None = None,
    rate_per_hour: Rate | None = None,
    expires: str = "",
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Make a key; it is shown this one time.

    Args:
        email: the account's address
        scopes: one or more of enrich,write,lists,read
        name: what the key is for
        rate_per_minute: this key's own limit
        rate_per_hour: this key's own limit
        expires: days after which it stops working, or its last day (YYYY-MM-DD, UTC); never by default
        json: one JSON document instead of text
    """
    wanted = [scope.strip() for scope in scopes.split(",") if scope.strip()]
    key = with_pool(
        lambda pool: service.create(
            pool,
            email,
            wanted,
            name,
            rate_per_minute=rate_per_minute,
            rate_per_hour=rate_per_hour,
            expires=expires,
        )
    )
    emit(key, json=json, text=f"{key.key}\nKeep it now: it is not shown again. Its id is {key.id}.")


@app.command(name="list")
def list_(email: str, *, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """The keys of an account, revoked ones too."""

    async def work(pool: Pool) -> list[Key]:
        return await service.of_account(pool, (await accounts.find(pool, email)).id)

    emit(with_pool(work), json=json)


@app.command
def revoke(id: str, *, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """End a key for good; it stops working within a second."""
    with_pool(lambda pool: service.revoke(pool, id))
    emit({"id": id, "revoked": True}, json=json, text=f"{id} is revoked.")
