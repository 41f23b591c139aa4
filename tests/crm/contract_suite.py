"""What every connector must do. A connector's test file subclasses ConnectorContract and gives `run`."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar, get_args

import pytest

from addtocrm.crm import mapping, matching
from addtocrm.crm.contract import CUSTOM, Capability, Connector, Definition, Record, Sought, Task, Update
from addtocrm.crm.failures import Failure, NotFound
from addtocrm.crm.kinds import Kind
from addtocrm.crm.values import COMPANY_FIELDS, CONTACT_FIELDS

T = TypeVar("T")
Run = Callable[[Callable[[Connector], Awaitable[T]]], T]

FIELDS: dict[Kind, tuple[str, ...]] = {"contact": CONTACT_FIELDS, "company": COMPANY_FIELDS, "lead": CONTACT_FIELDS}
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
KINDS: tuple[Kind, ...] = ("contact", "company")
KEYS = [("contact", "linkedin_url"), ("contact", "email"), ("company", "domain"), ("company", "linkedin_url")]


class ConnectorContract:
    """Values are by our names; the usual rules of `definition` say what the CRM calls them."""

    definition: Definition
    custom: str | None = None
    """A custom field that the CRM of the tests takes."""

    @pytest.fixture
    def run(self) -> Run[Any]:
        """Runs some work on a connector that is open for writing to an empty CRM, the same one for a whole test."""
        raise NotImplementedError

    def field(self, kind: Kind, name: str) -> str | None:
        """The CRM's name of a field of ours; None where it has no place for it."""
        rules = self.definition.mapping[kind]
        return next((rule.field for rule in rules if rule.from_[:1] == (name,) and not rule.read_only), None)

    def theirs(self, kind: Kind, values: dict[str, Any]) -> dict[str, Any]:
        """Values in the CRM's fields, without those that it has no place for."""
        return {field: value for name, value in values.items() if (field := self.field(kind, name))}

    def sample(self, kind: Kind, **more: Any) -> dict[str, Any]:
        return self.theirs(kind, {**SAMPLES[kind], **more})

    def named(self, kind: Kind, text: str) -> dict[str, Any]:
        """The fields of a record with this name, and no more than the CRM insists on."""
        return self.theirs(kind, {"full_name" if kind == "contact" else "name": text})

    def sought(self, kind: Kind, **values: Any) -> list[Sought]:
        by = (*matching.KEYS[kind], "name")
        return [Sought(values, tuple(mapping.terms(self.definition.mapping[kind], kind, values, by)))]

    def made(self, run: Run[Any], kind: Kind, fields: dict[str, Any]) -> Record:
        (outcome,) = run(lambda crm: crm.create(kind, [fields]))
        return done(outcome)

    def changed(self, run: Run[Any], record: Record, changes: dict[str, Any]) -> Record:
        (outcome,) = run(lambda crm: crm.update(record.kind, [Update(record, changes)]))
        return done(outcome)

    def there(self, run: Run[Any], kind: Kind, id: str) -> Record:
        return run(lambda crm: crm.get(kind, [id]))[id]

    def test_its_declaration_is_of_our_names(self) -> None:
        assert set(KINDS) <= set(self.definition.mapping) <= set(get_args(Kind))
        for kind, rules in self.definition.mapping.items():
            assert {name for rule in rules for name in rule.from_} <= set(FIELDS[kind])
            written = [rule.field for rule in rules if not rule.read_only]
            assert len(set(written)) == len(written)
        assert set(self.definition.capabilities) <= set(get_args(Capability))
        assert self.definition.name == self.definition.name.lower()

    def test_it_knows_whose_it_is(self, run: Run[Any]) -> None:
        account = run(lambda crm: crm.info())
        assert account.id
        assert account.name

    @pytest.mark.parametrize("kind", KINDS)
    def test_what_is_created_is_there(self, run: Run[Any], kind: Kind) -> None:
        fields = self.sample(kind)
        made = self.made(run, kind, fields)
        read = self.there(run, kind, made.id)
        assert fields.items() <= read.fields.items()
        assert read == made
        assert read.kind == kind
        assert None not in read.fields.values()

    @pytest.mark.parametrize("kind", KINDS)
    def test_several_are_made_read_and_changed_in_their_order(self, run: Run[Any], kind: Kind) -> None:
        rows = [self.named(kind, f"Acme Doe {number}") for number in range(3)]
        city = self.theirs(kind, {"city": "Shelbyville"})

        async def work(crm: Connector) -> Any:
            made = [done(one) for one in await crm.create(kind, rows)]
            changes = [Update(one, {**row, **city}) for one, row in zip(made[::-1], rows, strict=True)]
            changed = [done(one) for one in await crm.update(kind, changes)]
            return made, changed, await crm.get(kind, [*(one.id for one in made), "no-such-id"])

        made, changed, there = run(work)
        assert [row.items() <= one.fields.items() for row, one in zip(rows, made, strict=True)] == [True] * 3
        assert [one.id for one in changed] == [one.id for one in made[::-1]]
        for row, one in zip(rows, changed, strict=True):
            assert {**row, **city}.items() <= one.fields.items()
        assert there == {one.id: one for one in changed}

    @pytest.mark.parametrize("kind", KINDS)
    def test_text_is_kept_as_it_is(self, run: Run[Any], kind: Kind) -> None:
        fields = self.named(kind, 'Zoë "Ж" <b>O\'Neil</b> & 李; a,b\\c 🚀 %41 {{x}}')
        made = self.made(run, kind, fields)
        assert fields.items() <= self.there(run, kind, made.id).fields.items()

    @pytest.mark.parametrize(("kind", "key"), KEYS)
    def test_it_finds_by_each_key(self, run: Run[Any], kind: Kind, key: str) -> None:
        if self.field(kind, key) is None:
            assert self.sought(kind, **{key: SAMPLES[kind][key]})[0].terms == ()
            return
        made = self.made(run, kind, self.sample(kind))
        found = run(lambda crm: crm.find(kind, self.sought(kind, **{key: SAMPLES[kind][key]})))
        assert [one.id for one in found] == [made.id]

    def test_an_email_is_found_in_any_case(self, run: Run[Any]) -> None:
        made = self.made(run, "contact", self.sample("contact", email="Jane.Doe@acme.example.com"))
        found = run(lambda crm: crm.find("contact", self.sought("contact", email="jane.DOE@acme.example.com")))
        assert [one.id for one in found] == [made.id]

    @pytest.mark.parametrize(("kind", "name"), [("contact", "full_name"), ("company", "name")])
    def test_it_finds_by_name_the_oldest_first(self, run: Run[Any], kind: Kind, name: str) -> None:
        first = self.made(run, kind, self.named(kind, "Acme Doe"))
        second = self.made(run, kind, self.named(kind, "Acme Doe"))
        self.made(run, kind, self.named(kind, "Somebody Else"))
        found = run(lambda crm: crm.find(kind, self.sought(kind, **{name: "Acme Doe"})))
        assert [one.id for one in found] == [first.id, second.id]

    def test_it_finds_each_of_several_once(self, run: Run[Any]) -> None:
        jane = self.made(run, "contact", self.sample("contact"))
        john = self.made(run, "contact", self.named("contact", "John Roe"))
        self.made(run, "contact", self.named("contact", "Somebody Else"))
        jane_is = {name: SAMPLES["contact"][name] for name in ("email", "full_name", "company_name")}
        sought = [
            *self.sought("contact", **jane_is),
            *self.sought("contact", full_name="John Roe"),
            *self.sought("contact", email=jane_is["email"]),
        ]
        found = run(lambda crm: crm.find("contact", sought))
        assert sorted(one.id for one in found) == sorted([jane.id, john.id])

    @pytest.mark.parametrize("kind", KINDS)
    def test_it_finds_nothing_where_nothing_is(self, run: Run[Any], kind: Kind) -> None:
        assert run(lambda crm: crm.find(kind, self.sought(kind, **SAMPLES[kind]))) == []

    @pytest.mark.parametrize("kind", KINDS)
    def test_an_update_changes_only_what_it_names(self, run: Run[Any], kind: Kind) -> None:
        made = self.made(run, kind, self.sample(kind))
        city = self.theirs(kind, {"city": "Shelbyville"})
        assert self.changed(run, made, city).fields == {**made.fields, **city}
        after = self.there(run, kind, made.id)
        assert after.fields == {**made.fields, **city}
        (name,) = city
        self.changed(run, after, {name: None})
        emptied = {field: value for field, value in made.fields.items() if field != name}
        assert self.there(run, kind, made.id).fields == emptied

    @pytest.mark.parametrize("kind", KINDS)
    def test_an_unknown_record_is_not_found(self, run: Run[Any], kind: Kind) -> None:
        assert run(lambda crm: crm.get(kind, ["no-such-id"])) == {}
        nobody = Record(kind=kind, id="no-such-id", url=None, fields={})
        with pytest.raises(NotFound):
            self.changed(run, nobody, self.theirs(kind, {"city": "Springfield"}))

    def test_pages_give_every_record_once(self, run: Run[Any]) -> None:
        ids = [self.made(run, "contact", self.named("contact", "Jane Doe")).id for _ in range(7)]

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
        mapped = {rule.field for rule in self.definition.mapping[kind] if not rule.read_only}
        assert mapped <= {one.name for one in fields if one.writable}
        assert len({one.name for one in fields}) == len(fields)

    def test_a_custom_field_is_written_and_told(self, run: Run[Any]) -> None:
        if "custom_fields" not in self.definition.capabilities:
            assert self.custom is None
            return
        name = f"{CUSTOM}{self.custom}" if "open_custom_fields" in self.definition.capabilities else str(self.custom)
        made = self.made(run, "contact", {**self.sample("contact"), name: "gold"})
        self.changed(run, made, self.theirs("contact", {"city": "Shelbyville"}))
        assert self.there(run, "contact", made.id).fields[name] == "gold"
        assert [one.custom for one in run(lambda crm: crm.fields("contact")) if one.name == self.custom] == [True]

    def test_a_note_is_on_its_contact(self, run: Run[Any]) -> None:
        one = self.made(run, "contact", self.named("contact", "Jane Doe"))
        other = self.made(run, "contact", self.named("contact", "John Roe"))
        assert run(lambda crm: crm.add_note(one.id, "Met at the fair; call in May."))
        assert run(lambda crm: crm.has_note(one.id, "Met at the fair; call in May."))
        assert not run(lambda crm: crm.has_note(one.id, "Met at the fair"))
        assert not run(lambda crm: crm.has_note(other.id, "Met at the fair; call in May."))
        with pytest.raises(NotFound):
            run(lambda crm: crm.add_note("no-such-id", "text"))

    def test_a_task_is_about_a_contact_that_is_there(self, run: Run[Any]) -> None:
        made = self.made(run, "contact", self.named("contact", "Jane Doe"))
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
        one, other = (self.made(run, "contact", self.named("contact", name)) for name in ("Jane Doe", "John Roe"))
        assert run(lambda crm: crm.in_list(made.id, [one.id, other.id])) == set()
        for _ in range(2):
            run(lambda crm: crm.add_to_list(made.id, [one.id]))
        assert run(lambda crm: crm.in_list(made.id, [one.id, other.id])) == {one.id}
        run(lambda crm: crm.add_to_list(made.id, [one.id, other.id]))
        assert run(lambda crm: crm.in_list(made.id, [one.id, other.id])) == {one.id, other.id}

    def test_an_owner_can_own(self, run: Run[Any]) -> None:
        field = self.field("contact", "owner")
        if "owners" not in self.definition.capabilities or field is None:
            return
        run(lambda crm: crm.info())
        owner = run(lambda crm: crm.owners())[0]
        made = self.made(run, "contact", {**self.named("contact", "Jane Doe"), field: owner.id})
        assert made.fields[field] == owner.id

    def test_a_contact_is_linked_to_its_company(self, run: Run[Any]) -> None:
        field = self.field("contact", "company_id")
        if field is None:
            return
        company = self.made(run, "company", self.named("company", "Acme"))
        made = self.made(run, "contact", {**self.named("contact", "Jane Doe"), field: company.id})
        assert self.there(run, "contact", made.id).fields[field] == company.id


def done(outcome: Record | Failure) -> Record:
    """The record; raises a failure that was given in its place."""
    if isinstance(outcome, Failure):
        raise outcome
    return outcome
