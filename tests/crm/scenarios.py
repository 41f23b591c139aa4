"""What every vendor's connector must do inside the product. A vendor's test file subclasses Scenarios."""

import asyncio
import re
import threading
from typing import Any

import msgspec
import pytest
from beside_scenarios import BesideScenarios
from desk import JANE, WHO, WITHOUT_FULL, Desk, people
from meanwhile_scenarios import MeanwhileScenarios
from namesake_scenarios import NamesakeScenarios
from sign_in_scenarios import SignInScenarios
from trouble_scenarios import TroubleScenarios
from value_scenarios import ValueScenarios

from addtocrm.core.errors import ApiError
from addtocrm.crm import mappings, registry, service
from addtocrm.crm.model import MappingWrite, WriteResult


class Scenarios(
    BesideScenarios, ValueScenarios, TroubleScenarios, NamesakeScenarios, MeanwhileScenarios, SignInScenarios
):
    """Who is found, and what is written."""

    def test_a_new_person_is_created_with_their_company(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            done = await desk.write(JANE)
            assert (done.crm, done.action, done.matched_by, done.fields_kept) == (self.crm, "created", None, [])
            [there] = vendor.contacts()
            [company] = vendor.companies()
            assert (there["id"], there["email"]) == (done.contact_id, JANE["email"])
            assert (there["first_name"], there["last_name"]) == ("Jane", "Doe")
            assert (company["id"], company["name"]) == (done.company_id, "Acme")
            assert there["company_id"] == company["id"]
            assert done.url and done.contact_id and done.contact_id in done.url
            assert await desk.events() == ["crm.connected", "crm.company.created", "crm.contact.created"]

        run(work)

    def test_the_same_again_is_unchanged_and_sends_no_write(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            first = await desk.write(JANE)
            before = len(vendor.asked(self.writes))
            again = await desk.write(JANE)
            assert (again.contact_id, again.company_id) == (first.contact_id, first.company_id)
            assert (again.action, again.fields_written, again.fields_kept) == ("unchanged", [], [])
            assert again.matched_by in ("linkedin_url", "email")
            assert len(vendor.asked(self.writes)) == before

        run(work)

    def test_the_same_again_while_search_lags(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            vendor.lag = 10
            first = await desk.write(JANE)
            again = await desk.write(JANE)
            assert (again.contact_id, again.company_id) == (first.contact_id, first.company_id)
            assert (len(vendor.contacts()), len(vendor.companies())) == (1, 1)

        run(work)

    def test_a_new_address_a_year_later(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            first = await desk.write(JANE)
            moved = {**JANE, "email": "jane@globex.example.com", "company": {"domain": "globex.example.com"}}
            again = await desk.write(moved)
            assert (again.contact_id, again.matched_by) == (first.contact_id, "linkedin_url")
            assert "email" in again.fields_kept
            assert [one["email"] for one in vendor.contacts()] == [JANE["email"]]

        run(work)

    def test_an_address_that_another_got_meanwhile_stays_there(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            there = (
                await desk.write({**WHO, "linkedin_url": JANE["linkedin_url"], "company": JANE["company"]})
            ).contact_id
            typed = threading.Event()
            vendor.trouble(self.writes, late=typed)
            asked = len(vendor.asked(self.writes))
            writing = asyncio.create_task(desk.write({**JANE, "phone": "+15550100100"}))
            while len(vendor.asked(self.writes)) == asked:
                await asyncio.sleep(0.01)
            vendor.put_contact(first_name="Ann", last_name="Roe", email=JANE["email"])
            typed.set()
            done = await writing
            assert (done.contact_id, done.action) == (there, "updated")
            assert {"phone", "job_title"} <= set(done.fields_written)
            assert ("email" in done.fields_kept) == self.unique_emails

        run(work)

    def test_an_own_field_is_none_that_identifies(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            email = next(rule.field for rule in registry.load()[self.crm].mapping["contact"] if "email" in rule.from_)
            error = await desk.fails("validation_error", JANE, custom_fields={email: "other@example.com"})
            assert error.details and error.details[0].path == f"custom_fields.{email}"
            assert vendor.contacts() == []

        run(work)

    def test_what_a_person_filled_in_stays(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            there = vendor.put_contact(**WITHOUT_FULL, email=JANE["email"], job_title="Boss")
            done = await desk.write({**JANE, "phone": "+15550100100"})
            assert (done.contact_id, done.action, done.matched_by) == (there, "updated", "email")
            assert "job_title" in done.fields_kept and "phone" in done.fields_written
            [contact] = vendor.contacts()
            assert (contact["job_title"], re.sub(r"\D", "", contact["phone"])) == ("Boss", "15550100100")

        run(work)

    def test_overwriting_says_what_it_replaced(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            vendor.put_contact(**WITHOUT_FULL, email=JANE["email"], job_title="Boss")
            done = await desk.write(JANE, on_conflict="overwrite")
            assert "job_title" in done.fields_written
            assert [one["job_title"] for one in vendor.contacts()] == ["Head of Sales"]
            kept = await desk.write({**JANE, "job_title": "CEO"}, on_conflict="skip")
            assert (kept.action, kept.fields_kept) == ("skipped", ["job_title"])

        run(work)

    def test_a_place_is_filled_together_or_not_at_all(self, run: Any, vendor: Any) -> None:
        paris = {"city": "Paris", "region": "Île-de-France", "country": "France"}

        async def work(desk: Desk) -> None:
            rules = (await mappings.get(desk.setup, desk.account_id, "contact")).rules
            places = {name for rule in rules for name in rule.from_ if name in paris}
            await desk.write({**JANE, "location": {"city": "Berlin"}})
            kept = await desk.write({**JANE, "location": paris})
            assert (kept.action, set(kept.fields_kept)) == ("unchanged", places)
            filled = await desk.write(
                {**JANE, "location": {"city": "berlin", "region": "Berlin", "country": "Germany"}}
            )
            assert (set(filled.fields_written), filled.fields_kept) == (places - {"city"}, [])
            moved = await desk.write({**JANE, "location": paris}, on_conflict="overwrite")
            assert set(moved.fields_written) == places

        run(work)

    def test_a_secondary_address_finds_the_contact(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            if self.secondary:
                usual = await mappings.get(desk.setup, desk.account_id, "contact")
                rules = MappingWrite(object="contact", rules=[*usual.rules, self.secondary])
                await mappings.put(desk.setup, desk.account_id, rules)
            there = vendor.put_contact(
                **WITHOUT_FULL, email="old@example.org", other_emails=["jane.doe@acme.example.com"]
            )
            done = await desk.write({**WHO, "email": "Jane.Doe@acme.example.com"})
            assert (done.contact_id, done.matched_by) == (there, "email")
            if self.lists_emails:
                emails = [{"email": "jane.doe@acme.example.com"}, {"email": "jd@example.org"}]
                await desk.write({**WHO, "emails": emails}, on_conflict="overwrite")
                assert vendor.contacts()[0]["email"] == "jane.doe@acme.example.com", "what is sent first is the first"
            assert len(vendor.contacts()) == 1

        run(work)

    def test_namesakes_are_two(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            vendor.put_contact(**WITHOUT_FULL, email="other@globex.example.com")
            done = await desk.write(JANE)
            assert done.action == "created"
            assert len(vendor.contacts()) == 2

        run(work)

    def test_one_of_many_of_one_name_is_found_at_their_company(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            acme = vendor.put_company(name="Acme")
            at_acme = {"company_id": acme, **({"company": "Acme"} if self.crm == "hubspot" else {})}
            john = {"first_name": "John", "last_name": "Smith"}
            for turn in range(self.many):
                vendor.put_contact(**john, email=f"john{turn}@x.example.com")
            there = vendor.put_contact(**john, **at_acme)
            rare = vendor.put_contact(first_name="Rare", last_name="Person", **at_acme)
            company = {"name": "Acme"}
            ann = {"full_name": "Rare Person", "email": "rare@acme.example.com", "company": company}
            named = {"full_name": "John Smith", "company": company}
            done, other = await desk.write_many([{**named, "email": "john@acme.example.com"}, ann])
            assert (done.contact_id, done.matched_by) == (there, "name")
            assert (other.contact_id, other.matched_by) == (rare, "name")
            vendor.put_contact(**john, **at_acme)
            assert (await desk.write({**named, "email": "ceo@acme.example.com"})).action == "created"

        run(work)

    def test_one_contact_of_twenty_writes_at_once_by_different_keys(self, run: Any, vendor: Any) -> None:
        at_acme = {**WHO, "company": JANE["company"]}
        forms = [
            JANE,
            {**at_acme, "email": JANE["email"]},
            {**at_acme, "linkedin_url": JANE["linkedin_url"]},
            at_acme,
        ]

        async def work(desk: Desk) -> None:
            vendor.lag = 2
            done = await asyncio.gather(*(desk.write(forms[turn % 4], host=turn) for turn in range(20)))
            assert len({one.contact_id for one in done}) == 1, vendor.contacts()
            assert len(vendor.contacts()) == 1
            assert len(vendor.companies()) == 1

        run(work, hosts=3)

    def test_one_contact_of_two_accounts_that_write_into_one_crm_at_once(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            vendor.lag = 1
            other = await desk.another()
            done = await asyncio.gather(desk.write(JANE), other.write(JANE, host=1))
            assert (len(vendor.contacts()), len(vendor.companies())) == (1, 1)
            assert sorted(one.action for one in done) == ["created", "unchanged"]
            assert len({(one.contact_id, one.company_id) for one in done}) == 1

        run(work, hosts=2)

    def test_a_company_is_found_by_its_domain(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            there = vendor.put_company(name="Acme Holding", domain="acme.example.com")
            assert (await desk.write(JANE)).company_id == there
            assert [one["name"] for one in vendor.companies()] == ["Acme Holding"]

        run(work)

    def test_a_company_is_found_by_a_website_with_a_path(self, run: Any, vendor: Any) -> None:
        if self.site is None:
            pytest.skip("companies have domains there")

        async def work(desk: Desk) -> None:
            vendor.put_company(name="Not Acme", domain=self.site.replace("acme.", "notacme."))
            there = vendor.put_company(name="Acme Holding", domain=self.site)
            assert (await desk.write(JANE)).company_id == there
            assert len(vendor.companies()) == 2

        run(work)

    def test_a_company_of_the_same_name_and_another_domain_is_another(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            there = vendor.put_company(name="Acme", domain="acme-other.example.org")
            if self.unique_company_names:
                error = await desk.fails("validation_error", JANE)
                assert "there is such a company already" in error.message and there in error.message
                assert (len(vendor.companies()), vendor.contacts()) == (1, [])
            else:
                assert (await desk.write(JANE)).company_id != there
                domains = {one["domain"] for one in vendor.companies()}
                assert domains == {"acme-other.example.org", "acme.example.com"}

        run(work)

    def test_contact_id_and_match_by_decide(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            there = vendor.put_contact(**WITHOUT_FULL, email=JANE["email"])
            named = await desk.write({**JANE, "email": "new@example.org"}, contact_id=there)
            assert (named.contact_id, named.matched_by) == (there, "contact_id")
            assert (await desk.fails("not_found", JANE, contact_id=self.no_such_id(there))).message
            by_url = await desk.write(
                {**JANE, "linkedin_url": "https://www.linkedin.com/in/jane-2", "email": "jane2@example.org"},
                match_by=["linkedin_url"],
            )
            assert (by_url.action, by_url.matched_by) == ("created", None)

        run(work)

    def no_such_id(self, id: str) -> str:
        """An id of the vendor's form that no record has."""
        return id[:-1] + ("1" if id[-1] != "1" else "2")

    @pytest.mark.parametrize("named", [True, False])
    def test_addresses_of_another_contact_stay_there(self, run: Any, vendor: Any, named: bool) -> None:
        async def work(desk: Desk) -> None:
            johns = vendor.put_contact(first_name="John", last_name="Roe", email="john@acme.example.com")
            janes = vendor.put_contact(**WITHOUT_FULL, email="jane@home.example.com")
            own = {"email": "jane@home.example.com"}
            sent = {**WHO, **own, "emails": [own, {"email": "John@acme.example.com"}, {"email": "jane@example.org"}]}
            by_id = {"contact_id": janes} if named else {}
            done = await desk.write(sent, on_conflict="overwrite", **by_id)
            assert done.contact_id == janes
            rules = (await mappings.get(desk.setup, desk.account_id, "contact")).rules
            if any("other_emails" in rule.from_ and not rule.read_only for rule in rules):
                assert (done.fields_written, done.fields_kept) == (["other_emails"], ["other_emails"])
            if named:
                first = await desk.write({**WHO, "email": "john@acme.example.com"}, contact_id=janes)
                assert (first.contact_id, first.fields_kept) == (janes, ["email"])
            new = await desk.write({"full_name": "Ann Poe", "email": "ann@example.org", "emails": sent["emails"][1:2]})
            assert new.action == "created"
            holders = [one["id"] for one in vendor.contacts() if "john@acme.example.com" in all_emails(one)]
            assert holders == [johns]

        run(work)

    def test_a_dry_run_shows_what_would_be_sent(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            done = await desk.write(JANE, dry_run=True)
            assert (done.action, done.contact_id) == ("created", None)
            assert done.values and JANE["email"] in msgspec.json.encode(done.values).decode()
            assert vendor.contacts() == vendor.companies() == []
            there = vendor.put_contact(**WITHOUT_FULL, email=JANE["email"])
            found = await desk.write(JANE, dry_run=True)
            assert (found.contact_id, found.matched_by, found.action) == (there, "email", "updated")
            assert vendor.asked(self.writes) == []

        run(work)

    def test_a_record_that_was_deleted_there_is_made_again(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            first = await desk.write(JANE)
            vendor.delete_contact(first.contact_id)
            again = await desk.write(JANE)
            assert again.action == "created"
            assert again.contact_id != first.contact_id
            assert [one["id"] for one in vendor.contacts()] == [again.contact_id]

        run(work)

    def test_a_record_that_was_merged_there(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            other = vendor.put_contact(**WITHOUT_FULL, email="jane@home.example.com")
            first = await desk.write(JANE)
            vendor.merge_contacts(other, first.contact_id)
            again = await desk.write(JANE)
            [there] = vendor.contacts()
            assert again.contact_id == there["id"]
            assert there["id"] == other or self.renames_merged

        run(work)

    def test_contacts_are_found_and_paged(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            await desk.write(JANE)
            found, _ = await service.contacts(desk.setup, desk.account_id, email=JANE["email"].upper())
            assert [(one.email, one.last_name) for one in found] == [(JANE["email"], "Doe")]
            assert (await service.contacts(desk.setup, desk.account_id, email="nobody@example.com"))[0] == []
            for turn in range(4):
                vendor.put_contact(first_name="Jo", last_name=f"Roe {turn}", email=f"jo{turn}@example.com")
            seen: list[str] = []
            cursor = None
            while True:
                page, cursor = await service.contacts(desk.setup, desk.account_id, cursor=cursor, limit=2)
                seen += [one.id for one in page]
                if cursor is None:
                    break
            assert sorted(seen) == sorted(one["id"] for one in vendor.contacts())

        run(work)

    def test_many_are_written_together_each_once(self, run: Any, vendor: Any) -> None:
        everybody = people(60, 3)

        async def work(desk: Desk) -> None:
            bad = {**everybody[7], "email": "no address"}
            done = await desk.write_many([*everybody[:7], bad, *everybody[8:], everybody[0]])
            errors = [one for one in done if isinstance(one, ApiError)]
            assert [one.type for one in errors] == ["validation_error"]
            assert [one.action for one in done if isinstance(one, WriteResult)].count("created") == 59
            assert done[-1].contact_id == done[0].contact_id
            assert (len(vendor.contacts()), len(vendor.companies())) == (59, 3)
            again = await desk.write_many(everybody)
            assert [one.action for one in again].count("unchanged") == 59
            assert len(vendor.contacts()) == 60

        run(work)

    def test_two_together_who_turn_out_to_be_one_do_not_overwrite_each_other(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            first = await desk.write({name: JANE[name] for name in ("full_name", "email", "linkedin_url")})
            by_url = {"full_name": JANE["full_name"], "linkedin_url": JANE["linkedin_url"], "job_title": "Boss"}
            by_email = {"full_name": JANE["full_name"], "email": JANE["email"], "job_title": "Chief"}
            done = await desk.write_many([by_url, {**by_email, "phone": "+15550100100"}])
            assert [(one.contact_id, one.action) for one in done] == [(first.contact_id, "updated")] * 2
            assert done[1].fields_kept == ["job_title"]
            [contact] = vendor.contacts()
            assert (contact["job_title"], re.sub(r"\D", "", contact["phone"])) == ("Boss", "15550100100")

        run(work)


def all_emails(contact: dict[str, Any]) -> set[str]:
    return {one.lower() for one in (contact.get("email") or "", *(contact.get("other_emails") or ()))}
