"""Cached enrichments beside 500 writes to a CRM that takes 30 s for every answer."""

import contextlib
import json
import statistics
import sys
import threading
import time
import urllib.error
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.deployment import Deployment, process_memory
from bench.figure import ROUNDS, Figure

WRITERS, SECONDS = 500, 30
IN_USE = """select count(*) from pg_stat_activity
            where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid()"""


def figure(deployment: Deployment) -> Figure:
    sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
    base: Any = import_module("vendors.base")
    servers: Any = import_module("vendors.attio_server")
    with servers.AttioServer() as vendor:
        deployment.environment |= {"ADDTOCRM_ATTIO_URL": vendor.url, "ADDTOCRM_ALLOW_PRIVATE_NETWORKS": "true"}
        deployment.cli("crm", "connect", "bench@example.com", "attio", "--token", "private-token-1")
        with deployment.serve() as server:
            deployment.cached()
            alone = statistics.median(deployment.cached() for _ in range(ROUNDS))
            memory = process_memory(server, "worker", "VmHWM")
            vendor.troubles.append(base.Trouble(".*", times=10**6, after=float(SECONDS)))
            writers = [threading.Thread(target=_write, args=(deployment, n), daemon=True) for n in range(WRITERS)]
            for writer in writers:
                writer.start()
            time.sleep(3)
            under_way = sum(writer.is_alive() for writer in writers)
            beside = statistics.median(deployment.cached() for _ in range(ROUNDS))
            in_use = deployment.sql(IN_USE)
            grown = process_memory(server, "worker", "VmHWM") - memory
    title = (
        f"cached enrichments a second beside {under_way} writes to a CRM that takes {SECONDS} s for an answer, against "
        f"none; {in_use} database connections in use, {grown:.0f} MB more"
    )
    return Figure(title, beside, alone, beside / alone, "≥ 0.8")


def _write(deployment: Deployment, number: int) -> None:
    person = {"full_name": f"Person {number}", "email": f"person{number}@example.com"}
    with contextlib.suppress(urllib.error.HTTPError, OSError):
        deployment.call("/v1/crm/contacts", json.dumps({"person": person}))
