"""The kinds of jobs that there are."""

from addtocrm.crm import batch as crm
from addtocrm.jobs.runner import Kind
from addtocrm.lists import push
from addtocrm.lookups.companies import batch as companies
from addtocrm.lookups.emails import batch as emails
from addtocrm.lookups.people import batch as people
from addtocrm.main.services import Services


def load(services: Services) -> dict[str, Kind]:
    """Every kind by its name, bound to the running services."""
    kinds = [module.kind(services) for module in (push, crm, people, companies, emails)]
    return {kind.name: kind for kind in kinds}
