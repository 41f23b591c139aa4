"""What codes and the API's own texts are called on pages."""

import math
import re
from typing import Any, cast

from addtocrm.core.errors import invalid
from addtocrm.events.model import EventType
from addtocrm.jobs.model import Job, JobResult
from addtocrm.mail.model import Reason

REASONS: dict[Reason, str] = {
    "accepted": "The mail server accepts this address and refuses one that cannot exist, so the mailbox is there.",
    "invalid_syntax": "This text is not an email address.",
    "domain_not_found": "The domain does not exist.",
    "no_mail_server": "The domain has no mail server.",
    "null_mx": "The domain says that it takes no mail.",
    "no_such_user": "The mail server knows no such mailbox.",
    "mailbox_disabled": "The mailbox is closed or suspended.",
    "refused": "The mail server refuses this address and accepted another one of the domain.",
    "smtputf8_unsupported": "The address has letters that are not ASCII, which the mail server does not take.",
    "catch_all": "The mail server accepts every address of the domain, so nobody can tell whether this one exists.",
    "disposable": "The domain hands out addresses that are thrown away after use.",
    "role": "The mail server accepts the address. It belongs to a function, such as info or sales, not to a person.",
    "mailbox_full": "The mailbox exists, but it is full.",
    "dns_error": "The domain could not be looked up. Verify it again later.",
    "dns_timeout": "Looking up the domain took too long. Verify it again later.",
    "private_network": "The domain's mail server is not on the public internet.",
    "unverifiable_provider": "The mail provider accepts every address at first, or does not want to be asked.",
    "connection_failed": "The mail server could not be reached. Verify it again later.",
    "timeout": "The mail server did not answer in time. Verify it again later.",
    "greylisted": "The mail server asks to come back later. Verify it again in an hour.",
    "blocked": "The mail server refuses to talk to us, whatever the address.",
    "policy": "The mail server refused by a rule that says nothing about the mailbox.",
    "tls_required": "The mail server wants an encrypted connection, which could not be agreed on.",
    "temporary": "The mail server has a problem of its own. Verify it again later.",
    "protocol_error": "The mail server does not speak SMTP properly.",
    "catch_all_unknown": "The mail server accepts this address; whether it accepts any address could not be found out.",
}
"""Why a verification ended as it did."""

ACTIONS = {
    "created": "A new contact",
    "updated": "Updates a contact",
    "unchanged": "The contact has all of this",
    "skipped": "The contact stays as it is",
}
OPERATIONS = {
    "people.enrich": "Enrich a person",
    "people.search": "Search people",
    "companies.lookup": "Look up a company",
    "emails.verify": "Verify an email",
    "emails.find": "Find an email",
}
HAPPENED: dict[EventType, str] = {
    "person.enriched": "Person enriched",
    "company.looked_up": "Company looked up",
    "email.verified": "Email verified",
    "people.searched": "People searched",
    "crm.contact.created": "Contact added to the CRM",
    "crm.contact.updated": "Contact updated in the CRM",
    "crm.company.created": "Company added to the CRM",
    "crm.company.updated": "Company updated in the CRM",
    "crm.connected": "CRM connected",
    "crm.switched": "CRM switched",
    "crm.disconnected": "CRM disconnected",
    "crm.token_expired": "Access to the CRM ended",
    "list.created": "List created",
    "list.updated": "List changed",
    "list.deleted": "List deleted",
    "list.member.added": "Person added to a list",
    "list.member.removed": "Person taken off a list",
    "job.completed": "Job completed",
    "job.failed": "Job failed",
    "credits.low": "Few credits left",
    "credits.exhausted": "No credits left",
    "key.created": "API key made",
    "key.revoked": "API key revoked",
    "key.suspended": "API key suspended",
    "key.reactivated": "API key works again",
}
"""What each type of event says."""
KINDS = {
    "people.enrich": ("Enrichment", "person", "people"),
    "companies.lookup": ("Company lookup", "company", "companies"),
    "emails.verify": ("Verification", "email address", "email addresses"),
    "crm.contacts": ("CRM write", "contact", "contacts"),
    "lists.push": ("List push", "contact", "contacts"),
}
FIELDS = {
    "linkedin_url": "The LinkedIn URL",
    "email": "The email address",
    "company_domain": "The company's domain",
    "domain": "The domain",
    "person": "The person",
    "people": "One of the people",
    "file": "The file",
    "expected_crm": "The CRM",
}
ABOUT_A_FIELD = re.compile(r"`([^`]+)`(:?) (.*)", re.DOTALL)
OF_THE_API = re.compile(r"[;,:] [^;,:.]*/v1/[a-z/]+[^.]*")
CHANGED = "Somebody changed this meanwhile, so nothing is saved. Beside each field that differs is what it is now."
NOBODY = "This does not say who is meant. Give a LinkedIn URL, an email address, or a name, a comma and the company."


def plain(message: str) -> str:
    """An error's message without the API's names of things."""
    message = OF_THE_API.sub("", message).replace("after `retry_after_seconds`", "in a moment")
    found = ABOUT_A_FIELD.fullmatch(message)
    if found is None:
        return message
    path, colon, rest = found.groups()
    if rest.startswith("is required, or else"):
        return NOBODY
    if colon:
        return rest[:1].upper() + rest[1:]
    last = re.sub(r"\[\d+\]|\.(in|ex)clude\b", "", path).rpartition(".")[2]
    return f"{FIELDS.get(last) or last.replace('_', ' ').capitalize()} {rest}"


def about(path: str, message: str) -> str:
    """A sentence about one field."""
    return plain(invalid(path, message).message) if path else message[:1].upper() + message[1:]


def duration(seconds: float) -> str:
    """`40 s`, `12 min`."""
    return f"{math.ceil(seconds)} s" if seconds < 90 else f"{math.ceil(seconds / 60):,} min"


def operation(name: str) -> str:
    """What a lookup does."""
    return OPERATIONS.get(name, name)


def title_of(job: Job) -> str:
    """What a job is, such as `Enrichment of 12 people`."""
    name, one, many = KINDS.get(job.kind, (job.kind, "item", "items"))
    return f"{name} of {job.total:,} {one if job.total == 1 else many}"


def asked_in(given: Any) -> str:
    """Who or what an item asks about."""
    if not isinstance(given, dict):
        return str(given)
    asked = cast(dict[str, Any], given)
    asked = asked.get("person") or asked
    name = asked.get("full_name") or f"{asked.get('first_name') or ''} {asked.get('last_name') or ''}".strip()
    where = asked.get("company_domain") or asked.get("company_name")
    known = asked.get("linkedin_url") or asked.get("email") or asked.get("domain") or asked.get("name")
    if name:
        return f"{name}, {where}" if where else name
    return str(known or "")


def outcome_of(one: JobResult, job: Job) -> str:
    """What came of an item, in a line."""
    if one.error:
        return plain(one.error.message)
    if not isinstance(one.data, dict):
        return ""
    given = cast(dict[str, Any], one.data)
    if job.kind == "emails.verify":
        return REASONS[given["reason"]]
    if "action" in given:
        return ACTIONS[given["action"]]
    company: dict[str, Any] = given.get("company") or {}
    parts = (given.get("full_name") or given.get("name"), given.get("job_title"), company.get("name"))
    return " · ".join(str(one) for one in (*parts, given.get("email") or given.get("domain")) if one)
