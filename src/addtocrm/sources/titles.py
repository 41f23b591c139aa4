"""Job titles: which are the same in other words, and the seniority and department that they say.

The abbreviations of chief officers are those of https://en.wikipedia.org/wiki/Corporate_title, the seniorities and most
departments those of People Data Labs (https://docs.peopledatalabs.com/docs/title-hierarchy). The other words are ours.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, get_args

from addtocrm.core import identifiers

Seniority = Literal["owner", "partner", "cxo", "vp", "director", "manager", "senior", "entry", "training", "unpaid"]
SENIORITIES: tuple[str, ...] = get_args(Seniority)

SAME = {
    "ceo": "chief executive officer",
    "cfo": "chief financial officer",
    "coo": "chief operating officer",
    "cto": "chief technology officer",
    "cio": "chief information officer",
    "ciso": "chief information security officer",
    "cmo": "chief marketing officer",
    "cro": "chief revenue officer",
    "cso": "chief sales officer",
    "cpo": "chief product officer",
    "chro": "chief human resources officer",
    "clo": "chief legal officer",
    "cdo": "chief data officer",
    "cco": "chief commercial officer",
    "chief executive": "chief executive officer",
    "chief finance officer": "chief financial officer",
    "chief operations officer": "chief operating officer",
    "chief technical officer": "chief technology officer",
    "chief people officer": "chief human resources officer",
    "chief hr officer": "chief human resources officer",
    "vp": "vice president",
    "v p": "vice president",
    "vicepresident": "vice president",
    "svp": "senior vice president",
    "evp": "executive vice president",
    "avp": "assistant vice president",
    "md": "managing director",
    "gm": "general manager",
    "ae": "account executive",
    "am": "account manager",
    "bdm": "business development manager",
    "bdr": "business development representative",
    "sdr": "sales development representative",
    "csm": "customer success manager",
    "swe": "software engineer",
    "sre": "site reliability engineer",
    "pmo": "project management office",
    "hr": "human resources",
    "it": "information technology",
    "pr": "public relations",
    "qa": "quality assurance",
    "r d": "research development",
    "bd": "business development",
    "biz dev": "business development",
    "ops": "operations",
    "mktg": "marketing",
    "sr": "senior",
    "snr": "senior",
    "jr": "junior",
    "mgr": "manager",
    "dir": "director",
    "exec": "executive",
    "asst": "assistant",
    "assoc": "associate",
    "rep": "representative",
    "eng": "engineer",
    "engr": "engineer",
    "dev": "developer",
    "co founder": "cofounder",
    "programmer": "developer",
}
"""A title, or words of one, and what they are in full (after `identifiers.name_key`)."""

SILENT = frozenset(("a", "an", "and", "at", "for", "in", "of", "on", "the", "to"))
"""Words that tell no title from another."""

LEVELS: tuple[tuple[Seniority, str], ...] = (
    ("unpaid", "volunteer|board member|unpaid"),
    ("training", "intern|internship|trainee|apprentice|working student|student"),
    ("owner", "owner|founder|cofounder|proprietor|self employed|freelance|freelancer"),
    ("partner", "partner"),
    ("cxo", "chief|managing director|president"),
    ("vp", "vice president"),
    ("director", "director|head"),
    ("entry", "assistant|junior|associate|representative|coordinator|clerk|graduate"),
    ("manager", "manager|lead|supervisor|team leader"),
    ("senior", "senior|principal|staff|expert"),
)
"""The first whose words a title has says its seniority; `vice president` is no `president`, and beside a rank
`assistant` and `associate` are none."""

DEPARTMENTS: tuple[tuple[str, str], ...] = (
    ("Human Resources", "human resources|recruiter|recruiting|recruitment|talent|people"),
    ("Sales", "sales|account executive|account manager|business development|revenue|commercial"),
    ("Marketing", "marketing|brand|growth|content|seo|communications|public relations"),
    ("Customer Success", "customer success|customer service|customer support|support"),
    ("Finance", "finance|financial|accountant|accounting|controller|treasurer|treasury|audit|auditor|tax"),
    ("Legal", "legal|counsel|lawyer|attorney|paralegal|compliance"),
    ("Product", "product"),
    ("Design", "design|designer|ux|ui|creative"),
    ("Data", "data|analytics|machine learning"),
    (
        "Engineering",
        "engineering|engineer|developer|software|technology|architect|devops|quality assurance|information technology"
        "|information|security|research development",
    ),
    ("Operations", "operations|operating|logistics|supply chain|procurement|purchasing|warehouse"),
    ("Health", "nurse|physician|doctor|medical|clinical|therapist"),
    ("Education", "teacher|professor|lecturer|tutor"),
)
"""The first whose words a title has says its department."""

OTHER_LEVELS: dict[str, Seniority] = {
    "c suite": "cxo",
    "c level": "cxo",
    "c": "cxo",
    "executive": "cxo",
    "founder": "owner",
    "vice president": "vp",
    "head": "director",
    "junior": "entry",
    "intern": "training",
}
"""What data call a seniority too, after `identifiers.plain`."""

RANKED = frozenset(("vice president", "director", "manager", "head", "partner"))


@lru_cache(maxsize=65_536)
def words(title: str) -> tuple[str, ...]:
    """The words of a title in full: `VP Sales` and `Vice President of Sales` have the same."""
    plain = identifiers.plain(title).split()
    found: list[str] = []
    at = 0
    while at < len(plain):
        for length in (3, 2, 1):
            if full := SAME.get(" ".join(plain[at : at + length])):
                found += full.split()
                at += length
                break
        else:
            found.append(plain[at])
            at += 1
    return tuple(word for word in found if word not in SILENT)


@lru_cache(maxsize=65_536)
def seniority(title: str) -> Seniority | None:
    """The seniority that a title says; None where it says none."""
    text = f" {' '.join(words(title))} "
    for level, said in LEVELS:
        if level == "cxo" and " vice president " in text and " chief " not in text:
            continue
        if level == "entry" and any(f" {rank} " in text for rank in RANKED):
            continue
        if _says(text, said):
            return level
    return None


@lru_cache(maxsize=65_536)
def department(title: str) -> str | None:
    """The department that a title says; None where it says none."""
    text = f" {' '.join(words(title))} "
    return next((name for name, said in DEPARTMENTS if _says(text, said)), None)


@lru_cache(maxsize=4096)
def level(text: str) -> str | None:
    """What data call a seniority, as one of SENIORITIES: `C-Suite`, `c_suite` and `CXO` are `cxo`; None for another."""
    plain = identifiers.plain(text)
    return plain if plain in SENIORITIES else OTHER_LEVELS.get(plain)


def filled_in(data: Mapping[str, Any]) -> dict[str, Any]:
    """A person's data with the seniority and the department that the title says, where they have none."""
    title = data.get("job_title") or ""
    said = {"seniority": seniority(title), "department": department(title)}
    return {**data, **{name: value for name, value in said.items() if value and not data.get(name)}}


def _says(text: str, said: str) -> bool:
    return any(f" {one} " in text for one in said.split("|"))
