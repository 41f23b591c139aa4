"""Files that nobody would write on purpose: a row is refused with its reason, a file with a sentence."""

import os
import random
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest
from importing import environment_of, imported, people, refusal

HEADER = "linkedin_url,full_name,headline\n"


@pytest.fixture
def environment(database_url: str, tmp_path: Path) -> dict[str, str]:
    return environment_of(database_url, tmp_path)


def row(slug: str, name: str = "A", headline: str = "") -> str:
    return f"linkedin.com/in/{slug},{name},{headline}\n"


def test_an_unclosed_quote_costs_its_own_row(environment: dict[str, str], database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    later = "".join(row(f"later-{n}") for n in range(3000))
    file.write_text(
        HEADER
        + row("two", headline='"two\nlines"')
        + row("open", '"A')
        + row("quoted", '"B, Jr."')
        + row("inches", "C", '5" pipes')
        + row("after", '"D" E')
        + row("poem", headline='"' + "a line\n" * 200 + '"')
        + row("last", '"never closed')
        + later
    )
    result, refused = imported(file, environment)
    assert set(refused) == {4, 7, 209}
    assert all("quote" in reason for reason in refused.values())
    assert (result["rows"], result["refused"]) == (3007, 3)
    known = people(database_url)
    assert len(known) == 3004
    assert known["in:two"]["headline"] == "two\nlines"
    assert known["in:quoted"]["full_name"] == "B, Jr."
    assert known["in:poem"]["headline"].count("a line") == 200


def test_a_quote_that_is_open_at_the_end_of_the_file(
    environment: dict[str, str], database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "people.csv"
    file.write_text(HEADER + row("one", '"A') + row("two") + row("three"))
    _, refused = imported(file, environment)
    assert set(refused) == {2}
    assert set(people(database_url)) == {"in:two", "in:three"}


@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_encodings(encoding: str, form: str, environment: dict[str, str], database_url: str, tmp_path: Path) -> None:
    file = tmp_path / f"people.{form}"
    text = HEADER + row("one", "Núñez 🙂") if form == "csv" else '{"linkedin_url": "in/one", "full_name": "Núñez 🙂"}\n'
    file.write_bytes(text.encode(encoding))
    imported(file, environment)
    assert people(database_url)["in:one"]["full_name"] == "Núñez 🙂"


def test_bytes_that_are_no_text_cost_their_row(environment: dict[str, str], database_url: str, tmp_path: Path) -> None:
    utf8 = tmp_path / "utf8.csv"
    utf8.write_bytes(
        HEADER.encode() + row("nul", "A\0").encode() + b"linkedin.com/in/bytes,\xff\xfe,\n" + row("fine").encode()
    )
    _, refused = imported(utf8, environment)
    assert set(refused) == {2, 3}
    utf16 = tmp_path / "utf16.csv"
    utf16.write_bytes(
        HEADER.encode("utf-16") + (row("lone", "\ud800") + row("good")).encode("utf-16-le", "surrogatepass")
    )
    _, refused = imported(utf16, environment)
    assert set(refused) == {2}
    json_lines = tmp_path / "people.jsonl"
    json_lines.write_bytes(
        b'{"linkedin_url": "in/escaped", "full_name": "\\ud800"}\n'
        b'{"linkedin_url": "in/bytes", "full_name": "\xff"}\n'
        b'{"linkedin_url": "in/nul", "full_name": "\\u0000"}\n'
        b'{"linkedin_url": "in/big", "phone": ' + b"9" * 5000 + b"}\n"
        b'{"linkedin_url": "in/deep", "phone": ' + b"[" * 5000 + b"]" * 5000 + b"}\n"
        b'{"linkedin_url": "in/nested", "phone": ' + b"[" * 500 + b"]" * 500 + b"}\n"
        b'{"linkedin_url": "in/long", "full_name": "' + b"a" * 3_000_000 + b'"}\n'
        b"[]\n"
        b"null\n"
        b'{"linkedin_url": "in/json"}\n'
    )
    _, refused = imported(json_lines, environment)
    assert set(refused) == {1, 2, 3, 4, 5, 7, 8, 9}
    assert set(people(database_url)) == {"in:fine", "in:good", "in:nested", "in:json"}


def test_a_name_that_no_index_can_hold_is_found_by_a_bounded_key(
    environment: dict[str, str], database_url: str, tmp_path: Path
) -> None:
    emoji = "🙂👩‍👩‍👧‍👦" * 200
    file = tmp_path / "people.csv"
    file.write_text(
        "linkedin_url,full_name,company_name,email\n"
        f"linkedin.com/in/emoji,{emoji},,\n"
        f",B,{emoji},\n"
        f",{emoji},{emoji},\n"
        f",{'c' * 9000},,c@example.com\n"
        f",{'d' * 10_001},,d@example.com\n"
        "linkedin.com/in/fine,Fine,,\n"
    )
    for created in (5, 0):
        result, refused = imported(file, environment)
        assert (result["created"], set(refused)) == (created, {6})
    known = set(people(database_url))
    assert {"in:emoji", "in:fine"} < known
    assert any(identity.startswith("em:c@example.com|ccc") for identity in known)


def test_counts_that_are_none_cost_their_row(environment: dict[str, str], tmp_path: Path) -> None:
    companies = tmp_path / "companies.csv"
    long = "🙂" * 3000
    companies.write_text(f'name,employee_count\nAcme,{10**30}\nNegative,-5\nInfinite,inf\nFine,"1,000"\n{long},5\n')
    result, refused = imported(companies, environment, "companies")
    assert set(refused) == {2, 3, 4}
    assert result["created"] == 2


def write_parquet(file: Path, rows: list[dict[str, Any]]) -> Path:
    parquet.write_table(arrow.Table.from_pylist(rows), file)
    return file


def test_parquet_values_become_text_or_nothing(environment: dict[str, str], database_url: str, tmp_path: Path) -> None:
    def one(slug: str, **fields: Any) -> dict[str, Any]:
        return {"linkedin_url": f"linkedin.com/in/{slug}", **fields}

    floats = [one("nan", phone=float("nan")), one("inf", phone=float("-inf")), one("whole", phone=493012345678.0)]
    write_parquet(tmp_path / "floats.parquet", floats)
    write_parquet(tmp_path / "bytes.parquet", [one("bytes", job_title=b"CTO"), one("none", job_title=b"\xff")])
    write_parquet(tmp_path / "decimals.parquet", [one("decimal", phone=Decimal("4930123.00"))])
    write_parquet(tmp_path / "integers.parquet", [one("integer", phone=2**63 - 1)])
    write_parquet(tmp_path / "dates.parquet", [one("date", headline=date(2024, 2, 29))])
    write_parquet(tmp_path / "times.parquet", [one("time", headline=datetime(2024, 2, 29, tzinfo=UTC))])
    write_parquet(
        tmp_path / "nested.parquet", [one("nested", emails=[{"address": "n@example.com"}], skills=["a", None])]
    )
    seconds = arrow.array([2**45, 0], arrow.timestamp("s"))
    parquet.write_table(
        arrow.table({"linkedin_url": ["in/far", "in/near"], "headline": seconds}), tmp_path / "far.parquet"
    )
    refused = {file.stem: imported(file, environment)[1] for file in tmp_path.glob("*.parquet")}
    assert {name: set(lines) for name, lines in refused.items() if lines} == {"bytes": {2}, "far": {1}}
    known = people(database_url)
    assert "phones" not in known["in:nan"] and "phones" not in known["in:inf"]
    assert known["in:whole"]["phones"] == [{"number": "493012345678"}]
    assert known["in:bytes"]["job_title"] == "CTO"
    assert known["in:decimal"]["phones"] == [{"number": "4930123"}]
    assert known["in:integer"]["phones"] == [{"number": str(2**63 - 1)}]
    assert known["in:date"]["headline"] == "2024-02-29"
    assert known["in:time"]["headline"].startswith("2024-02-29T00:00:00")
    assert (known["in:nested"]["email"], known["in:nested"]["skills"]) == ("n@example.com", ["a"])
    assert known["in:near"]["headline"].startswith("1970-01-01")


def test_a_file_that_cannot_be_read_is_refused_with_a_sentence(environment: dict[str, str], tmp_path: Path) -> None:
    whole = write_parquet(tmp_path / "whole.parquet", [{"linkedin_url": f"in/p{n}"} for n in range(1000)]).read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "damaged.parquet").write_bytes(whole[:4] + bytes(len(whole) // 2) + whole[len(whole) // 2 + 4 :])
    (tmp_path / "text.parquet").write_text(HEADER)
    (tmp_path / "text.csv.gz").write_text(HEADER)
    (tmp_path / "noise.csv.gz").write_bytes(b"\x1f\x8b\x08\x00" + bytes(6) + b"\xff" * 100)
    (tmp_path / "noise.csv").write_bytes(random.Random(1).randbytes(5000))
    (tmp_path / "empty.csv").touch()
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "empty.parquet").touch()
    (tmp_path / "blank.jsonl").write_text("\n\n")
    (tmp_path / "unknown.csv").write_text("order,amount\n")
    (tmp_path / "twice.csv").write_text("linkedin_url,email,Email\nin/a,,\n")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "people.csv.bz2").write_text("x")
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    reasons = {
        "cut.parquet": "damaged",
        "damaged.parquet": "damaged",
        "text.parquet": "no Parquet",
        "text.csv.gz": "cannot be read",
        "noise.csv.gz": "cannot be read",
        "noise.csv": "none of the columns",
        "empty.csv": "is empty",
        "empty.jsonl": "is empty",
        "empty.parquet": "is empty",
        "blank.jsonl": "none of the columns",
        "unknown.csv": "none of the columns",
        "twice.csv": "column email is there twice",
        "folder.csv": "is no file",
        "people.csv.bz2": "does not end in",
        "pipe.csv": "is no file",
        "loop.csv": "no such file",
        "missing.csv": "no such file",
        f"{'n' * 300}.csv": "too long",
    }
    for name, reason in reasons.items():
        assert reason in refusal(tmp_path / name, environment), name
    (tmp_path / "header.csv").write_text(HEADER)
    assert imported(tmp_path / "header.csv", environment)[0]["rows"] == 0


def test_names_of_columns_that_are_no_text(environment: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_bytes(b"linkedin_url,\xff\xfe\nlinkedin.com/in/a,x\nnobody,y\n")
    result, refused = imported(file, environment)
    assert (result["created"], set(refused)) == (1, {3})
