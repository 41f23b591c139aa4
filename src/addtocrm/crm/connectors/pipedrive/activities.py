"""Tasks as Pipedrive's activities."""

from datetime import UTC

from addtocrm.crm.connectors.pipedrive.answers import Raw
from addtocrm.crm.connectors.pipedrive.values import number
from addtocrm.crm.contract import Task
from addtocrm.crm.texts import as_html


def activity(contact_id: str, task: Task) -> Raw:
    """The task as Pipedrive takes it. Raises Rejected for an id that it cannot have."""
    who = [{"person_id": number("", contact_id), "primary": True}]
    body: Raw = {"subject": task.title, "type": "task", "participants": who}
    if task.description:
        body["note"] = as_html(task.description)
    if task.owner:
        body["owner_id"] = number("owner", task.owner)
    if task.due_at:
        due = task.due_at.astimezone(UTC)
        body["due_date"] = due.strftime("%Y-%m-%d")
        if due.hour or due.minute:
            body["due_time"] = due.strftime("%H:%M")
    return body
