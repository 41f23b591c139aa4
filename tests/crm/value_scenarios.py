"""What every connector must do about values and fields."""

from typing import Any

import pytest
from desk import HARD, JANE, AtADesk, Desk

from addtocrm.core.errors import ApiError
from addtocrm.crm import mappings
from addtocrm.crm.contract import Rule
from addtocrm.crm.model import MappingWrite


class ValueScenarios(AtADesk):
    """See Scenarios."""

    def test_a_value_that_a_field_cannot_have_is_named_with_what_it_can(self, run: Any, vendor: Any) -> None:
        name, option = self.picklist

        async def work(desk: Desk) -> None:
            error = await desk.fails("validation_error", JANE, custom_fields={name: "no such option"})
            assert error.details and error.details[0].path == f"custom_fields.{name}"
            assert option.lower() in str(error.details).lower()
            error = await desk.fails("validation_error", JANE, custom_fields={self.date_field: "31.1.2026"})
            assert error.details and error.details[0].path == f"custom_fields.{self.date_field}"
            assert "2026-01-31" in error.details[0].message
            assert vendor.contacts() == []
            assert (await desk.write(JANE, custom_fields={name: option})).action == "created"
            assert (await desk.write(JANE, custom_fields={name: option})).action == "unchanged"

        run(work)

    def test_a_time_is_kept_to_the_second(self, run: Any, vendor: Any) -> None:
        if self.time_field is None:
            pytest.skip("no such field of the CRM is written")
        name = self.time_field

        async def work(desk: Desk) -> None:
            error = await desk.fails("validation_error", JANE, custom_fields={name: "soon"})
            assert error.details and error.details[0].path == f"custom_fields.{name}"
            at, later = "2026-01-31T15:30:00Z", "2026-01-31T18:00:00.25Z"
            assert (await desk.write(JANE, custom_fields={name: at})).action == "created"
            assert (await desk.write(JANE, custom_fields={name: "2026-01-31T16:30:00+01:00"})).fields_kept == []
            done = await desk.write(JANE, custom_fields={name: later}, on_conflict="overwrite", dry_run=True)
            assert done.values == {name: "2026-01-31T18:00:00+00:00"}
            assert (await desk.write(JANE, custom_fields={name: later}, on_conflict="overwrite")).action == "updated"
            assert (await desk.write(JANE, custom_fields={name: later})).action == "unchanged"

        run(work)

    def test_a_field_that_was_deleted_at_the_vendor(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            await desk.write(JANE, custom_fields={self.text_field: "gold"})
            vendor.remove_field(self.text_field)
            custom = {self.text_field: "silver"}
            error = await desk.fails("validation_error", JANE, custom_fields=custom, on_conflict="overwrite")
            assert error.details and error.details[0].path == f"custom_fields.{self.text_field}"
            assert (await desk.write({**JANE, "phone": "+15550100100"})).action == "updated"

        run(work, refused=True)

    def test_values_that_are_hard_to_quote(self, run: Any, vendor: Any) -> None:
        person = {
            "first_name": HARD,
            "last_name": f"{HARD}'s",
            "company_name": HARD,
            "email": "o'neil+x@acme.example.com",
        }

        async def work(desk: Desk) -> None:
            first = await desk.write(person)
            again = await desk.write(person)
            assert (again.contact_id, again.action) == (first.contact_id, "unchanged")
            nameless = {name: value for name, value in person.items() if name != "email"}
            by_name = await desk.write(nameless)
            assert by_name.contact_id == first.contact_id
            [there] = vendor.contacts()
            most = self.first_name_length
            if self.one_name:
                assert f"{there['first_name']} {there['last_name']}" == f"{HARD} {HARD}'s"
            else:
                assert there["first_name"] == (HARD if most is None else HARD[: most - 1].rstrip() + "…")
            by_itself = [one for one in vendor.companies() if self.makes_companies and one["domain"]]
            assert len(vendor.companies()) - len(by_itself) == 1

        run(work)

    def test_values_that_are_very_long(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            long = {**JANE, "job_title": "x" * 500, "headline": "y" * 2000}
            try:
                first = await desk.write(long)
            except ApiError as error:
                assert (error.type, bool(error.details)) == ("validation_error", True)
                assert vendor.contacts() == []
            else:
                again = await desk.write(long)
                assert (again.contact_id, again.action) == (first.contact_id, "unchanged")

        run(work)

    @pytest.mark.parametrize("email", [None, JANE["email"]])
    def test_names_that_are_cut_are_found_again(self, run: Any, vendor: Any, email: str | None) -> None:
        long = {"full_name": f"Anna {'Long' * 88}", "email": email, "company": {"name": "Long Company " * 35}}

        async def work(desk: Desk) -> None:
            first = await desk.write(long)
            again = await desk.write(long)
            await desk.setup.pool.execute("delete from crm_links")
            anew = await desk.write(long)
            assert [one.contact_id for one in (again, anew)] == [first.contact_id] * 2, vendor.contacts()
            assert [one.company_id for one in (again, anew)] == [first.company_id] * 2
            assert (again.action, anew.action, anew.matched_by) == (
                "unchanged",
                "unchanged",
                "email" if email else "name",
            )
            other = await desk.write({**long, "full_name": f"Anna {'Other' * 70}", "email": None})
            assert other.action == "created"

        run(work)

    def test_a_mapping_of_the_accounts_own(self, run: Any, vendor: Any) -> None:
        name, option = self.picklist

        async def work(desk: Desk) -> None:
            usual = await mappings.get(desk.setup, desk.account_id, "contact")
            assert usual.is_default
            rules = [
                *[rule for rule in usual.rules if rule.field not in (name, self.text_field, self.date_field)],
                Rule(field=self.text_field, from_=("headline", "job_title")),
                Rule(field=name, from_=("seniority",), values={"c_suite": option}),
                Rule(field=self.date_field, from_=("department",)),
            ]
            await mappings.put(desk.setup, desk.account_id, MappingWrite(object="contact", rules=rules))
            done = await desk.write({**JANE, "seniority": "c_suite"}, dry_run=True)
            assert done.values and done.values[self.text_field] == "Head of Sales"
            assert name in done.values
            assert (await desk.write({**JANE, "seniority": "c_suite"})).action == "created"
            assert (await desk.write({**JANE, "seniority": "c_suite"})).action == "unchanged"
            await desk.fails("validation_error", {**JANE, "seniority": "intern"})
            no_date = await desk.fails("validation_error", {**JANE, "department": "Sales"})
            assert no_date.details and no_date.details[0].path == "person.department"
            with pytest.raises(ApiError) as refused:
                unknown = MappingWrite(object="contact", rules=[Rule(field="no_such_field", from_=("email",))])
                await mappings.put(desk.setup, desk.account_id, unknown)
            assert refused.value.details and refused.value.details[0].path == "rules[0].field"
            back = await mappings.put(desk.setup, desk.account_id, MappingWrite(object="contact"))
            assert back == usual

        run(work)

    def test_a_field_for_linkedin_urls_is_made_on_request(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            made = await mappings.put(desk.setup, desk.account_id, MappingWrite(create_linkedin_field=True))
            assert any("linkedin_url" in rule.from_ for rule in made.rules)
            await desk.write(JANE)
            [there] = vendor.contacts()
            there_id = there["id"]
            await desk.setup.pool.execute("delete from crm_links")
            found = await desk.write({"linkedin_url": JANE["linkedin_url"], "full_name": "Jane Doe"})
            assert (found.contact_id, found.matched_by) == (there_id, "linkedin_url")

        run(work)
