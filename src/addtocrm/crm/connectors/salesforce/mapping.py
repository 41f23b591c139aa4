"""What of ours goes to which field of Salesforce, where an account says nothing else."""

from addtocrm.crm.contract import Field, Rule
from addtocrm.crm.kinds import Kind

LINKEDIN = "LinkedIn_URL__c"


def _rules(*rules: str) -> tuple[Rule, ...]:
    """Rules of the form `their field: ours, ours`; `<` before theirs says that it is read only."""
    split = [rule.split(": ") for rule in rules]
    return tuple(
        Rule(field=theirs.lstrip("<"), from_=tuple(ours.split(", ")), read_only=theirs.startswith("<"))
        for theirs, ours in split
    )


BOTH = (f"{LINKEDIN}: linkedin_url", "OwnerId: owner", "Phone: phone")
PERSON = (*BOTH, "Email: email", "FirstName: first_name", "LastName: last_name", "Title: job_title")
PLACE = (("City", "city"), ("State", "region"), ("Country", "country"))
MAPPING: dict[Kind, tuple[Rule, ...]] = {
    "contact": _rules(
        *PERSON,
        *(f"Mailing{theirs}: {ours}" for theirs, ours in PLACE),
        "Department: department",
        "AccountId: company_id",
        "<Account.Name: company_name",
        "<Account.Website: company_domain",
    ),
    "lead": _rules(
        *PERSON, *(f"{theirs}: {ours}" for theirs, ours in PLACE), "Company: company_name", "Website: company_domain"
    ),
    "company": _rules(
        *BOTH,
        *(f"Billing{theirs}: {ours}" for theirs, ours in PLACE),
        "Name: name",
        "Website: website, domain",
        "NumberOfEmployees: employee_count",
        "Description: description",
    ),
}
LINKEDIN_FIELDS: dict[Kind, Field] = {
    kind: Field(name=LINKEDIN, label="LinkedIn URL", type="text", custom=True, max_length=255) for kind in MAPPING
}
