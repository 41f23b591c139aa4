"""Texts of notes and tasks as the HTML that some CRMs keep."""

import html
import re

TAGS = re.compile(r"<[^>]*>")


def as_html(text: str) -> str:
    return html.escape(text, quote=False).replace("\r\n", "\n").replace("\n", "<br>")


def plain(content: str) -> str:
    """The words of a text without its HTML, however the CRM laid it out: two that are the same text are equal."""
    return " ".join(html.unescape(TAGS.sub(" ", content)).split())
