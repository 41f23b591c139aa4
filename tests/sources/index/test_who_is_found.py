"""Whom the dataset finds by name and company through the index, however many work there."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from harness import with_pool
from index_crowd import put

from addtocrm.core.db.pool import Pool
from addtocrm.core.ids import new_id
from addtocrm.sources.contract import PersonQuery
from addtocrm.sources.index import folder
from addtocrm.sources.index.build import build
from addtocrm.sources.index.reader import MOST_CANDIDATES, Reader
from addtocrm.sources.providers.dataset import Dataset

SITES = ("few.test", "many.test", "garcias.test")
MANY = MOST_CANDIDATES + 5


def one(first: str, last: str, site: str, **more: Any) -> dict[str, Any]:
    full = f"{first} {last}"
    return {"first_name": first, "last_name": last, "full_name": full, "company": {"domain": site}, **more}


def known(first: str, last: str, site: str) -> dict[str, Any]:
    """Somebody of whom so much is known that they come first."""
    return one(first, last, site, headline="Here", job_title="Clerk", email="x@test.test", skills=["Filing"])


def numbered(number: int) -> str:
    return "Q" + "".join(chr(ord("a") + int(digit)) for digit in str(number))


def found(url: str, folder_of_index: Path, people: Iterable[dict[str, Any]], *asked: tuple[str, str, str]) -> Any:
    async def work(pool: Pool) -> list[Any]:
        await put(pool, {new_id("per"): row for row in people})
        await build(pool, folder.root(folder_of_index))
        dataset = Dataset(pool, Reader(folder_of_index).candidates)
        queries = [PersonQuery(first_name=a, last_name=b, company_domain=site) for a, b, site in asked]
        matches = [await dataset.person(query) for query in queries]
        return [match and match.object.full_name for match in matches]

    return with_pool(url, work)


def test_nobody_is_meant_because_rivals_were_not_looked_at(database_url: str, tmp_path: Path) -> None:
    few = [known("Maria", "Garcia Perez", "few.test"), one("Maria", "Garcia Lopez", "few.test")]
    crowd = [known("Maria", numbered(number), "many.test") for number in range(MANY)]
    garcias = [known("Maria", f"Garcia {numbered(number)}", "garcias.test") for number in range(MANY)]
    many = [known("Maria", "Garcia Perez", "many.test"), one("Maria", "Garcia Lopez", "many.test"), *crowd]
    quast = [one("Maria", "Quast Zorn", site) for site in ("few.test", "many.test")]
    bob = one("Robert", "Quast", "many.test")
    asked = [(first, last, site) for first, last in (("Maria", "Garcia"), ("Maria", "Quast")) for site in SITES]
    answers = found(database_url, tmp_path, [*few, *many, *garcias, *quast, bob], *asked, ("Bob", "Quast", "many.test"))
    assert answers == [None, None, None, "Maria Quast Zorn", "Maria Quast Zorn", None, "Robert Quast"]
