"""What stands in the place of somebody who asked to be forgotten."""

from addtocrm.core.errors import ItemError

FORGOTTEN = "(forgotten)"
"""The input of an item whose person asked to be forgotten."""
FORGOTTEN_ERROR = ItemError("not_found", "This person asked to be forgotten.")
