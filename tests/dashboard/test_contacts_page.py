"""The contacts and companies of the built-in CRM: found, opened, edited by several at once."""

import html
import re
from typing import Any

import pytest
from harness import Account, Server, with_pool
from signed import Visitor, member

from addtocrm.core.db.pool import Pool
from addtocrm.crm import book_store

FETCHED = """select coalesce(sum(idx_tup_fetch + seq_tup_read), 0)::bigint from pg_stat_user_tables
             where relname = 'crm_contacts'"""

JANE: dict[str, Any] = {
    "full_name": "Jane Müller",
    "first_name": "Jane",
    "last_name": "Müller",
    "email": "jane.mueller@acme.example.com",
    "company": {"name": "Acme & Söhne GmbH", "domain": "acme.example.com"},
}
JOHN: dict[str, Any] = {"full_name": "John O'Neil", "email": "john@other.example.net", "company_name": "Other"}


@pytest.fixture
def account(server: Server) -> Account:
    account = server.account()
    account.connect_builtin()
    return account


@pytest.fixture
def visitor(server: Server, account: Account) -> Visitor:
    return member(server, account.id, "member")


def add(account: Account, person: dict[str, Any], **more: Any) -> dict[str, Any]:
    made = account.client.post("/v1/crm/contacts", json={"person": person, **more})
    assert made.status_code in (200, 201), made.text
    return made.json()["data"]


def found(visitor: Visitor, text: str, where: str = "contacts") -> list[str]:
    answer = visitor.client.get(f"/dashboard/{where}", params={"find": text})
    assert answer.status_code == 200
    return re.findall(rf'<td><a href="/dashboard/{where}/\w+">([^<]+)</a>', answer.text)


def form_of(visitor: Visitor, path: str) -> dict[str, str]:
    page = visitor.get(path).text
    fields = re.findall(r'<input id="\w+" name="(\w+)" type="text" value="([^"]*)"', page)
    version = re.findall(r'name="version" value="([^"]+)"', page)[0]
    return {**{name: html.unescape(value) for name, value in fields}, "version": version}


def test_they_are_found_by_what_they_are_known_by(account: Account, visitor: Visitor, server: Server) -> None:
    add(account, JANE)
    add(account, JOHN)
    other = server.account()
    other.connect_builtin()
    add(other, {**JANE, "full_name": "Jane Elsewhere"})
    jane, john = ["Jane Müller"], ["John O&#39;Neil"]
    for text in ("jane", "Mueller acme", "MÜLLER", "muller", "jane.mueller@acme.example.com", "acme.example.com"):
        assert found(visitor, text) == jane, text
    for text in ("söhne gmbh", "o'neil jane"):
        assert found(visitor, text) == (jane if text.startswith("s") else []), text
    assert found(visitor, "O'Neil") == found(visitor, "john@other") == john
    assert found(visitor, "acme", "companies") == ["Acme &amp; Söhne GmbH"]
    for odd in ("\0", "jane\0", "x" * 5000, "'; --", "&|!", "\U0001f600", "%", "a" * 200, "\\"):
        assert found(visitor, odd) == [], odd


def test_the_address_in_an_answer_opens_here(account: Account, visitor: Visitor) -> None:
    made = add(account, JANE, note="Met at the fair.\nTwice.")
    account.client.post("/v1/crm/tasks", json={"contact_id": made["contact_id"], "title": "Call back"})
    page = visitor.client.get(made["url"]).text
    assert "Met at the fair." in page and "Call back" in page
    assert visitor.post(f"/contacts/{made['contact_id']}/notes", on="/lists", note="From here").status_code == 303
    assert "From here" in visitor.client.get(made["url"]).text
    company = visitor.get(f"/companies/{made['company_id']}").text
    assert "Jane Müller" in company and "acme.example.com" in company


def test_what_somebody_changed_meanwhile_is_not_overwritten(account: Account, visitor: Visitor) -> None:
    id = add(account, JANE)["contact_id"]
    path = f"/contacts/{id}"
    first, second = form_of(visitor, path), form_of(visitor, path)
    first |= {"last_name": "Meier", "phone": "+49 30 123456"}
    assert visitor.post(path, **first).status_code == 303
    late = visitor.post(path, **{**second, "job_title": "CEO"})
    assert late.status_code == 409 and "Now: Meier" in late.text
    there = account.client.get("/v1/crm/contacts", params={"email": JANE["email"]}).json()["data"][0]
    assert (there["full_name"], there["phone"], there["job_title"]) == ("Jane Meier", "+49 30 123456", None)
    event = [one for one in account.events() if one["type"] == "crm.contact.updated"][-1]
    assert event["actor"].startswith("user:") and event["data"]["contact_id"] == id
    assert set(event["data"]["fields_written"]) == {"last_name", "full_name", "phone"}


def test_a_field_that_cannot_be_is_refused_by_its_name(account: Account, visitor: Visitor) -> None:
    add(account, JOHN)
    id = add(account, {"full_name": "Ann Lee", "email": "ann@acme.example.com"})["contact_id"]
    path = f"/contacts/{id}"
    for changed, said in (
        ({"email": "no address"}, "The email address "),
        ({"email": JOHN["email"]}, "belongs to another record"),
        ({"linkedin_url": "https://example.com"}, "LinkedIn URL is not on linkedin.com"),
        ({"first_name": "", "last_name": "", "full_name": "", "email": ""}, "A contact needs a name"),
        ({"city": "x" * 501}, "longer than 500"),
    ):
        answer = visitor.post(path, **{**form_of(visitor, path), **changed})
        assert answer.status_code == 400 and said in answer.text, (changed, answer.text[-3000:])
    company = account.client.post("/v1/crm/companies", json={"company": {"name": "Lee", "domain": "lee.example"}})
    path = f"/companies/{company.json()['data']['company_id']}"
    assert visitor.post(path, **{**form_of(visitor, path), "domain": "lee.example.com"}).status_code == 303
    assert "lee.example.com" in visitor.get(path).text


def test_a_note_that_is_refused_can_be_sent_again(account: Account, visitor: Visitor) -> None:
    id = add(account, JANE)["contact_id"]
    path = f"/contacts/{id}/notes"
    for note, said in (("x" * 65_537, "Note is longer than 65,536 characters."), ("  ", "Note is empty.")):
        refused = visitor.post(path, on="/lists", note=note)
        assert (
            refused.status_code == 400
            and said in refused.text
            and f"required>{note.strip()}</textarea>" in refused.text
        )
        assert f'action="/dashboard{path}"' in refused.text and f'action="/dashboard/contacts/{id}"' in refused.text
    assert "No notes yet." in refused.text


def test_a_search_for_one_of_many_is_quick(server: Server) -> None:
    """Who few match is found by the index of words, who many match in the order of ids."""
    account = server.account()
    account.connect_builtin()
    server.query(
        """insert into crm_contacts (id, account_id, full_name, name_key, custom)
           select 'con_' || md5(n::text), $1, 'Anna P' || n, 'anna p' || n, '{}' from generate_series(1, 20000) n""",
        account.id,
    )
    server.query("analyze crm_contacts")

    async def looked_at(pool: Pool) -> int:
        rows: list[int] = []
        for words, there in ((["nobody"], 0), (["anna", "p19999"], 1), (["anna"], 51)):
            async with pool.acquire() as connection:
                await connection.execute("select pg_stat_force_next_flush()")
                before = await connection.fetchval(FETCHED)
            for _ in range(7):
                assert len(await book_store.page(pool, account.id, "contact", words, "", 51)) == there
            async with pool.acquire() as connection:
                await connection.execute("select pg_stat_force_next_flush()")
                rows.append((await connection.fetchval(FETCHED)) - before)
        return max(rows)

    assert with_pool(server.database_url, looked_at) < 7 * 3000
