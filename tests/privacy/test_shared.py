"""An address that several people share is nobody's."""

from typing import Any

import pytest
from forgetting import World
from harness import cli

PEOPLE = ("Ann Alpha", "Ben Beta", "Cia Gamma", "Dan Delta", "Eve Epsilon")


def url(name: str, tag: str) -> str:
    return f"https://www.linkedin.com/in/{name.lower().replace(' ', '-')}-{tag}"


def test_forgetting_one_of_five_leaves_four(world: World) -> None:
    shared = "info@five.example.com"
    people: list[dict[str, Any]] = [
        {"linkedin_url": url(name, "five"), "email": shared, "full_name": name} for name in PEOPLE
    ]
    assert world.imported(*people)["created"] == 5
    list_id = world.new_list(*people, {"email": shared})

    done = world.forget(url("Cia Gamma", "five"))

    assert (done["identifiers"], done["shared"]) == (1, [shared])
    assert (done["removed"]["people"], done["removed"]["list_members"]) == (1, 1)
    left = [one.get("full_name") for one in world.members(list_id)]
    assert left == ["Ann Alpha", "Ben Beta", "Dan Delta", "Eve Epsilon", None]
    assert world.account.enrich("ann-alpha-five").status_code == 200
    assert world.account.enrich("cia-gamma-five").status_code == 404
    assert world.post("/v1/emails/verify", {"email": shared}).status_code == 200


def test_forgetting_one_by_their_own_address_leaves_the_others_without_urls(world: World) -> None:
    shared = "sales@without.example.com"
    own = {"email": "ann@without.example.com", "emails": [{"email": shared}], "full_name": "Ann Alpha"}
    list_id = world.new_list(own, *({"email": shared, "full_name": name} for name in PEOPLE))
    done = world.forget("ann@without.example.com")
    assert done["shared"] == [shared]
    assert [one["full_name"] for one in world.members(list_id)] == list(PEOPLE[1:])


def test_a_shared_address_itself_cannot_be_forgotten(world: World) -> None:
    shared = "office@refused.example.com"
    world.imported(*({"linkedin_url": url(n, "ref"), "email": shared, "full_name": n} for n in PEOPLE[:2]))
    with pytest.raises(AssertionError, match="several people"):
        cli("people", "forget", shared, environment=world.server.environment)
    assert len(world.mentions("ann-alpha-ref")) == 1
