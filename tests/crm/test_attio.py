"""The connector to Attio, against a server that holds requests to Attio's documentation."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import httpx2
import pytest
from desk import JANE as PERSON
from desk import WHO, Desk, people
from opened import run
from scenarios import Scenarios
from turns import Turns
from vendors.attio_server import AttioServer
from vendors.wire import Answer

from addtocrm.core.outgoing.vendor import Quota, Vendor, Window
from addtocrm.crm.connectors.attio import client
from addtocrm.crm.connectors.attio import connector as definition
from addtocrm.crm.contract import Connector, Field, Option, Record, Sought, Task, Term, Update
from addtocrm.crm.failures import Duplicate, Expired, NotFound, RateLimited, Rejected, Unavailable, UnknownField

T = TypeVar("T")
NASTY = ['Jane "JJ" O\'Neil', "back\\slash", "$or", "Ünïcödé 雪 🦊", "%_{}[]", "Weiß", "null", "a\nb"]


@pytest.fixture
def vendor() -> Iterator[AttioServer]:
    with AttioServer() as server:
        yield server
        assert server.refused == []


def on(vendor: AttioServer, work: Callable[[Connector], Awaitable[T]], **more: Any) -> T:
    return run(definition, vendor.url, work, **more)


def find(vendor: AttioServer, *terms: Term, kind: Any = "contact", **more: Any) -> list[Record]:
    return on(vendor, lambda crm: crm.find(kind, [Sought({}, (term,)) for term in terms]), **more)


def create(vendor: AttioServer, *rows: dict[str, Any], kind: Any = "contact", **more: Any) -> list[Any]:
    return on(vendor, lambda crm: crm.create(kind, rows), **more)


def read(vendor: AttioServer, id: str, kind: Any = "contact", **more: Any) -> Record:
    return on(vendor, lambda crm: crm.get(kind, [id]), **more)[id]


def change(vendor: AttioServer, id: str, changes: dict[str, Any], *, guarded: bool = False, **more: Any) -> Any:
    async def work(crm: Connector) -> Any:
        record = (await crm.get("contact", [id]))[id]
        return (await crm.update("contact", [Update(record, changes, guarded)]))[0]

    return on(vendor, work, **more)


JANE = {
    "name.first_name": "Jane",
    "name.last_name": "Doe",
    "email_addresses": ["jane@lantern.example.com", "jd@example.com"],
    "phone_numbers": ["+442079460000"],
    "job_title": "Head of Lamps",
    "linkedin": "https://www.linkedin.com/in/jane-doe",
    "primary_location.locality": "London",
    "primary_location.country_code": "GB",
}


def test_who_it_is(vendor: AttioServer) -> None:
    account = on(vendor, lambda crm: crm.info())
    assert (account.name, account.page_url) == ("Lantern Works", "https://app.attio.com/lantern-works")
    with pytest.raises(Expired):
        on(vendor, lambda crm: crm.info(), token="none")
    with pytest.raises(Expired):
        on(vendor, lambda crm: crm.lists(), token="none")


def test_signing_in(vendor: AttioServer) -> None:
    assert definition.oauth
    form = {"client_id": "app-1", "client_secret": "hush-app-secret", "grant_type": "authorization_code"}
    back = vendor.authorize(
        f"{definition.oauth.authorize_url}?client_id=app-1&response_type=code&state=s&redirect_uri=https://a.example.com/"
    )
    code = back.split("code=")[1].split("&")[0]
    form |= {"code": code, "redirect_uri": "https://a.example.com/"}
    answer = httpx2.post(f"{vendor.url}/oauth/token", data=form, timeout=120).json()
    assert set(answer) == {"access_token", "token_type"}
    assert on(vendor, lambda crm: crm.info(), token=answer["access_token"], oauth=True).name == "Lantern Works"


@pytest.mark.parametrize(
    "term",
    [
        {"email_addresses": ("JANE@lantern.example.com",)},
        {"email_addresses": ("jd@example.com", "other@example.com")},
        {"linkedin": ("linkedin.com/in/jane-doe", "https://www.linkedin.com/in/jane-doe", "x.example.com/y")},
        {"linkedin": ("https://www.LinkedIn.com/in/Jane-Doe",)},
        {"name.first_name": ("jane",), "name.last_name": ("DOE",)},
        {"name.full_name": ("jane doe",)},
        {"phone_numbers": ("+442079460000",)},
        {"job_title": ("head of lamps",)},
    ],
)
def test_a_contact_is_found_by_each_key(vendor: AttioServer, term: Term) -> None:
    [made] = create(vendor, JANE)
    create(vendor, {"name.first_name": "Jane", "name.last_name": "Other", "email_addresses": ["j@example.org"]})
    [found] = find(vendor, term)
    assert found.id == made.id
    assert found.url == f"https://app.attio.com/lantern-works/person/{made.id}"
    assert {name: found.fields[name] for name in JANE} == JANE
    assert (found.fields["company.name"], found.fields["company.domain"]) == ("Lantern", ["lantern.example.com"])


def test_several_are_found_together_the_oldest_first(vendor: AttioServer) -> None:
    ids = [vendor.put_contact(email=f"p{n}@example.com") for n in range(60)]
    terms: list[Term] = [{"email_addresses": (f"p{n}@example.com",)} for n in reversed(range(60))]
    assert [one.id for one in find(vendor, *terms)] == ids
    assert len(vendor.asked("POST .*people/records/query")) == 3


def test_search_is_never_behind(vendor: AttioServer) -> None:
    vendor.lag = 30
    [made] = create(vendor, JANE)
    assert [one.id for one in find(vendor, {"email_addresses": ("jd@example.com",)})] == [made.id]
    assert definition.search_lag == 0


def test_a_name_that_is_everywhere_hides_nobody(vendor: AttioServer) -> None:
    many = [vendor.put_contact(first_name="Jo", last_name="Smithson") for _ in range(520)]
    exact = vendor.put_contact(first_name="Jo", last_name="Smith")
    other = vendor.put_contact(email="jo@example.com")
    found = find(vendor, {"name.last_name": ("Smith",)}, {"email_addresses": ("jo@example.com",)})
    ids = {one.id for one in found}
    assert {many[0], exact, other} <= ids
    assert len(ids) == 102


def test_an_unknown_field_leaves_the_other_terms(vendor: AttioServer) -> None:
    [made] = create(vendor, JANE)
    term: Term = {"lost_field": ("x",)}
    assert [one.id for one in find(vendor, term, {"email_addresses": ("jd@example.com",)})] == [made.id]
    assert find(vendor, term) == []


def test_values_are_never_read_as_a_filter(vendor: AttioServer) -> None:
    vendor.put_contact(first_name="Somebody", last_name="Else")

    async def work(crm: Connector) -> None:
        for text in NASTY:
            fields = {"name.first_name": text, "name.last_name": text, "description": text, "linkedin": text}
            [made] = await crm.create("contact", [fields])
            assert isinstance(made, Record)
            names: Term = {"name.first_name": (text,), "name.last_name": (text,)}
            for term in (names, {"description": (text,)}, {"linkedin": (text,)}):
                assert [one.id for one in await crm.find("contact", [Sought({}, (term,))])] == [made.id]
            assert await crm.find("contact", [Sought({}, ({"email_addresses": (text,)},))]) == []
            assert (await crm.get("contact", [made.id]))[made.id].fields["description"] == text

    on(vendor, work)


def test_very_long_values(vendor: AttioServer) -> None:
    [made] = create(vendor, {"description": "é" * 200_000})
    assert read(vendor, made.id).fields["description"] == "é" * 200_000
    vendor.trouble("POST .*records$", Answer(400, {"code": "validation_type", "message": "Text is too long"}))
    [failure] = create(vendor, {"description": "x"})
    assert isinstance(failure, Rejected)


def test_names_have_their_three_parts(vendor: AttioServer) -> None:
    [only_full, only_first] = create(vendor, {"name.full_name": "Jane Doe"}, {"name.first_name": "Ada"})
    assert only_full.fields["name.first_name"] == only_full.fields["name.full_name"] == "Jane Doe"
    assert only_first.fields["name.full_name"] == "Ada"
    person = vendor.put_contact(first_name="Jane", last_name="Doe")
    assert change(vendor, person, {"name.last_name": "Roe"}).fields["name.full_name"] == "Jane Roe"


def test_a_filled_part_leaves_the_others(vendor: AttioServer) -> None:
    id = vendor.put_contact(first_name="Jane", city="Paris")
    vendor.records["people"][id]["primary_location"][0]["line_1"] = "1 Quay"
    vendor.records["people"][id]["name"][0]["full_name"] = "Dr Jane Doe"
    fields = change(vendor, id, {"primary_location.country_code": "FR", "name.last_name": "Doe"}, guarded=True).fields
    assert (fields["primary_location.locality"], fields["primary_location.line_1"]) == ("Paris", "1 Quay")
    assert (fields["name.last_name"], fields["name.full_name"]) == ("Doe", "Dr Jane Doe")


def test_the_companies_domain_never_makes_a_second_company(vendor: AttioServer) -> None:
    [company] = create(vendor, {"name": "Lantern Ltd", "domains": ["lantern.example.com"]}, kind="company")
    [first] = create(vendor, {**JANE, "company": company.id})
    [second] = create(vendor, {"email_addresses": ["joe@lantern.example.com"]})
    assert first.fields["company"] == second.fields["company"] == company.id
    assert read(vendor, second.id).fields["company.name"] == "Lantern Ltd"
    assert vendor.companies() == [{"id": company.id, "name": "Lantern Ltd", "domain": "lantern.example.com"}]


def test_a_company_that_a_person_made_is_the_duplicate(vendor: AttioServer) -> None:
    create(vendor, JANE)
    [company] = vendor.companies()
    [failure] = create(vendor, {"name": "Lantern Ltd", "domains": ["lantern.example.com"]}, kind="company")
    assert isinstance(failure, Duplicate)
    assert (failure.id, failure.kind) == (company["id"], "company")


def test_a_contact_has_every_domain_of_its_company(vendor: AttioServer) -> None:
    domains = ["lantern.example.com", "lantern.example.org"]
    [company] = create(vendor, {"domains": domains}, kind="company")
    create(vendor, {"name.last_name": "Doe", "company": company.id})
    [found] = find(vendor, {"name.last_name": ("doe",)})
    assert found.fields["company.domain"] == domains


def test_one_of_many_fails_alone(vendor: AttioServer) -> None:
    taken = vendor.put_contact(email="taken@example.com")
    rows = [{"email_addresses": [f"new{n}@example.com"]} for n in range(4)]
    rows[1] = {"email_addresses": ["fresh@example.com", "Taken@example.com"]}
    rows[2]["phone_numbers"] = ["12"]
    first, second, third, fourth = create(vendor, *rows)
    assert isinstance(second, Duplicate) and second.id == taken
    assert isinstance(third, Rejected) and third.field == "phone_numbers" and "Invalid phone" in third.message
    assert [one.fields["email_addresses"] for one in (first, fourth)] == [["new0@example.com"], ["new3@example.com"]]
    assert len(vendor.contacts()) == 3


def test_a_duplicate_of_nobody_to_be_found(vendor: AttioServer) -> None:
    body = {"code": "uniqueness_conflict", "message": "A value conflicts with one already in the system."}
    vendor.trouble("POST .*people/records$", Answer(400, body))
    [failure] = create(vendor, JANE)
    assert isinstance(failure, Duplicate) and failure.id is None


def test_an_address_of_another_contact(vendor: AttioServer) -> None:
    taken, own = vendor.put_contact(email="taken@example.com"), vendor.put_contact(email="own@example.com")
    failure = change(vendor, own, {"email_addresses": ["own@example.com", "taken@example.com"]})
    assert isinstance(failure, Duplicate) and failure.id == taken


def test_filling_a_list_loses_nothing(vendor: AttioServer) -> None:
    id = vendor.put_contact(email="a@example.com")

    async def work(crm: Connector) -> Any:
        record = (await crm.get("contact", [id]))[id]
        vendor.change_contact(id, email="a@example.com", other_emails=["typed@example.com"])
        wanted = ["A@example.com", "b@example.com"]
        return (await crm.update("contact", [Update(record, {"email_addresses": wanted}, guarded=True)]))[0]

    assert sorted(on(vendor, work).fields["email_addresses"]) == ["a@example.com", "b@example.com", "typed@example.com"]
    assert [one.json["data"]["values"] for one in vendor.asked("PATCH ")] == [{"email_addresses": ["b@example.com"]}]


def test_overwriting_a_list_gives_just_what_is_wanted(vendor: AttioServer) -> None:
    id = vendor.put_contact(email="a@example.com", other_emails=["b@example.com"])
    wanted = ["b@example.com", "c@example.com"]
    assert change(vendor, id, {"email_addresses": wanted}).fields["email_addresses"] == wanted
    wanted = ["new@example.com", *wanted]
    assert change(vendor, id, {"email_addresses": wanted}).fields["email_addresses"] == wanted
    assert [one.method for one in vendor.asked("(PUT|PATCH) ")] == ["PUT", "PATCH"]


def test_emptying(vendor: AttioServer) -> None:
    id = vendor.put_contact(email="a@example.com", first_name="Jane", job_title="CEO", city="Paris")
    changes = dict.fromkeys(["job_title", "email_addresses", "primary_location.locality", "name.first_name"])
    assert change(vendor, id, changes).fields == {}


def test_deleted_and_merged(vendor: AttioServer) -> None:
    [gone, kept, lost] = [vendor.put_contact(email=f"{name}@example.com") for name in ("gone", "kept", "lost")]
    records = on(vendor, lambda crm: crm.get("contact", [gone, kept, lost, "no-uuid"]))
    assert list(records) == [gone, kept, lost]
    vendor.delete_contact(gone)
    vendor.merge_contacts(kept, lost)
    assert on(vendor, lambda crm: crm.get("contact", [kept])) == {}
    assert on(vendor, lambda crm: crm.get("contact", [gone, lost])) == {}
    for id in (gone, kept):
        update = Update(records[id], {"job_title": "x"})
        [failure] = on(vendor, lambda crm, update=update: crm.update("contact", [update]))
        assert isinstance(failure, NotFound)
    [merged] = find(vendor, {"email_addresses": ("lost@example.com",)})
    assert merged.fields["email_addresses"] == ["kept@example.com", "lost@example.com"]


def test_a_merge_that_is_not_done(vendor: AttioServer) -> None:
    id = vendor.put_contact(email="a@example.com")
    vendor.trouble("GET .*records/", Answer(404, {"code": "merge_in_progress", "message": "Still merging."}))
    with pytest.raises(Unavailable) as failed:
        on(vendor, lambda crm: crm.get("contact", [id]))
    assert failed.value.retry_after == 5


def test_custom_fields(vendor: AttioServer) -> None:
    vendor.add_field("tier", "select", options=("Gold", 'Sil"ver'))
    vendor.add_field("tags", "select", multi=True, options=("a", "b"))
    vendor.add_field("score", "number")
    vendor.add_field("vip", "checkbox")
    vendor.add_field("owner", "actor-reference")
    reads = {"contact": {"tier", "tags", "score", "vip", "owner"}}
    fields = {"tier": 'Sil"ver', "tags": ["a"], "score": 5, "vip": False, "owner": vendor.owner}
    [made, wrong, unknown] = create(vendor, fields, {"tags": ["a", "Zinc"]}, {"nowhere": "x"}, reads=reads)
    assert {name: made.fields[name] for name in fields} == fields
    assert isinstance(wrong, Rejected) and wrong.field == "tags" and "Zinc" in wrong.message
    assert isinstance(unknown, UnknownField) and unknown.field == "nowhere"
    assert [one.id for one in find(vendor, {"tier": ('Sil"ver',)}, reads=reads)] == [made.id]


def test_a_field_that_is_deleted_meanwhile(vendor: AttioServer) -> None:
    vendor.add_field("tier", "text")

    async def work(crm: Connector) -> Any:
        [made] = await crm.create("contact", [{"tier": "x"}])
        assert isinstance(made, Record)
        vendor.remove_field("tier")
        return (await crm.update("contact", [Update(made, {"tier": "y"})]))[0]

    failure = on(vendor, work, reads={"contact": {"tier"}})
    assert isinstance(failure, UnknownField) and failure.field == "tier"


def test_a_country_that_is_none(vendor: AttioServer) -> None:
    [failure] = create(vendor, {"primary_location.country_code": "Germany"})
    assert isinstance(failure, Rejected) and failure.field == "primary_location.country_code"


def test_fields(vendor: AttioServer) -> None:
    vendor.add_field("tags", "select", multi=True, options=("a", "b"))
    vendor.add_field("mobile", "phone-number")
    people = {one.name: one for one in on(vendor, lambda crm: crm.fields("contact"))}
    mapped = {rule.field for rule in definition.mapping["contact"]}
    assert mapped <= people.keys()
    assert mapped <= people.keys()
    assert people["email_addresses"].type == people["phone_numbers"].type == "list"
    assert people["phone_numbers"].form == people["mobile"].form == "e164"
    assert people["primary_location.country_code"].form == "iso2"
    assert people["tags"] == Field(
        name="tags", label="Tags", type="choices", custom=True, options=[Option("a", "a"), Option("b", "b")]
    )
    assert people["company"].type == "reference" and people["company"].writable
    assert not people["company.name"].writable and not people["twitter_follower_count"].writable
    companies = {one.name: one for one in on(vendor, lambda crm: crm.fields("company"))}
    assert {rule.field for rule in definition.mapping["company"]} <= companies.keys()
    assert not companies["team"].writable and not companies["employee_range"].writable


def test_a_field_is_made(vendor: AttioServer) -> None:
    wanted = Field(name="fit", label="Fit", type="choices", options=[Option("high", "high")], custom=True)

    async def work(crm: Connector) -> list[Field]:
        return [await crm.create_field("contact", wanted) for _ in range(2)]

    assert on(vendor, work) == [wanted, wanted]
    with pytest.raises(Rejected):
        on(vendor, lambda crm: crm.create_field("contact", Field(name="x", label="X", type="list")))


def test_pages_have_each_record_once(vendor: AttioServer) -> None:
    ids = [vendor.put_contact(email=f"p{n}@example.com") for n in range(7)]
    for id in ids[3:5]:
        vendor.records["people"][id]["created_at"] = vendor.records["people"][ids[2]]["created_at"]

    async def work(crm: Connector) -> list[str]:
        found: list[str] = []
        while page := await crm.page("contact", found[-1] if found else None, 2):
            found += [one.id for one in page]
        return found

    assert on(vendor, work) == ids
    assert [one.id for one in on(vendor, lambda crm: crm.page("contact", ids[3], 2))] == ids[4:6]


def test_notes_and_tasks(vendor: AttioServer) -> None:
    id = vendor.put_contact(email="a@example.com")
    text = 'Met at the "fair".\n\nLikes <b>lamps</b> & \\ 雪'
    due = datetime(2026, 3, 1, 9, tzinfo=UTC)

    async def work(crm: Connector) -> None:
        await crm.add_note(id, "note")
        vendor.notes_ *= 55
        assert not await crm.has_note(id, text)
        await crm.add_note(id, text)
        assert await crm.has_note(id, text)
        [owner] = await crm.owners()
        assert (owner.email, owner.name) == ("olga@example.com", "Olga Owner")
        await crm.add_task(id, Task("Call Jane", "about lamps", due, owner.id))
        await crm.add_task(id, Task("Later"))

    on(vendor, work)
    assert vendor.notes(id)[-1] == text
    assert vendor.tasks(id) == ["Call Jane", "Later"]
    assert [one["deadline_at"] for one in vendor.tasks_] == ["2026-03-01T09:00:00.000000Z", None]
    vendor.delete_contact(id)
    for lost in (lambda crm: crm.add_note(id, "x"), lambda crm: crm.add_task(id, Task("x"))):
        with pytest.raises(NotFound):
            on(vendor, lost)


def test_lists(vendor: AttioServer) -> None:
    ids = [vendor.put_contact(email=f"p{n}@example.com") for n in range(4)]
    vendor.put_list("Companies only", "companies")

    async def work(crm: Connector) -> None:
        made = await crm.create_list("Trade Fair – Köln 2026")
        assert [(one.id, one.name) for one in await crm.lists()] == [(made.id, made.name)]
        await crm.add_to_list(made.id, ids[:2])
        await crm.add_to_list(made.id, ids[1:3])
        assert await crm.in_list(made.id, [*ids, "no-uuid"]) == set(ids[:3])
        vendor.entries.append((made.id, ids[0]))
        await crm.add_to_list(made.id, ids[:1])
        with pytest.raises(NotFound):
            await crm.in_list(vendor.uuid(), ids)

    on(vendor, work)
    assert sorted(vendor.members("Trade Fair – Köln 2026")) == sorted([*ids[:3], ids[0]])


def test_a_missing_permission(vendor: AttioServer) -> None:
    vendor.no_scope = {"record_permission:read-write", "list_configuration:read"}
    [failure] = create(vendor, JANE)
    assert isinstance(failure, Rejected) and "record_permission:read-write" in failure.message
    with pytest.raises(Rejected):
        on(vendor, lambda crm: crm.lists())


def test_reads_and_writes_have_quotas_of_their_own(vendor: AttioServer, patient: None) -> None:
    vendor.quota, vendor.write_quota = (100, 1), (25, 1)
    began = time.monotonic()
    results = create(vendor, *({"email_addresses": [f"p{n}@example.com"]} for n in range(30)))
    assert time.monotonic() - began > 0.9
    assert all(isinstance(one, Record) for one in results)
    assert len(vendor.contacts()) == 30


def test_a_throttled_call_waits_for_the_date(vendor: AttioServer, patient: None) -> None:
    vendor.trouble("POST .*records$", vendor.throttled())
    [made] = create(vendor, JANE)
    assert isinstance(made, Record)


@pytest.mark.parametrize("header", ["3600", "Fri, 01 Jan 2100 00:00:00 GMT"])
def test_a_long_throttle(vendor: AttioServer, header: str) -> None:
    vendor.trouble("POST .*query", vendor.throttled()._replace(headers={"Retry-After": header}))
    with pytest.raises(RateLimited) as failed:
        find(vendor, {"email_addresses": ("a@example.com",)})
    assert failed.value.retry_after > 3000


def test_nothing_that_can_fail_follows_a_create(vendor: AttioServer) -> None:
    vendor.add_field("tier", "text")
    create(vendor, {**JANE, "tier": "x"})
    assert [one.method for one in vendor.seen] == ["GET", "POST"]


def test_what_is_there_is_not_written(vendor: AttioServer) -> None:
    id = vendor.put_contact(email="a@example.com")
    assert isinstance(change(vendor, id, {"email_addresses": ["A@example.com"]}, guarded=True), Record)
    assert vendor.asked("(PUT|PATCH) ") == []


def test_a_create_that_is_lost_is_not_repeated(vendor: AttioServer) -> None:
    vendor.trouble("POST .*records$", lost=True)
    [failure] = create(vendor, JANE)
    assert isinstance(failure, Unavailable) and failure.maybe_done
    assert len(vendor.contacts()) == len(vendor.asked("POST .*people/records$")) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, {"data": 7}),
        Answer(200, ["x"]),
        Answer(200, {"data": {"id": {"record_id": 5}}}),
        Answer(400, {"message": "?"}),
        Answer(418, []),
    ],
)
def test_an_answer_of_another_shape(vendor: AttioServer, answer: Answer) -> None:
    vendor.trouble("(GET|POST) ", answer, times=100)
    ways: list[Callable[[Connector], Awaitable[Any]]] = [
        lambda crm: crm.find("contact", [Sought({}, ({"linkedin": ("x",)},))]),
        lambda crm: crm.get("contact", [vendor.owner]),
        lambda crm: crm.page("contact", None, 5),
        lambda crm: crm.fields("contact"),
        lambda crm: crm.owners(),
        lambda crm: crm.lists(),
        lambda crm: crm.info(),
        lambda crm: crm.has_note(vendor.owner, "x"),
        lambda crm: crm.add_note(vendor.owner, "x"),
    ]

    async def work(crm: Connector) -> None:
        for way in ways:
            with pytest.raises(Unavailable):
                await way(crm)
        [failure] = await crm.create("contact", [JANE])
        assert isinstance(failure, Unavailable)

    on(vendor, work)


def test_html_instead_of_json(vendor: AttioServer) -> None:
    vendor.trouble("POST .*records$", Answer(200, "<html>Sign in</html>"))
    [failure] = create(vendor, JANE)
    assert isinstance(failure, Unavailable) and failure.maybe_done


class TestAttio(Scenarios):
    crm = "attio"
    server = AttioServer
    creates = r"POST /v2/objects/people/records$"
    writes = r"POST /v2/objects/people/records$|(PATCH|PUT) /v2/objects/people/records/"
    picklist = ("level", "gold")
    text_field = "tier"
    lists_emails = True
    date_field = "met_on"
    time_field = "next_call"
    looks = None
    oauth_refreshes = False
    renames_merged = True
    owner_field = "contact_owner"
    makes_companies = True

    def prepare(self, vendor: AttioServer) -> None:
        vendor.add_field("tier")
        vendor.add_field("level", "select", options=("gold", "silver"))
        vendor.add_field("contact_owner", "actor-reference")
        vendor.add_field("met_on", "date")
        vendor.add_field("next_call", "timestamp")

    def test_a_number_or_country_that_is_none_is_named_by_our_path_with_the_form(
        self, run: Any, vendor: AttioServer
    ) -> None:
        refused: list[tuple[dict[str, Any], str, str]] = [
            ({"phone": "0171 555 0100"}, "person.phone", "+1 555 010 0100"),
            ({"phone": "+15550100100", "phones": [{"number": "0171 555"}]}, "person.phones", "+1 555 010 0100"),
            ({"location": {"country": "Atlantis"}}, "person.location.country", "ISO code"),
            ({"company": {"name": "Acme", "location": {"country": "Oz"}}}, "person.company.location.country", "ISO"),
        ]

        async def work(desk: Desk) -> None:
            for sent, path, allowed in refused:
                error = await desk.fails("validation_error", {**WHO, **sent})
                assert error.details
                assert (error.details[0].path, allowed in error.details[0].message) == (path, True)
            assert vendor.contacts() == vendor.companies() == []

        run(work)

    def test_a_company_of_several_domains_is_known_by_each(self, run: Any, vendor: AttioServer) -> None:
        domains = ["acme.example.org", "acme.example.com"]

        async def work(desk: Desk) -> None:
            there = vendor.put_company(name="Acme Group", domains=domains)
            done = await desk.write(PERSON, on_conflict="overwrite")
            again = await desk.write(PERSON, on_conflict="overwrite")
            assert (done.company_id, again.company_id, again.action) == (there, there, "unchanged")
            assert [one["id"] for one in vendor.companies()] == [there]
            held = vendor.records["companies"][there]["domains"]
            assert sorted(one["domain"] for one in held) == sorted(domains)

        run(work)

    def test_a_push_keeps_within_the_quota(
        self, run: Any, vendor: AttioServer, turns: Turns, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Twice as fast as Attio allows, so that it does not take 6 seconds.
        monkeypatch.setattr(client, "WRITES", Vendor(name="attio_writes", quota=Quota((Window(25, 0.5),))))
        vendor.quota, vendor.write_quota = (100, 1), (25, 0.5)
        everybody = people(150, 7)

        async def work(desk: Desk) -> None:
            size = definition.batch
            chunks = [everybody[at : at + size] for at in range(0, len(everybody), size)]

            async def lane(some: list[list[dict[str, Any]]]) -> list[Any]:
                return [done for chunk in some for done in await desk.write_many(chunk)]

            lanes = await asyncio.gather(*(lane(chunks[turn::3]) for turn in range(3)))
            assert {one.action for done in lanes for one in done} == {"created"}

        run(work)
        writes = vendor.asked("(POST|PUT|PATCH) .*(?<!/query)$")
        assert turns.keep("attio_writes", *vendor.write_quota, asked=len(writes))
        assert turns.keep("attio", *vendor.quota, asked=len(vendor.seen) - len(writes))
        assert sorted(one["email"] for one in vendor.contacts()) == sorted(one["email"] for one in everybody)
        assert len(vendor.companies()) == 7
