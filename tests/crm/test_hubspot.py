"""HubSpot's connector against a server that answers as HubSpot does."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from opened import run
from turns import Turns
from vendors.hubspot_server import HubSpotServer
from vendors.wire import Answer

from addtocrm.core.outgoing.vendor import Quota, Window
from addtocrm.crm.connectors import hubspot
from addtocrm.crm.connectors.hubspot import connector
from addtocrm.crm.contract import Field, Option, Record, Sought, Task, Term, Update
from addtocrm.crm.failures import (
    Changed,
    Duplicate,
    Expired,
    Failure,
    NotFound,
    RateLimited,
    Rejected,
    Unavailable,
    UnknownField,
)
from addtocrm.crm.kinds import Kind

NASTY = ["O'Brien", 'Say "hi"', "back\\slash", "a;b,c", "%_*()", "Żółć 漢字 🎈", "<b>&amp;</b>", "{}[]", "\u202emirror"]
JANE = {"email": "jane@example.com", "firstname": "Jane", "lastname": "Doe", "jobtitle": "Head of Sales"}


@pytest.fixture
def vendor() -> Iterator[HubSpotServer]:
    with HubSpotServer() as server:
        assert isinstance(server, HubSpotServer)
        yield server
        assert server.refused == []


def find(vendor: HubSpotServer, *terms: Term, kind: Kind = "contact") -> list[str]:
    records = run(connector, vendor.url, lambda crm: crm.find(kind, [Sought({}, (term,)) for term in terms]))
    return [record.id for record in records]


def get(vendor: HubSpotServer, id: str, kind: Kind = "contact", **more: Any) -> Record:
    return run(connector, vendor.url, lambda crm: crm.get(kind, [id]), **more)[id]


def create(vendor: HubSpotServer, *rows: dict[str, Any], kind: Kind = "contact") -> list[Record | Failure]:
    return run(connector, vendor.url, lambda crm: crm.create(kind, rows))


def update(vendor: HubSpotServer, *updates: Update, kind: Kind = "contact") -> list[Record | Failure]:
    return run(connector, vendor.url, lambda crm: crm.update(kind, updates))


def only(results: list[Any], type: type[Any]) -> Any:
    assert len(results) == 1
    assert isinstance(results[0], type)
    return results[0]


def test_a_contact_is_found_by_each_key(vendor: HubSpotServer) -> None:
    jane = vendor.put_contact(
        email="jane@example.com", other_emails=["jd@old.test"], first_name="Jane", last_name="Doe",
        linkedin_url="https://www.linkedin.com/in/jane-doe",
    )  # fmt: skip
    vendor.put_contact(email="joe@example.com", first_name="Joe", last_name="Doe")
    forms = ("linkedin.com/in/Jane-Doe", "https://www.linkedin.com/in/Jane-Doe")
    cases: list[tuple[list[Term], list[str]]] = [
        ([{"hs_linkedin_url": forms}], [jane]),
        ([{"email": ("Jane@Example.com",)}], [jane]),
        ([{"hs_additional_emails": ("JD@old.test",)}, {"email": ("JD@old.test",)}], [jane]),
        ([{"firstname": ("JANE",), "lastname": ("doe",)}], [jane]),
        ([{"firstname": ("Jane",), "lastname": ("Roe",)}], []),
        ([], []),
    ]

    async def work(crm: Any) -> None:
        for terms, ids in cases:
            assert [one.id for one in await crm.find("contact", [Sought({}, tuple(terms))])] == ids

    run(connector, vendor.url, work)


def test_companies_are_found_by_domain_and_name_the_oldest_first(vendor: HubSpotServer) -> None:
    first = vendor.put_company(name="Acme", domain="acme.test")
    second = vendor.put_company(name="ACME", domain="acme.example.com")
    assert find(vendor, {"name": ("Acme",)}, {"domain": ("acme.test",)}, kind="company") == [first, second]


def test_a_hundred_people_are_sought_within_the_limits_of_search(vendor: HubSpotServer) -> None:
    terms: list[Term] = []
    for number in range(100):
        urls = tuple(f"https://{host}linkedin.com/in/person-number-{number}" for host in ("", "www.", "de.", "m."))
        terms += [{"hs_linkedin_url": urls}, {"email": (f"p{number}@example.com",)}]
        terms += [{"firstname": (f"First{number}",), "lastname": (f"Last{number}",)}]
    ids = [vendor.put_contact(email="p7@example.com"), vendor.put_contact(first_name="first50", last_name="last50")]
    ids.append(vendor.put_contact(linkedin_url="https://m.linkedin.com/in/person-number-99"))
    assert find(vendor, *terms) == ids
    assert len(vendor.asked("/search")) < 20
    assert len(vendor.asked("/batch/read")) == 2


def test_a_common_name_does_not_hide_a_key(vendor: HubSpotServer) -> None:
    for _ in range(230):
        vendor.put_contact(first_name="Ann", last_name="Lee")
    ann = vendor.put_contact(linkedin_url="https://www.linkedin.com/in/ann-lee")
    name = {"firstname": ("Ann",), "lastname": ("Lee",)}
    found = find(vendor, name, {"hs_linkedin_url": ("https://www.linkedin.com/in/ann-lee",)})
    assert ann in found
    assert len(found) == 231


def test_a_term_of_an_unknown_field_leaves_the_others(vendor: HubSpotServer) -> None:
    jane = vendor.put_contact(first_name="Jane", last_name="Doe")
    assert find(vendor, {"gone_field": ("x",)}, {"firstname": ("Jane",), "lastname": ("Doe",)}) == [jane]
    assert find(vendor, {"gone_field": ("x",)}) == []


def test_any_text_goes_there_and_back(vendor: HubSpotServer) -> None:
    async def work(crm: Any) -> None:
        for text in NASTY:
            (made,) = await crm.create("contact", [{"firstname": text, "lastname": text}])
            assert (await crm.get("contact", [made.id]))[made.id].fields["lastname"] == text
            names: list[Term] = [{"firstname": (text,), "lastname": (last,)} for last in (text, text + "x")]
            found = [await crm.find("contact", [Sought({}, (name,))]) for name in names]
            assert [[one.id for one in each] for each in found] == [[made.id], []]
            await crm.add_note(made.id, f"{text}\nsecond line")
            assert await crm.has_note(made.id, f"{text}\nsecond line")
            await crm.add_to_list((await crm.create_list(text)).id, [made.id])
            assert vendor.notes(made.id) == [f"{text}\nsecond line"]
            assert vendor.members(text) == [made.id]

    run(connector, vendor.url, work)


def test_very_long_values(vendor: HubSpotServer) -> None:
    long = "x" * 70_000
    assert find(vendor, {"firstname": (long,), "lastname": ("Doe",)}, {"hs_linkedin_url": (long,)}) == []
    assert only(create(vendor, {"firstname": "Jane", "jobtitle": long}), Rejected).field == "jobtitle"
    jane = vendor.put_contact(first_name="Jane")
    with pytest.raises(Rejected):
        run(connector, vendor.url, lambda crm: crm.add_note(jane, long))


def test_create_and_read_back(vendor: HubSpotServer) -> None:
    acme = vendor.put_company(name="Acme")
    more = {"associatedcompanyid": acme, "hubspot_owner_id": "71"}
    made = only(create(vendor, JANE | more), Record)
    assert made.url == f"https://crm.example.com/record/0-1/{made.id}"
    assert vendor.contacts()[0]["company_id"] == acme
    read = get(vendor, made.id)
    assert dict(read.fields) | JANE | more == dict(read.fields)
    assert read.version == made.version
    assert len(vendor.asked("POST /crm/v3/objects/contacts$")) == 1


def test_additional_addresses_are_read_and_not_written(vendor: HubSpotServer) -> None:
    jane = vendor.put_contact(email="jane@example.com", other_emails=["jd@old.test", "j@old.test"])
    record = get(vendor, jane)
    assert record.fields["hs_additional_emails"] == ["jd@old.test", "j@old.test"]
    assert only(update(vendor, Update(record, {"hs_additional_emails": ["x@old.test"]})), Rejected).field == (
        "hs_additional_emails"
    )
    assert [rule.field for rule in connector.mapping["contact"] if rule.read_only] == ["hs_additional_emails"]


def test_numbers_are_numbers(vendor: HubSpotServer) -> None:
    made = only(
        create(vendor, {"name": "Acme", "numberofemployees": 250, "founded_year": 1999}, kind="company"), Record
    )
    assert get(vendor, made.id, "company").fields["numberofemployees"] == 250


def test_a_duplicate_names_the_one_that_is_there(vendor: HubSpotServer) -> None:
    jane = vendor.put_contact(email="jane@example.com", other_emails=["jd@old.test"])
    assert only(create(vendor, JANE), Duplicate).id == jane
    assert only(create(vendor, {"email": "JD@old.test"}), Duplicate).id == jane


def test_who_has_only_a_linkedin_url_fails_alone(vendor: HubSpotServer) -> None:
    nameless = {"hs_linkedin_url": "https://www.linkedin.com/in/jane"}
    lone, made = create(vendor, nameless, JANE)
    assert isinstance(lone, Rejected) and "first name" in lone.message
    assert isinstance(made, Record) and len(vendor.asked("POST /crm/v3/objects/contacts")) == 1


def test_in_a_batch_each_fails_alone(vendor: HubSpotServer) -> None:
    jane = vendor.put_contact(email="jane@example.com")
    rows = [{"email": "a@example.com"}, JANE, {"email": "b@example.com", "nope": "1"}, {"email": "c@example.com"}]
    rows += [{"email": "no address"}, {"firstname": "D", "hs_lead_status": "Purple"}]
    a, duplicate, unknown, c, wrong, option = create(vendor, *rows)
    assert isinstance(a, Record)
    assert isinstance(c, Record)
    assert (a.fields["email"], c.fields["email"]) == ("a@example.com", "c@example.com")
    assert isinstance(duplicate, Duplicate)
    assert duplicate.id == jane
    assert isinstance(unknown, UnknownField)
    assert unknown.field == "nope"
    assert isinstance(wrong, Rejected)
    assert (wrong.field, wrong.message) == ("email", "Email address no address is invalid")
    assert isinstance(option, Rejected)
    assert "NEW" in option.message
    assert len(vendor.asked("POST")) == 1
    assert [one["email"] for one in vendor.contacts()] == ["jane@example.com", "a@example.com", "c@example.com"]


def test_two_hundred_are_made_in_two_requests(vendor: HubSpotServer) -> None:
    results = create(vendor, *({"email": f"p{number}@example.com"} for number in range(200)))
    assert [one.fields["email"] for one in results if isinstance(one, Record)] == [
        f"p{number}@example.com" for number in range(200)
    ]
    assert len(vendor.asked("POST")) == 2


def test_a_chunk_that_gets_no_answer_takes_nothing_from_the_others(vendor: HubSpotServer) -> None:
    vendor.trouble("batch/create", Answer(201, {"results": []}), times=1)
    results = create(vendor, *({"email": f"p{number}@example.com"} for number in range(101)))
    assert [type(one) for one in results] == [Unavailable] * 100 + [Record]
    assert all(one.maybe_done for one in results if isinstance(one, Unavailable))


def test_update_changes_and_empties(vendor: HubSpotServer) -> None:
    acme, beta = vendor.put_company(name="Acme"), vendor.put_company(name="Beta")
    jane = vendor.put_contact(first_name="Jane", phone="1", city="Bern")
    record = get(vendor, jane)
    changed = only(update(vendor, Update(record, {"phone": None, "city": "Rome", "associatedcompanyid": acme})), Record)
    assert "phone" not in changed.fields
    assert changed.fields["city"] == "Rome"
    assert vendor.contacts() == [{"id": jane, "first_name": "Jane", "city": "Rome", "company_id": acme}]
    only(update(vendor, Update(changed, {"associatedcompanyid": beta})), Record)
    assert vendor.contacts()[0]["company_id"] == beta
    only(update(vendor, Update(get(vendor, jane), {"associatedcompanyid": None})), Record)
    assert "company_id" not in vendor.contacts()[0]
    assert len(vendor.asked("PATCH")) == 1


def test_a_value_that_was_typed_meanwhile_is_kept(vendor: HubSpotServer) -> None:
    jane, joe = vendor.put_contact(first_name="Jane"), vendor.put_contact(first_name="Joe")
    records = run(connector, vendor.url, lambda crm: crm.get("contact", [jane, joe]))
    vendor.change_contact(jane, city="Oslo")
    vendor.change_contact(joe, phone="1")
    results = update(vendor, *(Update(one, {"city": "Bern"}, guarded=True) for one in records.values()))
    assert [type(one) for one in results] == [Changed, Record]
    assert [one["city"] for one in vendor.contacts()] == ["Oslo", "Bern"]
    vendor.delete_contact(joe)
    only(update(vendor, Update(records[joe], {"city": "Rome"}, guarded=True)), NotFound)


def test_in_a_batch_of_updates_each_fails_alone(vendor: HubSpotServer) -> None:
    acme = vendor.put_company(name="Acme")
    ids = [vendor.put_contact(email=f"p{number}@example.com") for number in range(5)]
    records = list(run(connector, vendor.url, lambda crm: crm.get("contact", ids)).values())
    vendor.delete_contact(ids[1])
    changes: list[dict[str, Any]] = [
        {"city": "Bern", "associatedcompanyid": acme},
        {"city": "Bern"},
        {"email": "p0@example.com"},
        {"hs_lead_status": "Purple"},
        {"city": "Bern", "associatedcompanyid": "999"},
    ]
    results = update(vendor, *map(Update, records, changes))
    assert [type(one) for one in results] == [Record, NotFound, Duplicate, Rejected, Rejected]
    assert isinstance(results[4], Rejected)
    assert results[4].field == "associatedcompanyid"
    assert vendor.contacts()[0]["company_id"] == acme
    assert [one.get("city") for one in vendor.contacts()] == ["Bern", None, None, "Bern"]


def test_a_deleted_contact_is_not_there(vendor: HubSpotServer) -> None:
    jane = vendor.put_contact(email="jane@example.com")
    record = get(vendor, jane)
    vendor.delete_contact(jane)
    assert run(connector, vendor.url, lambda crm: crm.get("contact", [jane, "404"])) == {}
    assert only(update(vendor, Update(record, {"city": "Bern"})), NotFound).what == f"contact {jane}"
    with pytest.raises(NotFound):
        run(connector, vendor.url, lambda crm: crm.add_note(jane, "hello"))
    with pytest.raises(NotFound):
        run(connector, vendor.url, lambda crm: crm.has_note(jane, "hello"))


def test_a_merged_contact_is_found_by_both_addresses(vendor: HubSpotServer) -> None:
    kept, gone = vendor.put_contact(email="jane@example.com"), vendor.put_contact(email="jd@old.test")
    vendor.merge_contacts(kept, gone)
    found = run(connector, vendor.url, lambda crm: crm.get("contact", ["1", gone, kept]))
    assert {id: record.id for id, record in found.items()} == {gone: kept, kept: kept}
    assert find(vendor, {"email": ("jd@old.test",)}) == [kept]


def test_a_field_that_was_deleted(vendor: HubSpotServer) -> None:
    vendor.add_field("shoe_size")
    made = only(create(vendor, {"firstname": "Jane", "shoe_size": "38"}), Record)
    assert get(vendor, made.id, reads={"contact": {"shoe_size"}}).fields["shoe_size"] == "38"
    vendor.remove_field("shoe_size")
    assert only(create(vendor, {"firstname": "Jane", "shoe_size": "38"}), UnknownField).field == "shoe_size"
    assert only(update(vendor, Update(made, {"shoe_size": "39"})), UnknownField).field == "shoe_size"


def test_a_field_that_was_deleted_costs_a_batch_two_requests(vendor: HubSpotServer) -> None:
    ids = [vendor.put_contact(first_name=f"P{number}") for number in range(40)]
    records = list(run(connector, vendor.url, lambda crm: crm.get("contact", ids)).values())
    more = [{"gone_field": "1"}, {}]
    results = update(vendor, *(Update(one, {"city": "Bern", **more[n % 2]}) for n, one in enumerate(records)))
    assert [type(one) for one in results] == [UnknownField, Record] * 20
    assert len(vendor.asked("batch/update")) == 2
    vendor.scopes = {"crm.objects.contacts.read"}
    results = update(vendor, *(Update(one, {"city": "Rome"}) for one in records))
    assert [type(one).__mro__[1] for one in results] == [Rejected] * 40
    assert len(vendor.asked("batch/update")) == 3


def test_fields_are_described(vendor: HubSpotServer) -> None:
    vendor.add_field("colour", "red", "blue")
    fields = {one.name: one for one in run(connector, vendor.url, lambda crm: crm.fields("contact"))}
    assert (fields["email"].type, fields["email"].max_length, fields["email"].custom) == ("text", 65_536, False)
    assert (fields["hs_additional_emails"].type, fields["hs_additional_emails"].writable) == ("list", False)
    assert fields["associatedcompanyid"].type == fields["hubspot_owner_id"].type == "reference"
    assert fields["associatedcompanyid"].writable
    assert not fields["createdate"].writable
    assert fields["colour"].custom
    assert (fields["colour"].type, fields["colour"].options[0]) == ("choice", Option("red", "Red"))


def test_a_field_is_made_once(vendor: HubSpotServer) -> None:
    wanted = connector.linkedin["contact"]
    for _ in range(2):
        made = run(connector, vendor.url, lambda crm: crm.create_field("contact", wanted))
        assert (made.name, made.type, made.custom) == (wanted.name, "text", True)
    yes_no = Field(name="is_friend", label="Friend", type="boolean")
    assert run(connector, vendor.url, lambda crm: crm.create_field("contact", yes_no)).type == "boolean"
    with pytest.raises(Rejected):
        run(connector, vendor.url, lambda crm: crm.create_field("contact", Field(name="l", label="L", type="list")))


def test_notes_tasks_lists_and_owners(vendor: HubSpotServer) -> None:
    jane, joe = vendor.put_contact(first_name="Jane"), vendor.put_contact(first_name="Joe")
    vendor.lists["5"] = ("Active ones", "DYNAMIC", [])

    async def work(crm: Any) -> None:
        assert await crm.add_note(jane, "Met at the fair") != await crm.add_note(jane, "Again")
        assert await crm.has_note(jane, "Again")
        assert not await crm.has_note(joe, "Again")
        due = datetime(2030, 1, 2, tzinfo=UTC)
        await crm.add_task(jane, Task("Call <her>", "soon & well", due, "71"))
        await crm.add_task(jane, Task("Write"))
        fair = await crm.create_list("Fair")
        assert (await crm.create_list("FAIR")).id == fair.id
        with pytest.raises(Rejected):
            await crm.create_list("active ones")
        assert await crm.lists() == [fair]
        for _ in range(2):
            await crm.add_to_list(fair.id, [jane])
        assert await crm.in_list(fair.id, [jane, joe]) == {jane}
        with pytest.raises(NotFound):
            await crm.add_to_list("404 no", [jane])
        with pytest.raises(NotFound, match="contact 404"):
            await crm.add_to_list(fair.id, [jane, "404"])
        owner = (await crm.owners())[0]
        assert (owner.id, owner.email, owner.name) == ("71", "ann@example.com", "ann Test")
        with pytest.raises(Rejected):
            await crm.add_task(jane, Task("Call", owner="9"))

    run(connector, vendor.url, work)
    assert vendor.notes(jane) == ["Met at the fair", "Again"]
    assert vendor.tasks(jane) == ["Call <her>", "Write"]
    assert vendor.members("Fair") == [jane]


def test_more_than_a_page_of_owners_and_notes(vendor: HubSpotServer) -> None:
    vendor.owners = {str(number): f"o{number}@example.com" for number in range(501)}
    jane = vendor.put_contact(first_name="Jane")

    async def work(crm: Any) -> bool:
        assert len(await crm.owners()) == 501
        for number in range(3):
            await crm.add_note(jane, f"note {number}")
        return bool(await crm.has_note(jane, "note 2"))

    assert run(connector, vendor.url, work)


def test_pages_are_in_a_stable_order(vendor: HubSpotServer) -> None:
    ids = [vendor.put_contact(first_name=f"P{number}") for number in range(120)]

    async def work(crm: Any) -> list[str]:
        first = await crm.page("contact", None, 110)
        return [one.id for one in first + await crm.page("contact", first[-1].id, 110)]

    assert run(connector, vendor.url, work) == ids


def test_the_account_is_known_by_its_portal(vendor: HubSpotServer) -> None:
    info = run(connector, vendor.url, lambda crm: crm.info())
    assert (info.id, info.page_url) == ("4711", "https://app-eu1.hubspot.com/contacts/4711")
    vendor.trouble("details", Answer(200, {"portalId": 1, "uiDomain": "evil.test/app.hubspot.com"}))
    assert run(connector, vendor.url, lambda crm: crm.info()).page_url == "https://app.hubspot.com/contacts/1"


def test_search_lags_behind_but_not_addresses(vendor: HubSpotServer) -> None:
    vendor.lag = 60
    made = only(create(vendor, JANE), Record)
    assert find(vendor, {"firstname": ("Jane",), "lastname": ("Doe",)}) == []
    assert find(vendor, {"email": ("jane@example.com",)}) == [made.id]
    assert connector.search_lag > 0


def test_the_ten_seconds_are_used_up(vendor: HubSpotServer) -> None:
    vendor.put_contact(email="jane@example.com")
    vendor.quota = (1, 3600)
    get_twice = [{"email": ("jane@example.com",)}] * 1
    assert len(find(vendor, *get_twice)) == 1
    with pytest.raises(RateLimited) as raised:
        find(vendor, *get_twice)
    assert 1 < raised.value.retry_after <= 10
    assert vendor.throttles >= 1


def test_the_day_is_used_up(vendor: HubSpotServer) -> None:
    vendor.daily = 0
    with pytest.raises(RateLimited) as raised:
        find(vendor, {"email": ("jane@example.com",)})
    assert raised.value.retry_after > 600
    assert vendor.throttles == 1


def test_search_has_a_quota_of_its_own(vendor: HubSpotServer, turns: Turns) -> None:
    vendor.search_quota = (5, 1.0)

    async def work(crm: Any) -> None:
        for number in range(11):
            await crm.find("contact", [Sought({}, ({"hs_linkedin_url": (f"linkedin.com/in/p{number}",)},))])

    run(connector, vendor.url, work)
    assert turns.keep("hubspot-search", *vendor.search_quota, asked=11)


@pytest.mark.parametrize(("message", "seconds"), [("Your daily limit.", 900), ("ten_secondly_rolling limit", 10)])
def test_a_limit_in_another_form(vendor: HubSpotServer, message: str, seconds: float) -> None:
    body = {"status": "error", "category": "RATE_LIMITS", "message": message}
    vendor.trouble("batch/read", Answer(400, body))
    with pytest.raises(RateLimited) as raised:
        find(vendor, {"email": ("jane@example.com",)})
    assert raised.value.retry_after == seconds


def test_the_quota_is_learnt() -> None:
    learn = hubspot.connector.vendor and hubspot.connector.vendor.learn
    assert learn
    lesson = learn({"x-hubspot-ratelimit-max": "190", "x-hubspot-ratelimit-interval-milliseconds": "10000"})
    assert lesson
    assert lesson.quota == Quota((Window(190, 10.0),))
    assert learn({"x-hubspot-ratelimit-max": "many"}) is None


@pytest.mark.parametrize("status", [423, 477])
def test_a_record_that_is_locked_passes(vendor: HubSpotServer, status: int) -> None:
    jane = vendor.put_contact(first_name="Jane")
    record = get(vendor, jane)
    vendor.trouble("PATCH", Answer(status, {"message": "locked"}, {"Retry-After": "7"} if status == 477 else {}))
    with pytest.raises(Unavailable) as raised:
        update(vendor, Update(record, {"city": "Bern"}))
    assert raised.value.retry_after == (7 if status == 477 else 2)


@pytest.mark.parametrize(
    "answer", [Answer(200, {"results": "none"}), Answer(200, ["x"]), Answer(200, {}), Answer(403, [1])]
)
def test_an_answer_of_another_shape_is_no_answer(vendor: HubSpotServer, answer: Answer) -> None:
    vendor.trouble("", answer, times=99)

    async def work(crm: Any) -> None:
        for asked in (
            crm.find("contact", [Sought({}, ({"firstname": ("a",)},))]),
            crm.create("contact", [JANE]),
            crm.fields("contact"),
            crm.info(),
            crm.create_list("Fair"),
        ):
            with pytest.raises(Unavailable):
                await asked

    run(connector, vendor.url, work)


def test_a_page_of_maintenance_is_no_answer(vendor: HubSpotServer) -> None:
    vendor.trouble("", Answer(403, "<html>maintenance</html>"), times=99)
    with pytest.raises(Unavailable):
        create(vendor, JANE)


def test_a_token_that_ended(vendor: HubSpotServer) -> None:
    vendor.forget_grants()
    with pytest.raises(Expired):
        find(vendor, {"email": ("jane@example.com",)})


def test_a_missing_scope_is_named(vendor: HubSpotServer) -> None:
    vendor.scopes = {"crm.objects.contacts.read", "crm.lists.read"}
    assert "crm.objects.contacts.write" in only(create(vendor, JANE), Rejected).message
    with pytest.raises(Rejected, match=r"crm\.lists\.write"):
        run(connector, vendor.url, lambda crm: crm.create_list("Fair"))


def test_a_new_contact_is_not_sent_twice(vendor: HubSpotServer) -> None:
    vendor.trouble("POST /crm/v3/objects/contacts$", lost=True)
    with pytest.raises(Unavailable) as raised:
        create(vendor, JANE)
    assert raised.value.maybe_done
    assert len(vendor.contacts()) == 1
