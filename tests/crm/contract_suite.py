"""What every connector must do. A connector's test file subclasses ConnectorContract and gives `run`."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar, get_args

import pytest

from addtocrm.crm.contract import CUSTOM, Capability, Connector, Definition, Kind, NotFound, Task
from addtocrm.crm.values import COMPANY_FIELDS, CONTACT_FIELDS

T = TypeVar("T")
Run = Callable[[Callable[[Connector], Awaitable[T]]], T]

FIELDS: dict[Kind, tuple[str, ...]] = {"contact": CONTACT_FIELDS, "company": COMPANY_FIELDS}
SAMPLES: dict[Kind, dict[str, Any]] = {
    "contact": {
        "linkedin_url": "https://www.linkedin.com/in/jane-doe-example",
        "email": "jane.doe@acme.example.com",
        "first_name": "Jane",
        "last_name": "Doe",
        "full_name": "Jane Doe",
        "job_title": "Head of Sales",
        "phone": "+1 555 0100",
        "city": "Springfield",
        "company_name": "Acme",
        "company_domain": "acme.example.com",
        "other_emails": ["jane@example.org", "jd@example.net"],
        "skills": ["Selling", "C++; and more"],
    },
    "company": {
        "name": "Acme GmbH",
        "domain": "acme.example.com",
        "linkedin_url": "https://www.linkedin.com/company/acme-example",
        "industry": "Tools",
        "employee_count": 120,
        "technologies": ["PostgreSQL"],
    },
}
KINDS: tuple[Kind, ...] = get_args(Kind)
KEYS = [("contact", "linkedin_url"), ("contact", "email"), ("company", "domain"), ("company", "linkedin_url")]


class ConnectorContract:
    definition: Definition
    custom: str | None = None
    """A custom field that the CRM of the tests takes."""

    @pytest.fixture
    def run(self) -> Run[Any]:
        """Runs some work on a connector that is open for writing to an empty CRM, the same one for a whole test."""
        raise NotImplementedError

    def sample(self, kind: Kind, **more: Any) -> dict[str, Any]:
        mapping = self.definition.mapping[kind]
        return {name: value for name, value in {**SAMPLES[kind], **more}.items() if name in mapping}

    def test_its_declaration_is_of_our_names(self) -> None:
        for kind in KINDS:
            assert set(self.definition.mapping[kind]) <= set(FIELDS[kind])
        assert set(self.definition.capabilities) <= set(get_args(Capability))
        assert self.definition.name == self.definition.name.lower()

    def test_it_knows_whose_it_is(self, run: Run[Any]) -> None:
        account = run(lambda crm: crm.info())
        assert account.id
        assert account.name

    @pytest.mark.parametrize("kind", KINDS)
    def test_what_is_created_is_there(self, run: Run[Any], kind: Kind) -> None:
        values = self.sample(kind)
        made = run(lambda crm: crm.create(kind, values))
        read = run(lambda crm: crm.get(kind, made.id))
        assert values.items() <= read.values.items()
        assert read == made
        assert None not in read.values.values()

    @pytest.mark.parametrize("kind", KINDS)
    def test_text_is_kept_as_it_is(self, run: Run[Any], kind: Kind) -> None:
        name = "full_name" if kind == "contact" else "name"
        text = 'Zoë "Ж" <b>O\'Neil</b> & 李; a,b\\c 🚀 %41 {{x}}'
        made = run(lambda crm: crm.create(kind, {name: text}))
        assert run(lambda crm: crm.get(kind, made.id)).values[name] == text

    @pytest.mark.parametrize(("kind", "key"), KEYS)
    def test_it_finds_by_each_key(self, run: Run[Any], kind: Kind, key: str) -> None:
        values = self.sample(kind)
        if key not in values:
            assert key not in self.definition.mapping[kind]
            return
        made = run(lambda crm: crm.create(kind, values))
        found = run(lambda crm: crm.find(kind, {key: values[key]}))
        assert [one.id for one in found] == [made.id]

    def test_an_email_is_found_in_any_case(self, run: Run[Any]) -> None:
        made = run(lambda crm: crm.create("contact", self.sample("contact", email="Jane.Doe@acme.example.com")))
        found = run(lambda crm: crm.find("contact", {"email": "jane.DOE@acme.example.com"}))
        assert [one.id for one in found] == [made.id]

    @pytest.mark.parametrize(("kind", "name"), [("contact", "full_name"), ("company", "name")])
    def test_it_finds_by_name_the_oldest_first(self, run: Run[Any], kind: Kind, name: str) -> None:
        first = run(lambda crm: crm.create(kind, {name: "Acme Doe"}))
        second = run(lambda crm: crm.create(kind, {name: "Acme Doe"}))
        run(lambda crm: crm.create(kind, {name: "Somebody Else"}))
        found = run(lambda crm: crm.find(kind, {name: "Acme Doe"}))
        assert [one.id for one in found] == [first.id, second.id]

    @pytest.mark.parametrize("kind", KINDS)
    def test_it_finds_nothing_where_nothing_is(self, run: Run[Any], kind: Kind) -> None:
        assert run(lambda crm: crm.find(kind, self.sample(kind))) == []

    @pytest.mark.parametrize("kind", KINDS)
    def test_an_update_changes_only_what_it_names(self, run: Run[Any], kind: Kind) -> None:
        values = self.sample(kind)
        made = run(lambda crm: crm.create(kind, values))
        run(lambda crm: crm.update(kind, made.id, {"city": "Shelbyville"}))
        after = run(lambda crm: crm.get(kind, made.id))
        assert after.values == {**made.values, "city": "Shelbyville"}

    @pytest.mark.parametrize("kind", KINDS)
    def test_an_unknown_record_is_not_found(self, run: Run[Any], kind: Kind) -> None:
        with pytest.raises(NotFound):
            run(lambda crm: crm.get(kind, "no-such-id"))
        with pytest.raises(NotFound):
            run(lambda crm: crm.update(kind, "no-such-id", {"city": "Springfield"}))

    def test_pages_give_every_record_once(self, run: Run[Any]) -> None:
        ids = [run(lambda crm: crm.create("contact", {"full_name": "Jane Doe"})).id for _ in range(7)]

        async def read(crm: Connector) -> list[str]:
            seen: list[str] = []
            while page := await crm.page("contact", seen[-1] if seen else None, 3):
                assert len(page) <= 3
                seen += [one.id for one in page]
            return seen

        assert sorted(run(read)) == sorted(ids)

    @pytest.mark.parametrize("kind", KINDS)
    def test_its_fields_have_every_mapped_one(self, run: Run[Any], kind: Kind) -> None:
        fields = run(lambda crm: crm.fields(kind))
        assert {one.maps_to for one in fields if one.maps_to} == set(self.definition.mapping[kind])
        assert len({one.name for one in fields}) == len(fields)

    def test_a_custom_field_is_written_and_told(self, run: Run[Any]) -> None:
        if "custom_fields" not in self.definition.capabilities:
            assert self.custom is None
            return
        name = f"{CUSTOM}{self.custom}"
        made = run(lambda crm: crm.create("contact", self.sample("contact", **{name: "gold"}) | {name: "gold"}))
        run(lambda crm: crm.update("contact", made.id, {"city": "Shelbyville"}))
        assert run(lambda crm: crm.get("contact", made.id)).values[name] == "gold"
        assert [one.custom for one in run(lambda crm: crm.fields("contact")) if one.name == self.custom] == [True]

    def test_a_note_is_on_its_contact(self, run: Run[Any]) -> None:
        one = run(lambda crm: crm.create("contact", {"full_name": "Jane Doe"}))
        other = run(lambda crm: crm.create("contact", {"full_name": "John Roe"}))
        assert run(lambda crm: crm.add_note(one.id, "Met at the fair; call in May."))
        assert run(lambda crm: crm.has_note(one.id, "Met at the fair; call in May."))
        assert not run(lambda crm: crm.has_note(one.id, "Met at the fair"))
        assert not run(lambda crm: crm.has_note(other.id, "Met at the fair; call in May."))
        with pytest.raises(NotFound):
            run(lambda crm: crm.add_note("no-such-id", "text"))

    def test_a_task_is_about_a_contact_that_is_there(self, run: Run[Any]) -> None:
        made = run(lambda crm: crm.create("contact", {"full_name": "Jane Doe"}))
        task = Task("Call back", "About the offer", datetime(2030, 1, 31, 9, tzinfo=UTC))
        assert run(lambda crm: crm.add_task(made.id, task))
        with pytest.raises(NotFound):
            run(lambda crm: crm.add_task("no-such-id", task))

    def test_a_contact_is_on_a_list_once(self, run: Run[Any]) -> None:
        if "create_lists" in self.definition.capabilities:
            made = run(lambda crm: crm.create_list("Trade fair"))
            assert made in run(lambda crm: crm.lists())
        elif "lists" in self.definition.capabilities:
            made = run(lambda crm: crm.lists())[0]
        else:
            return
        contact = run(lambda crm: crm.create("contact", {"full_name": "Jane Doe"}))
        assert not run(lambda crm: crm.in_list(made.id, contact.id))
        for _ in range(2):
            run(lambda crm: crm.add_to_list(made.id, contact.id))
        assert run(lambda crm: crm.in_list(made.id, contact.id))

    def test_an_owner_can_own(self, run: Run[Any]) -> None:
        if "owners" not in self.definition.capabilities:
            return
        run(lambda crm: crm.info())
        owner = run(lambda crm: crm.owners())[0]
        made = run(lambda crm: crm.create("contact", {"full_name": "Jane Doe", "owner": owner.id}))
        assert made.values["owner"] == owner.id

    def test_a_contact_is_linked_to_its_company(self, run: Run[Any]) -> None:
        if "company_id" not in self.definition.mapping["contact"]:
            return
        company = run(lambda crm: crm.create("company", {"name": "Acme"}))
        made = run(lambda crm: crm.create("contact", {"full_name": "Jane Doe", "company_id": company.id}))
        assert run(lambda crm: crm.get("contact", made.id)).values["company_id"] == company.id
