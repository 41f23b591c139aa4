"""CSV and vCard."""

import csv
import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from addtocrm.crm import export
from addtocrm.crm.model import Contact

JANE = Contact(
    id="cco_1",
    linkedin_url="https://www.linkedin.com/in/jane-doe-example",
    email="jane@acme.example.com",
    first_name="Jane",
    last_name="Doe; von, Example",
    full_name="Jane Doe\\Example",
    job_title="Head of\nSales",
    department="Sales",
    phone="+1 555 0100",
    other_emails=["j@example.org"],
    company_name="Acme, Inc.",
    city="Springfield",
    country="Freedonia",
    skills=["a,b", "c"],
)


def unfolded(text: str) -> list[str]:
    assert text.endswith("\r\n")
    return text.replace("\r\n ", "").split("\r\n")[:-1]


def test_a_vcard_has_what_is_known() -> None:
    assert unfolded(export.vcard(JANE)) == [
        "BEGIN:VCARD",
        "VERSION:4.0",
        "UID:cco_1",
        "FN:Jane Doe\\\\Example",
        "N:Doe\\; von\\, Example;Jane;;;",
        "EMAIL:jane@acme.example.com",
        "EMAIL:j@example.org",
        "TEL:+1 555 0100",
        "ORG:Acme\\, Inc.;Sales",
        "TITLE:Head of\\nSales",
        "ADR:;;;Springfield;;;Freedonia",
        "URL:https://www.linkedin.com/in/jane-doe-example",
        "CATEGORIES:a\\,b,c",
        "END:VCARD",
    ]


def test_a_vcard_always_has_a_name() -> None:
    assert "FN:jane@example.com" in export.vcard(Contact(id="cco_1", email="jane@example.com"))
    assert "FN:cco_1" in export.vcard(Contact(id="cco_1"))


@given(st.text(max_size=400))
def test_lines_are_short_and_split_no_character(text: str) -> None:
    lines = export.vcard(Contact(id="cco_1", full_name="x", headline=text)).encode("utf-8", "surrogatepass")
    for line in lines.split(b"\r\n"):
        assert len(line) <= 75
        line.decode("utf-8", "surrogatepass")


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
def test_no_text_breaks_out_of_its_line(text: str) -> None:
    card = export.vcard(Contact(id="cco_1", full_name="x", headline=f"a{text}\r\nEND:VCARD\nb"))
    assert card.count("\r\nEND:VCARD\r\n") == 1
    (note,) = [line for line in unfolded(card) if line.startswith("NOTE:")]
    back = note.removeprefix("NOTE:").replace("\\\\", "\0").replace("\\n", "\n")
    back = back.replace("\\,", ",").replace("\\;", ";").replace("\0", "\\")
    assert back == f"a{text}\nEND:VCARD\nb"


def table(*contacts: Contact) -> list[dict[str, Any]]:
    text = export.header("csv") + export.body("csv", contacts)
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_row_of_csv_has_every_column() -> None:
    (row,) = table(JANE)
    assert list(row) == list(export.COLUMNS)
    assert row["last_name"] == "Doe; von, Example"
    assert row["job_title"] == "Head of\nSales"
    assert row["skills"] == "a,b; c"
    assert row["seniority"] == ""


@pytest.mark.parametrize("text", ['=HYPERLINK("http://x.test")', "+1", "-1", "@sum(a1)", "\t=1", "\r=1", "\n=1"])
def test_no_cell_is_a_formula(text: str) -> None:
    (row,) = table(Contact(id="cco_1", headline=text, skills=[text]))
    assert row["headline"] == row["skills"] == f"'{text}"
