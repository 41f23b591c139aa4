"""The search index after its files were damaged under a running server."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from harness import ADDTOCRM, Server, child_process, cli, until

from addtocrm.sources.index import folder

PEOPLE = 3000


def doctor_says(server: Server) -> Any:
    done = subprocess.run([ADDTOCRM, "doctor", "--json"], env=server.environment, capture_output=True, text=True)
    return next(one["ok"] for one in json.loads(done.stdout) if one["check"] == "search index")


def test_damage_is_told_and_mended_and_answers_stay_in_their_envelope(new_server: Any, tmp_path: Path) -> None:
    server: Server = new_server()
    file = tmp_path / "people.csv"
    lines = (f"https://www.linkedin.com/in/dam-{n},Kim{n} Example,Oslo,Skill{n},Acme" for n in range(PEOPLE))
    file.write_text("linkedin_url,full_name,city,skills,company_name\n" + "\n".join(lines))
    cli("import", "people", str(file), environment=server.environment)
    account = server.account(credits=500)

    def search() -> Any:
        body = {"filters": {"city": "Oslo"}, "facets": ["skills"], "refresh": True}
        return account.client.post("/v1/people/search", json=body).json()

    until(lambda: search().get("total") == PEOPLE)
    assert doctor_says(server)
    index = until(lambda: child_process(server, "index"))
    os.kill(index, signal.SIGSTOP)
    built = folder.current(tmp_path / folder.NAME)
    assert built is not None
    for ending in ("idx", "fast"):
        for harmed in built.glob(f"*.{ending}"):
            with harmed.open("r+b") as opened:
                opened.write(os.urandom(max(harmed.stat().st_size - 150, 0)))
    assert search()["error"]["type"] == "internal_error"
    asked = {"first_name": "K.", "last_name": "Example", "company_name": "Acme"}
    named = account.client.post("/v1/people/enrich", json=asked)
    assert named.status_code == 500 and "nothing was charged" in named.json()["error"]["message"]
    assert doctor_says(server) is False
    assert "Traceback" not in server.log.read_text()
    os.kill(index, signal.SIGCONT)
    until(lambda: search().get("total") == PEOPLE)
    until(lambda: doctor_says(server))
    assert folder.current(tmp_path / folder.NAME) != built
