"""A forgotten person in every form of their identifiers, in every place."""

import unicodedata
from typing import Any
from urllib.parse import quote

import pytest
from forgetting import World
from harness import until


def nfd(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def test_an_address_at_a_unicode_domain_in_every_form(world: World) -> None:
    url = "https://www.linkedin.com/in/uwe-weltweit-example"
    spellings = [
        "Uwe@büro-forget.example.com",
        "uwe@xn--bro-forget-9db.example.com",
        nfd("UWE@BÜRO-forget.example.com"),
    ]
    world.imported({"linkedin_url": url, "email": spellings[0], "full_name": "Uwe Weltweit"})
    verified = [world.post("/v1/emails/verify", {"email": one}) for one in spellings]
    assert {one.status_code for one in verified} == {200}
    list_id = world.new_list({"email": spellings[2]}, {"email": "other@büro-forget.example.com"})
    world.batch("emails-verify", *spellings)
    assert world.account.enrich("uwe-weltweit-example").status_code == 200
    used = world.account.usage()["credits"]["used"]

    assert world.forget(spellings[1])["identifiers"] == 2

    until(lambda: not world.mentions("uwe@", "uwe-weltweit"))
    assert len(world.members(list_id)) == 1
    for one in spellings:
        until(lambda one=one: world.post("/v1/emails/verify", {"email": one}).status_code == 404)
        assert world.post("/v1/people/enrich", {"email": one}).status_code == 404
        assert world.post(f"/v1/lists/{list_id}/members", {"people": [{"email": one}]}).status_code == 400
        assert (
            world.post(
                "/v1/crm/contacts", {"person": {"emails": [{"email": "x@example.com"}, {"email": one}]}}
            ).status_code
            == 400
        )
    again = world.imported({"email": spellings[2], "full_name": "Uwe"})
    assert (again["created"], again["suppressed"]) == (0, 1)
    assert world.account.usage()["credits"]["used"] == used


def forms(slug: str) -> list[str]:
    return [
        f"https://www.linkedin.com/in/{quote(slug)}",
        f"in/{slug}",
        f"/in/{nfd(slug)}/",
        f"http://de.linkedin.com/in/{slug.upper()}?trk=x",
        f"linkedin.com/in/{quote(nfd(slug))}/de",
    ]


@pytest.mark.parametrize("said", range(5))
def test_a_profile_in_every_form(world: World, said: int) -> None:
    slug = f"zoë-ümlaut-{said}-example"
    said_as = forms(slug)
    world.imported({"linkedin_url": said_as[0], "full_name": "Zoë Ümlaut"})
    ids = [world.new_list({"linkedin_url": form}) for form in said_as]
    world.batch("people-enrich", *said_as, *({"linkedin_url": form} for form in said_as))
    assert world.post("/v1/crm/contacts", {"person": {"linkedin_url": said_as[3]}}).status_code == 201

    world.forget(said_as[said])

    until(lambda: not world.mentions(slug, quote(slug), nfd(slug), quote(nfd(slug))))
    assert [world.members(id) for id in ids] == [[]] * len(ids)
    assert world.account.client.get("/v1/crm/contacts").json()["data"] == []
    for form in said_as:
        until(lambda form=form: world.post("/v1/people/enrich", {"linkedin_url": form}).status_code == 404)


def test_who_is_known_to_the_crm_only_leaves_the_lists_too(world: World) -> None:
    url, email = "https://www.linkedin.com/in/cleo-crm-example", "cleo@crm-only.example.com"
    person: dict[str, Any] = {"linkedin_url": url, "emails": [{"email": "c@crm-only.example.com"}, {"email": email}]}
    assert world.post("/v1/crm/contacts", {"person": person}).status_code == 201
    list_id = world.new_list({"email": email.upper()})

    done = world.forget(url)

    assert done["identifiers"] == 3
    assert (done["removed"]["crm_contacts"], done["removed"]["list_members"]) == (1, 1)
    assert world.members(list_id) == []
    assert world.account.client.get("/v1/lists").json()["data"][-1]["members"] == 0


def test_who_changed_their_profile_url_is_forgotten_under_both(world: World) -> None:
    before, after = (f"https://www.linkedin.com/in/{slug}-example" for slug in ("mia-former", "mia-now"))
    email = "mia@former.example.com"
    world.imported(
        {"linkedin_url": before, "email": email, "full_name": "Mia Former"},
        {"linkedin_url": after, "email": email, "full_name": "Mia Former"},
    )
    assert world.forget(after)["identifiers"] == 3
    until(lambda: not world.mentions("mia-former", "mia-now", email))


def test_free_texts_are_reported_and_left(world: World) -> None:
    url, email = "https://www.linkedin.com/in/nora-noted-example", "nora@noted.example.com"
    world.imported({"linkedin_url": url, "email": email, "full_name": "Nora Noted"})
    other = world.post("/v1/crm/contacts", {"person": {"full_name": "Bo Other"}}).json()["data"]["contact_id"]
    note = world.post("/v1/crm/notes", {"contact_id": other, "text": f"Ask Nora <{email.upper()}>."})
    task = world.post("/v1/crm/tasks", {"contact_id": other, "title": "Call", "description": f"See {url}/?x=1, soon."})
    custom = {
        "person": {"full_name": "Di Other"},
        "custom_fields": {"referrer": "de.linkedin.com/in/Nora-Noted-Example"},
    }
    third = world.post("/v1/crm/contacts", custom).json()["data"]["contact_id"]

    done = world.forget(email)

    told = {(one["place"], one["id"]) for one in done["mentions"]}
    assert told == {
        ("crm_notes", note.json()["data"]["note_id"]),
        ("crm_tasks", task.json()["data"]["task_id"]),
        ("crm_contacts", third),
    }
    assert {one["account_id"] for one in done["mentions"]} == {world.account.id}
    assert world.server.query("select text from crm_notes where contact_id = $1", other)


def test_a_found_address_of_somebody_forgotten_is_not_found(world: World) -> None:
    """The answer that was kept is gone; that a search finds nobody anew is the capture's, which knows the address."""
    email = "fay@found.example.com"
    data = '{"email": "Fay@found.example.com", "pattern": "{first}", "confidence": 1}'
    world.server.query(
        """insert into results (account_id, operation, lookup_key, data, expires_at, subjects)
           values ($1, 'emails.find', 'fay|x|found.example.com', $2, now() + interval '1 day',
                   array[sha256('email:fay@found.example.com')]) returning 1""",
        world.account.id,
        data,
    )
    assert world.forget(email)["removed"]["results"] == 1


def test_an_address_with_a_name_before_it_is_that_address(world: World) -> None:
    email = "gil@displayed.example.com"
    shown = f'"Gil, G." <{email.upper()}>'
    other = {"linkedin_url": "in/gil-other-example", "emails": [{"email": "g@displayed.example.com"}, {"email": shown}]}
    list_id = world.new_list({"email": shown}, {"email": "stays@displayed.example.com"})
    world.forget(email)
    assert world.members(list_id) == [{"email": "stays@displayed.example.com"}]
    for person in ({"email": shown}, other):
        assert world.post("/v1/crm/contacts", {"person": person}).status_code == 400
        assert world.post(f"/v1/lists/{list_id}/members", {"people": [person]}).status_code == 400
    assert not world.mentions(email)
