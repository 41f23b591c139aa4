"""Mail to people who use the deployment, by the operator's mail server."""

import asyncio
import smtplib
import ssl
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

import structlog

from addtocrm.core.settings import Settings

log = structlog.get_logger()

SECONDS = 20.0


async def send(settings: Settings, to: str, subject: str, text: str) -> None:
    """Sends a mail, by `ADDTOCRM_MAIL_URL`: `smtps://USER:PASSWORD@HOST`, or `smtp://…` with STARTTLS where the server
    has it (RFC 3207). Where none is set the mail is in the log. What fails is in the log too."""
    letter = EmailMessage()
    letter["from"], letter["to"], letter["subject"] = (
        settings.mail_from or f"addtocrm@{urlsplit(settings.base_url).hostname}",
        to,
        subject,
    )
    letter.set_content(text)
    if settings.mail_url is None:
        log.warning("mail_not_sent", reason="ADDTOCRM_MAIL_URL is not set", to=to, subject=subject, text=text)
        return
    try:
        await asyncio.to_thread(_send, settings.mail_url, letter)
    except (OSError, smtplib.SMTPException) as error:
        log.warning("mail_failed", to=to, error=type(error).__name__)


def _send(url: str, letter: EmailMessage) -> None:
    parts = urlsplit(url)
    trusted = ssl.create_default_context()
    host = parts.hostname or "localhost"
    if parts.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, parts.port or 465, timeout=SECONDS, context=trusted)
    else:
        server = smtplib.SMTP(host, parts.port or 587, timeout=SECONDS)
    with server:
        server.ehlo()
        if parts.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=trusted)
            server.ehlo()
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        server.send_message(letter)
