"""Zoho CRM's own cases, on the server of the tests."""

import asyncio
from collections.abc import Awaitable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import httpx2
import pytest
from desk import JANE, WHO, Desk, people
from lead_scenarios import LeadScenarios
from opened import run
from scenarios import Scenarios
from vendors.base import GIVEN
from vendors.wire import Answer
from vendors.zoho_server import ZohoServer, error

from addtocrm.core.errors import ApiError
from addtocrm.core.outgoing.client import Outgoing
from addtocrm.core.settings import Settings
from addtocrm.crm import calling, connections, service
from addtocrm.crm.connectors.zoho import connector
from addtocrm.crm.contract import Field, Record, Sought, Task, Term, Update
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
from addtocrm.crm.setup import Setup, opened
from addtocrm.tenants.accounts import service as accounts

NASTY = [
    "O'Brien",
    "''",
    "a\\",
    "\\' or id is not null or '",
    "%",
    "Ørsted 😀 漢字",
    "x') or (id is not null",
    'say "hi"',
    "a;b",
]


@pytest.fixture
def zoho() -> Iterator[ZohoServer]:
    with ZohoServer() as vendor:
        yield vendor  # type: ignore[misc]
        assert vendor.refused == []


class TestZoho(LeadScenarios, Scenarios):
    crm = "zoho"
    server = ZohoServer
    creates = r"POST /crm/v8/(Contacts|Leads)$"
    writes = r"(POST|PUT) /crm/v8/(Contacts|Leads)(/\d+)?$"
    picklist = ("Level", "gold")
    text_field = "Tier"
    date_field = "Met_On"
    time_field = "Next_Call"
    looks = r"PUT /crm/v8/Contacts/\d+$"

    rotates = False
    linkedin_field = "LinkedIn_URL"
    many = 350
    site = "https://www.acme.example.com/en"
    first_name_length = 40
    unique_company_names = True

    def prepare(self, vendor: ZohoServer) -> None:
        vendor.add_field("Tier")
        vendor.make("Contacts", "Met_On", "date")
        vendor.make("Contacts", "Next_Call", "datetime")
        vendor.add_field("Level", "gold", "silver")

    def put_person(self, vendor: ZohoServer, kind: str, company: str, **fields: Any) -> str:
        if kind == "lead":
            return vendor.put_contact(module="Leads", Company=company, **fields)
        return vendor.put_contact(company_id=vendor.put_company(name=company), **fields)

    def kind_of(self, vendor: ZohoServer, id: str) -> str:
        return "lead" if id in vendor.records["Leads"] else "contact"

    def test_a_user_who_may_not_see_leads_writes_contacts(self, run: Any, vendor: ZohoServer) -> None:
        vendor.denied.add("Leads")

        async def work(desk: Desk) -> None:
            done = await desk.write(JANE, list="Fair")
            assert (done.action, vendor.members("Fair")) == ("created", [done.contact_id])
            assert [one.name for one in (await service.lists(desk.setup, desk.account_id, None, 50))[0]] == ["Fair"]
            assert (await service.fields(desk.setup, desk.account_id, "lead", None, 50))[0] == []

        run(work)

    def test_of_several_addresses_and_numbers_the_first_has_a_place(self, run: Any, vendor: ZohoServer) -> None:
        emails = [{"email": f"jane{n}@example.org"} for n in range(3)]
        phones = [{"number": f"+1555010010{n}"} for n in range(3)]
        person = {**JANE, "email": None, "emails": emails, "phones": phones}

        async def work(desk: Desk) -> None:
            done = await desk.write(person)
            there = vendor.records["Contacts"][done.contact_id or ""]
            assert (there["Email"], there["Secondary_Email"]) == ("jane0@example.org", "jane1@example.org")
            assert (there["Phone"], there["Other_Phone"]) == ("+15550100100", "+15550100101")
            again = await desk.write({**WHO, "email": "jane1@example.org"})
            assert (again.contact_id, again.matched_by) == (done.contact_id, "email")
            assert (await desk.write(person, on_conflict="overwrite")).action == "unchanged"

        run(work)

    def test_a_push_keeps_within_the_requests_at_a_time(
        self, run: Any, vendor: ZohoServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """5 at a time is the least that an edition has."""
        vendor.at_a_time = 5
        monkeypatch.setattr(calling, "SINGLE_WAIT_SECONDS", 60.0)
        everybody = people(300, 30)

        async def work(desk: Desk) -> None:
            size = connector.batch
            chunks = [everybody[start : start + size] for start in range(0, len(everybody), size)]
            singles = [desk.write({"full_name": f"Jane {n}", "email": f"j{n}@home.test"}, host=n) for n in range(6)]
            *pushed, _, _, _, _, _, _ = await asyncio.gather(*map(desk.write_many, chunks), *singles)
            assert [one.action for some in pushed for one in some] == ["created"] * 300
            found = [one["email"] for one in vendor.contacts()]
            assert len(set(found)) == len(found) == 306
            assert len(vendor.companies()) == 30
            assert vendor.keeps_its_quotas()

        run(work, hosts=2)

    def test_a_scope_that_is_missing_is_no_ended_token(self, run: Any, vendor: ZohoServer) -> None:
        async def work(desk: Desk) -> None:
            await desk.write(JANE)
            vendor.lacks.add("Notes")
            error = await desk.fails("validation_error", JANE, note="Met in May")
            assert "permission" in error.details[0].message if error.details else False
            assert (await connections.info(desk.setup.pool, desk.account_id)).status == "connected"
            assert len(vendor.asked("token$")) == 1

        run(work, oauth=True)

    def test_a_data_centre_is_learnt_and_stayed_with(
        self, vendor: ZohoServer, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[str] = []
        call = Outgoing.call

        def rerouted(self: Outgoing, account: Any, method: Any, url: str, **more: Any) -> Any:
            split = urlsplit(url)
            asked.append(f"{split.scheme}://{split.netloc}{split.path}")
            return call(self, account, method, urlunsplit((*urlsplit(vendor.url)[:2], *split[2:])), **more)

        monkeypatch.setattr(Outgoing, "call", rerouted)
        vendor.api_domain = "https://www.zohoapis.eu"
        client = {"ZOHO_CLIENT_ID": GIVEN["client_id"], "ZOHO_CLIENT_SECRET": GIVEN["client_secret"]}
        settings = Settings(data_dir=tmp_path, allow_private_networks=True, vendors=client)

        async def back(setup: Setup, account_id: str, **more: str) -> None:
            begun = await connections.begin(setup, account_id, "zoho")
            assert begun.authorize_url.startswith("https://accounts.zoho.com/oauth/v2/auth?")
            params = dict(parse_qsl(urlsplit(vendor.authorize(begun.authorize_url)).query))
            await connections.finish(setup, "zoho", params | more)

        async def work() -> None:
            async with opened(database_url, settings, size=8) as setup:
                account = await accounts.create(setup.pool, "owner@example.com")
                desk = Desk(vendor, "zoho", account.id, [setup])
                await back(setup, account.id, **{"location": "eu", "accounts-server": "https://accounts.zoho.eu"})
                done = await desk.write(JANE)
                assert done.url and done.url.startswith("https://crm.zoho.eu/crm/org700100/tab/Contacts/")
                vendor.expire()
                assert (await desk.write(JANE)).action == "unchanged"
                await connections.disconnect(setup, account.id)
                assert {one.partition("/crm/")[0] for one in asked} == {
                    "https://accounts.zoho.eu/oauth/v2/token",
                    "https://accounts.zoho.eu/oauth/v2/token/revoke",
                    "https://www.zohoapis.eu",
                }
                assert len(vendor.revoked) == 1
                asked.clear()
                vendor.api_domain = "https://www.zohoapis.eu.example.test"
                for server in ("https://accounts.zoho.eu.example.test", "http://accounts.zoho.eu", "https://x@zoho.eu"):
                    await back(setup, account.id, **{"accounts-server": server})
                assert {urlsplit(one).netloc for one in asked} == {"accounts.zoho.com", "www.zohoapis.com"}

        asyncio.run(work())

    @pytest.mark.parametrize("error", ["invalid_code", "invalid_client", "Access Denied"])
    def test_an_error_of_the_token_endpoint(self, run: Any, vendor: ZohoServer, error: str) -> None:
        """Errors are HTTP 200; of too many tokens, 400."""
        answer = Answer(400 if error == "Access Denied" else 200, {"error": error})
        type, status = {
            "invalid_code": ("crm_token_expired", "token_expired"),
            "invalid_client": ("crm_unavailable", "connected"),
            "Access Denied": ("crm_rate_limit", "connected"),
        }[error]

        async def work(desk: Desk) -> None:
            begun = await connections.begin(desk.setup, desk.account_id, "zoho")
            params = dict(parse_qsl(urlsplit(vendor.authorize(begun.authorize_url)).query))
            vendor.trouble("POST /oauth/v2/token", answer)
            with pytest.raises(ApiError) as refused:
                await connections.finish(desk.setup, "zoho", params)
            expected = "crm_rate_limit" if error == "Access Denied" else "validation_error"
            assert refused.value.type == expected and params["code"] not in str(refused.value)
            vendor.expire()
            vendor.trouble("POST /oauth/v2/token", answer)
            await desk.fails(type, JANE)
            assert (await connections.info(desk.setup.pool, desk.account_id)).status == status
            if status == "connected":
                assert (await desk.write(JANE)).action == "created"

        run(work, oauth=True)

    def test_a_code_of_the_self_client_connects_once(self, run: Any, vendor: ZohoServer) -> None:
        async def work(desk: Desk) -> None:
            code = vendor.self_code()
            connected = await connections.connect(desk.setup, desk.account_id, "zoho", token=code)
            assert (connected.crm, connected.account_id) == ("zoho", "700100")
            await desk.write(JANE)
            vendor.expire()
            assert (await desk.write(JANE)).action == "unchanged"
            with pytest.raises(ApiError) as refused:
                await connections.connect(desk.setup, desk.account_id, "zoho", token=code)
            assert refused.value.type == "validation_error" and code not in str(refused.value)
            assert (await desk.write(JANE)).action == "unchanged"

        run(work)


def do(zoho: ZohoServer, work: Any, **more: Any) -> Any:
    return run(connector, zoho.url, work, **more)


def ids(zoho: ZohoServer, *terms: Term, kind: Any = "contact", **more: Any) -> list[str]:
    return [r.id for r in do(zoho, lambda c: c.find(kind, [Sought({}, terms)]), **more)]


async def only(work: Awaitable[list[Record | Failure]]) -> Record:
    """The one outcome, raised where it is a failure."""
    (one,) = await work
    if isinstance(one, Failure):
        raise one
    return one


def read(zoho: ZohoServer, id: str) -> Record:
    return do(zoho, lambda c: c.get("contact", [id]))[id]


def test_a_contact_is_found_by_each_key(zoho: ZohoServer) -> None:
    company = zoho.put_company(name="Acme Ltd", domain="https://www.acme.example.com/")
    jane = zoho.put_contact(
        first_name="Jane",
        last_name="Doe",
        email="jane@example.com",
        other_emails=["j@example.net"],
        linkedin_url="https://www.linkedin.com/in/jane",
        company_id=company,
    )
    zoho.put_contact(first_name="Jane", last_name="Roe")
    name = {"First_Name": ("jane",), "Last_Name": ("doe",)}
    assert ids(zoho, {"Email": ("jane@example.com",)}) == [jane]
    assert ids(zoho, {"Email": ("j@example.net",)}) == [jane]
    assert ids(zoho, {"LinkedIn_URL": ("x", "https://www.linkedin.com/in/jane")}) == [jane]
    assert ids(zoho, {**name, "Account_Name.Account_Name": ("acme ltd",)}) == [jane]
    assert ids(zoho, {**name, "Account_Name.Website": ("x", "https://www.acme.example.com/")}) == [jane]
    assert ids(zoho, {**name, "Account_Name.Account_Name": ("other",)}) == []
    record = read(zoho, jane)
    assert record.fields["Account_Name"] == company and record.fields["Account_Name.Account_Name"] == "Acme Ltd"
    assert record.url == f"https://crm.example.com/tab/Contacts/{jane}"


def test_leads_are_found_with_contacts_but_not_converted_ones(zoho: ZohoServer) -> None:
    lead = zoho.put_contact(module="Leads", first_name="Jane", last_name="Doe", email="j@example.com", Company="Acme")
    zoho.put_contact(module="Leads", last_name="Doe", email="j@example.com", Converted__s=True)
    contact = zoho.put_contact(last_name="Doe", email="j@example.com")
    assert ids(zoho, {"Email": ("j@example.com",)}) == [lead, contact]
    assert do(zoho, lambda c: c.get("contact", [lead, contact])).keys() == {lead, contact}
    zoho.denied.add("Leads")
    assert ids(zoho, {"Email": ("j@example.com",)}) == [contact]


def test_a_company_is_found_by_domain_and_name(zoho: ZohoServer) -> None:
    by_domain = zoho.put_company(name="One", domain="http://one.example.com")
    by_name = zoho.put_company(name="Two & Co")
    assert ids(
        zoho,
        {"Website": ("one.example.com", "http://one.example.com")},
        {"Account_Name": ("two & co",)},
        kind="company",
    ) == [
        by_domain,
        by_name,
    ]


def test_many_are_sought_in_few_requests(zoho: ZohoServer) -> None:
    people = [zoho.put_contact(first_name=f"F{i}", last_name=f"L{i}", email=f"p{i}@example.com") for i in range(100)]
    sought = [
        Sought(
            {},
            (
                {"LinkedIn_URL": tuple(f"https://{k}.linkedin.com/in/p{i}" for k in range(6))},
                {"Email": (f"p{i}@example.com",)},
                {"First_Name": (f"F{i}",), "Last_Name": (f"L{i}",), "Account_Name.Website": (f"c{i}.example.com",)},
            ),
        )
        for i in range(100)
    ]
    assert [r.id for r in do(zoho, lambda c: c.find("contact", sought))] == people
    assert len(zoho.asked("coql")) <= 8


def test_namesakes_do_not_hide_who_has_the_key(zoho: ZohoServer) -> None:
    for _ in range(250):
        zoho.put_contact(first_name="John", last_name="Smith")
    john = zoho.put_contact(first_name="John", last_name="Smith", email="john@example.com")
    found = ids(zoho, {"First_Name": ("John",), "Last_Name": ("Smith",)}, {"Email": ("john@example.com",)})
    assert john in found and len(found) <= 251 and len(zoho.asked("coql")) <= 4


@pytest.mark.parametrize("text", NASTY)
def test_texts_cannot_break_out(zoho: ZohoServer, text: str) -> None:
    other = zoho.put_contact(last_name="Other", email="o@example.com")
    same = zoho.put_contact(last_name=text, first_name="A")
    found = ids(zoho, {"Last_Name": (text,), "First_Name": ("a",)}, {"LinkedIn_URL": (text,)})
    assert other not in found and (same in found or text.startswith("\\"))
    made = do(zoho, lambda c: c.create("contact", [{"Last_Name": text}]))
    assert zoho.records["Contacts"][made[0].id]["Last_Name"] == text
    assert do(zoho, lambda c: c.get("contact", [text, "1' or '1", "../x"])) == {}
    assert do(zoho, lambda c: c.page("contact", text, 10)) == []


def test_very_long_values(zoho: ZohoServer) -> None:
    assert ids(zoho, {"Email": ("x" * 5000 + "@example.com",)}, {"Last_Name": ("y" * 99999,)}) == []
    (failure,) = do(zoho, lambda c: c.create("contact", [{"Last_Name": "y" * 300}]))
    assert isinstance(failure, Rejected) and failure.field == "Last_Name" and "maximum length: 80" in failure.message


def test_create_and_update(zoho: ZohoServer) -> None:
    company = zoho.put_company(name="Acme")
    row = {"Last_Name": "Doe", "Email": "jane@example.com", "Account_Name": company, "Owner": "5725767000000411002"}
    (made,) = do(zoho, lambda c: c.create("contact", [row]))
    assert made.fields == row and zoho.records["Contacts"][made.id]["Account_Name"] == company
    (after,) = do(zoho, lambda c: c.update("contact", [Update(made, {"Title": "CTO", "Email": None})]))
    assert after.fields == {n: v for n, v in row.items() if n != "Email"} | {"Title": "CTO"}
    assert read(zoho, made.id).fields["Title"] == "CTO" and "Email" not in read(zoho, made.id).fields
    assert read(zoho, made.id).version == after.version
    assert zoho.asked(f"PUT /crm/v8/Contacts/{made.id}$")


def test_a_name_that_is_required_and_missing(zoho: ZohoServer) -> None:
    (made,) = do(zoho, lambda c: c.create("contact", [{"First_Name": "Jane"}]))
    assert zoho.records["Contacts"][made.id]["Last_Name"] == "-"
    assert "Last_Name" not in read(zoho, made.id).fields
    (named,) = do(zoho, lambda c: c.update("contact", [Update(made, {"Last_Name": None})]))
    assert "Last_Name" not in named.fields


def test_a_company_without_a_name_is_called_by_its_website(zoho: ZohoServer) -> None:
    rows = [{"Website": "acme.example.com"}, {"Phone": "+15550100100"}]
    _, refused = do(zoho, lambda c: c.create("company", rows))
    assert [one["name"] for one in zoho.companies()] == ["acme.example.com"]
    assert isinstance(refused, Rejected) and refused.field == "Account_Name"


def test_one_of_a_batch_fails_alone(zoho: ZohoServer) -> None:
    there = zoho.put_contact(last_name="There", email="there@example.com")
    rows = [{"Last_Name": f"N{i}", "Email": f"n{i}@example.com"} for i in range(150)]
    rows[3] = {"Last_Name": "Again", "Email": "THERE@example.com"}
    rows[7] = {"Last_Name": "Bad", "Email": "no address"}
    rows[9] = {"Last_Name": "Odd", "Nothing_Such": "x"}
    made = do(zoho, lambda c: c.create("contact", rows))
    assert [i for i, one in enumerate(made) if isinstance(one, Failure)] == [3, 7, 9]
    assert made[3].id == there and made[3].kind == "contact" and isinstance(made[3], Duplicate)
    assert isinstance(made[7], Rejected) and made[7].field == "Email"
    assert isinstance(made[9], UnknownField) and made[9].field == "Nothing_Such"
    assert len(zoho.contacts()) == 148 and len(zoho.asked("POST /crm/v8/Contacts")) == 2
    updates = [Update(one, {"Title": "T"}) for one in made if isinstance(one, Record)]
    zoho.delete_contact(updates[5].record.id)
    done = do(zoho, lambda c: c.update("contact", updates))
    assert [i for i, one in enumerate(done) if isinstance(one, Failure)] == [5] and isinstance(done[5], NotFound)
    assert len(zoho.asked("PUT /crm/v8/Contacts$")) == 2


def test_two_duplicates_at_once(zoho: ZohoServer) -> None:
    zoho.unique["Contacts"] = ["Email", "Phone"]
    there = zoho.put_contact(email="a@example.com", phone="+1 555 0100")
    row = {"Last_Name": "A", "Email": "a@example.com", "Phone": "+1 555 0100"}
    (failure,) = do(zoho, lambda c: c.create("contact", [row]))
    assert isinstance(failure, Duplicate) and failure.id == there


@pytest.mark.parametrize("many", [False, True])
def test_a_guarded_update_sees_what_was_changed_meanwhile(zoho: ZohoServer, many: bool) -> None:
    people = [zoho.put_contact(last_name=f"P{i}") for i in range(3 if many else 1)]
    records = do(zoho, lambda c: c.get("contact", people))
    zoho.change_contact(people[0], job_title="typed")
    updates = [Update(records[id], {"Title": "ours"}, guarded=True) for id in people]
    done = do(zoho, lambda c: c.update("contact", updates))
    assert isinstance(done[0], Changed) and not any(isinstance(one, Failure) for one in done[1:])
    assert [zoho.records["Contacts"][id]["Title"] for id in people] == ["typed", "ours", "ours"][: len(people)]
    assert (
        do(zoho, lambda c: c.update("contact", [Update(updates[0].record, {"Title": "ours"})]))[0].fields["Title"]
        == "ours"
    )


def test_a_whole_batch_that_is_refused_as_changed_is_sent_singly(zoho: ZohoServer) -> None:
    records = do(zoho, lambda c: c.get("contact", [zoho.put_contact(last_name=n) for n in "AB"]))
    zoho.trouble("PUT /crm/v8/Contacts$", Answer(412, error("ALREADY_MODIFIED", "modified")))
    updates = [Update(one, {"Title": "T"}, guarded=True) for one in records.values()]
    assert all(isinstance(one, Record) for one in do(zoho, lambda c: c.update("contact", updates)))


def test_deleted_and_merged(zoho: ZohoServer) -> None:
    kept, gone = zoho.put_contact(last_name="Kept"), zoho.put_contact(last_name="Gone", email="g@example.com")
    record = read(zoho, gone)
    zoho.merge_contacts(kept, gone)
    assert do(zoho, lambda c: c.get("contact", [gone])) == {}
    (failure,) = do(zoho, lambda c: c.update("contact", [Update(record, {"Title": "T"})]))
    assert isinstance(failure, NotFound)
    assert ids(zoho, {"Email": ("g@example.com",)}) == [kept]
    with pytest.raises(NotFound):
        do(zoho, lambda c: c.add_note(gone, "x"))


def test_a_field_that_is_gone(zoho: ZohoServer) -> None:
    jane = zoho.put_contact(last_name="Doe", email="j@example.com", linkedin_url="https://www.linkedin.com/in/j")
    record = read(zoho, jane)
    zoho.remove_field("LinkedIn_URL")
    assert ids(zoho, {"LinkedIn_URL": ("https://x",)}, {"Email": ("j@example.com",)}) == [jane]
    assert "LinkedIn_URL" not in read(zoho, jane).fields
    changes = {"LinkedIn_URL": "https://www.linkedin.com/in/k"}
    (failed,) = do(zoho, lambda c: c.update("contact", [Update(record, changes)]))
    (refused,) = do(zoho, lambda c: c.create("contact", [{"Last_Name": "X", **changes}]))
    assert isinstance(failed, UnknownField) and isinstance(refused, UnknownField) and failed.field == "LinkedIn_URL"
    assert not zoho.asked("PUT") and not zoho.asked("POST /crm/v8/Contacts")


def test_fields_and_a_new_one() -> None:
    with ZohoServer(linkedin=False) as zoho:
        fields = {field.name: field for field in do(zoho, lambda c: c.fields("contact"))}
        assert [option.value for option in fields["Lead_Source"].options] == ["Advertisement", "Cold Call"]
        assert fields["Title"].max_length == 100 and not fields["Full_Name"].writable
        assert fields["Account_Name"].type == "reference" and not fields["Account_Name.Website"].writable
        assert {rule.field for rule in connector.mapping["contact"]} - fields.keys() == {"LinkedIn_URL"}
        wanted = connector.linkedin["contact"]
        made = do(zoho, lambda c: c.create_field("contact", wanted))
        assert (made.name, made.custom, made.max_length) == ("LinkedIn_URL", True, 255)
        assert do(zoho, lambda c: c.create_field("contact", wanted)) == made
        with pytest.raises(Rejected):
            do(zoho, lambda c: c.create_field("contact", Field(name="x", label="X", type="reference")))
        for kind in ("lead", "company"):
            there = {field.name for field in do(zoho, lambda c, kind=kind: c.fields(kind))}
            assert {rule.field for rule in connector.mapping[kind]} - there == {"LinkedIn_URL"}
        assert zoho.refused == []


def test_wrong_types_and_references_are_named(zoho: ZohoServer) -> None:
    rows = [{"Account_Name": "A", "Employees": "many"}, {"Account_Name": "B", "Owner": "1"}]
    first, second = do(zoho, lambda c: c.create("company", rows))
    assert (first.field, second.field) == ("Employees", "Owner") and "integer" in first.message
    (failure,) = do(zoho, lambda c: c.create("contact", [{"Last_Name": "A", "Account_Name": "5725767000000000009"}]))
    assert isinstance(failure, Rejected) and failure.field == "Account_Name"


def test_notes_and_tasks(zoho: ZohoServer) -> None:
    for module in ("Contacts", "Leads"):
        person = zoho.put_contact(module=module, last_name="Doe")
        text = "Line 1\nLine 'two' \\ 😀"
        assert not do(zoho, lambda c, p=person: c.has_note(p, text))
        for n in range(205):
            zoho.kept_notes.append((person, f"note {n}"))
        assert do(zoho, lambda c, p=person: c.add_note(p, text))
        assert do(zoho, lambda c, p=person: c.has_note(p, text)) and zoho.notes(person)[-1] == text
        due = datetime(2026, 5, 4, 9, tzinfo=UTC)
        task = Task("Call", description="Soon", due_at=due, owner="5725767000000411001")
        assert do(zoho, lambda c, p=person: c.add_task(p, task))
        assert zoho.tasks(person) == ["Call"] and zoho.kept_tasks[-1]["Due_Date"] == "2026-05-04"


def test_tags_are_lists(zoho: ZohoServer) -> None:
    contact, lead = zoho.put_contact(last_name="A"), zoho.put_contact(module="Leads", last_name="B")
    made = do(zoho, lambda c: c.create_list("Spring fair"))
    assert do(zoho, lambda c: c.create_list("Spring fair")) == made
    assert do(zoho, lambda c: c.lists()) == [made]
    assert do(zoho, lambda c: c.in_list(made.id, [contact, lead])) == set()
    for _ in range(2):
        do(zoho, lambda c: c.add_to_list(made.id, [contact, lead, "404"]))
    assert zoho.members("Spring fair") == [contact, lead]
    assert do(zoho, lambda c: c.in_list(made.id, [contact, lead])) == {contact, lead}
    with pytest.raises(Rejected):
        do(zoho, lambda c: c.create_list("x" * 26))
    zoho.records["Contacts"][contact]["Tag"] = [f"t{i}" for i in range(10)]
    with pytest.raises(Rejected):
        do(zoho, lambda c: c.add_to_list(made.id, [contact]))


def test_leads_first_where_they_are_what_is_written(zoho: ZohoServer) -> None:
    (made,) = do(zoho, lambda c: c.create("lead", [{"Last_Name": "D", "Company": "Acme"}]), contact_object="lead")
    assert made.kind == "lead" and zoho.records["Leads"][made.id]["Company"] == "Acme"
    assert do(zoho, lambda c: c.get("contact", [made.id]), contact_object="lead")[made.id].kind == "lead"
    assert len(zoho.asked("coql")) == 1


def test_pages_owners_and_the_account(zoho: ZohoServer) -> None:
    people = [zoho.put_contact(last_name=f"P{i}") for i in range(5)]
    first = do(zoho, lambda c: c.page("contact", None, 3))
    rest = do(zoho, lambda c: c.page("contact", first[-1].id, 3))
    assert [one.id for one in [*first, *rest]] == people
    assert do(zoho, lambda c: c.page("contact", people[-1], 3)) == []
    assert [(o.email, o.is_default) for o in do(zoho, lambda c: c.owners())] == [
        ("ada@example.com", True),
        ("ben@example.com", False),
    ]
    assert do(zoho, lambda c: c.info()).id == "700100"


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (Answer(429, error("TOO_MANY_REQUESTS", "Too many requests"), {"Retry-After": "6000"}), 6000),
        (Answer(429, error("LIMIT_EXCEEDED", "credits"), {"X-API-CREDITS-REMAINING": "0"}), 300),
        (Answer(400, error("LIMIT_EXCEEDED", "The API credits of 24 hours are used")), 300),
        (Answer(403, error("TOO_MANY_REQUESTS", "concurrency")), 5),
        (Answer(200, {"data": [error("TOO_MANY_REQUESTS", "concurrency")]}), 5),
    ],
)
def test_each_form_of_a_limit(zoho: ZohoServer, answer: Answer, seconds: float) -> None:
    zoho.trouble("POST /crm/v8/Contacts", answer, times=9)

    with pytest.raises(RateLimited) as failed:
        do(zoho, lambda c: only(c.create("contact", [{"Last_Name": "A"}])))
    assert failed.value.retry_after == pytest.approx(seconds, rel=0.1)
    assert zoho.contacts() == []


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, "<html>Sign in</html>"),
        Answer(200, {"data": [{"code": 5}]}),
        Answer(200, {"data": "x"}),
        Answer(200, []),
        Answer(200, {"data": []}),
        Answer(400, {"odd": 1}),
        Answer(201, {"data": [{"code": "SUCCESS", "status": "success", "details": {}}]}),
        Answer(500, error("INTERNAL_ERROR", "Internal Server Error")),
    ],
)
def test_answers_of_another_shape(zoho: ZohoServer, answer: Answer) -> None:
    zoho.trouble("POST /crm/v8/Contacts", answer)
    with pytest.raises(Unavailable):
        do(zoho, lambda c: only(c.create("contact", [{"Last_Name": "A"}])))


@pytest.mark.parametrize("body", [[], {}, {"data": "x"}, {"data": [{"id": 7}]}, {"data": [5]}, "<html>"])
def test_a_search_that_answers_oddly_is_not_one_that_found_nobody(zoho: ZohoServer, body: Any) -> None:
    zoho.trouble("POST /crm/v8/coql", Answer(200, body), times=9)
    with pytest.raises(Unavailable):
        ids(zoho, {"Email": ("a@example.com",)})
    with pytest.raises(Unavailable):
        do(zoho, lambda c: c.get("contact", ["5725767000000001001"]))


def test_what_follows_a_batch_that_was_written_fails_in_its_place(zoho: ZohoServer) -> None:
    rows = [{"Last_Name": f"N{i}"} for i in range(101)]
    zoho.trouble("POST /crm/v8/Contacts")  # The first is carried out.
    zoho.trouble("POST /crm/v8/Contacts", Answer(403, error("TOO_MANY_REQUESTS", "concurrency")))
    made = do(zoho, lambda c: c.create("contact", rows))
    assert isinstance(made[100], RateLimited) and not any(isinstance(one, Failure) for one in made[:100])


def test_tokens_are_answered_as_zoho_does(zoho: ZohoServer) -> None:
    def ask(**form: str) -> httpx2.Response:
        return httpx2.post(f"{zoho.url}/oauth/v2/token", data={**GIVEN, **form}, timeout=120)

    first = ask(grant_type="authorization_code", code=zoho.self_code()).json()
    assert first["api_domain"] == zoho.url and first["refresh_token"]
    refused = ask(grant_type="authorization_code", code="used")
    assert (refused.status_code, refused.json()) == (200, {"error": "invalid_code"})
    again = [ask(grant_type="refresh_token", refresh_token=first["refresh_token"]) for _ in range(11)]
    assert "refresh_token" not in again[0].json()
    assert [one.status_code for one in again] == [200] * 10 + [400]
    zoho.expire()
    with pytest.raises(Expired):
        do(zoho, lambda c: c.info(), token=first["access_token"])
    httpx2.post(f"{zoho.url}/oauth/v2/token/revoke", data={"token": first["refresh_token"]}, timeout=120)
    assert zoho.revoked == [first["refresh_token"]]


def test_a_create_is_sent_once(zoho: ZohoServer) -> None:
    zoho.trouble("POST /crm/v8/Contacts", lost=True)
    with pytest.raises(Unavailable) as failed:
        do(zoho, lambda c: only(c.create("contact", [{"Last_Name": "A", "Email": "a@example.com"}])))
    assert failed.value.maybe_done and len(zoho.contacts()) == 1
    zoho.lag = 10
    assert len(ids(zoho, {"Email": ("a@example.com",)})) == 1


def test_a_permission_that_is_missing(zoho: ZohoServer) -> None:
    zoho.denied.add("Accounts")
    with pytest.raises(Rejected) as failed:
        do(zoho, lambda c: c.find("company", [Sought({}, ({"Account_Name": ("A",)},))]))
    assert failed.value.field == "" and "permission" in failed.value.message
