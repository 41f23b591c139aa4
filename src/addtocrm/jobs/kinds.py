"""The kinds of jobs that there are."""

from addtocrm.app import Services
from addtocrm.companies import batch as companies
from addtocrm.emails import batch as emails
from addtocrm.jobs.runner import Kind
from addtocrm.lists import push
from addtocrm.people import batch as people


def load(services: Services) -> dict[str, Kind]:
    """Every kind by its name, bound to the running services."""
    kinds = [module.kind(services) for module in (push, people, companies, emails)]
    return {kind.name: kind for kind in kinds}
