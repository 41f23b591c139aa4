"""Which rows of a chunk are one person's: those that would be if each had come in a file of its own."""

from collections import Counter, defaultdict

import msgspec

from addtocrm.core.identifiers import PROFILE
from addtocrm.sources.dataset.joining import FORMER, MOST_SHARING, both, may_be_one_person
from addtocrm.sources.dataset.model import Row

Merged = dict[str, Row]
Groups = dict[str, list[Row]]


def one_each(merged: Merged, groups: Groups) -> None:
    """Makes one row of those that are one person's; both are by identity, `groups` has the rows of the file."""
    _join_by_url(merged, groups)
    _join_by_email(merged, groups)


def _join_by_url(merged: Merged, groups: Groups) -> None:
    """A row with a URL that one other had before is the other's."""
    since: dict[str, set[str]] = defaultdict(set)
    for row in merged.values():
        for url in row.data.get(FORMER, ()):
            since["in:" + url.removeprefix(PROFILE)].add(row.identity)
    for before, now in since.items():
        if before in merged and len(now) == 1 and (owner := now.pop()) in merged:
            _join(merged, groups, before, owner, owner)


def _join_by_email(merged: Merged, groups: Groups) -> None:
    """A row without a URL is the one before it with its email address whose name may be the same; and one before it
    that has no URL is a row's which has one."""
    sharing = Counter(email for row in merged.values() if (email := row.keys[0]))
    several = {email for email, rows in sharing.items() if 1 < rows <= MOST_SHARING}
    beside: dict[str, list[str]] = defaultdict(list)
    for row in [row for row in merged.values() if row.keys[0] in several]:
        before = beside[row.keys[0] or ""]
        same = [one for one in before if may_be_one_person(merged[one], row)]
        if len(same) == 1 and row.identity.startswith("em:"):
            _join(merged, groups, same[0], row.identity, same[0])
        elif len(same) == 1 and same[0].startswith("em:"):
            _join(merged, groups, same[0], row.identity, row.identity)
            before[before.index(same[0])] = row.identity
        else:
            before.append(row.identity)


def _join(merged: Merged, groups: Groups, one: str, other: str, owner: str) -> None:
    """Makes one row of two, which has the identity `owner`; what the other says counts, where both say something."""
    merged[owner] = msgspec.structs.replace(both(merged.pop(one), merged.pop(other)), identity=owner)
    groups[owner] = groups.pop(one) + groups.pop(other)
