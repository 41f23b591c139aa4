"""What an import counts: every row of the file once, also where several are about one person or company."""

from pathlib import Path
from typing import Any

import pytest
from harness import cli
from importing import environment_of, imported, killed_after_a_chunk

FIGURES = ("created", "updated", "unchanged", "suppressed", "refused")


@pytest.fixture
def environment(database_url: str, tmp_path: Path) -> dict[str, str]:
    return environment_of(database_url, tmp_path)


def figures(result: dict[str, Any]) -> tuple[int, ...]:
    """The figures of an import, which are those of its rows."""
    assert sum(result[name] for name in FIGURES) == result["rows"]
    return tuple(result[name] for name in FIGURES)


def written(file: Path, header: str, *rows: str) -> Path:
    file.write_text("\n".join([header, *rows, ""]))
    return file


HEADER = "linkedin_url,email,full_name,company_name,job_title,city"


def test_rows_about_one_person(environment: dict[str, str], tmp_path: Path) -> None:
    file = written(
        tmp_path / "people.csv",
        HEADER,
        "in/one,,One,,,",
        "in/two,two@example.com,Two,,,",
        "in/one,,One,,,",
        "in/one,,,Acme,CEO,",
        "in/one,,,Acme,CEO,",
        ",two@example.com,Two,,,Lyon",
        ",nobody,,,,",
        "in/one,,,Globex,,",
    )
    assert figures(imported(file, environment)[0]) == (2, 3, 2, 0, 1)
    assert figures(imported(file, environment)[0]) == (0, 0, 7, 0, 1), "together they say nothing new"


def test_rows_about_one_who_is_known(environment: dict[str, str], tmp_path: Path) -> None:
    known = written(tmp_path / "known.csv", HEADER, "in/one,one@example.com,One,,CEO,", ",two@example.com,Two,,,")
    assert figures(imported(known, environment)[0]) == (2, 0, 0, 0, 0)
    file = written(
        tmp_path / "more.csv",
        HEADER,
        "in/one,,,,CEO,",
        "in/one,,,,,Lyon",
        ",one@example.com,,,,Lyon",
        ",one@example.com,One,,CTO,",
        ",one@example.com,One,,CTO,",
        "in/two,two@example.com,Two,,,",
        "in/two,two@example.com,Two,,,Rome",
    )
    assert figures(imported(file, environment)[0]) == (0, 4, 3, 0, 0)
    assert figures(imported(known, environment)[0]) == (0, 1, 1, 0, 0)


def test_rows_about_one_company(environment: dict[str, str], tmp_path: Path) -> None:
    file = written(
        tmp_path / "companies.csv",
        "domain,name,industry",
        "acme.example.com,Acme,",
        "acme.example.com,Acme,Tools",
        "ACME.example.com,,Tools",
        ",,Tools",
        "globex.example.com,Globex,",
    )
    assert figures(imported(file, environment, "companies")[0]) == (2, 1, 1, 0, 1)
    assert figures(imported(file, environment, "companies")[0]) == (0, 0, 4, 0, 1)


def test_rows_about_somebody_forgotten(environment: dict[str, str], tmp_path: Path) -> None:
    cli("people", "forget", "linkedin.com/in/gone", environment=environment)
    rows = ("in/gone,,Gone,,,", "in/here,,Here,,,", "in/gone,,,,CEO,", "in/gone,,Gone,,,")
    file = written(tmp_path / "people.csv", HEADER, *rows)
    assert figures(imported(file, environment)[0]) == (1, 0, 0, 3, 0)


def test_rows_far_apart_and_after_a_kill(environment: dict[str, str], database_url: str, tmp_path: Path) -> None:
    """Each person has three rows, some of them in one chunk and some in several."""
    names = [f"in/p{n},,P {n},,," for n in range(8_000)]
    titles = [f"in/p{n},,,,CEO," for n in range(8_000)]
    file = written(tmp_path / "people.csv", HEADER, *names, *titles, *titles, ",nobody,,,,")

    killed_after_a_chunk(file, environment, database_url)
    result, _ = imported(file, environment)
    assert result["resumed_from"] == 10_000
    assert figures(result) == (8_000, 8_000, 8_000, 0, 1)
