"""The commands and their groups."""

from importlib.metadata import version

import cyclopts

app = cyclopts.App(
    name="addtocrm",
    help="AddToCRM turns a LinkedIn URL into a CRM contact.",
    version=version("addtocrm"),
)
app.command("addtocrm.cli.serve:serve", name="serve")
app.command("addtocrm.cli.demo:demo", name="demo")
app.command("addtocrm.cli.settings:settings", name="settings")
app.command("addtocrm.cli.doctor:doctor", name="doctor")
app.command("addtocrm.cli.accounts:app", name="accounts")
app.command("addtocrm.cli.keys:app", name="keys")
app.command("addtocrm.cli.imports:app", name="import")
app.command("addtocrm.cli.people:app", name="people")
app.command("addtocrm.cli.verify:verify", name="verify")
app.command("addtocrm.cli.crm:app", name="crm")
app.command("addtocrm.cli.db:app", name="db")
