"""The commands and their groups."""

from collections.abc import Sequence
from importlib.metadata import version

import cyclopts

app = cyclopts.App(
    name="addtocrm",
    help="AddToCRM turns a LinkedIn URL into a CRM contact.",
    version=version("addtocrm"),
    suppress_keyboard_interrupt=False,
)

COMMANDS = {
    "serve": "serve:serve",
    "demo": "demo:demo",
    "settings": "settings:settings",
    "doctor": "doctor:doctor",
    "accounts": "accounts:app",
    "keys": "keys:app",
    "import": "imports:app",
    "people": "people:app",
    "search": "search:app",
    "enrich": "enrich:enrich",
    "verify": "verify:verify",
    "crm": "crm:app",
    "db": "db:app",
}
"""Where each command is, imported when it is called."""

for name, place in COMMANDS.items():
    app.command(f"addtocrm.cli.{place}", name=name)


def load_for_help(arguments: Sequence[str]) -> None:
    """Imports every command where all are listed: what one does is said in its own file only."""
    if not arguments or arguments[0] in app.help_flags:
        for name in COMMANDS:
            app[name]
