"""What the jobs of look-ups share."""

from addtocrm.jobs.kind import Done
from addtocrm.lookups.model import Answer


def done(answer: Answer) -> Done:
    """The result of an item that was looked up."""
    return Done(answer.data, answer.cached, answer.credits_deducted)
