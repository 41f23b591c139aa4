"""The connector to Salesforce, against a server that answers as its guides say."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from typing import Any, TypeVar

import opened
import pytest
from desk import JANE, WHO, Desk, people
from lead_scenarios import LeadScenarios
from scenarios import Scenarios
from vendors.base import GIVEN
from vendors.salesforce_server import SalesforceServer, error
from vendors.wire import Answer

from addtocrm.core.errors import ApiError
from addtocrm.crm import connections, mappings
from addtocrm.crm import contract as c
from addtocrm.crm import failures as f
from addtocrm.crm.connectors.salesforce import client, soql
from addtocrm.crm.connectors.salesforce import connector as salesforce
from addtocrm.crm.kinds import Kind
from addtocrm.crm.model import MappingWrite

T = TypeVar("T")
Work = Callable[[c.Connector], Awaitable[T]]
URL = "https://www.linkedin.com/in/"
NASTY = ["O'Neil", "back\\slash", "\\' OR Id != null OR Name = '", "line\nbreak\ttab\r", '"quoted" %_']
NASTY += ["名前 ünïcødé 🙂", "@{q0.id} @{note.id}"]


@pytest.fixture
def vendor() -> Iterator[SalesforceServer]:
    with SalesforceServer() as server:
        yield server


@pytest.fixture
def run(vendor: SalesforceServer) -> Iterator[Callable[..., Any]]:
    """Runs work on the connector; nothing may be asked for that the guides do not allow."""
    yield lambda work, **more: opened.run(salesforce, vendor.url, work, **more)
    assert vendor.refused == []


def sought(*terms: dict[str, tuple[str, ...]]) -> list[c.Sought]:
    return [c.Sought({}, terms)]


async def found(crm: c.Connector, *terms: dict[str, tuple[str, ...]], kind: Kind = "contact") -> list[str]:
    return [one.id for one in await crm.find(kind, sought(*terms))]


async def held(crm: c.Connector, id: str) -> c.Record:
    return (await crm.get("contact", [id]))[id]


def test_info_names_the_organization(run: Any, vendor: SalesforceServer) -> None:
    info = run(lambda crm: crm.info())
    assert info == c.CrmAccount("00D000000000001AAA", "Acme Test Org", vendor.url)


def test_finds_by_every_key_contacts_and_leads_the_oldest_first(run: Any, vendor: SalesforceServer) -> None:
    company = vendor.put_company(name="Acme", domain="https://www.acme.test/")
    jane = vendor.put_contact(
        first_name="Jane", last_name="Doe", email="Jane@Acme.test", linkedin_url=URL + "jane", company_id=company,
        other_emails=["jd@home.test"],
    )  # fmt: skip
    lead = vendor.put_contact(lead=True, last_name="Doe", first_name="Jane", email="jane@acme.test", Company="Acme")
    vendor.put_contact(first_name="John", last_name="Doe", email="john@acme.test")

    async def work(crm: c.Connector) -> None:
        assert await found(crm, {"Email": ("jane@acme.test",)}) == [jane, lead]
        assert await found(crm, {"LinkedIn_URL__c": (URL + "x", URL + "jane")}) == [jane]
        assert await found(crm, {"Second_Email__c": ("jd@home.test",)}) == [jane]
        assert await found(crm, {"FirstName": ("jane",), "LastName": ("doe",)}) == [jane, lead]
        at_acme = {"LastName": ("doe",), "Account.Name": ("acme",)}, {"LastName": ("doe",), "Company": ("acme",)}
        assert await found(crm, *at_acme) == await found(crm, *at_acme, kind="lead") == [jane, lead]
        assert await found(crm, {"AccountId": (company,)}) == [jane]
        assert await found(crm, {"Website": ("HTTPS://www.acme.test/",)}, kind="company") == [company]
        assert await found(crm, {"Name": ("ACME",)}, {"Website": ("no.test",)}, kind="company") == [company]
        [record] = await crm.find("contact", sought({"LinkedIn_URL__c": (URL + "jane",)}))
        assert record.fields["Account.Name"] == "Acme"
        assert record.fields["Account.Website"] == "https://www.acme.test/"
        assert record.url == f"https://crm.example.com/lightning/r/Contact/{jane}/view"

    run(work, reads={"contact": {"Second_Email__c"}})


def test_a_converted_lead_is_not_there(run: Any, vendor: SalesforceServer) -> None:
    lead = vendor.put_contact(lead=True, last_name="Doe", email="jane@acme.test")
    contact = vendor.convert_lead(lead)

    async def work(crm: c.Connector) -> None:
        assert await found(crm, {"Email": ("jane@acme.test",)}) == [contact]
        assert set(await crm.get("contact", [lead, contact])) == {contact}
        [gone] = await crm.update(
            "lead", [c.Update(c.Record(kind="lead", id=lead, url=None, fields={}), {"Title": "x"})]
        )
        assert isinstance(gone, f.NotFound)

    run(work)


def test_many_are_found_in_few_requests(run: Any, vendor: SalesforceServer) -> None:
    ids = [vendor.put_contact(last_name=f"Doe{i}", first_name="J", email=f"p{i}@acme.test") for i in range(200)]
    people = [
        c.Sought({}, (
            {"LinkedIn_URL__c": tuple(f"{start}linkedin.com/in/person-number-{i}" for start in "abcdef")},
            {"Email": (f"p{i}@acme.test",)},
            {"FirstName": ("J",), "LastName": (f"Doe{i}",)},
        ))
        for i in range(200)
    ]  # fmt: skip

    async def work(crm: c.Connector) -> None:
        assert [one.id for one in await crm.find("contact", people)] == ids
        assert len(await crm.get("contact", ids)) == 200

    run(work)
    assert len(vendor.seen) <= 4


def test_more_rows_than_a_page_holds(run: Any, vendor: SalesforceServer) -> None:
    vendor.page_size = 7
    ids = [vendor.put_contact(last_name="Doe", email="info@acme.test") for _ in range(20)]

    async def work(crm: c.Connector) -> None:
        assert await found(crm, {"Email": ("info@acme.test",)}) == ids
        first = [one.id for one in await crm.page("contact", None, 15)]
        assert first + [one.id for one in await crm.page("contact", first[-1], 15)] == ids

    run(work)


def test_a_field_that_is_not_there_breaks_no_other_term(run: Any, vendor: SalesforceServer) -> None:
    jane = vendor.put_contact(last_name="Doe", email="jane@acme.test")
    vendor.remove_field("LinkedIn_URL__c")

    async def work(crm: c.Connector) -> None:
        terms = ({"LinkedIn_URL__c": (URL + "jane",)}, {"Description": ("x",)}, {"Email": ("jane@acme.test",)})
        assert await found(crm, *terms) == [jane]
        assert await found(crm, {"LinkedIn_URL__c": (URL + "jane",)}) == []
        assert await found(crm, {"Bad Name') OR (Id": ("x",)}) == []
        assert (await held(crm, jane)).fields["Email"] == "jane@acme.test"
        [made] = await crm.create("contact", [{"LastName": "Roe", "LinkedIn_URL__c": URL + "roe"}])
        assert isinstance(made, f.UnknownField)
        assert made.field == "LinkedIn_URL__c"
        rows: list[c.Fields] = [{"LastName": "A"}, {"LastName": "B", "LinkedIn_URL__c": URL}, {"LastName": "C"}]
        one, two, three = await crm.create("contact", rows)
        assert isinstance(one, c.Record) and isinstance(two, f.UnknownField) and isinstance(three, c.Record)

    run(work)


@pytest.mark.parametrize("text", [*NASTY, "x" * 5000])
def test_no_text_gets_out_of_its_quotes(text: str, run: Any, vendor: SalesforceServer) -> None:
    other = vendor.put_contact(last_name="Other", email="other@acme.test")
    mine = vendor.put_contact(last_name=text, email="mine@acme.test")

    async def work(crm: c.Connector) -> None:
        wanted = [mine] if len(text) <= 4000 else []
        assert await found(crm, {"LastName": (text,)}) == wanted
        assert await found(crm, {"LastName": (text,), "Email": ("mine@acme.test",)}) == wanted
        assert await found(crm, {"Email": (text,)}, {"LastName": ("Other",)}) == [other]
        assert await crm.get("contact", [text, mine[:15]]) == {mine[:15]: await held(crm, mine)}
        assert not await crm.has_note(mine, text)
        note = text.splitlines()
        await crm.add_note(mine, text)
        assert await crm.has_note(mine, text)
        assert not await crm.has_note(mine, text + "!")
        assert vendor.notes(mine) == ["\n".join(note)]

    run(work)


def test_created_with_all_that_is_mapped(run: Any, vendor: SalesforceServer) -> None:
    company = vendor.put_company(name="Acme")
    row: c.Fields = {
        "FirstName": "Jane", "LastName": "Doe", "Email": "jane@acme.test", "LinkedIn_URL__c": URL + "jane",
        "Title": "CTO", "Phone": "+49 30 1", "MailingCity": "Berlin", "AccountId": company, "Topics__c": ["ai", "crm"],
    }  # fmt: skip

    async def work(crm: c.Connector) -> None:
        [made] = await crm.create("contact", [row])
        assert isinstance(made, c.Record)
        read = await held(crm, made.id)
        assert {name: read.fields[name] for name in row} == {**row, "Topics__c": "ai;crm"}
        assert made.fields == row
        [lead] = await crm.create("lead", [{"LastName": "Roe", "Company": "Acme", "City": "Bonn"}])
        assert isinstance(lead, c.Record)
        assert (await held(crm, lead.id)).kind == "lead"
        [acme] = await crm.create("company", [{"Name": "Roe Ltd", "Website": "roe.test", "NumberOfEmployees": 12}])
        assert isinstance(acme, c.Record)
        assert (await crm.get("company", [acme.id, made.id]))[acme.id].fields["NumberOfEmployees"] == 12

    run(work, reads={"contact": {"Topics__c"}})
    assert vendor.contacts()[0]["company_id"] == company
    assert len(vendor.asked("POST .*/composite/sobjects")) == 0


def test_what_must_not_be_empty_is_not_provided_and_reads_as_empty(run: Any, vendor: SalesforceServer) -> None:
    async def work(crm: c.Connector) -> None:
        contact, other = await crm.create("contact", [{"Email": "a@acme.test"}, {"FirstName": "Cher"}])
        [lead] = await crm.create("lead", [{"LastName": "Roe"}])
        assert isinstance(contact, c.Record) and isinstance(other, c.Record) and isinstance(lead, c.Record)
        assert vendor.contacts()[0]["last_name"] == "[not provided]"
        read = await held(crm, contact.id)
        assert "LastName" not in read.fields
        assert "Company" not in (await held(crm, lead.id)).fields
        [done] = await crm.update("contact", [c.Update(read, {"LastName": "Doe"}, guarded=True)])
        assert isinstance(done, c.Record)
        [done] = await crm.update("contact", [c.Update(done, {"LastName": None, "Email": None})])
        assert isinstance(done, c.Record)
        assert done.fields.keys() & {"LastName", "Email"} == set()
        assert vendor.contacts()[0] == {"id": contact.id, "last_name": "[not provided]"}

    run(work)


def test_a_row_of_a_batch_fails_alone(run: Any, vendor: SalesforceServer) -> None:
    company = vendor.put_company(name="Acme")
    rows: list[c.Fields] = [
        {"LastName": "A"},
        {"LastName": "B", "Email": "no address"},
        {"LastName": "C", "Tier__c": "wood"},
        {"LastName": "D", "FirstName": "x" * 41},
        {"LastName": "E", "AccountId": "001000000009999AAA"},
        {"LastName": "F", "Phone": 12},
        {"LastName": "G", "AccountId": company},
        {"LastName": "H", "Name": "H"},
    ]

    async def work(crm: c.Connector) -> None:
        made = await crm.create("contact", rows)
        assert [type(one).__name__ for one in made] == ["Record", *["Rejected"] * 5, "Record", "Rejected"]
        fields = [one.field for one in made if isinstance(one, f.Rejected)]
        assert fields == ["Email", "Tier__c", "FirstName", "AccountId", "", "Name"]
        assert "restricted picklist" in str(made[2])
        for row, one in zip(rows, made, strict=True):
            [again] = await crm.create("contact", [row])
            assert type(again) is type(one)

    run(work)
    assert [one["last_name"] for one in vendor.contacts()] == ["A", "G", "A", "G"]


@pytest.mark.parametrize("many", [1, 60])
@pytest.mark.parametrize("guarded", [True, False])
def test_updates_not_over_a_change(many: int, guarded: bool, run: Any, vendor: SalesforceServer) -> None:
    ids = [vendor.put_contact(last_name=f"Doe{i}", city="Bonn") for i in range(many)]

    async def work(crm: c.Connector) -> None:
        records = list((await crm.get("contact", ids)).values())
        vendor.change_contact(ids[-1], job_title="CEO")
        done = await crm.update("contact", [c.Update(one, {"Title": "CTO"}, guarded=guarded) for one in records])
        assert all(isinstance(one, c.Record) for one in done[:-1])
        if guarded:
            assert isinstance(done[-1], f.Changed)
        else:
            assert isinstance(done[-1], c.Record)
            assert done[-1].fields["MailingCity"] == "Bonn"

    run(work)
    assert [one["job_title"] for one in vendor.contacts()][-1] == ("CEO" if guarded else "CTO")
    assert {one["job_title"] for one in vendor.contacts()[:-1]} <= {"CTO"}
    assert len(vendor.asked("PATCH|POST .*/composite$")) <= 1 + (many + 24) // 25


def test_updates_with_any_text(run: Any, vendor: SalesforceServer) -> None:
    ids = [vendor.put_contact(last_name=str(i)) for i in range(len(NASTY))]

    async def work(crm: c.Connector) -> None:
        records = (await crm.get("contact", ids)).values()
        updates = [c.Update(one, {"LastName": text}, guarded=True) for one, text in zip(records, NASTY, strict=True)]
        assert all(isinstance(one, c.Record) for one in await crm.update("contact", updates))

    run(work)
    assert [one["last_name"] for one in vendor.contacts()] == NASTY


def test_what_was_done_is_told_where_a_later_request_fails(run: Any, vendor: SalesforceServer) -> None:
    ids = [vendor.put_contact(last_name=str(i)) for i in range(60)]
    limited = error("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", status=403)

    async def work(crm: c.Connector) -> None:
        records = (await crm.get("contact", ids)).values()
        vendor.trouble("POST .*composite")
        vendor.trouble("POST .*composite", limited)
        done = await crm.update("contact", [c.Update(one, {"Title": "CTO"}) for one in records])
        assert [type(one).__name__ for one in done] == ["Record"] * 25 + ["RateLimited"] * 35

    run(work)
    assert len([one for one in vendor.contacts() if "job_title" in one]) == 25


def test_updates_fail_alone_and_tell_what_is_gone(run: Any, vendor: SalesforceServer) -> None:
    kept, gone, merged = (vendor.put_contact(last_name=name) for name in ("Kept", "Gone", "Merged"))

    async def work(crm: c.Connector) -> None:
        records = await crm.get("contact", [kept, gone, merged])
        vendor.delete_contact(gone)
        vendor.merge_contacts(kept, merged)
        assert set(await crm.get("contact", [kept, gone, merged, "", "nobody", "003zzzzzzzzzzzz"])) == {kept}
        assert await found(crm, {"LastName": ("Kept", "Gone", "Merged")}) == [kept]
        changes: dict[str, c.Changes] = {
            kept: {"Tier__c": "wood"}, gone: {"Title": "x"}, merged: {"Title": "x"},
        }  # fmt: skip
        updates = [c.Update(records[id], change) for id, change in changes.items()]
        done = await crm.update("contact", updates)
        assert [type(one).__name__ for one in done] == ["Rejected", "NotFound", "NotFound"]
        for update, before in zip(updates, done, strict=True):
            [one] = await crm.update("contact", [update])
            assert type(one) is type(before)
        [unknown] = await crm.update("contact", [c.Update(records[kept], {"Nope__c": "x"})])
        assert isinstance(unknown, f.UnknownField)
        assert unknown.field == "Nope__c"

    run(work)


def test_a_duplicate_is_named_alone_and_in_a_batch(run: Any, vendor: SalesforceServer) -> None:
    vendor.duplicate_rules = True
    vendor.unique = frozenset({"LinkedIn_URL__c"})
    lead = vendor.put_contact(lead=True, last_name="Doe", email="jane@acme.test")
    john = vendor.put_contact(last_name="Doe", linkedin_url=URL + "john")

    async def work(crm: c.Connector) -> None:
        twice: list[c.Fields] = [{"LastName": "Doe", "Email": "JANE@acme.test"}, {"LastName": "Roe"}]
        alone = await crm.create("contact", twice[:1])
        batch = await crm.create("contact", [*twice, {"LastName": "J", "LinkedIn_URL__c": URL + "john"}])
        for one in (alone[0], batch[0]):
            assert isinstance(one, f.Duplicate)
            assert (one.id, one.kind) == (lead, "lead")
        assert isinstance(batch[1], c.Record)
        assert isinstance(batch[2], f.Duplicate)
        assert (batch[2].id, batch[2].kind) == (john, "contact")

    run(work)
    assert len(vendor.contacts()) == 3


def test_a_misspelt_duplicate_answer_is_understood(run: Any, vendor: SalesforceServer) -> None:
    match = {"matchRecords": [{"record": {"attributes": {"type": "Contact"}, "Id": "003000000000007AAA"}}]}
    body = [{"errorCode": "DUPLICATES_DETECTED", "message": "?", "duplicateResut": {"matchResults": [match]}}]
    vendor.trouble("POST .*/sobjects/Contact", Answer(400, body))
    [one] = run(lambda crm: crm.create("contact", [{"LastName": "Doe"}]))
    assert one.id == "003000000000007AAA"


def test_locked_rows_are_sent_again(run: Any, vendor: SalesforceServer) -> None:
    ids = [vendor.put_contact(last_name=f"Old{i}") for i in range(3)]

    async def work(crm: c.Connector) -> None:
        vendor.locked = 2
        made = await crm.create("contact", [{"LastName": f"New{i}"} for i in range(3)])
        assert all(isinstance(one, c.Record) for one in made)
        records = (await crm.get("contact", ids)).values()
        vendor.locked = 2
        done = await crm.update("contact", [c.Update(one, {"Title": "x"}) for one in records])
        assert all(isinstance(one, c.Record) for one in done)
        vendor.locked = 9
        [one] = await crm.create("contact", [{"LastName": "Late"}])
        assert isinstance(one, f.Unavailable)
        assert not one.maybe_done

    run(work)
    assert [one["last_name"] for one in vendor.contacts()] == ["Old0", "Old1", "Old2", "New2", "New0", "New1"]


@pytest.mark.parametrize(
    ("message", "seconds"),
    [("TotalRequests Limit exceeded.", 900), ("ConcurrentRequests (Concurrent API Requests) Limit exceeded.", 5)],
)
def test_the_quota_is_used_up(message: str, seconds: int, run: Any, vendor: SalesforceServer) -> None:
    vendor.trouble(".", error("REQUEST_LIMIT_EXCEEDED", message, status=403), times=9)
    with pytest.raises(f.RateLimited) as failure:
        run(lambda crm: crm.create("contact", [{"LastName": "Doe"}]))
    assert failure.value.retry_after == seconds
    assert len(vendor.seen) == 1


def test_the_quota_of_the_server_and_429(run: Any, vendor: SalesforceServer) -> None:
    vendor.quota = (1, 60)
    with pytest.raises(f.RateLimited):
        run(lambda crm: crm.owners())
    vendor.quota = None
    vendor.trouble(".", Answer(429, [], {"retry-after": "3000"}), times=9)
    with pytest.raises(f.RateLimited) as failure:
        run(lambda crm: crm.info())
    assert failure.value.retry_after == pytest.approx(3000, rel=0.1)


def test_a_dead_token(run: Any, vendor: SalesforceServer) -> None:
    with pytest.raises(f.Expired):
        run(lambda crm: crm.info(), token="dead")
    vendor.trouble(".", error("INVALID_SESSION_ID", "Session expired or invalid", status=403))
    with pytest.raises(f.Expired):
        run(lambda crm: crm.info())


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, "<html>Down for maintenance</html>"),
        Answer(403, "Bad_OAuth_Token"),
        Answer(200, {"compositeResponse": []}),
        Answer(200, {"compositeResponse": [{"httpStatusCode": 200, "body": {"rows": []}}]}),
        Answer(200, {"compositeResponse": [{"httpStatusCode": 200, "body": {"records": [{"Id": 1}]}}]}),
        Answer(200, {"compositeResponse": [{"httpStatusCode": 400, "body": "what"}]}),
        Answer(400, []),
        Answer(503, error("SERVER_UNAVAILABLE", "down").body),
    ],
)
def test_an_answer_of_another_shape(answer: Answer, run: Any, vendor: SalesforceServer) -> None:
    vendor.trouble("composite", answer, times=9)
    with pytest.raises(f.Unavailable):
        run(lambda crm: crm.page("contact", None, 5))


def test_a_create_whose_answer_is_lost_is_not_sent_again(run: Any, vendor: SalesforceServer) -> None:
    for rows in ([{"LastName": "A"}], [{"LastName": "B"}, {"LastName": "C"}]):
        vendor.trouble("POST", lost=True)
        with pytest.raises(f.Unavailable) as failure:
            run(lambda crm, rows=rows: crm.create("contact", rows))
        assert failure.value.maybe_done
    assert [one["last_name"] for one in vendor.contacts()] == ["A", "B", "C"]


def test_a_missing_permission_is_named(run: Any, vendor: SalesforceServer) -> None:
    jane = vendor.put_contact(last_name="Doe")
    vendor.can_write = False

    async def work(crm: c.Connector) -> None:
        made = await crm.create("contact", [{"LastName": "A"}]) + await crm.create("contact", [{}, {}])
        made += await crm.update("contact", [c.Update(await held(crm, jane), {"Title": "x"})])
        for one in made:
            assert isinstance(one, f.Rejected)
            assert one.message == "The Salesforce user may not do this with Contact: give it a permission set for it."

    run(work)


def test_leads_that_the_user_may_not_see_do_not_stop_contacts(run: Any, vendor: SalesforceServer) -> None:
    jane = vendor.put_contact(last_name="Doe", email="jane@acme.test")
    del vendor.objects["Lead"]
    assert run(lambda crm: found(crm, {"Email": ("jane@acme.test",)})) == [jane]
    assert set(run(lambda crm: crm.get("contact", [jane]))) == {jane}
    assert run(lambda crm: crm.fields("lead")) == []
    [refused] = run(lambda crm: crm.create("lead", [{"LastName": "Doe"}]))
    assert isinstance(refused, f.Rejected)
    vendor.refused.clear()


def test_fields_with_choices_lengths_and_what_they_map_to(run: Any, vendor: SalesforceServer) -> None:
    vendor.objects["Contact"] |= vendor._fields("MailingCountryCode:picklist:10")
    fields = {one.name: one for one in run(lambda crm: crm.fields("contact"))}
    assert fields["Tier__c"].options == [c.Option("gold", "Gold"), c.Option("silver", "Silver")]
    assert (fields["Tier__c"].type, fields["Tier__c"].custom) == ("choice", True)
    assert fields["FirstName"].max_length == 40
    assert fields["Topics__c"].type == "choices"
    assert fields["AccountId"].type == "reference"
    assert not fields["Name"].writable
    assert not fields["Account.Name"].writable
    assert fields["MailingCountry"].type == "choice"
    assert "CreatedDate" not in fields
    for kind, rules in salesforce.mapping.items():
        names = {one.name: one for one in run(lambda crm, kind=kind: crm.fields(kind))}
        assert all(rule.read_only or names[rule.field].writable for rule in rules)


def test_a_field_is_made_and_seen(run: Any, vendor: SalesforceServer) -> None:
    del vendor.objects["Lead"]["LinkedIn_URL__c"]

    async def work(crm: c.Connector) -> None:
        assert "LinkedIn_URL__c" not in {one.name for one in await crm.fields("lead")}
        for _ in range(2):
            field = await crm.create_field("lead", salesforce.linkedin["lead"])
            assert (field.name, field.writable) == ("LinkedIn_URL__c", True)
        with pytest.raises(f.Rejected):
            await crm.create_field("lead", c.Field(name="Tags", label="Tags", type="choices"))
        vendor.can_write = False
        with pytest.raises(f.Rejected):
            await crm.create_field("lead", c.Field(name="Other", label="Other", type="text"))

    run(work)


def test_owners_and_who_we_are(run: Any) -> None:
    ada, bo = run(lambda crm: crm.owners())
    assert (ada.email, ada.name, ada.is_default) == ("ada@example.com", "Ada", True)
    assert (bo.email, bo.is_default) == ("bo@example.com", False)


def test_tasks_and_notes_of_contacts_and_leads(run: Any, vendor: SalesforceServer) -> None:
    jane, lead = vendor.put_contact(last_name="Doe"), vendor.put_contact(lead=True, last_name="Roe")
    text = 'Met <at> the "fair" & more.\n\nTwo lines.'

    async def work(crm: c.Connector) -> None:
        for id in (jane, lead):
            await crm.add_note(id, text)
            assert await crm.has_note(id, text)
            await crm.add_task(id, c.Task("Call", "soon", datetime(2026, 3, 4, 22, tzinfo=UTC), "005000000000001AAA"))
        for work in (crm.add_note("003000000009999AAA", "x"), crm.add_task("003000000009999AAA", c.Task("Call"))):
            with pytest.raises(f.NotFound):
                await work
        with pytest.raises(f.Rejected) as failure:
            await crm.add_task(jane, c.Task("x" * 256))
        assert failure.value.field == "Subject"

    run(work)
    assert vendor.notes(jane) == vendor.notes(lead) == [text]
    assert len(vendor.rows["ContentNote"]) == 2
    assert vendor.tasks(jane) == vendor.tasks(lead) == ["Call"]
    assert next(iter(vendor.rows["Task"].values()))["ActivityDate"] == "2026-03-04"


def test_campaigns_are_the_lists(run: Any, vendor: SalesforceServer) -> None:
    jane, lead = vendor.put_contact(last_name="Doe"), vendor.put_contact(lead=True, last_name="Roe")
    more = [vendor.put_contact(last_name="More") for _ in range(210)]

    async def work(crm: c.Connector) -> None:
        fair = await crm.create_list("Fair 'O\\26")
        assert await crm.lists() == [fair]
        await crm.add_to_list(fair.id, [jane])
        await crm.add_to_list(fair.id, [jane, lead, *more])
        await crm.add_to_list(fair.id, [jane])
        assert await crm.in_list(fair.id, [jane, lead, *more]) == {jane, lead, *more}
        assert await crm.in_list(fair.id, []) == set()
        for list_id, id in (("701000000009999AAA", jane), (fair.id, "003000000009999AAA")):
            with pytest.raises(f.NotFound):
                await crm.add_to_list(list_id, [id])
        for number in range(2000):
            vendor._put("Campaign", {"Name": f"A {number}"})
        assert (await crm.lists())[-1] == fair
        with pytest.raises(f.Rejected):
            await crm.create_list("x" * 81)

    run(work)
    assert sorted(vendor.members("Fair 'O\\26")) == sorted([jane, lead, *more])


class TestSalesforce(LeadScenarios, Scenarios):
    unique_emails = False
    crm = "salesforce"
    server = SalesforceServer
    pkce = True
    creates = r"POST .*/sobjects/(Contact|Lead)$|POST .*/composite/sobjects$"
    writes = r"PATCH |POST .*/sobjects/(Contact|Lead)$|POST .*/composite/sobjects$"
    picklist = ("Tier__c", "gold")
    text_field = "Level__c"
    date_field = "Birthdate"
    looks = "PATCH "
    first_name_length = 40
    linkedin_field = "LinkedIn_URL__c"
    many = 250
    site = "https://www.acme.example.com/en"
    secondary = c.Rule(field="Second_Email__c", from_=("other_emails",))

    def prepare(self, vendor: SalesforceServer) -> None:
        vendor.add_field("Level__c")

    def test_client_credentials_get_the_next_token_until_they_are_taken_back(
        self, run: Any, vendor: SalesforceServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def work(desk: Desk) -> None:
            with pytest.raises(ApiError) as refused:
                await connections.connect(desk.setup, desk.account_id, "salesforce", token="app-1:wrong")
            assert [one.path for one in refused.value.details or ()] == ["token"]
            await connections.connect(desk.setup, desk.account_id, "salesforce", token="app-1:hush-app-secret")
            assert (await desk.write(JANE)).action == "created"
            vendor.expire()
            assert (await desk.write({**JANE, "phone": "+15550100100"})).action == "updated"
            asked = [one.form["grant_type"] for one in vendor.asked("token$")]
            assert asked == ["client_credentials"] * 3, "one was refused"
            kept = await desk.setup.pool.fetchval("select string_agg(c::text, ' ') from crm_connections c")
            assert "hush-app-secret" not in kept and b"hush-app-secret".hex() not in kept
            monkeypatch.setitem(GIVEN, "client_secret", "another")
            vendor.expire()
            await desk.fails("crm_token_expired", JANE)
            assert (await connections.info(desk.setup.pool, desk.account_id)).status == "token_expired"

        run(work)

    def test_who_could_be_several_that_were_just_made_is_not_made_again(
        self, run: Any, vendor: SalesforceServer
    ) -> None:
        self.without_linkedin(vendor)

        async def work(desk: Desk) -> None:
            person = {**WHO, "linkedin_url": JANE["linkedin_url"]}
            vendor.trouble(self.creates, lost=True)
            await desk.fails("crm_unavailable", person)
            typed = vendor._put("Contact", {"FirstName": "Jane", "LastName": "Doe"})
            await desk.settled()
            error = await desk.fails("validation_error", person)
            assert "has several of this name since" in error.message
            assert typed in error.message
            assert len(vendor.contacts()) == 2
            named = await desk.write(person, contact_id=typed)
            assert (named.contact_id, named.action) == (typed, "unchanged")

        run(work)

    def test_a_name_that_too_many_have_is_no_guess(
        self, run: Any, vendor: SalesforceServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for module in (soql, client):
            monkeypatch.setattr(module, "ROWS", 20)

        async def work(desk: Desk) -> None:
            for _ in range(30):
                vendor.put_contact(first_name="Jane", last_name="Doe", email="jane@other.example.com")
            there = vendor.put_contact(first_name="Ann", last_name="Roe", company_id=vendor.put_company(name="Acme"))
            ann = {"full_name": "Ann Roe", "email": "ann@acme.example.com", "company": {"name": "Acme"}}
            jane, found = await desk.write_many([JANE, ann])
            assert "too many" in jane.message and jane.type == "validation_error"
            assert (found.contact_id, found.matched_by) == (there, "name")
            assert len(vendor.contacts()) == 31
            by_keys = await desk.write(JANE, match_by=["linkedin_url", "email"])
            assert (by_keys.action, len(vendor.contacts())) == ("created", 32)
            assert (await desk.write(JANE)).action == "unchanged"

        run(work)

    def test_a_contact_id_has_15_or_18_characters(self, run: Any, vendor: SalesforceServer) -> None:
        async def work(desk: Desk) -> None:
            there = vendor.put_contact(first_name="Jane", last_name="Doe")
            done = await desk.write(JANE, contact_id=there[:15])
            assert (done.contact_id, done.action, done.matched_by) == (there, "updated", "contact_id")
            again = await desk.write(JANE, contact_id=there)
            assert (again.contact_id, again.action) == (there, "unchanged")
            await desk.fails("not_found", JANE, contact_id=self.no_such_id(there)[:15])

        run(work)

    def test_a_namesake_elsewhere_whom_a_duplicate_rule_names_is_left_alone(
        self, run: Any, vendor: SalesforceServer
    ) -> None:
        async def work(desk: Desk) -> None:
            globex = vendor.put_company(name="Globex", domain="globex.example.com")
            there = vendor.put_contact(first_name="Jane", last_name="Doe", company_id=globex)
            before = vendor.contacts()
            match = {"matchRecords": [{"record": {"attributes": {"type": "Contact"}, "Id": there}}]}
            problem = {"errorCode": "DUPLICATES_DETECTED", "message": "Use one of these records?"}
            body = [{**problem, "duplicateResult": {"matchResults": [match]}}]
            vendor.trouble(self.creates, Answer(400, body))
            error = await desk.fails("validation_error", JANE)
            assert there in error.message
            assert vendor.contacts() == before

        run(work)

    def test_who_was_made_meanwhile_keeps_their_employment(self, run: Any, vendor: SalesforceServer) -> None:
        vendor.duplicate_rules = True

        async def work(desk: Desk) -> None:
            globex = vendor.put_company(name="Globex", domain="globex.example.com")
            typed = threading.Event()
            vendor.trouble(self.creates, late=typed)
            writing = asyncio.create_task(desk.write({**JANE, "phone": "+15550100100"}))
            while not vendor.asked(self.creates):
                await asyncio.sleep(0.01)
            there = vendor.put_contact(first_name="Jane", last_name="Doe", email=JANE["email"], company_id=globex)
            typed.set()
            done = await writing
            assert (done.contact_id, done.action, done.matched_by) == (there, "updated", "email")
            assert {"job_title", "company_id"} & set(done.fields_written) == set()
            [contact] = vendor.contacts()
            assert (contact["company_id"], contact.get("job_title")) == (globex, None)

        run(work)

    def no_such_id(self, id: str) -> str:
        return id[:12] + "zzz" + id[15:]

    def put_person(self, vendor: SalesforceServer, kind: str, company: str, **fields: Any) -> str:
        if kind == "lead":
            return vendor.put_contact(lead=True, Company=company, **fields)
        return vendor.put_contact(company_id=vendor.put_company(name=company), **fields)

    def kind_of(self, vendor: SalesforceServer, id: str) -> str:
        return {"003": "contact", "00Q": "lead"}[id[:3]]

    def test_another_address_goes_to_a_field_of_the_accounts_own(self, run: Any, vendor: SalesforceServer) -> None:
        emails = [{"email": f"{name}@acme.example.com"} for name in ("jane.doe", "jd", "j")]

        async def work(desk: Desk) -> None:
            usual = await mappings.get(desk.setup, desk.account_id, "contact")
            rules = MappingWrite(object="contact", rules=[*usual.rules, self.secondary])
            await mappings.put(desk.setup, desk.account_id, rules)
            first = await desk.write({**JANE, "emails": emails})
            assert vendor.contacts()[0]["other_emails"] == ["jd@acme.example.com"]
            assert (await desk.write({**JANE, "emails": emails})).action == "unchanged"
            await desk.setup.pool.execute("delete from crm_links")
            found = await desk.write({**WHO, "email": "jd@acme.example.com"})
            assert (found.contact_id, found.matched_by) == (first.contact_id, "email")

        run(work)

    def test_a_push_of_300_takes_few_of_the_days_requests(self, run: Any, vendor: SalesforceServer) -> None:
        everybody = people(300, 30)

        async def work(desk: Desk) -> None:
            vendor.quota = (40, 86_400)
            for at in range(0, 300, salesforce.batch):
                done = await desk.write_many(everybody[at : at + salesforce.batch])
                assert {one.action for one in done} == {"created"}
            again = await desk.write_many(everybody[: salesforce.batch])
            assert {one.action for one in again} == {"unchanged"}
            assert (len(vendor.contacts()), len(vendor.companies()), vendor.throttles) == (300, 30, 0)

        run(work)
