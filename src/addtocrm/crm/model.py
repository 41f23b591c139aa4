"""What is written to a CRM, and what is answered."""

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from addtocrm.crm.contract import Capability, Rule
from addtocrm.crm.matching import By
from addtocrm.crm.merge import OnConflict

Line: TypeAlias = Annotated[str, Meta(max_length=500)]
Link: TypeAlias = Annotated[str, Meta(max_length=2000)]
Text: TypeAlias = Annotated[str, Meta(max_length=65_536)]
NoteText: TypeAlias = Annotated[str, Meta(min_length=1, max_length=65_536)]
Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200)]
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**31 - 1)]
CustomValue: TypeAlias = (
    Annotated[str, Meta(max_length=65_536)] | float | bool | int | Annotated[list[Line], Meta(max_length=200)] | None
)
CustomFields: TypeAlias = Annotated[
    dict[Annotated[str, Meta(min_length=1, max_length=100)], CustomValue],
    Meta(max_length=100, description="The CRM's own fields, by its names (see GET /v1/crm/fields)."),
]


class EmailInput(msgspec.Struct, frozen=True):
    email: Line | None = None


class PhoneInput(msgspec.Struct, frozen=True):
    number: Line | None = None


class LocationInput(msgspec.Struct, frozen=True):
    city: Line | None = None
    region: Line | None = None
    country: Line | None = None


class CompanyInput(msgspec.Struct, frozen=True, kw_only=True):
    """A company: what POST /v1/companies/lookup answers as `data`, as it is. Other fields are ignored."""

    name: Line | None = None
    domain: Line | None = None
    website: Link | None = None
    linkedin_url: Link | None = None
    industry: Line | None = None
    size: Line | None = None
    employee_count: Count | None = None
    founded_year: Count | None = None
    type: Line | None = None
    description: Text | None = None
    location: LocationInput | None = None
    phones: Annotated[list[PhoneInput], Meta(max_length=100)] | None = None
    technologies: Annotated[list[Line], Meta(max_length=1000)] | None = None


class PersonInput(msgspec.Struct, frozen=True, kw_only=True):
    """A person: what POST /v1/people/enrich answers as `data`, as it is. Other fields are ignored."""

    linkedin_url: Link | None = None
    first_name: Line | None = None
    last_name: Line | None = None
    full_name: Line | None = None
    headline: Annotated[str, Meta(max_length=2000)] | None = None
    job_title: Line | None = None
    seniority: Line | None = None
    department: Line | None = None
    email: Line | None = None
    emails: Annotated[list[EmailInput], Meta(max_length=100)] | None = None
    phones: Annotated[list[PhoneInput], Meta(max_length=100)] | None = None
    location: LocationInput | None = None
    company: CompanyInput | None = None
    skills: Annotated[list[Line], Meta(max_length=1000)] | None = None
    phone: Annotated[Line | None, Meta(description="Short for the first of `phones`.")] = None
    company_name: Annotated[Line | None, Meta(description="Short for `company.name`.")] = None
    company_domain: Annotated[Line | None, Meta(description="Short for `company.domain`.")] = None


ExpectedCrm: TypeAlias = Annotated[
    str | None, Meta(description="Write only where this is the active CRM (`crm` of GET /v1/crm/info).")
]
DryRun: TypeAlias = Annotated[bool, Meta(description="Write nothing; answer what would be done.")]
OwnerRef: TypeAlias = Annotated[
    Name | None, Meta(description="An owner's id or email (see GET /v1/crm/owners); the CRM's default one.")
]
MatchBy: TypeAlias = Literal["linkedin_url", "email", "name"]
MatchedBy: TypeAlias = Annotated[
    Annotated[list[MatchBy], Meta(min_length=1, max_length=3)] | None,
    Meta(description="What may find a contact; all of them where it is not given."),
]
Conflict: TypeAlias = Annotated[
    OnConflict,
    Meta(description="Where the record is there: fill its empty fields, overwrite, or leave it alone."),
]


class ContactWrite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person to be in the CRM once."""

    person: PersonInput
    company: Annotated[
        CompanyInput | None, Meta(description="More of the person's company than `person.company` has.")
    ] = None
    on_conflict: Conflict = "fill_empty"
    owner: OwnerRef = None
    list: Annotated[Name | None, Meta(description="A list of the CRM to be on, by id or name.")] = None
    note: Annotated[NoteText | None, Meta(description="A note on the contact; the same text is written once.")] = None
    custom_fields: CustomFields = {}
    contact_id: Annotated[Name | None, Meta(description="Write to just this contact of the CRM.")] = None
    match_by: MatchedBy = None
    dry_run: DryRun = False
    expected_crm: ExpectedCrm = None


class CompanyWrite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A company to be in the CRM once."""

    company: CompanyInput
    on_conflict: Conflict = "fill_empty"
    owner: OwnerRef = None
    custom_fields: CustomFields = {}
    dry_run: DryRun = False
    expected_crm: ExpectedCrm = None


class NoteWrite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A note on a contact."""

    contact_id: Name
    text: NoteText
    expected_crm: ExpectedCrm = None


class TaskWrite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something to do about a contact."""

    contact_id: Name
    title: Annotated[str, Meta(min_length=1, max_length=500)]
    description: Text | None = None
    due_at: Annotated[str | None, Meta(description="ISO 8601 date or time; UTC where it has no offset.")] = None
    owner: OwnerRef = None
    expected_crm: ExpectedCrm = None


Action = Literal["created", "updated", "unchanged", "skipped"]


class WriteResult(msgspec.Struct, frozen=True):
    """What a contact's write did. `contact_id` is null only where a dry run would make it."""

    crm: str
    contact_id: str | None
    company_id: str | None
    url: str | None
    action: Action
    matched_by: Annotated[By | None, Meta(description="What found the contact; null for a new one.")]
    fields_written: list[str]
    fields_kept: Annotated[list[str], Meta(description="Fields that were sent and differ from the CRM's, which stay.")]
    values: Annotated[
        dict[str, CustomValue] | None,
        Meta(description="In a dry run: the CRM's fields and the values that would be sent; null empties a field."),
    ] = None


class CompanyResult(msgspec.Struct, frozen=True):
    """What a company's write did."""

    crm: str
    company_id: str | None
    url: str | None
    action: Action
    matched_by: By | None
    fields_written: list[str]
    fields_kept: list[str]
    values: dict[str, CustomValue] | None = None


class NoteResult(msgspec.Struct, frozen=True):
    crm: str
    contact_id: str
    note_id: str


class TaskResult(msgspec.Struct, frozen=True):
    crm: str
    contact_id: str
    task_id: str


Status = Literal["connected", "token_expired"]


class Connection(msgspec.Struct, frozen=True):
    """The account's active CRM. `account_id` and `account_name` are the CRM's own."""

    crm: str
    name: str
    account_id: str
    account_name: str
    connected_at: str
    status: Status
    capabilities: tuple[Capability, ...]


class OwnConnection(Connection, frozen=True):
    """A connection as the account sees its own; `page_url` is where the pages of the CRM are, where it said so."""

    id: str
    active: bool
    page_url: str | None


class FieldMapping(msgspec.Struct, frozen=True):
    """What the fields of the CRM get, for one kind of record. `is_default`: the account has no rules of its own."""

    crm: str
    object: str
    rules: list[Rule]
    is_default: bool


class MappingWrite(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account's own rules for one kind of record, in place of those before."""

    object: Literal["contact", "company", "lead"] = "contact"
    rules: Annotated[
        Annotated[list[Rule], Meta(max_length=200)] | None, Meta(description="null goes back to the usual rules.")
    ] = None
    create_linkedin_field: Annotated[
        bool, Meta(description="Make a field for LinkedIn URLs in the CRM, where it has none, and map it.")
    ] = False


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """A contact as the CRM has it."""

    id: str
    url: str | None = None
    linkedin_url: str | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    full_name: str | None = None
    headline: str | None = None
    job_title: str | None = None
    seniority: str | None = None
    department: str | None = None
    phone: str | None = None
    other_emails: list[str] = []
    other_phones: list[str] = []
    city: str | None = None
    region: str | None = None
    country: str | None = None
    company_name: str | None = None
    company_domain: str | None = None
    skills: list[str] = []
    company_id: str | None = None
    owner: str | None = None
    custom_fields: dict[str, str | float | bool | int | list[str]] = {}
