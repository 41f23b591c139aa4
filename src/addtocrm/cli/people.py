"""addtocrm people …"""

from typing import Annotated

from cyclopts import App, Parameter

from addtocrm.cli.database import with_pool
from addtocrm.cli.output import emit
from addtocrm.privacy import service

app = App(name="people", help="Forget a person who asks for it.")

Flag = Annotated[bool, Parameter(negative=())]


@app.command
def forget(identifier: str, *, shared_too: Flag = False, json: Flag = False) -> None:
    """Forget a person who asks for it: they are taken out everywhere, and never returned, stored or written
    again. Notes, tasks and custom fields that mention them are named, and left as they are.

    Args:
        identifier: a LinkedIn URL or an email address
        shared_too: forget the address also where several people have it: everybody who has it, with all that each is
            known by
        json: one JSON document instead of text
    """
    done = with_pool(lambda pool: service.forget(pool, identifier, shared_too=shared_too), suppressions=True)
    places = ", ".join(f"{count} in {place}" for place, count in done.removed.items() if count)
    text = f"{done.identifiers} identifiers are on the suppression list. Removed: {places or 'nothing was there'}."
    for mention in done.mentions:
        text += f"\nMentioned in {mention.place} {mention.id} of {mention.account_id}: look at the text, and mend it."
    for address in done.shared:
        text += (
            f"\n{address} is shared with other people: it stays, and so do they. To forget everybody who has it: "
            f"addtocrm people forget {address} --shared-too"
        )
    emit(done, json=json, text=text)
