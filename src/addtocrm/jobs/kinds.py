"""The kinds of jobs that there are."""

from addtocrm.app import Services
from addtocrm.jobs.runner import Kind
from addtocrm.lists import push


def load(services: Services) -> dict[str, Kind]:
    """Every kind by its name, bound to the running services."""
    kinds = [push.kind(services)]
    return {kind.name: kind for kind in kinds}
