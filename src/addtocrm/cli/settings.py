"""addtocrm settings"""

from typing import Annotated, Any

from cyclopts import Parameter

from addtocrm.cli.output import emit
from addtocrm.core import settings as settings_module


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
        ],
        json=json,
    )


def _shown(name: str, value: Any) -> Any:
    """A value without what is secret: a token, the password that a URL may hold."""
    if name.endswith("_TOKEN"):
        return "…" if value else ""
    if isinstance(value, str) and "://" in value and "@" in value:
        scheme, _, rest = value.partition("://")
        return f"{scheme}://…@{rest.rpartition('@')[2]}"
    return value if isinstance(value, (int, float, str, type(None))) else str(value)
