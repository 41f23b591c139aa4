"""P4: an import against COPY of the same rows, one round."""

import asyncio
import time

import asyncpg

from bench.deployment import Deployment
from bench.figure import Figure

ROWS = 1_000_000


def figure(deployment: Deployment) -> Figure:
    file = deployment.folder / "people.csv"
    with file.open("w") as opened:
        opened.write("linkedin_url,first_name,last_name,email,job_title,city,country,company_name,company_domain\n")
        for n in range(ROWS):
            opened.write(
                f"https://www.linkedin.com/in/m{n}-example,First{n % 997},Last{n},m{n}@m{n % 9973}.example.com,CEO,"
                f"Berlin,Germany,Company {n % 9973},m{n % 9973}.example.com\n"
            )
    deployment.sql("truncate people")
    ours = ROWS / deployment.cli("import", "people", str(file))["seconds"]
    dump = deployment.folder / "people.copy"

    async def copy() -> float:
        connection = await asyncpg.connect(deployment.url)
        await connection.copy_from_query("select * from people", output=dump)
        await connection.execute("create table people_copy (like people including all)")
        began = time.perf_counter()
        await connection.copy_to_table("people_copy", source=dump)
        seconds = time.perf_counter() - began
        await connection.close()
        return ROWS / seconds

    theirs = asyncio.run(copy())
    return Figure(f"P4 import of {ROWS:,} people against COPY of the same rows", ours, theirs, ours / theirs, "≥ 0.35")
