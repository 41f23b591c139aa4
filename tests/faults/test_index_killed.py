"""The search index after its writer was killed."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from harness import ADDTOCRM, Server, child_process, until

from addtocrm.sources.index.query import Filter, Wanted
from addtocrm.sources.index.reader import NotReady, Reader

PEOPLE, KILLS = 30_000, 20


def test_the_writer_killed_20_times_while_importing(new_server: Any, tmp_path: Path) -> None:
    rng = random.Random(5)
    server: Server = new_server()
    file = tmp_path / "people.csv"
    lines = (
        f"https://www.linkedin.com/in/killed-{number},Kim Example {number},Title{number},{number % 7} Example"
        for number in range(PEOPLE)
    )
    file.write_text("linkedin_url,full_name,job_title,company_name\n" + "\n".join(lines))
    importing = subprocess.Popen([ADDTOCRM, "import", "people", str(file)], env=server.environment)
    for _ in range(KILLS):
        time.sleep(rng.uniform(0, 0.5))
        os.kill(until(lambda: child_process(server, "index")), signal.SIGKILL)
    assert importing.wait(300) == 0
    reader = Reader(Path(server.environment["ADDTOCRM_DATA_DIR"]))

    def counted() -> int:
        try:
            return reader.count()
        except NotReady:
            return 0

    until(lambda: counted() == PEOPLE)
    stored = dict(server.query("select data->>'job_title', id from people order by random() limit 300"))
    for title, id in stored.items():
        assert reader.page(Wanted(filters={"job_title": Filter([title.lower()])}), 10).ids == [id]
