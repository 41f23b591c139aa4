"""What people see where something is not there, is too much, or is asked about first."""

import re

from harness import Server
from signed import Visitor, member, until_refused

from addtocrm.dashboard.limits import TRIES_AN_HOUR


def test_odd_paths_and_methods_answer_a_page(server: Server) -> None:
    visitor = Visitor(server)
    for method, path, status in (
        ("GET", "/nowhere", 404),
        ("GET", "//lists", 404),
        ("GET", "/lists/", 404),
        ("GET", "/%00", 404),
        ("GET", "/%ff", 404),
        ("GET", "/%2e%2e/v1/usage", 404),
        ("PUT", "/lists", 405),
        ("DELETE", "/lists", 405),
        ("POST", "/nowhere", 405),
        ("POST", "/security", 405),
        ("GET", "/", 303),
        ("GET", "/lists/lst_1%0d%0a/push", 303),
    ):
        answer = visitor.client.request(method, f"/dashboard{path}")
        assert answer.status_code == status, (method, path, answer.status_code)
        assert status == 303 or answer.headers["content-type"].startswith("text/html"), (method, path)
        assert "set-cookie" not in answer.headers or "addtocrm-form=" in answer.headers["set-cookie"]
    for path, form in (("/lists/lst_1", "push"), ("/search", "save"), ("/members", "invite")):
        assert visitor.get(f"{path}/{form}").headers["location"] == f"/dashboard{path}"
    assert server.client().put("/v1/nowhere").headers["content-type"] == "application/json"


def test_too_many_tries_say_when_to_come_back(server: Server) -> None:
    visitor = Visitor(server)
    email = f"nobody-{server.port}@example.com"
    *before, last = until_refused(lambda: visitor.sign_in(email, "not the password"), TRIES_AN_HOUR)
    assert {answer.status_code for answer in before} == {401} and 1 <= int(last.headers["retry-after"]) <= 3600
    assert "Too many tries" in last.text and f'value="{email}"' in last.text
    forgot = until_refused(lambda: Visitor(server).post("/forgot", email=email), TRIES_AN_HOUR)[-1]
    assert "Too many tries" in forgot.text and f'value="{email}"' in forgot.text and "retry-after" in forgot.headers


def test_what_cannot_be_undone_is_asked_about_also_without_scripts(server: Server) -> None:
    account = server.account()
    owner = member(server, account.id, "owner")
    id = account.client.post("/v1/lists", json={"name": "Leads"}).json()["data"]["id"]
    form = re.search(r'<form[^>]*action="/dashboard(/lists/[^"]+/delete)">(.*?)</form>', owner.get(f"/lists/{id}").text)
    assert form
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form[2]))
    asks = owner.client.post(f"/dashboard{form[1]}", data=fields)
    assert asks.status_code == 200 and "Are you sure?" in asks.text
    assert account.client.get(f"/v1/lists/{id}").status_code == 200
    sure = dict(re.findall(r'name="(\w+)" value="([^"]*)"', asks.text[asks.text.index("<main") :]))
    assert owner.client.post(f"/dashboard{form[1]}", data=sure).status_code == 303
    assert account.client.get(f"/v1/lists/{id}").status_code == 404


def test_a_person_that_is_nested_too_deeply_is_none(server: Server) -> None:
    account = server.account()
    account.connect_builtin()
    owner = member(server, account.id, "owner")
    path, person = "/connection/mapping/preview", '{"a":' + "[" * 100_000
    answer = owner.post(path, on="/connection/mapping", object="contact", person=person)
    assert answer.status_code == 400 and "nested too deeply" in answer.text


def test_what_is_no_text_is_refused_or_left_out(server: Server) -> None:
    owner = member(server, server.account().id, "owner")
    for query in ("/requests?result=%00", "/requests?key=%00", "/requests?path=%00", "/events?actor=%00"):
        assert owner.get(query).status_code == 200, query
    for type, value in (("text/plain", b"\xff"), ("text/plain; charset=none", b"x")):
        head = f'--x\r\nContent-Disposition: form-data; name="name"\r\nContent-Type: {type}\r\n\r\n'
        for headers in ({}, {"x-csrf": owner.csrf("/lists")}):
            answer = owner.client.post(
                "/dashboard/lists",
                content=head.encode() + value + b"\r\n--x--\r\n",
                headers={"content-type": "multipart/form-data; boundary=x", **headers},
            )
            assert answer.status_code == 400 and "cannot be understood" in answer.text
