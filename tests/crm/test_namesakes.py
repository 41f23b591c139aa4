"""Namesakes and custom fields of the built-in CRM: what is read does not grow with how many there are."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest
from harness import Account, Server

from addtocrm.core import identifiers
from addtocrm.crm.connectors.builtin import CANDIDATES, candidate_arguments

NAME = "Alex Namesake"


@pytest.fixture
def account(server: Server) -> Account:
    account = server.account()
    account.connect_builtin()
    return account


def namesakes(account: Account, count: int, company: str) -> None:
    """Contacts of one name: with a URL each, at companies of their own unless `company` is one for all."""
    account.server.query(
        """insert into crm_contacts
               (id, account_id, linkedin_url, full_name, name_key, company_name, company_key, custom)
           select 'cco_' || $1 || n, $1, 'https://www.linkedin.com/in/alex-' || n, $2, $3,
                  $4 || case when $4 = 'C' then n::text else '' end,
                  lower($4) || case when $4 = 'C' then n::text else '' end, '{"tier": "a"}'
           from generate_series(1, $5::int) n returning 1""",
        account.id,
        NAME,
        identifiers.name_key(NAME),
        company,
        count,
    )


def write(account: Account, person: Any, **more: Any) -> dict[str, Any]:
    answer = account.client.post("/v1/crm/contacts", json={"person": person, **more})
    assert answer.is_success, answer.text
    return answer.json()["data"]


@pytest.mark.parametrize("company", ["C", "Acme"])
def test_a_look_up_reads_a_few_namesakes_only(account: Account, company: str) -> None:
    namesakes(account, 5_000, company)
    values = {"full_name": NAME, "company_name": "Acme", "email": "alex@example.com"}

    async def rows() -> int:
        connection = await asyncpg.connect(account.server.database_url)
        await connection.execute("analyze crm_contacts")
        plan = await connection.fetchval(
            f"explain (analyze, format json) {CANDIDATES['contact']}",
            *candidate_arguments(account.id, "contact", values),
        )
        await connection.close()

        def read(node: dict[str, Any]) -> int:
            own = node["Actual Rows"] + node.get("Rows Removed by Filter", 0) if "Relation Name" in node else 0
            return int(own) + sum(read(part) for part in node.get("Plans", []))

        return read(json.loads(plan)[0]["Plan"])

    assert asyncio.run(rows()) < 20


def test_who_is_the_same_among_namesakes_stays_as_it_was(account: Account) -> None:
    namesakes(account, 200, "C")
    one = write(account, {"full_name": NAME, "company_name": "C7 Inc."})
    assert one["action"] == "unchanged" or one["contact_id"].endswith("7")
    first = write(account, {"full_name": NAME, "company_name": "Acme"})
    assert first["action"] == "created"
    for number in range(3):
        write(account, {"full_name": NAME, "company_name": "Acme", "email": f"alex{number}@acme.example.com"})
    again = write(account, {"full_name": NAME, "company_name": "Acme"})
    assert again["action"] == "created", "there are several of this name at this company, and none without a key"
    assert write(account, {"full_name": NAME, "company_name": "Acme"})["contact_id"] == again["contact_id"]


def test_custom_fields_are_known_from_their_writes(account: Account) -> None:
    write(account, {"full_name": "Bo"}, custom_fields={"tier": "a", "score": 7, "tags": ["x"], "vip": True})
    write(account, {"full_name": "Bo"}, custom_fields={"source": "fair"})
    shown = account.client.get("/v1/crm/fields", params={"object": "contact", "limit": 100}).json()["data"]
    types = {one["name"]: one["type"] for one in shown if one["custom"]}
    assert types == {"tier": "text", "score": "number", "tags": "list", "vip": "boolean", "source": "text"}


def test_new_custom_fields_at_once(account: Account) -> None:
    async def run() -> list[Any]:
        async with account.server.async_client(account.token) as client:
            return await asyncio.gather(
                *(
                    client.post(
                        "/v1/crm/contacts",
                        json={
                            "person": {"full_name": f"Person {number}"},
                            "custom_fields": {f"f{(number + shift) % 7}": "x" for shift in range(5)},
                        },
                    )
                    for number in range(40)
                )
            )

    assert {answer.status_code for answer in asyncio.run(run())} == {201}
    shown = account.client.get("/v1/crm/fields", params={"object": "contact", "limit": 100}).json()["data"]
    assert len([one for one in shown if one["custom"]]) == 7


def test_two_people_with_one_address_are_two(account: Account) -> None:
    ann = write(account, {"email": "office@shared.test", "full_name": "Ann Alpha"})
    ben = write(account, {"email": "OFFICE@shared.test", "full_name": "Ben Beta"}, on_conflict="overwrite")
    assert (ben["action"], ben["fields_kept"]) == ("created", ["email"])
    assert ben["contact_id"] != ann["contact_id"]
    again = write(account, {"email": "office@shared.test", "full_name": "Dr. Ann M. Alpha"})
    assert again["contact_id"] == ann["contact_id"]
    assert write(account, {"email": "office@shared.test"})["contact_id"] == ann["contact_id"]


def test_han_names_that_sound_the_same_are_two_people(account: Account) -> None:
    alike = ["汪伟", "旺伟", "望伟", "王伟"]
    ids = [write(account, {"full_name": name, "company_name": "Acme"})["contact_id"] for name in alike]
    assert len(set(ids)) == len(alike)
    wang = {"full_name": "王偉", "company_name": "Acme", "email": "wang@acme.example.com", "job_title": "CFO"}
    written = write(account, wang, on_conflict="overwrite")
    assert (written["action"], written["matched_by"], written["contact_id"]) == ("updated", "name", ids[-1])
    listed = account.client.get("/v1/crm/contacts", params={"limit": 100}).json()["data"]
    assert {one["id"]: one["full_name"] for one in listed} == dict(zip(ids, [*alike[:-1], "王偉"], strict=True))


def test_companies_whose_han_names_sound_the_same_are_two(account: Account) -> None:
    for name, domain in (("中信集团", None), ("中新集团", "zhongxin.example.com"), ("中信集團", "citic.example.com")):
        write(account, {"full_name": "Wei Li", "company_name": name, "company_domain": domain})
    rows = account.server.query("select name from crm_companies where account_id = $1 order by id", account.id)
    assert [row["name"] for row in rows] == ["中信集团", "中新集团"]
