"""A page from the middle of the event feed."""

import json
from collections.abc import Callable
from urllib.parse import quote

from bench.deployment import Deployment
from bench.figure import Figure, milliseconds, ratios


def reader(deployment: Deployment, events: int) -> Callable[[], float]:
    """Reads a page in the feed of an account with `events` events; gives the milliseconds."""
    account_id, token = deployment.account(f"events{events}@example.com")
    deployment.sql(
        """insert into events (account_id, inserted, id, type, actor, data)
           select $1, now() - make_interval(secs => $2 - n), 'evt_' || $2 || '_' || lpad(n::text, 9, '0'),
                  'person.enriched', 'operator', '{}'
           from generate_series(1, $2::int) n""",
        account_id,
        events,
    )
    middle = deployment.sql("select (now() at time zone 'utc' - make_interval(secs => $1))::text || 'Z'", events // 2)
    path = f"/v1/events?limit=100&since={quote(middle)}"
    assert len(json.loads(deployment.call(path, token=token))["data"]) == 100
    return lambda: milliseconds(lambda: deployment.call(path, token=token))


def figure(deployment: Deployment) -> Figure:
    with deployment.serve():
        small, large = reader(deployment, 10_000), reader(deployment, 100_000)
        deployment.sql("analyze events")
        return Figure("a page of the feed of 10,000 events (ms)", *ratios(large, small), "≤ 1.3")
