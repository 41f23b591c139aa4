"""What records a CRM has."""

from typing import Literal

Kind = Literal["contact", "company", "lead"]
"""A `lead` is a person too, in CRMs that keep them apart from contacts (see `Definition.options`)."""
Among = Literal["contact", "company"]
"""What a record is looked for among: people are looked for among contacts and leads alike."""
