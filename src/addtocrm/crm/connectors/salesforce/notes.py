"""Notes: what they hold, and the title that they are found by."""

import base64
import hashlib

from addtocrm.crm.connectors.salesforce.api import REFERENCE
from addtocrm.crm.texts import as_html

LONGEST_TITLE = 255


def content_of(text: str) -> str:
    """The text as a note holds it."""
    paragraphs = "".join(f"<p>{as_html(line) or '<br>'}</p>" for line in text.splitlines())
    return base64.b64encode(paragraphs.encode()).decode()


def title_of(text: str) -> str:
    """A note's title, by which just this text is found again: a note's own text cannot be asked for."""
    line = " ".join(text.split())
    if line == text and len(line) <= LONGEST_TITLE and REFERENCE not in line:
        return line
    line = line.replace(REFERENCE, "{")
    return f"{line[: LONGEST_TITLE - 20]} ({hashlib.sha256(text.encode()).hexdigest()[:12]})"
