"""How much of a vendor's quota a push uses: HubSpot's searches, 5 a second, counted and enforced by the vendor."""

import json
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.deployment import Deployment
from bench.figure import Figure

PEOPLE, A_SECOND = 1_000, 5


def figure(deployment: Deployment) -> Figure:
    sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
    servers: Any = import_module("vendors.hubspot_server")
    with servers.HubSpotServer() as vendor:
        settings = {"ADDTOCRM_HUBSPOT_URL": vendor.url, "ADDTOCRM_ALLOW_PRIVATE_NETWORKS": "true"}
        deployment.environment |= settings
        deployment.cli("crm", "connect", "bench@example.com", "hubspot", "--token", "private-token-1")
        with deployment.serve():
            items = [
                {"person": {"full_name": f"Person {n}", "linkedin_url": f"https://www.linkedin.com/in/person-{n}"}}
                for n in range(PEOPLE)
            ]
            job = json.loads(deployment.call("/v1/batch/crm-contacts", json.dumps({"items": items})))["data"]
            while job["status"] in ("queued", "running"):
                time.sleep(0.2)
                job = json.loads(deployment.call(f"/v1/jobs/{job['id']}"))["data"]
        assert (job["succeeded"], len(vendor.contacts()), vendor.throttles) == (PEOPLE, PEOPLE, 0), job
        searches = vendor.times_of(r"/search$")
    used = (len(searches) - A_SECOND) / (searches[-1] - searches[0])
    title = f"searches a second of a push of {PEOPLE:,} people to HubSpot, at its quota of {A_SECOND}; no 429"
    return Figure(title, used, A_SECOND, used / A_SECOND, "≥ 0.95")
