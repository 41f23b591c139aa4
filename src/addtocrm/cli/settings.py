"""addtocrm settings"""

from typing import Annotated, Any
from urllib.parse import urlsplit

from cyclopts import Parameter

from addtocrm.cli.output import emit
from addtocrm.core import settings as settings_module
from addtocrm.core.settings import Settings
from addtocrm.crm import registry
from addtocrm.crm.contract import Definition


def settings(*, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Show every setting, its value and what it does."""
    now = settings_module.load()
    emit(
        [
            {
                "variable": name,
                "value": _shown(name, getattr(now, name.removeprefix("ADDTOCRM_").lower())),
                "default": _shown(name, default),
                "description": description,
            }
            for name, default, description in settings_module.variables()
        ]
        + [row for crm in registry.load().values() if crm.vendor for row in _of_vendor(now, crm)],
        json=json,
    )


def _of_vendor(now: Settings, crm: Definition) -> list[dict[str, Any]]:
    """What is set for a CRM, and would be otherwise."""
    own = now.vendor(crm.name)
    sign_in = "{0.scheme}://{0.netloc}".format(urlsplit(crm.oauth.authorize_url)) if crm.oauth else ""
    return [
        {
            "variable": f"ADDTOCRM_{crm.name.upper()}_{part}",
            "value": _shown("_TOKEN" if part == "CLIENT_SECRET" else part, value),
            "default": default,
            "description": f"{crm.label}: {description}",
        }
        for part, value, default, description in (
            ("URL", own.url or crm.api_url, crm.api_url, "base address of its API."),
            ("AUTH_URL", own.auth_url or own.url or sign_in, sign_in, "base address of its sign-in pages and tokens."),
            ("CLIENT_ID", own.client_id or "", "", "the id of your app there, for OAuth."),
            ("CLIENT_SECRET", own.client_secret or "", "", "the secret of your app there."),
        )
    ]


def _shown(name: str, value: Any) -> Any:
    """A value without what is secret: a token, the password that a URL may hold."""
    if name.endswith("_TOKEN"):
        return "…" if value else ""
    if isinstance(value, str) and "://" in value and "@" in value:
        scheme, _, rest = value.partition("://")
        return f"{scheme}://…@{rest.rpartition('@')[2]}"
    return value if isinstance(value, (int, float, str, type(None))) else str(value)
