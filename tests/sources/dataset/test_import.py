"""Imports as an operator does them: formats, second runs, interruptions, refused rows."""

import csv
import gzip
import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
from harness import ADDTOCRM, cli, with_pool
from importing import killed_after_a_chunk

PEOPLE = [
    {
        "linkedin_url": "https://de.linkedin.com/in/Ana-Example/?trk=x",
        "first_name": "Ana",
        "last_name": "Núñez",
        "email": "ana@IMPORT.example.com",
        "company_name": "Import, Inc.",
        "company_domain": "https://www.import.example.com/about",
        "country": "de",
        "city": "Berlin",
        "skills": "Sales; CRM;Sales",
    },
    {"linkedin_url": "linkedin.com/in/bo-example", "full_name": "Bo Example", "email": ""},
]


@pytest.fixture
def environment(database_url: str, tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ADDTOCRM_")}
    return {**kept, "ADDTOCRM_DATABASE_URL": database_url, "ADDTOCRM_DATA_DIR": str(tmp_path)}


def people(url: str) -> dict[str, dict[str, Any]]:
    rows = with_pool(url, lambda pool: pool.fetch("select identity, data from people"))
    return {row["identity"]: json.loads(row["data"]) for row in rows}


def write_csv(file: Path, rows: list[dict[str, Any]], delimiter: str = ",", encoding: str = "utf-8") -> Path:
    names = list(dict.fromkeys(name for row in rows for name in row))
    with file.open("w", encoding=encoding, newline="") as opened:
        writer = csv.DictWriter(opened, names, delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return file


def write(folder: Path, form: str) -> Path:
    lines = "\n".join(json.dumps(row) for row in PEOPLE).encode()
    file = folder / f"people.{form}"
    match form:
        case "csv":
            return write_csv(file, PEOPLE)
        case "tsv":
            return write_csv(file, PEOPLE, "\t", "utf-8-sig")
        case "csv.gz":
            plain = write_csv(folder / "plain.csv", PEOPLE, ";")
            file.write_bytes(gzip.compress(plain.read_bytes()))
        case "jsonl":
            file.write_bytes(lines)
        case "jsonl.gz":
            file.write_bytes(gzip.compress(lines))
        case _:
            parquet.write_table(arrow.Table.from_pylist(PEOPLE), file)
    return file


@pytest.mark.parametrize("form", ["csv", "tsv", "csv.gz", "jsonl", "jsonl.gz", "parquet"])
def test_each_format_and_a_second_run(
    form: str, environment: dict[str, str], database_url: str, tmp_path: Path
) -> None:
    file = write(tmp_path, form)
    first = cli("import", "people", str(file), environment=environment)
    assert (first["rows"], first["created"], first["updated"], first["refused"]) == (2, 2, 0, 0)
    known = people(database_url)
    ana = known["in:ana-example"]
    assert ana["linkedin_url"] == "https://www.linkedin.com/in/ana-example"
    assert ana["email"] == "ana@import.example.com"
    assert ana["full_name"] == "Ana Núñez"
    assert ana["location"] == {"city": "Berlin", "region": None, "country": "Germany", "country_code": "DE"}
    assert ana["company"] == {"name": "Import, Inc.", "domain": "import.example.com"}
    assert ana["skills"] == ["Sales", "CRM"]
    again = cli("import", "people", str(file), environment=environment)
    assert (again["rows"], again["created"], again["updated"], again["unchanged"]) == (2, 0, 0, 2)
    assert people(database_url) == known


def test_refused_rows_name_their_line_and_reason(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_bytes(
        b"linkedin_url,full_name,headline,email,other\r\n"
        b'linkedin.com/in/a-example,A,"two\nlines",,\r\n'
        b"linkedin.com/company/acme,B,,,\r\n"
        b",,,,\r\n"
        b",C,,nobody,\r\n"
        b"linkedin.com/in/d-example,\xff,,,\r\n"
        b"linkedin.com/in/e-example,E,,\r\n"
        b"linkedin.com/in/f-example,F,,,x\r\n"
    )
    result = cli("import", "people", str(file), environment=environment)
    assert (result["rows"], result["created"], result["refused"]) == (7, 2, 5)
    assert result["ignored_columns"] == ["other"]
    with Path(result["rejected_file"]).open(newline="") as opened:
        refused = list(csv.DictReader(opened))
    assert [row["line"] for row in refused] == ["4", "5", "6", "7", "8"]
    for row, reason in zip(refused, ("companies/lookup", "neither", "email", "stored", "4 fields"), strict=True):
        assert reason in row["reason"]
    assert json.loads(refused[0]["fields"])["full_name"] == "B"


def test_the_same_person_by_email_and_by_url(environment: dict[str, str], database_url: str, tmp_path: Path) -> None:
    first = write_csv(tmp_path / "1.csv", [{"email": "cy@example.com", "full_name": "Cy"}])
    second = write_csv(
        tmp_path / "2.csv",
        [{"linkedin_url": "linkedin.com/in/cy-example", "email": "cy@example.com", "job_title": "CEO"}],
    )
    third = write_csv(tmp_path / "3.csv", [{"email": "cy@EXAMPLE.com", "city": "Lyon"}])
    for file in (first, second, third):
        cli("import", "people", str(file), environment=environment)
    known = people(database_url)
    assert list(known) == ["in:cy-example"]
    assert known["in:cy-example"]["full_name"] == "Cy"
    assert known["in:cy-example"]["job_title"] == "CEO"
    assert known["in:cy-example"]["location"]["city"] == "Lyon"


def test_people_data_labs(environment: dict[str, str], database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "pdl.jsonl"
    row = {
        "full_name": "dee example",
        "linkedin_url": "linkedin.com/in/dee-example",
        "work_email": True,
        "emails": [{"address": "dee@pdl.example.com", "type": "professional"}],
        "job_title_levels": ["director"],
        "job_company_name": "pdl example",
        "job_company_website": "pdl.example.com",
        "location_country": "united kingdom",
        "skills": ["sql"],
        "experience": [{"company": {"name": "old example"}, "title": {"name": "analyst"}, "start_date": "2019"}],
        "education": [{"school": {"name": "school example"}, "degrees": ["ba"]}],
    }
    file.write_text(json.dumps(row))
    cli("import", "people", str(file), environment=environment)
    dee = people(database_url)["in:dee-example"]
    assert dee["email"] == "dee@pdl.example.com"
    assert dee["seniority"] == "director"
    assert dee["company"]["domain"] == "pdl.example.com"
    assert dee["location"]["country_code"] == "GB"
    assert dee["experience"][0]["title"] == "analyst"
    assert dee["education"][0]["school"] == "school example"


def test_goes_on_after_a_kill(environment: dict[str, str], database_url: str, tmp_path: Path) -> None:
    total = 40_000
    file = tmp_path / "many.csv"
    with file.open("w") as opened:
        opened.write("linkedin_url,full_name\n")
        for number in range(total):
            bad = number % 1000 == 7
            opened.write(f"linkedin.com/{'company' if bad else 'in'}/m{number}-example,M {number}\n")
    killed_after_a_chunk(file, environment, database_url)
    result = cli("import", "people", str(file), environment=environment)
    assert 0 < result["resumed_from"] < total
    assert (result["rows"], result["created"], result["refused"]) == (total, total - total // 1000, total // 1000)
    with Path(result["rejected_file"]).open(newline="") as opened:
        lines = [int(row["line"]) for row in csv.DictReader(opened)]
    assert lines == [number + 2 for number in range(7, total, 1000)]


def test_files_that_cannot_be_read(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "nothing.csv").write_text("a,b\n1,2\n")
    (tmp_path / "people.txt").write_text("x")
    for name in ("nothing.csv", "people.txt", "missing.csv"):
        done = subprocess.run(
            [ADDTOCRM, "import", "people", str(tmp_path / name)], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 1
        assert "Traceback" not in done.stderr


def test_a_large_file_is_read_by_a_process_of_its_own(
    environment: dict[str, str], database_url: str, tmp_path: Path
) -> None:
    rows = [{"linkedin_url": f"linkedin.com/in/large-{n}", "headline": "x" * 60} for n in range(25_000)]
    rows[12_345]["linkedin_url"] = "https://example.com/in/x"
    file = write_csv(tmp_path / "large.csv", rows)
    result = cli("import", "people", str(file), environment=environment)
    assert (result["rows"], result["created"], result["refused"]) == (25_000, 24_999, 1)
    assert "12347" in Path(result["rejected_file"]).read_text()
    (tmp_path / "cut.jsonl.gz").write_bytes(
        gzip.compress(random.Random(1).randbytes(3_000_000).hex().encode())[:2_000_000]
    )
    done = subprocess.run(
        [ADDTOCRM, "import", "people", str(tmp_path / "cut.jsonl.gz")], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1 and "cannot be read further" in done.stderr.replace("\n", " ")


def test_a_file_of_something_else_is_refused_before_anything_is_written(
    environment: dict[str, str], database_url: str, tmp_path: Path
) -> None:
    file = write_csv(tmp_path / "orders.csv", [{"order": str(n), "amount": "1"} for n in range(30_000)])
    done = subprocess.run([ADDTOCRM, "import", "people", str(file)], env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and "none of the columns" in done.stderr.replace("\n", " ")
    assert not Path(f"{file}.rejected.csv").exists()


def test_rows_of_one_person_within_a_file_lose_nothing(
    environment: dict[str, str], database_url: str, tmp_path: Path
) -> None:
    first = write_csv(tmp_path / "first.csv", [{"linkedin_url": "linkedin.com/in/one", "email": "one@example.com"}])
    cli("import", "people", str(first), environment=environment)
    rows = [
        {"linkedin_url": "linkedin.com/in/one", "headline": "Leads"},
        {"email": "one@example.com", "job_title": "CEO"},
        {"email": "two@example.com", "phone": "+4930123456"},
        {"linkedin_url": "linkedin.com/in/two", "email": "two@example.com", "headline": "Builds"},
    ]
    second = write_csv(tmp_path / "second.csv", [{"linkedin_url": "", "email": "", **row} for row in rows])
    cli("import", "people", str(second), environment=environment)
    known = people(database_url)
    assert set(known) == {"in:one", "in:two"}
    assert (known["in:one"]["headline"], known["in:one"]["job_title"]) == ("Leads", "CEO")
    assert known["in:one"]["email"] == "one@example.com"
    assert (known["in:two"]["headline"], known["in:two"]["phones"]) == ("Builds", [{"number": "+4930123456"}])
