"""A vendor's connector, open on the vendor's server of the tests, without the rest of the product."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from addtocrm.core.outgoing.client import Outgoing
from addtocrm.core.outgoing.quotas import MemoryQuotas
from addtocrm.core.settings import Settings
from addtocrm.crm.calling import Calls
from addtocrm.crm.contract import Access, Connector, Definition
from addtocrm.crm.kinds import Kind

T = TypeVar("T")
SETTINGS = Settings(data_dir=Path("/nowhere"), allow_private_networks=True)


def run(
    definition: Definition,
    url: str,
    work: Callable[[Connector], Awaitable[T]],
    *,
    token: str = "private-token-1",
    oauth: bool = False,
    reads: dict[Kind, set[str]] | None = None,
    **options: str,
) -> T:
    """Does `work` on the connector to the vendor at `url`; records are read with all mapped fields and `reads`."""

    async def opened() -> T:
        assert definition.vendor
        outgoing = Outgoing(SETTINGS, MemoryQuotas())
        auth = definition.oauth if oauth else definition.token
        header = "authorization" if oauth else getattr(auth, "header", "authorization")
        calls = Calls(
            outgoing,
            definition.vendor,
            "1",
            url,
            token,
            header=header,
            scheme=getattr(auth, "scheme", "Bearer"),
            forbids=definition.forbids,
        )
        mapped: dict[Kind, set[str]] = {
            kind: {rule.field for rule in rules} for kind, rules in definition.mapping.items()
        }
        for kind, names in (reads or {}).items():
            mapped.setdefault(kind, set()).update(names)
        access = Access(
            account_id="acc_1",
            settings=SETTINGS,
            db=cast(Any, None),
            calls=calls,
            reads=mapped,
            options={name: values[0] for name, values in definition.options.items()} | options,
            page_url="https://crm.example.com",
        )
        try:
            return await work(definition.open(access))
        finally:
            await outgoing.close()

    return asyncio.run(opened())
