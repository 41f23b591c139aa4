"""Staged rows and stored people of whom one has a LinkedIn URL that the other had before."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from addtocrm.core.db.pool import Connection
from addtocrm.core.identifiers import PROFILE

SECONDS = 600.0

KNOWN_BEFORE = f"""
    select s.identity as new, p.identity as known, p.id
    from staging s, jsonb_array_elements_text(s.data -> 'former_linkedin_urls') as url
        join people p on p.identity = 'in:' || substr(url, {len(PROFILE) + 1})
    where s.data ? 'former_linkedin_urls' and not exists (select from people o where o.identity = s.identity)
"""
"""The stored people whose URL a staged row had before, where nobody has the row's own."""

KNOWN_SINCE = f"""
    select url, p.identity as known from people p, jsonb_array_elements_text(p.data -> 'former_linkedin_urls') as url
    where p.data ? 'former_linkedin_urls' and p.data -> 'former_linkedin_urls' ?| $1 and url = any($1)
        and not exists (select from people o where o.identity = 'in:' || substr(url, {len(PROFILE) + 1}))
"""
"""The stored people who had one of some URLs before, where nobody has it now."""


async def join_by_url(connection: Connection, staged: Mapping[str, str]) -> bool:
    """Who is known by a URL that a staged row had before gets the row's, and a row with a URL that a stored person had
    before is theirs; where it could be two, neither. `staged` are the ids of rows, by identity.
    Gives whether they have changed: two may be one now."""
    before = _single((row["new"], row["known"]) for row in await connection.fetch(KNOWN_BEFORE, timeout=SECONDS))
    renamed = _single((known, new) for new, known in before.items())
    await connection.execute(
        f"""update people set identity = new, data = merged_person(data, jsonb_build_object(
                'former_linkedin_urls', jsonb_build_array('{PROFILE}' || substr(known, 4))))
            from unnest($1::text[], $2::text[]) as renamed (known, new) where identity = known""",
        list(renamed),
        list(renamed.values()),
        timeout=SECONDS,
    )
    urls = {PROFILE + identity[3:]: id for identity, id in staged.items() if identity.startswith("in:")}
    known = await connection.fetch(KNOWN_SINCE, list(urls), timeout=SECONDS)
    since = _single((urls[row["url"]], row["known"]) for row in known)
    await belong(connection, since)
    return bool(since)


async def belong(connection: Connection, owners: Mapping[str, str]) -> None:
    """Makes staged rows, by their ids, those of people with the identities, whose LinkedIn URLs stay."""
    if owners:
        await connection.execute("create index if not exists staging_id on staging (id)")
        await connection.execute(
            """update staging s set identity = o.identity, data = data - 'linkedin_url'
               from unnest($1::text[], $2::text[]) as o (id, identity) where s.id = o.id""",
            list(owners),
            list(owners.values()),
            timeout=SECONDS,
        )


def _single(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """What each is paired with, where that is one."""
    found: dict[str, set[str]] = defaultdict(set)
    for one, other in pairs:
        found[one].add(other)
    return {one: others.pop() for one, others in found.items() if len(others) == 1}
