"""The Pipedrive connector against its server: what this vendor does in its own way."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from desk import WHO, Desk, people
from opened import run
from scenarios import Scenarios
from trouble_scenarios import written_in_the_end
from turns import Turns
from vendors.pipedrive_server import PipedriveServer, custom, key_of
from vendors.wire import Answer

from addtocrm.crm import registry, service
from addtocrm.crm.connectors import pipedrive
from addtocrm.crm.connectors.pipedrive import api, quotas
from addtocrm.crm.contract import Field, Option, Record, Sought, Task, Update
from addtocrm.crm.failures import Changed, Expired, NotFound, RateLimited, Rejected, Unavailable, UnknownField
from addtocrm.crm.model import CompanyWrite
from addtocrm.privacy import service as privacy

LINKEDIN = key_of("LinkedIn URL")
JANE = "https://www.linkedin.com/in/jane-doe"
FORMS = (
    JANE,
    JANE + "/",
    "http://www.linkedin.com/in/jane-doe",
    "linkedin.com/in/jane-doe",
    "www.linkedin.com/in/jane-doe",
)
NASTY = ('O\'Neil "Q" \\ back', "Zoë 李雷 🦊 <b>&amp;", "100% & more; fields=name#x", "a,b (c) [d] {e} *?~")


@pytest.fixture
def vendor() -> Iterator[PipedriveServer]:
    with PipedriveServer() as server:
        yield server
        assert server.refused == []


def do(vendor: PipedriveServer, work: Callable[..., Any], **more: Any) -> Any:
    return run(pipedrive.connector, vendor.url, work, **more)


def find(vendor: PipedriveServer, *terms: dict[str, tuple[str, ...]], kind: str = "contact") -> list[Record]:
    return do(vendor, lambda crm: crm.find(kind, [Sought({}, (term,)) for term in terms]))


def ids(records: list[Record]) -> list[str]:
    return [record.id for record in records]


def create(vendor: PipedriveServer, *rows: dict[str, Any], kind: str = "contact") -> list[Any]:
    return do(vendor, lambda crm: crm.create(kind, rows))


def change(vendor: PipedriveServer, id: str, kind: str = "contact", **changes: Any) -> Any:
    async def work(crm: Any) -> Any:
        record = (await crm.get(kind, [id]))[id]
        return (await crm.update(kind, [Update(record, changes)]))[0]

    return do(vendor, work)


def only(vendor: PipedriveServer) -> dict[str, Any]:
    (contact,) = vendor.contacts()
    return contact


# Connecting.


def test_account_owners_and_fields(vendor: PipedriveServer) -> None:
    async def work(crm: Any) -> Any:
        return await crm.info(), await crm.owners(), await crm.fields("contact"), await crm.fields("company")

    info, owners, contact, company = do(vendor, work)
    assert (info.id, info.name, info.page_url) == ("777", "Example Sales", "https://example-sales.pipedrive.com")
    assert [(one.id, one.email, one.is_default) for one in owners] == [
        ("1", "ada@example.com", True),
        ("2", "bo@example.com", False),
    ]
    named = {one.name: one for one in contact}
    assert named["emails"].type == "list"
    assert named["org_id"].type == named["owner_id"].type == "reference"
    assert not named["first_name"].writable and not named["organization.name"].writable
    assert named["label_ids"].options[0] == Option("41", "Customer")
    assert named[LINKEDIN].custom and named[LINKEDIN].max_length == 255
    assert named[key_of("Tier")].options == [Option("41", "Gold"), Option("42", "Silver")]
    assert named[key_of("Topics")].type == "choices" and named[key_of("Score")].type == "number"
    assert named["postal_address.locality"].type == "text"
    assert "open_deals_count" not in named and len(named) == len(contact)
    assert {one.name for one in company} >= {"name", "website", "linkedin", "employee_count", "address.country"}


def test_oauth_token_goes_as_bearer(vendor: PipedriveServer) -> None:
    vendor.tokens["access-1"] = float("inf")
    assert do(vendor, lambda crm: crm.info(), token="access-1", oauth=True).id == "777"
    with pytest.raises(Expired):
        do(vendor, lambda crm: crm.info(), token="access-0", oauth=True)


def test_missing_scope_is_said(vendor: PipedriveServer) -> None:
    vendor.scopes = {"base"}
    (failure,) = create(vendor, {"name": "Jane Doe"})
    assert isinstance(failure, Rejected) and failure.field == "" and "Scope" in failure.message


# Finding.


@pytest.mark.parametrize("text", [JANE, JANE + "/", "linkedin.com/in/Jane-Doe", "HTTP://WWW.LINKEDIN.COM/in/jane-doe"])
def test_found_by_linkedin_url_in_any_form(vendor: PipedriveServer, text: str) -> None:
    id = vendor.put_contact(first_name="Jane", last_name="Doe", linkedin_url=text)
    vendor.put_contact(first_name="John", last_name="Roe", linkedin_url="https://www.linkedin.com/in/john-roe")
    assert ids(find(vendor, {LINKEDIN: FORMS})) == [id]
    assert len(vendor.asked("GET .*/search")) == 1


def test_found_by_any_email_name_phone_and_several_at_once(vendor: PipedriveServer) -> None:
    one = vendor.put_contact(
        first_name="Jane", last_name="Doe", email="jane@example.com", other_emails=["J@example.test"]
    )
    two = vendor.put_contact(first_name="John", last_name="Roe", phone="+1 555 0100")
    three = vendor.put_contact(first_name="Ann", last_name="Lee", email="joann@example.com")
    assert ids(find(vendor, {"emails": ("JANE@example.com", "jane@example.com")})) == [one]
    assert ids(find(vendor, {"emails": ("j@example.test", "other@example.test")})) == [one]
    assert ids(find(vendor, {"name": ("john roe",)}, {"phones": ("+1 555 0100",)})) == [two]
    assert ids(find(vendor, {"first_name": ("ann",), "last_name": ("lee",)}, {"name": ("jane doe",)})) == [one, three]
    assert find(vendor, {"org_id": ("12",)}) == find(vendor) == []


def test_found_contacts_tell_their_company(vendor: PipedriveServer) -> None:
    acme = vendor.put_company(name="Acme", domain="acme.example.com")
    id = vendor.put_contact(first_name="Jane", last_name="Doe", company_id=acme, city="Oslo", job_title="CTO")
    (record,) = find(vendor, {"name": ("jane doe",), "organization.name": ("acme",)})
    assert record.fields["organization.name"] == "Acme" and record.fields["org_id"] == acme
    assert record.fields["organization.website"] == "https://acme.example.com"
    assert record.fields["job_title"] == "CTO" and record.fields["postal_address.locality"] == "Oslo"
    assert record.url == f"https://crm.example.com/person/{id}" and record.version


def test_companies_are_found_by_domain_and_name(vendor: PipedriveServer) -> None:
    id = vendor.put_company(name="Acme Inc", domain="www.acme.example.com")
    texts = ("acme.example.com", "www.acme.example.com", "https://acme.example.com")
    assert ids(find(vendor, {"website": texts}, kind="company")) == [id]
    assert ids(find(vendor, {"name": ("acme inc",)}, kind="company")) == [id]
    (record,) = find(vendor, {"name": ("ACME INC",)}, kind="company")
    assert record.url == f"https://crm.example.com/organization/{id}"


def test_search_that_lags_misses_nothing_new(vendor: PipedriveServer) -> None:
    old = vendor.put_contact(first_name="Old", last_name="Hand")
    vendor.lag = 10
    (made,) = create(vendor, {"name": "Jane Doe", "emails": ["jane@example.com"], LINKEDIN: JANE})
    assert ids(find(vendor, {LINKEDIN: FORMS})) == ids(find(vendor, {"emails": ("JANE@example.com",)})) == [made.id]
    vendor.change_contact(old, email="new@example.com")
    assert ids(find(vendor, {"emails": ("new@example.com",)})) == [old]
    assert find(vendor, {"name": ("nobody at all",)}) == []


def test_deleted_and_merged_contacts(vendor: PipedriveServer) -> None:
    kept = vendor.put_contact(first_name="Jane", last_name="Doe", email="jane@example.com")
    gone = vendor.put_contact(first_name="Jane", last_name="Doe", email="j@example.com", linkedin_url=JANE)
    stale = do(vendor, lambda crm: crm.get("contact", [gone]))[gone]
    vendor.merge_contacts(kept, gone)
    assert ids(find(vendor, {LINKEDIN: FORMS}, {"emails": ("j@example.com",)})) == [kept]
    assert do(vendor, lambda crm: crm.get("contact", [gone, kept, "99", "per_1"])).keys() == {kept}
    (failure,) = do(vendor, lambda crm: crm.update("contact", [Update(stale, {"name": "X"})]))
    assert isinstance(failure, NotFound)
    vendor.lag = 10
    vendor.delete_contact(kept)
    assert find(vendor, {"emails": ("jane@example.com",)}) == []
    assert do(vendor, lambda crm: crm.get("contact", [kept])) == {}


@pytest.mark.parametrize("text", NASTY)
def test_values_are_never_syntax(vendor: PipedriveServer, text: str) -> None:
    vendor.put_contact(first_name="Other", last_name="One")
    (made,) = create(vendor, {"name": text, LINKEDIN: text, "emails": [f"{text}@example.com"]})
    for term in ({"name": (text,)}, {LINKEDIN: (text, text + "/")}, {"emails": (f"{text}@example.com",)}):
        (record,) = find(vendor, term)
        assert record.id == made.id and record.fields["name"] == text
    do(vendor, lambda crm: crm.add_note(made.id, text))
    assert do(vendor, lambda crm: crm.has_note(made.id, text))


def test_very_long_values(vendor: PipedriveServer) -> None:
    long = "x" * 5000
    assert find(vendor, {"name": (long,)}) == []
    assert vendor.asked("GET .*/search") == []
    failures = create(vendor, {"name": long}, {"name": "A", LINKEDIN: long})
    assert [(type(one), one.field) for one in failures] == [(Rejected, "name"), (Rejected, LINKEDIN)]
    (made,) = create(vendor, {"name": "A", key_of("Remarks"): long})
    assert made.fields[key_of("Remarks")] == long


# Writing.


def test_created_with_everything(vendor: PipedriveServer) -> None:
    acme = vendor.put_company(name="Acme")
    row = {
        "name": "Jane Doe",
        "emails": ["jane@example.com", "j@example.test"],
        "phones": ["+47 555 01"],
        "job_title": "CTO",
        "postal_address.locality": "Oslo",
        "postal_address.country": "Norway",
        "org_id": acme,
        "owner_id": "2",
        LINKEDIN: JANE,
        key_of("Tier"): "42",
        key_of("Topics"): ["41", "42"],
        key_of("Score"): 7.5,
        key_of("Remarks"): "2024",
        f"{key_of('Home')}.locality": "Bergen",
    }
    (record,) = create(vendor, row)
    assert record.fields.items() >= row.items() and record.fields["first_name"] == "Jane"
    assert only(vendor) == {
        "id": record.id,
        "first_name": "Jane",
        "last_name": "Doe",
        "email": "jane@example.com",
        "other_emails": ["j@example.test"],
        "phone": "+47 555 01",
        "job_title": "CTO",
        "linkedin_url": JANE,
        "city": "Oslo",
        "company_id": acme,
    }
    raw = vendor.records["persons"][record.id]
    assert raw["owner_id"] == 2 and raw["postal_address"]["value"] == "Oslo, Norway"
    assert raw["custom_fields"][key_of("Tier")] == 42 and raw["custom_fields"][key_of("Remarks")] == "2024"
    again = do(vendor, lambda crm: crm.get("contact", [record.id]))[record.id]
    assert again.fields.items() >= row.items()


def test_contact_without_a_name_is_called_by_its_address(vendor: PipedriveServer) -> None:
    one, two = create(vendor, {"emails": ["jane@example.com"]}, {LINKEDIN: JANE})
    assert (one.fields["name"], two.fields["name"]) == ("jane@example.com", "-")


def test_company_without_a_name_is_called_by_its_website(vendor: PipedriveServer) -> None:
    made, refused = do(vendor, lambda crm: crm.create("company", [{"website": "acme.example.com"}, {}]))
    assert made.fields["name"] == "acme.example.com"
    assert isinstance(refused, Rejected) and len(vendor.companies()) == 1


def test_update_keeps_what_it_does_not_change(vendor: PipedriveServer) -> None:
    id = vendor.put_contact(first_name="Jane", last_name="Doe", email="jane@example.com", city="Oslo", phone="1")
    emails = ["jane@example.com", "new@example.com"]
    record = change(vendor, id, emails=emails, phones=None, **{"postal_address.country": "Norway", LINKEDIN: JANE})
    assert record.fields["emails"] == emails and record.fields["name"] == "Jane Doe" and "phones" not in record.fields
    raw = vendor.records["persons"][id]
    assert [(one["label"], one["primary"]) for one in raw["emails"]] == [("home", True), ("work", False)]
    assert raw["phones"] == [] and raw["custom_fields"][LINKEDIN] == JANE
    assert raw["postal_address"]["locality"] == "Oslo" and raw["postal_address"]["value"] == "Oslo, Norway"
    empty = {LINKEDIN: None, "postal_address.locality": None, "postal_address.country": None}
    assert not change(vendor, id, **empty).fields.keys() & empty.keys()
    assert vendor.records["persons"][id]["postal_address"] is None
    assert raw["label_ids"] == []


def test_guarded_update_sees_what_a_person_typed(vendor: PipedriveServer) -> None:
    id = vendor.put_contact(first_name="Jane", last_name="Doe")

    async def work(crm: Any) -> Any:
        record = (await crm.get("contact", [id]))[id]
        written = await crm.update("contact", [Update(record, {"job_title": "CTO"}, guarded=True)])
        vendor.change_contact(id, job_title="CEO")
        vendor.records["persons"][id]["update_time"] = "2030-01-01T00:00:00Z"
        return *written, *await crm.update("contact", [Update(written[0], {"job_title": "CFO"}, guarded=True)])

    written, refused = do(vendor, work)
    assert written.fields["job_title"] == "CTO" and isinstance(refused, Changed)
    assert only(vendor)["job_title"] == "CEO"


def test_nothing_to_change_sends_nothing(vendor: PipedriveServer) -> None:
    id = vendor.put_contact(first_name="Jane", last_name="Doe")
    assert change(vendor, id).id == id
    assert vendor.asked("PATCH") == []


def test_one_of_a_batch_fails_alone(vendor: PipedriveServer) -> None:
    rows = [{"name": f"Person {i}", **({key_of("Tier"): "99"} if i == 3 else {})} for i in range(7)]
    made = create(vendor, *rows)
    assert [type(one) for one in made] == [Record] * 3 + [Rejected] + [Record] * 3
    assert made[3].field == key_of("Tier") and "option" in made[3].message
    assert [record.fields["name"] for record in made if isinstance(record, Record)] == [
        f"Person {i}" for i in range(7) if i != 3
    ]
    assert len(vendor.contacts()) == 6
    got = do(vendor, lambda crm: crm.get("contact", [one.id for one in made if isinstance(one, Record)]))
    assert len(got) == 6 and len(vendor.asked("GET /api/v2/persons$")) == 1


def test_deleted_field_and_options(vendor: PipedriveServer) -> None:
    vendor.remove_field("linkedin_url")
    (failure,) = create(vendor, {"name": "Jane Doe", LINKEDIN: JANE})
    assert isinstance(failure, UnknownField) and failure.field == LINKEDIN
    id = vendor.put_contact(first_name="Jane", last_name="Doe", email="jane@example.com")
    assert ids(find(vendor, {LINKEDIN: FORMS}, {"emails": ("jane@example.com",)})) == [id]
    (failure,) = create(vendor, {"name": "Jane", key_of("Tier"): "Gold"})
    assert isinstance(failure, Rejected) and failure.field == key_of("Tier")
    vendor.refused.clear()
    failures = create(vendor, {"name": "Jane", "org_id": "4040"}, {"name": "Jane", "owner_id": "per_1"})
    assert [one.field for one in failures] == ["org_id", "owner_id"]


def test_fields_of_contact_sync_without_it(vendor: PipedriveServer) -> None:
    vendor.contact_sync = False
    (failure,) = create(vendor, {"name": "Jane Doe", "job_title": "CTO"})
    assert isinstance(failure, UnknownField) and failure.field == "job_title"


def test_unknown_standard_field(vendor: PipedriveServer) -> None:
    (failure,) = create(vendor, {"name": "Jane Doe", "nickname": "JD"})
    assert isinstance(failure, UnknownField) and failure.field == "nickname"
    vendor.refused.clear()


def test_companies_are_written(vendor: PipedriveServer) -> None:
    row = {"name": "Acme", "website": "https://acme.example.com", "employee_count": 12, "address.locality": "Oslo"}
    (record,) = create(vendor, row, kind="company")
    assert record.kind == "company" and record.fields.items() >= row.items()
    assert vendor.companies() == [{"id": record.id, "name": "Acme", "domain": "acme.example.com"}]
    record = change(vendor, record.id, "company", name="Acme Inc", **{"address.country": "Norway"})
    assert vendor.records["organizations"][record.id]["address"] == {
        "locality": "Oslo",
        "country": "Norway",
        "value": "Oslo, Norway",
    }


def test_pages_are_in_a_stable_order(vendor: PipedriveServer) -> None:
    made = [vendor.put_contact(first_name="P", last_name=str(i)) for i in range(7)]

    async def work(crm: Any) -> list[str]:
        seen: list[str] = []
        while page := await crm.page("contact", seen[-1] if seen else None, 3):
            seen += ids(page)
        return seen

    assert do(vendor, work) == made
    assert ids(do(vendor, lambda crm: crm.page("contact", made[2], 2))) == made[3:5]
    assert do(vendor, lambda crm: crm.page("contact", made[-1], 2)) == []
    for bad in ("abc", "1e3", "9" * 5000):
        with pytest.raises(Rejected) as refused:
            do(vendor, lambda crm, bad=bad: crm.page("contact", bad, 2))
        assert refused.value.field == "cursor"


def test_field_is_made(vendor: PipedriveServer) -> None:
    field = do(vendor, lambda crm: crm.create_field("company", pipedrive.connector.linkedin["company"]))
    assert field.custom and field.label == "LinkedIn URL" and len(field.name) == 40
    options = [Option("", "A"), Option("", "B")]
    made = do(
        vendor, lambda crm: crm.create_field("contact", Field(name="", label="Pick", type="choice", options=options))
    )
    assert [one.label for one in made.options] == ["A", "B"]
    (record,) = create(vendor, {"name": "Jane", made.name: made.options[1].value})
    assert do(vendor, lambda crm: crm.get("contact", [record.id]))[record.id].fields[made.name] == made.options[1].value


# Notes, tasks, lists.


def test_notes(vendor: PipedriveServer) -> None:
    id = vendor.put_contact(first_name="Jane", last_name="Doe")
    text = "Met <b>at</b> the fair\nCall & write"
    assert do(vendor, lambda crm: crm.add_note(id, text))
    assert vendor.notes(id) == ["Met &lt;b&gt;at&lt;/b&gt; the fair<br>Call &amp; write"]
    assert do(vendor, lambda crm: crm.has_note(id, text)) and not do(vendor, lambda crm: crm.has_note(id, "Met"))
    vendor.noted[:0] = [{"id": 1, "person_id": int(id), "content": f"<p>{i}</p>"} for i in range(150)]
    assert do(vendor, lambda crm: crm.has_note(id, text))
    with pytest.raises(NotFound):
        do(vendor, lambda crm: crm.add_note("4040", "Hello"))


def test_tasks(vendor: PipedriveServer) -> None:
    id = vendor.put_contact(first_name="Jane", last_name="Doe")
    due = datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
    assert do(vendor, lambda crm: crm.add_task(id, Task("Call Jane", "About <it>", due, "2")))
    assert vendor.tasks(id) == ["Call Jane"]
    assert (
        vendor.activities[0].items()
        >= {
            "type": "task",
            "due_date": "2026-03-04",
            "due_time": "09:30",
            "note": "About &lt;it&gt;",
            "owner_id": 2,
        }.items()
    )
    vendor.activity_types = ["meeting"]
    assert do(vendor, lambda crm: crm.add_task(id, Task("Meet Jane")))
    assert vendor.activities[1]["type"] == "meeting"


def test_lists_are_labels(vendor: PipedriveServer) -> None:
    made = [vendor.put_contact(first_name="P", last_name=str(i)) for i in range(3)]
    assert [one.name for one in do(vendor, lambda crm: crm.lists())] == ["Customer", "Hot lead"]
    assert do(vendor, lambda crm: crm.create_list("hot LEAD")).name == "Hot lead"
    new = do(vendor, lambda crm: crm.create_list("Fair 2026"))

    async def work(crm: Any) -> Any:
        await crm.add_to_list("41", made[:1])
        await crm.add_to_list(new.id, made[:2])
        await crm.add_to_list(new.id, made[:2])
        return await crm.in_list(new.id, made)

    assert do(vendor, work) == set(made[:2]) == set(vendor.members("Fair 2026"))
    assert vendor.members("Customer") == made[:1] and len(vendor.asked("PATCH")) == 3
    with pytest.raises(NotFound):
        do(vendor, lambda crm: crm.add_to_list(new.id, ["4040"]))


# Quotas and trouble.


def test_burst_quota_is_waited_for(vendor: PipedriveServer, turns: Turns) -> None:
    vendor.quota = (40, 2.0)
    made = [vendor.put_contact(first_name="P", last_name=str(i)) for i in range(45)]

    async def work(crm: Any) -> None:
        for id in made:
            assert await crm.get("contact", [id])

    do(vendor, work)
    assert turns.keep("pipedrive", *vendor.quota, asked=45)


def test_search_has_a_quota_of_its_own(vendor: PipedriveServer, turns: Turns) -> None:
    id = vendor.put_contact(first_name="Jane", last_name="Doe")
    terms = [{"name": (f"Nobody {i}",)} for i in range(11)]
    assert ids(find(vendor, *terms, {"name": ("Jane Doe",)})) == [id]
    assert turns.keep("pipedrive-search", *vendor.search_quota, asked=len(vendor.asked("/search$")))


def test_throttled_once_is_waited_for(vendor: PipedriveServer, patient: None) -> None:
    id = vendor.put_contact(first_name="Jane", last_name="Doe")
    vendor.trouble("GET /api/v2/persons/", vendor.throttled())
    assert do(vendor, lambda crm: crm.get("contact", [id])).keys() == {id}


def test_quota_is_learnt_from_headers() -> None:
    lesson = quotas.learn({"x-ratelimit-limit": "480"})
    assert lesson and lesson.quota and lesson.quota.windows[0].requests == 480
    for odd in ("", "0", "-1", "many", "99999"):
        assert quotas.learn({"x-ratelimit-limit": odd}) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-ratelimit-reset": "2"}, 2),
        ({"x-ratelimit-reset": "1", "x-daily-ratelimit-token-remaining": "29000"}, 1),
        ({"x-ratelimit-reset": "1", "x-daily-ratelimit-token-remaining": "0"}, 3600),
        ({"x-daily-ratelimit-token-remaining": "-12"}, 3600),
        ({"x-ratelimit-reset": "1790000000"}, None),
        ({"x-ratelimit-reset": "soon"}, None),
        ({}, None),
    ],
)
def test_what_a_429_says(headers: dict[str, str], seconds: float | None) -> None:
    assert quotas.throttled(headers, None) == seconds


@pytest.mark.parametrize(
    ("text", "type", "field"),
    [
        ("Validation failed: a1: Parameter 'a1' is not allowed for this request; b: Too long", UnknownField, "a1"),
        (f"Validation failed: custom_fields: Unknown key '{LINKEDIN}'", UnknownField, LINKEDIN),
        (
            f"Validation failed: custom_fields: Expected 'number' as value for custom field '{LINKEDIN}'",
            Rejected,
            LINKEDIN,
        ),
        ("Validation failed: emails[0].value: is too long", Rejected, "emails"),
        ("Bad request", Rejected, ""),
    ],
)
def test_refusals_name_the_field(vendor: PipedriveServer, text: str, type: Any, field: str) -> None:
    vendor.trouble("POST", Answer(400, {"success": False, "error": text, "code": "ERR_SCHEMA_VALIDATION_FAILED"}))
    (failure,) = create(vendor, {"name": "Jane Doe"})
    assert failure.__class__ is type and failure.field == field and failure.message in text


def test_long_retry_after_is_told(vendor: PipedriveServer) -> None:
    vendor.trouble("POST", Answer(429, {"success": False}, {"retry-after": "7700"}))
    (failure,) = create(vendor, {"name": "Jane Doe"})
    assert isinstance(failure, RateLimited) and failure.retry_after == pytest.approx(7700, rel=0.1)


def test_spent_day_is_asked_again_in_an_hour(vendor: PipedriveServer) -> None:
    vendor.left = 4
    failures = create(vendor, {"name": "Jane Doe"}, {"name": "John Roe"})
    assert all(isinstance(one, RateLimited) and one.retry_after > 3000 for one in failures)
    assert vendor.contacts() == []


HTML = (Answer(403, "<html>This error is produced by Cloudflare.</html>"), Answer(200, "<html>Sign in</html>"))
ODD = (
    Answer(200, {"success": True, "data": "?"}),
    Answer(200, {"success": True, "data": {"id": "x"}}),
    Answer(200, ["?"]),
    Answer(200, {"success": False}),
    Answer(410, {}),
)


@pytest.mark.parametrize("answer", HTML)
def test_html_is_unavailable(vendor: PipedriveServer, answer: Answer) -> None:
    vendor.trouble(".", answer, times=100)
    (failure,) = create(vendor, {"name": "Jane Doe"})
    assert isinstance(failure, Unavailable) and failure.maybe_done
    with pytest.raises(Unavailable):
        do(vendor, lambda crm: crm.lists())


@pytest.mark.parametrize("answer", ODD)
def test_answers_of_another_shape_are_unavailable(vendor: PipedriveServer, answer: Answer) -> None:
    id = vendor.put_contact(first_name="Jane", last_name="Doe")
    vendor.trouble(".", answer, times=100)
    for work in (
        lambda crm: crm.get("contact", [id]),
        lambda crm: crm.find("contact", [Sought({}, ({"name": ("Jane Doe",)},))]),
        lambda crm: crm.lists(),
        lambda crm: crm.fields("contact"),
        lambda crm: crm.owners(),
        lambda crm: crm.add_note(id, "Hello"),
        lambda crm: crm.add_task(id, Task("Hello")),
        lambda crm: crm.create_list("Hello"),
        lambda crm: crm.page("contact", None, 5),
        lambda crm: crm.info(),
    ):
        with pytest.raises(Unavailable):
            do(vendor, work)
    (failure,) = create(vendor, {"name": "Jane Doe"})
    assert isinstance(failure, Unavailable)


def test_create_that_is_lost_is_not_repeated(vendor: PipedriveServer) -> None:
    vendor.lag = 10
    vendor.trouble("POST", lost=True)
    (failure,) = create(vendor, {"name": "Jane Doe"})
    assert isinstance(failure, Unavailable) and failure.maybe_done
    assert len(vendor.asked("POST")) == 1
    assert ids(find(vendor, {"name": ("Jane Doe",)})) == [only(vendor)["id"]]


def test_closed_account_is_said(vendor: PipedriveServer) -> None:
    vendor.trouble("GET", Answer(402, {"success": False, "error": "Payment required"}))
    with pytest.raises(Rejected, match="subscription"):
        do(vendor, lambda crm: crm.info())


# In the product.


class TestPipedrive(Scenarios):
    unique_emails = False
    crm = "pipedrive"
    server = PipedriveServer
    creates = r"POST /api/v2/persons$"
    writes = r"(POST|PATCH) /api/v2/persons"
    picklist = (key_of("Tier"), "Gold")
    text_field = key_of("Grade")
    lists_emails = True
    date_field = key_of("Met on")
    looks = "GET /api/v2/persons"
    linkedin_field = LINKEDIN
    site = "www.acme.example.com/en"
    one_name = True

    seconds = 0.2
    """The window of the quotas, a tenth of Pipedrive's, so that nobody waits for them long."""

    @pytest.fixture(autouse=True)
    def ten_times_as_fast(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(quotas, "WINDOW_SECONDS", self.seconds)
        whole = msgspec.structs.replace(quotas.VENDOR, quota=quotas.within(20))
        search = msgspec.structs.replace(quotas.SEARCH, quota=quotas.within(10), part_of=whole)
        monkeypatch.setattr(api, "SEARCH", search)
        monkeypatch.setitem(registry.load(), "pipedrive", msgspec.structs.replace(pipedrive.connector, vendor=whole))

    def prepare(self, vendor: PipedriveServer) -> None:
        vendor.metadata["persons"] += [custom("Grade", "varchar"), custom("Met on", "date")]
        vendor.quota, vendor.search_quota = (20, self.seconds), (10, self.seconds)

    def test_who_an_account_wrote_a_url_to_is_not_told_to_another(self, run: Any, vendor: Any) -> None:
        async def work(desk: Any) -> None:
            vendor.remove_field(LINKEDIN)
            other = await desk.another()
            by_url = {"full_name": "Jane Doe", "linkedin_url": JANE}
            first = await desk.write(by_url)
            assert (await other.write(by_url)).contact_id != first.contact_id
            assert (await desk.write(by_url)).contact_id == first.contact_id

        run(work)

    def test_a_person_with_the_number_of_an_organization_is_found_after_a_lost_answer(
        self, run: Any, vendor: PipedriveServer
    ) -> None:
        self.without_linkedin(vendor)

        async def work(desk: Desk) -> None:
            company = msgspec.convert({"company": {"name": "Acme"}}, CompanyWrite)
            made = await service.upsert_company(desk.setup, desk.caller, company)
            vendor._ids = iter(range(int(made.company_id or ""), 10**9))
            vendor.trouble(self.creates, lost=True)
            person = {**WHO, "linkedin_url": JANE}
            await desk.fails("crm_unavailable", person)
            await desk.settled()
            done = await written_in_the_end(desk, person)
            assert (done.contact_id, len(vendor.contacts())) == (made.company_id, 1)

        run(work)

    def test_who_is_forgotten_takes_no_organization_of_the_same_number_along(
        self, run: Any, vendor: PipedriveServer
    ) -> None:
        page = "https://www.linkedin.com/company/acme"

        async def work(desk: Desk) -> None:
            company = msgspec.convert({"company": {"name": "Acme", "linkedin_url": page}}, CompanyWrite)
            made = await service.upsert_company(desk.setup, desk.caller, company)
            vendor._ids = iter(range(int(made.company_id or ""), 10**9))
            done = await desk.write({**WHO, "linkedin_url": JANE})
            assert done.contact_id == made.company_id
            await privacy.forget(desk.setup.pool, JANE)
            kinds = await desk.setup.pool.fetch("select distinct kind from crm_links")
            assert [one["kind"] for one in kinds] == ["company"]
            by_page = msgspec.convert({"company": {"name": "Acme Group", "linkedin_url": page}}, CompanyWrite)
            again = await service.upsert_company(desk.setup, desk.caller, by_page)
            assert (again.company_id, again.matched_by) == (made.company_id, "linkedin_url")

        run(work)

    def test_a_push_at_the_quota(self, run: Any, vendor: Any, turns: Turns) -> None:
        everybody = people(100, 3)

        async def work(desk: Any) -> None:
            size = pipedrive.connector.batch
            for at in range(0, len(everybody), size):
                done = await desk.write_many(everybody[at : at + size])
                assert [one.action for one in done] == ["created"] * size
            emails = sorted(one["email"] for one in vendor.contacts())
            assert emails == sorted(one["email"] for one in everybody)
            assert len(vendor.companies()) == 3
            assert turns.keep("pipedrive", *vendor.quota, asked=len(vendor.seen))
            assert turns.keep("pipedrive-search", *vendor.search_quota, asked=len(vendor.asked("/search$")))

        run(work)
