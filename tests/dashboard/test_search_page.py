"""Searching people in the dashboard: its cost is said, a repeat is free, the chosen ones go on a list."""

import json
import re
from typing import Any
from urllib.parse import quote

from harness import Server, until, with_pool
from signed import member

PEOPLE = [("Head of Sales", "Anna Example"), ("Head of Sales", "Ben Example"), ("Nurse", "Cora Example")]


def add(server: Server, city: str) -> None:
    async def insert(pool: Any) -> None:
        for title, name in PEOPLE:
            slug = f"{name.split()[0].lower()}-{city.lower()}"
            data = {
                "linkedin_url": f"https://www.linkedin.com/in/{slug}",
                "full_name": name,
                "job_title": title,
                "location": {"city": city, "country": "Norway", "country_code": "NO"},
            }
            await pool.execute(
                "insert into people (id, identity, data) values (new_id('per'), $1, $2)", f"in:{slug}", json.dumps(data)
            )

    with_pool(server.database_url, insert)


def test_a_value_may_have_a_comma(server: Server) -> None:
    owner = member(server, server.account().id, "owner")
    town = f"Oslo{server.port}"

    async def insert(pool: Any) -> None:
        for name, company, industry in (
            ("Ada", "Acme Voyages, Inc.", "Leisure, Travel & Tourism"),
            ("Ben", "Other Voyages", "Travel & Tourism"),
        ):
            data = {
                "full_name": name,
                "location": {"city": town},
                "company": {"name": company, "industry": industry},
            }
            await pool.execute(
                "insert into people (id, identity, data) values (new_id('per'), $1, $2)",
                f"{name}{town}",
                json.dumps(data),
            )

    with_pool(server.database_url, insert)

    def counted(text: str) -> int:
        found = re.search(r"<strong>([\d,]+)</strong>", text)
        return int(found[1]) if found else 0

    page = until(lambda: text if counted(text := owner.get(f"/search?city={town}").text) == 2 else None)
    link = re.findall(r'href="/dashboard([^"]+)">Leisure, Travel', page)[0].replace("&amp;", "&")
    assert counted(owner.get(link).text) == 1
    assert counted(owner.get(f"/search?city={town}&industry=Leisure, Travel").text) == 2
    for company in (
        "Acme Voyages, Inc.",
        "acme voyages",
        "Nobody Ltd, Acme Voyages, Inc.",
        '"Acme Voyages, Inc."',
    ):
        assert counted(owner.get(f"/search?city={town}&company={quote(company)}").text) == 1, company
    refused = owner.get("/search?company=acme..com")
    assert refused.status_code == 400 and "The company&#39;s domain is not" in refused.text


def test_a_search_and_what_it_costs(server: Server) -> None:
    city = f"City{server.port}"
    add(server, city)
    account = server.account()
    found = account.client.post("/v1/lists", json={"name": "Prospects"}).json()["data"]["id"]
    owner = member(server, account.id, "owner")
    assert "before a credit is spent" in owner.get("/search").text
    assert owner.get("/search?seniority=emperor").status_code == 400
    assert owner.get("/search?has_email=x").status_code == 200
    assert owner.get("/search/-1?job_title=Nurse").headers["location"] == "/dashboard/search?job_title=Nurse"
    address = f"/search?job_title=Head+of+Sales&city={city}"

    def counted() -> str | None:
        text = owner.get(address).text
        return text if "<strong>2</strong>" in text else None

    page = until(counted)
    assert "Show them: 1 credit" in page and "Anna" not in page and f"/dashboard{address}&amp;seniority=" not in page
    link = re.findall(r'href="/dashboard([^"]+)">Norway</a>', page)[0].replace("&amp;", "&")
    assert "country=Norway" in link and "<strong>2</strong>" in owner.get(link).text
    assert account.usage()["credits"]["used"] == 0
    wanted = {"city": city, "job_title": "Head of Sales"}
    assert owner.post("/search/save", on=address, list=found, **wanted).status_code == 400
    for _ in range(2):
        assert owner.post("/search", on=address, **wanted).headers["location"] == f"/dashboard{address}#found"
    assert account.usage()["credits"]["used"] == 1
    page = owner.get(address).text
    assert "Anna Example" in page and "Ben Example" in page and "Cora" not in page
    person = owner.get(f"/search/0?job_title=Head+of+Sales&city={city}").text
    assert "dataset ·" in person and city in person
    account.connect_builtin()
    ids = dict(re.findall(r'value="([^"]+)" aria-label="Choose (\w+) Example"', page))
    (ben,) = (id for id, name in ids.items() if name == "Ben")
    preview = owner.post("/search/preview", on=address, people=[ben], **wanted).headers["location"]
    shown = owner.get(preview.removeprefix("/dashboard")).text
    assert "Nothing is written yet" in shown and "Ben Example" in shown
    gone = owner.post("/search/save", on=address, list=found, people=[ben, "per_gone"], **wanted)
    assert gone.status_code == 400 and "Other people are on this page" in gone.text
    assert re.findall(r'value="(\w+)" checked', gone.text) == [ben]
    lost = owner.post("/search/save", on=address, list="lst_none", people=[ben], on_conflict="overwrite", **wanted)
    assert lost.status_code == 404 and re.findall(r'value="(\w+)" checked', lost.text) == [ben]
    assert '<option value="overwrite" selected>' in lost.text
    id = re.findall(r'name="people" value="([^"]+)"', person)[0]
    lost = owner.post("/search/save", on=address, list="lst_none", people=[id], place=0, **wanted)
    assert lost.status_code == 404 and 'role="alert"' in lost.text and "Choose a list" in lost.text
    assert re.findall(r"<h1>(\w+) Example</h1>", lost.text) and f'value="{id}"' in lost.text
    assert owner.post("/search/save", on=address, list=found, **wanted).status_code == 303
    assert account.usage()["credits"]["used"] == 1
    assert sorted(set(re.findall(r"(Anna|Ben) Example", owner.get(f"/lists/{found}").text))) == ["Anna", "Ben"]
