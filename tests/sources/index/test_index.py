"""The index agrees with the people table, whatever happens to either."""

import asyncio
import json
import os
import random
import shutil
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from index_crowd import Crowd, crowd, person, put, wanted

from addtocrm.core.db.pool import Pool, open_pool
from addtocrm.core.ids import new_id
from addtocrm.sources.index import damage, folder
from addtocrm.sources.index.build import build
from addtocrm.sources.index.follow import Follower
from addtocrm.sources.index.query import Filter, Wanted, normal
from addtocrm.sources.index.reader import NotReady, Place, Reader

PEOPLE = int(os.environ.get("ADDTOCRM_TESTS_PEOPLE", "6000"))
SEARCHES = int(os.environ.get("ADDTOCRM_TESTS_SEARCHES", "200"))
"""The long run has 100,000 people and 500 searches, and takes `--timeout 7200`."""
WHOLE = ("seniority", "company_domain", "company_size", "country")


@pytest.fixture
def run(database_url: str) -> Callable[[Callable[[Pool], Awaitable[None]]], None]:
    def run(work: Callable[[Pool], Awaitable[None]]) -> None:
        async def with_pool() -> None:
            pool = await open_pool(database_url, size=4)
            await work(pool)
            await pool.close()

        asyncio.run(with_pool())

    return run


def as_wanted(filters: Any, flags: Mapping[str, bool]) -> Wanted:
    def values(name: str, texts: list[str]) -> list[str]:
        return sorted(text if name in WHOLE else normal(name, text) for text in texts)

    made = {name: Filter(values(name, include), values(name, exclude)) for name, (include, exclude) in filters.items()}
    return Wanted(filters=made, **flags)


def pages(reader: Reader, asked: Wanted, limit: int, most: int) -> tuple[list[str], int]:
    """The ids of the first pages, and the total that the first one says."""
    ids: list[str] = []
    after: Place | None = None
    total = None
    while len(ids) < most:
        hits = reader.page(asked, limit, after)
        ids += hits.ids
        total = hits.total if total is None else total
        after = hits.after
        if after is None:
            break
    return ids, total or 0


async def caught_up(follower: Follower) -> None:
    while await follower.step():
        pass


def agrees(reader: Reader, people: Mapping[str, dict[str, Any]], rng: random.Random, searches: int) -> None:
    everybody = Crowd(people)
    for _ in range(searches):
        filters, flags = wanted(rng)
        expected = everybody.found(filters, flags)
        ids, total = pages(reader, as_wanted(filters, flags), rng.choice([7, 50, 100]), 200)
        assert total == len(expected), (filters, flags)
        assert ids == expected[: len(ids)], (filters, flags)
        assert len(ids) >= min(200, len(expected))


def test_it_finds_who_is_found_by_reading_all_before_and_after_changes(run: Any, tmp_path: Path) -> None:
    async def work(pool: Pool) -> None:
        rng = random.Random(15)
        people = crowd(rng, PEOPLE)
        await put(pool, people)
        root = folder.root(tmp_path)
        await build(pool, root)
        reader, follower = Reader(tmp_path), Follower(pool, root)
        await asyncio.to_thread(agrees, reader, people, rng, SEARCHES // 2)
        ids = rng.sample([*people], PEOPLE // 5)
        changed = {id: person(rng, id) for id in ids[: len(ids) // 2]}
        gone, new = ids[len(ids) // 2 :], crowd(rng, len(ids) // 4)
        await put(pool, {**changed, **new})
        await pool.execute("delete from people where id = any($1)", gone)
        people = {id: row for id, row in {**people, **changed, **new}.items() if id not in set(gone)}
        await caught_up(follower)
        assert reader.count() == len(people)
        await asyncio.to_thread(agrees, reader, people, rng, SEARCHES // 2)

    run(work)


def test_pages_of_who_stays_are_whole_while_others_come_go_and_change(run: Any, tmp_path: Path) -> None:
    async def work(pool: Pool) -> None:
        rng = random.Random(16)
        stay, change = crowd(rng, 300), crowd(rng, 100)
        await put(pool, {**stay, **change})
        root = folder.root(tmp_path)
        await build(pool, root)
        reader, follower = Reader(tmp_path), Follower(pool, root)
        seen: list[str] = []
        after: Place | None = None
        while True:
            hits = reader.page(Wanted(), 10, after)
            seen += hits.ids
            after = hits.after
            if after is None:
                break
            others = crowd(rng, 3)
            changed = rng.sample([*change], 3)
            await put(pool, {**others, **{id: person(rng, id) for id in changed}})
            await pool.execute("delete from people where id = any($1)", [*others][:1])
            await caught_up(follower)
        assert [id for id in seen if id in stay] == Crowd(stay).found({}, {})

    run(work)


@pytest.mark.parametrize("harm", ["missing", "damaged", "another version", "another database", "behind"])
def test_an_index_that_cannot_be_followed_is_built_anew(run: Any, tmp_path: Path, harm: str) -> None:
    async def work(pool: Pool) -> None:
        rng = random.Random(17)
        people = crowd(rng, 50)
        await put(pool, people)
        root = folder.root(tmp_path)
        follower, reader = Follower(pool, root), Reader(tmp_path)
        with pytest.raises(NotReady):
            reader.count()
        await caught_up(follower)
        assert reader.count() == 50
        built = folder.current(root)
        assert built is not None
        if harm == "missing":
            (root / folder.CURRENT).unlink()
        elif harm == "damaged":
            (built / "meta.json").write_text("{")
            with pytest.raises(NotReady):
                reader.count()
        elif harm == "another version":
            place = json.loads((built / folder.POSITION).read_text())
            (built / folder.POSITION).write_text(json.dumps({**place, "version": 0}))
        elif harm == "another database":
            await pool.execute("update people_feed set generation = gen_random_uuid()")
        else:
            await put(pool, crowd(rng, 1))
            await pool.execute("update people_changes set changed_at = now() - interval '4 days'")
            await Follower(pool, root)._drop_old()  # pyright: ignore[reportPrivateUsage]
        await caught_up(follower)
        assert folder.current(root) != built
        assert reader.count() == await pool.fetchval("select count(*) from people")

    run(work)


def harmed(build: Path, ending: str, rng: random.Random) -> None:
    """Random bytes in the largest file of a kind, but for its footer."""
    file = max(build.glob(f"*.{ending}"), key=lambda one: one.stat().st_size)
    with file.open("r+b") as opened:
        opened.write(rng.randbytes(file.stat().st_size - 150))


@pytest.mark.parametrize("ending", ["idx", "pos", "term", "fast", "fieldnorm", "store"])
def test_whatever_is_damaged_the_index_is_built_anew(run: Any, tmp_path: Path, ending: str) -> None:
    async def work(pool: Pool) -> None:
        rng = random.Random(20)
        people = crowd(rng, 2000)
        await put(pool, people)
        root = folder.root(tmp_path)
        follower, reader = Follower(pool, root), Reader(tmp_path)
        await caught_up(follower)
        built = folder.current(root)
        assert built is not None and reader.count() == 2000
        harmed(built, ending, random.Random(20))
        if ending in ("idx", "term", "fast"):
            with pytest.raises(NotReady):
                for _ in range(50):
                    filters, flags = wanted(rng)
                    reader.page(as_wanted(filters, flags), 20)
                    reader.facets(Wanted(), ["city", "skills"])
            assert not damage.is_sound(built)
        else:
            follower = Follower(pool, root)
        await caught_up(follower)
        assert folder.current(root) != built
        await asyncio.to_thread(agrees, reader, people, rng, 10)

    run(work)


def test_a_suspicion_that_is_wrong_builds_nothing(run: Any, tmp_path: Path) -> None:
    async def work(pool: Pool) -> None:
        await put(pool, crowd(random.Random(21), 50))
        root = folder.root(tmp_path)
        follower = Follower(pool, root)
        await caught_up(follower)
        built = folder.current(root)
        assert built is not None
        damage.suspect(built)
        await caught_up(follower)
        assert folder.current(root) == built and not damage.is_suspected(built)

    run(work)


def test_an_index_of_another_database_is_not_searched(run: Any, tmp_path: Path) -> None:
    async def work(pool: Pool) -> None:
        await put(pool, crowd(random.Random(22), 50))
        root = folder.root(tmp_path)
        follower, reader = Follower(pool, root), Reader(tmp_path)
        await caught_up(follower)
        await pool.execute("update people_feed set generation = gen_random_uuid()")
        with folder.building(root), pytest.raises(folder.Busy):
            await follower.step()
        with pytest.raises(NotReady):
            reader.count()
        await caught_up(follower)
        assert reader.count() == 50

    run(work)


def test_a_folder_that_is_removed_is_made_again(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(pool: Pool) -> None:
        monkeypatch.setattr("addtocrm.sources.index.follow.RETRY_SECONDS", 0.1)
        await put(pool, crowd(random.Random(23), 50))
        root = folder.root(tmp_path)
        reader, following = Reader(tmp_path), asyncio.create_task(Follower(pool, root).run())

        async def ready() -> None:
            while folder.current(root) is None:
                assert not following.done()
                await asyncio.sleep(0.05)
            assert reader.count() == 50

        await ready()
        shutil.rmtree(root)
        await asyncio.wait_for(ready(), 300)
        following.cancel()

    run(work)


def test_many_threads_search_while_builds_come_and_go(run: Any, tmp_path: Path) -> None:
    async def work(pool: Pool) -> None:
        await put(pool, crowd(random.Random(24), 200))
        root = folder.root(tmp_path)
        await build(pool, root)
        reader, going = Reader(tmp_path), True

        def search() -> int:
            searches = 0
            while going or not searches:
                hits = reader.page(Wanted(), 20)
                assert (len(hits.ids), hits.total) == (20, 200)
                searches += 1
            return searches

        with ThreadPoolExecutor(8) as threads:
            searching = [threads.submit(search) for _ in range(8)]
            try:
                for _ in range(8):
                    await build(pool, root)
                    folder.remove_others(root)
            finally:
                going = False
            assert all(one.result() for one in searching)

    run(work)


def test_counts_of_many_values_are_exact(run: Any, tmp_path: Path) -> None:
    async def work(pool: Pool) -> None:
        root = folder.root(tmp_path)
        follower, reader = Follower(pool, root), Reader(tmp_path)
        others = [f"Filler {number:03}" for number in range(600)] * 2
        for names in (others, [*others, "Target"], ["Target"] * 30, ["Target"]):
            await put(pool, {new_id("per"): {"company": {"name": name}} for name in names})
            await caught_up(follower)
        assert reader.facets(Wanted(), ["company_name"])["company_name"]["Target"] == 32

    run(work)


def test_a_size_of_very_many_digits_is_one(run: Any, tmp_path: Path) -> None:
    async def work(pool: Pool) -> None:
        await put(pool, {new_id("per"): {"company": {"size": "9" * 9000}}})
        await build(pool, folder.root(tmp_path))
        assert Reader(tmp_path).facets(Wanted(), ["company_size"]) == {"company_size": {"10001+": 1}}

    run(work)


def test_one_whose_data_have_another_form_is_left_out_alone(run: Any, tmp_path: Path) -> None:
    async def work(pool: Pool) -> None:
        people = crowd(random.Random(18), 20)
        odd = [{"skills": 5}, {"experience": [{"is_current": "yes"}]}, {"job_title": ["CTO"]}, {"company": "Acme"}]
        for form in odd:
            await put(pool, {new_id("per"): form})
        root = folder.root(tmp_path)
        await build(pool, root)
        follower, reader = Follower(pool, root), Reader(tmp_path)
        await put(pool, {**people, **{new_id("per"): form for form in odd}})
        await caught_up(follower)
        assert reader.count() == 20

    run(work)


def test_what_is_left_of_people_in_the_files_goes_after_a_week(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(pool: Pool) -> None:
        people = crowd(random.Random(19), 20)
        await put(pool, {**people, new_id("per"): {"job_title": "Zymurgist"}})
        root = folder.root(tmp_path)
        follower = Follower(pool, root)
        await caught_up(follower)
        built = folder.current(root)
        await pool.execute("delete from people where data->>'job_title' = 'Zymurgist'")
        await caught_up(follower)
        assert folder.current(root) == built
        monkeypatch.setattr("addtocrm.sources.index.follow.PURGE_SECONDS", 0.0)
        while folder.current(root) == built:
            await follower.step()
            await asyncio.sleep(0.01)
        await caught_up(follower)
        assert Reader(tmp_path).count() == 20
        assert not any(b"zymurgist" in file.read_bytes() for file in root.glob("build-*/*"))

    run(work)


def test_somebody_stored_without_a_code_is_found_by_the_code_of_their_country(run: Any, tmp_path: Path) -> None:
    async def work(pool: Pool) -> None:
        named = {new_id("per"): {"location": {"country": name}} for name in ("russia", "Turkey", "UK", "Atlantis")}
        await put(pool, named)
        await build(pool, folder.root(tmp_path))
        reader = Reader(tmp_path)
        assert reader.facets(Wanted(), ["country"]) == {"country": {"GB": 1, "RU": 1, "TR": 1}}
        abroad = Wanted(filters={"country": Filter(exclude=("RU", "TR", "GB"))})
        assert reader.page(abroad, 10, None).ids == [[*named][3]]

    run(work)
