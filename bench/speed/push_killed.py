"""A push to a CRM (VENDOR) whose process is killed three times: how many contacts it makes of PEOPLE."""

import json
import os
import signal
import sys
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.deployment import Deployment, child
from bench.figure import Figure

PEOPLE = int(os.environ.get("PEOPLE", "1000"))
VENDOR = os.environ.get("VENDOR", "hubspot")
SERVERS = {
    "attio": "AttioServer",
    "hubspot": "HubSpotServer",
    "pipedrive": "PipedriveServer",
    "salesforce": "SalesforceServer",
    "zoho": "ZohoServer",
}
SEARCH_LAG = 5.0
"""Seconds."""


def figure(deployment: Deployment) -> Figure:
    sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
    servers: Any = import_module(f"vendors.{VENDOR}_server")
    with getattr(servers, SERVERS[VENDOR])() as vendor:
        vendor.lag = SEARCH_LAG
        settings = {f"ADDTOCRM_{VENDOR.upper()}_URL": vendor.url, "ADDTOCRM_ALLOW_PRIVATE_NETWORKS": "true"}
        deployment.environment |= settings
        deployment.cli("crm", "connect", "bench@example.com", VENDOR, "--token", "private-token-1")
        with deployment.serve() as server:
            items = [
                {"person": {"full_name": f"Person {n}", "linkedin_url": f"https://www.linkedin.com/in/person-{n}"}}
                for n in range(PEOPLE)
            ]
            job = json.loads(deployment.call("/v1/batch/crm-contacts", json.dumps({"items": items})))["data"]
            kills = [PEOPLE // 4, PEOPLE // 2, PEOPLE * 3 // 4]
            while job["status"] in ("queued", "running"):
                if kills and len(vendor.contacts()) >= kills[0]:
                    with suppress(AssertionError, OSError):  # It may not have been started again yet.
                        os.kill(child(server, "jobs"), signal.SIGKILL)
                        kills.pop(0)
                time.sleep(0.05)
                job = json.loads(deployment.call(f"/v1/jobs/{job['id']}"))["data"]
        contacts = vendor.contacts()
        duplicates = len(contacts) - len({one["linkedin_url"] for one in contacts})
        assert (job["succeeded"], duplicates, kills) == (PEOPLE, 0, []), (job, duplicates)
        calls = len(vendor.seen)
    crm = SERVERS[VENDOR].removesuffix("Server")
    title = f"contacts of a push of {PEOPLE:,} people to {crm}, killed three times; no duplicates; {calls:,} calls"
    return Figure(title, len(contacts), PEOPLE, len(contacts) / PEOPLE, "1")
