"""Imports beside each other and after each other: every row counts once, nothing that is known is written."""

import asyncio
import json
import signal
import subprocess
from pathlib import Path

import pytest
from harness import ADDTOCRM, until, with_pool
from importing import MERGE_LOCK, begin, environment_of, held_up, imported, people, refusal, waiting

from addtocrm.core.db.pool import Pool

SUPPRESSIONS_LOCK = (1096041286, 0)


@pytest.fixture
def environment(database_url: str, tmp_path: Path) -> dict[str, str]:
    return environment_of(database_url, tmp_path)


def many(file: Path, rows: int, **fields: str) -> Path:
    with file.open("w") as opened:
        opened.write(",".join(["linkedin_url", "email", *fields]) + "\n")
        for n in range(rows):
            opened.write(",".join([f"in/p{n}", f"p{n}@example.com", *fields.values()]) + "\n")
    return file


def test_a_file_is_imported_by_one_at_a_time(environment: dict[str, str], database_url: str, tmp_path: Path) -> None:
    file = many(tmp_path / "people.csv", 10_500)

    def second_while_the_first_waits() -> "subprocess.Popen[str]":
        first = begin(file, environment)
        until(lambda: waiting(database_url) == 1)
        assert "Another process is importing it" in refusal(file, environment)
        return first

    out, _ = held_up(database_url, second_while_the_first_waits).communicate(timeout=400)
    result = json.loads(out)
    assert (result["rows"], result["created"], result["resumed_from"]) == (10_500, 10_500, 0)


def test_after_a_kill_the_next_run_goes_on_at_once(
    environment: dict[str, str], database_url: str, tmp_path: Path
) -> None:
    file = many(tmp_path / "people.csv", 10_500)

    def killed() -> None:
        first = begin(file, environment)
        until(lambda: waiting(database_url) == 1)
        first.send_signal(signal.SIGKILL)
        first.communicate()

    held_up(database_url, killed)
    result, _ = imported(file, environment)
    assert (result["rows"], result["created"], result["unchanged"]) == (10_500, 10_500, 0)


def test_two_files_of_the_same_people_at_once(environment: dict[str, str], database_url: str, tmp_path: Path) -> None:
    files = [
        many(tmp_path / "titles.csv", 10_500, job_title="CEO"),
        many(tmp_path / "names.csv", 10_500, full_name="Somebody"),
    ]
    with (tmp_path / "addresses.csv").open("w") as opened:
        opened.write("email,city\n")
        opened.writelines(f"p{n}@example.com,Lyon\n" for n in reversed(range(10_500)))
    files.append(tmp_path / "addresses.csv")
    runs = [begin(file, environment) for file in files]
    for run in runs:
        out, error = run.communicate(timeout=400)
        assert run.returncode == 0, error
        assert json.loads(out)["rows"] == 10_500
    complete = """select count(*) from people
                  where data->>'job_title' = 'CEO' and data->>'full_name' = 'Somebody'
                    and data->'location'->>'city' = 'Lyon' and identity like 'in:%'"""
    assert with_pool(database_url, lambda pool: pool.fetchval(complete)) == 10_500
    assert with_pool(database_url, lambda pool: pool.fetchval("select count(*) from people")) == 10_500


def test_a_file_that_changes_while_it_is_read(environment: dict[str, str], database_url: str, tmp_path: Path) -> None:
    file = many(tmp_path / "people.csv", 10_500)

    def changed() -> "subprocess.Popen[str]":
        first = begin(file, environment)
        until(lambda: waiting(database_url) == 1)
        with file.open("a") as opened:
            opened.write("in/late,late@example.com\n")
        return first

    first = held_up(database_url, changed)
    _, error = first.communicate(timeout=400)
    assert first.returncode == 1 and "changed while it was read" in " ".join(error.split())
    result, _ = imported(file, environment)
    assert (result["rows"], result["resumed_from"]) == (10_501, 0)


def test_the_database_goes_away(environment: dict[str, str], database_url: str, tmp_path: Path) -> None:
    file = many(tmp_path / "people.csv", 10_500)
    ended = "select pg_terminate_backend(pid) from pg_locks where not granted and classid = $1"

    def cut_off() -> "subprocess.Popen[str]":
        first = begin(file, environment)
        until(lambda: waiting(database_url) == 1)
        with_pool(database_url, lambda pool: pool.execute(ended, MERGE_LOCK[0]))
        return first

    first = held_up(database_url, cut_off)
    _, error = first.communicate(timeout=400)
    assert first.returncode == 1 and "Traceback" not in error
    assert "goes on where it stopped" in " ".join(error.split())


@pytest.mark.parametrize("kind", ["people", "companies"])
def test_what_says_nothing_new_is_not_written(
    kind: str, environment: dict[str, str], database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "rows.csv"
    url = "in" if kind == "people" else "company"
    with file.open("w") as opened:
        opened.write("linkedin_url,industry,city\n")
        opened.writelines(f"linkedin.com/{url}/r{n},Software,Lyon\n" for n in range(10_500))

    def versions() -> list[tuple[str, str]]:
        """Where each row is stored: an update writes it elsewhere."""
        rows = with_pool(
            database_url,
            lambda pool: pool.fetch(f"select identity, ctid::text, xmin::text from {kind} order by identity"),
        )
        return [tuple(row) for row in rows]

    assert imported(file, environment, kind)[0]["created"] == 10_500
    first = versions()
    result, _ = imported(file, environment, kind)
    assert (result["created"], result["updated"], result["unchanged"]) == (0, 0, 10_500)
    assert versions() == first
    text = file.read_text().replace("r77,Software", "r77,Hardware")
    file.write_text(text)
    result, _ = imported(file, environment, kind)
    assert (result["created"], result["updated"], result["unchanged"]) == (0, 1, 10_499)
    assert len(set(versions()) - set(first)) == 1


def test_who_is_forgotten_beside_an_import_holds_nobody_up(
    environment: dict[str, str], database_url: str, tmp_path: Path
) -> None:
    """The chunk that has the person already is merged anew without them."""
    file = many(tmp_path / "people.csv", 100)

    async def run(pool: Pool) -> "list[subprocess.Popen[str]]":
        async with pool.acquire() as connection:
            await connection.execute(
                """create function held_up() returns trigger language plpgsql as $$
                   begin perform pg_advisory_xact_lock_shared(81, 0); return null; end $$;
                   create trigger held_up after insert on people for each statement execute function held_up()"""
            )
            await connection.execute("select pg_advisory_lock(81, 0)")
            importing = await asyncio.to_thread(begin, file, environment)
            waits = "select from pg_locks where locktype = 'advisory' and classid = 81 and not granted"
            await asyncio.to_thread(until, lambda: with_pool(database_url, lambda pool: pool.fetch(waits)))
            command = [ADDTOCRM, "people", "forget", "in/p7"]
            forgetting = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
            listed = "select from suppressions"
            await asyncio.to_thread(until, lambda: with_pool(database_url, lambda pool: pool.fetch(listed)))
            assert await pool.fetchval("select pg_try_advisory_xact_lock($1, $2)", *SUPPRESSIONS_LOCK)
            await connection.execute("select pg_advisory_unlock(81, 0)")
            return [importing, forgetting]

    (out, _), _ = [command.communicate(timeout=400) for command in with_pool(database_url, run)]
    assert {name: json.loads(out)[name] for name in ("rows", "created", "suppressed")} == {
        "rows": 100,
        "created": 99,
        "suppressed": 1,
    }
    assert len(people(database_url)) == 99
