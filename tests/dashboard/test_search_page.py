"""Searching people in the dashboard: its cost is said, a repeat is free, the chosen ones go on a list."""

import json
import re
from typing import Any

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


def test_a_search_and_what_it_costs(server: Server) -> None:
    city = f"City{server.port}"
    add(server, city)
    account = server.account()
    found = account.client.post("/v1/lists", json={"name": "Prospects"}).json()["data"]["id"]
    owner = member(server, account.id, "owner")
    assert "Search: 1 credit" in owner.get("/search").text
    assert owner.post("/search", seniority="emperor").status_code == 400

    def searched() -> str | None:
        text = owner.post("/search", city=city, job_title="Head of Sales").text
        return text if "Anna Example" in text and "Ben Example" in text else None

    page = until(searched)
    assert "<strong>2</strong>" in page and "Cora" not in page and "/dashboard/search?" in page
    before = account.usage()["credits"]["used"]
    assert "cached, free" in owner.post("/search", city=city, job_title="Head of Sales").text
    answer = owner.post(
        "/search/save", on="/search", city=city, job_title="Head of Sales", list=found, people=["0", "1"]
    )
    assert answer.status_code == 303 and account.usage()["credits"]["used"] == before
    assert sorted(re.findall(r"(Anna|Ben) Example", owner.get(f"/lists/{found}").text)) == ["Anna", "Ben"]
    assert owner.post("/search/save", on="/search", city=city, list=found).status_code == 400
