"""Who is one member, and how many there are."""

import asyncio
from typing import Any

import asyncpg
from harness import Account, Server, cli, until


def new_list(account: Account) -> str:
    return account.client.post("/v1/lists", json={"name": "Leads"}).json()["data"]["id"]


def add(account: Account, id: str, *people: dict[str, Any]) -> dict[str, Any]:
    answer = account.client.post(f"/v1/lists/{id}/members", json={"people": list(people)})
    assert answer.is_success, answer.text
    return answer.json()["data"]


def count(account: Account, id: str) -> int:
    listed = account.client.get("/v1/lists").json()["data"]
    shown = account.client.get(f"/v1/lists/{id}").json()["data"]["members"]
    assert [one["members"] for one in listed if one["id"] == id] == [shown]
    return shown


def test_two_with_one_address_are_two_where_their_names_differ(server: Server) -> None:
    account = server.account()
    id = new_list(account)
    email = "office@two.example.com"
    first, second = {"email": email, "full_name": "Ann Alpha"}, {"email": email, "full_name": "Ben Beta"}
    assert add(account, id, first, second)["added"] == 2
    assert (
        add(account, id, second, first, {"email": email.upper(), "first_name": "ben", "last_name": "BETA"})["added"]
        == 0
    )
    assert add(account, id, {"email": email, "full_name": "Ann B. Alpha"})["added"] == 0, "a name with more to it"
    url = {"linkedin_url": "linkedin.com/in/cia-two-example", "email": email, "full_name": "Cia Gamma"}
    assert add(account, id, url)["added"] == 1
    assert add(account, id, {"email": email, "full_name": "Cia Gamma"})["added"] == 0
    assert count(account, id) == 3


def test_han_names_of_one_sound_are_two_members_and_those_of_one_name_are_one(server: Server) -> None:
    account = server.account()
    id = new_list(account)
    at = "office@han.example.com"
    wang, same_sound = ({"full_name": name, "company_name": "Acme"} for name in ("王伟", "汪伟"))
    li, elsewhere = ({"full_name": "Li Wei", "company_name": name} for name in ("中信集团", "中新集团"))
    for_mail, other_mail = ({"full_name": name, "email": at} for name in ("王伟", "汪伟"))
    two = [wang, same_sound, li, elsewhere, for_mail, other_mail]
    assert add(account, id, *two)["added"] == 6
    again = add(account, id, *two)
    assert again["added"] == 0
    assert [member["person"]["full_name"] for member in again["members"]] == [one["full_name"] for one in two]
    traditional = [{**wang, "full_name": "王偉"}, {**li, "company_name": "中信集團"}, {**for_mail, "full_name": "王偉"}]
    in_latin = [{**li, "company_name": "Zhongxinjituan"}, {**wang, "full_name": "Wangwei"}]
    assert add(account, id, *traditional, *in_latin)["added"] == 0


def test_an_address_says_who_is_one_as_everywhere(server: Server) -> None:
    account = server.account()
    id = new_list(account)
    names = ["Bob Doe", "Robert Doe", "Mr Roe", "Mrs Roe", "John Loe", "J. Loe"]
    answer = add(account, id, *({"email": "family@one.example.com", "full_name": name} for name in names))
    listed = account.client.get(f"/v1/lists/{id}/members").json()["data"]
    assert [one["person"]["full_name"] for one in listed] == ["Bob Doe", "Mr Roe", "Mrs Roe", "John Loe", "J. Loe"]
    assert answer["added"] == 5


def test_one_address_in_its_forms_is_one_member(server: Server) -> None:
    account = server.account()
    id = new_list(account)
    forms = ["Jo@bücher-list.example", "jo@xn--bcher-list-9db.example", "JO@BÜCHER-LIST.example"]
    assert add(account, id, *({"email": form} for form in forms))["added"] == 1


def test_the_counter_is_right_whoever_comes_and_goes_at_once(server: Server) -> None:
    account = server.account()
    id = new_list(account)
    there = add(account, id, *({"linkedin_url": f"linkedin.com/in/c{n}-count"} for n in range(60)))["members"]

    async def run() -> None:
        async with server.async_client(account.token) as client:
            path = f"/v1/lists/{id}/members"
            adds = [
                client.post(path, json={"people": [{"linkedin_url": f"linkedin.com/in/n{n % 20}-count"}]})
                for n in range(40)
            ]
            gone = [client.delete(f"{path}/{one['id']}") for one in there[:20]]
            forgotten = [
                asyncio.to_thread(
                    cli, "people", "forget", f"linkedin.com/in/c{n}-count", environment=server.environment
                )
                for n in (30, 31)
            ]
            await asyncio.gather(*adds, *gone, *forgotten)

    asyncio.run(run())
    assert count(account, id) == 60 + 20 - 20 - 2
    rows = server.query("select count(*)::int as n from list_members where list_id = $1", id)
    assert rows[0]["n"] == 58
    assert account.client.delete(f"/v1/lists/{id}").status_code == 200


def test_changes_that_wait_for_one_list_leave_the_connections_to_others(server: Server) -> None:
    account, other = server.account(), server.account()
    server.add_people(*(f"beside-a-list{n}-example" for n in range(30)))
    id = new_list(account)
    waits = """select count(*)::int as n from pg_stat_activity where datname = current_database()
        and wait_event_type = 'Lock' and query like '%from lists %'"""

    def waiting() -> int:
        return server.query(waits)[0]["n"]

    async def run() -> None:
        holder = await asyncpg.connect(server.database_url)
        async with server.async_client(account.token) as client:
            async with holder.transaction():
                await holder.execute("select from lists where id = $1 for update", id)
                adds = [
                    asyncio.create_task(
                        client.post(f"/v1/lists/{id}/members", json={"people": [{"email": f"w{n}@wait.example.com"}]})
                    )
                    for n in range(30)
                ]
                await asyncio.to_thread(until, waiting)
                for n in range(30):
                    enriched = await asyncio.to_thread(other.enrich, f"beside-a-list{n}-example")
                    assert enriched.status_code == 200, enriched.text
                assert await asyncio.to_thread(waiting) == 1
            assert {(await one).status_code for one in adds} == {201}
        await holder.close()

    asyncio.run(run())
    assert count(account, id) == 30
