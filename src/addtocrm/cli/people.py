"""addtocrm people …"""

from typing import Annotated

from cyclopts import App, Parameter

from addtocrm.cli.database import with_pool
from addtocrm.cli.output import emit
from addtocrm.suppressions import service

app = App(name="people", help="Forget a person who asks for it.")


@app.command
def forget(identifier: str, *, json: Annotated[bool, Parameter(negative=())] = False) -> None:
    """Forget a person who asks for it: they are taken out everywhere, and never returned, stored or written
    again. Notes, tasks and custom fields that mention them are named, and left as they are.

    Args:
        identifier: a LinkedIn URL or an e-mail address
        json: one JSON document instead of text
    """
    done = with_pool(lambda pool: service.forget(pool, identifier), suppressions=True)
    places = ", ".join(f"{count} in {place}" for place, count in done.removed.items() if count)
    text = f"{done.identifiers} identifiers are on the suppression list. Removed: {places or 'nothing was there'}."
    for mention in done.mentions:
        text += f"\nMentioned in {mention.place} {mention.id} of {mention.account_id}: look at the text, and mend it."
    for address in done.shared:
        text += f"\n{address} is shared with other people: it stays, and so do they."
    emit(done, json=json, text=text)
