"""Job titles: which are the same in other words, and the seniority and department that they say.

The abbreviations of chief officers are those of https://en.wikipedia.org/wiki/Corporate_title, the seniorities and most
departments those of People Data Labs (https://docs.peopledatalabs.com/docs/title-hierarchy). The other words are ours.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, TypeVar, get_args

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
    "team lead": "team leader",
    "in training": "trainee",
}
"""A title, or words of one, and what they are in full (after `identifiers.name_key`)."""

SILENT = frozenset(("a", "an", "and", "at", "for", "in", "of", "on", "the", "to"))
"""Words that tell no title from another."""

T = TypeVar("T")


def _whole(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{pattern})\b")


def _read(*table: tuple[T, str]) -> tuple[tuple[T, re.Pattern[str]], ...]:
    return tuple((says, _whole(pattern)) for says, pattern in table)


JOBS = _whole(
    "(?:advisor|adviser|agent|aide|ambassador|analyst|architect|assistant|associate|attorney|barista|bartender|brewer"
    "|cashier|chef|clerk|coach|consultant|cook|coordinator|counsel|designer|developer|driver|engineer|gardener|hunter"
    "|housekeeper|librarian|liaison|nurse|office|pharmacist|porter|receptionist|recruiter|representative|scientist"
    "|secretary|specialist|stylist|teacher|technician|trainer|waiter|waitress|writer)$"
)
"""What somebody is whose title ends so: `CEO Assistant` and `Head Chef` name no rank."""

EXPERTS = (
    "accountant|administrator|advisor|adviser|analyst|architect|attorney|auditor|consultant|counsel|designer|developer"
    "|engineer|lawyer|programmer|recruiter|researcher|scientist|specialist|strategist|technician|writer"
)
FUNCTIONS = (
    "business|communications|compliance|customer|data|design|engineering|finance|growth|human resources|information"
    "|legal|marketing|operations|people|procurement|product|research|sales|software|talent|technology"
)
OWNED = (
    "agency|bakery|business|cafe|clinic|co|company|firm|founding|franchise|gym|joint|majority|part|practice|proud"
    "|restaurant|salon|shop|sole|spa|store|studio"
)
PARTNERED = (
    "advisory|assurance|audit|associate|consulting|corporate|equity|founding|general|investment|junior|law|litigation"
    "|managing|name|national|operating|regional|salaried|senior|tax|venture"
)

LEVELS: tuple[tuple[Seniority | None, re.Pattern[str]], ...] = _read(
    (None, "(?:executive|personal|physician|physicians) assistant"),
    (None, "(?:association|body|board|chapter|class|club|student|union) (?:vice )?president"),
    (None, "(?:board|film|funeral|independent|music|non executive) director"),
    (None, "chief (?:mate|petty|warrant) .*"),
    ("training", r"(?:intern|apprentice|trainee)(?! (?:coordinator|development|mentor|program|programme|relations)\b)"),
    (
        "training",
        "working student|(?:apprenticeship|internship|student|student (?:nurse|teacher|midwife|physiotherapist))$",
    ),
    ("owner", "founder|cofounder|proprietor|self employed"),
    (
        "owner",
        f"(?:^|(?:{OWNED}|founder|president) )owner(?: (?:chief .*|director|manager|operator|president))?$",
    ),
    ("partner", f"(?:^|(?:{PARTNERED}) )partner$"),
    (
        "cxo",
        r"chief (?:\w+ )*officer(?!.* (?:manager|director|lead)$)|managing director|director general|general director",
    ),
    ("cxo", "(?<!vice )president|cxo"),
    ("vp", "vice president"),
    ("director", f"director|head$|head (?:{FUNCTIONS})"),
    ("entry", r"junior(?= \w)(?! (?:college|high|school|secondary)\b)|associate product manager|entry level"),
    ("manager", "manager|supervisor|team leader|lead$"),
    (
        "senior",
        r"senior(?= \w)(?! (?:care|center|centre|citizen|high|home|housing|living|school|secondary|services)s?\b)",
    ),
    ("senior", f"(?:{EXPERTS}) senior$"),
    ("senior", rf"(?:distinguished|lead(?! (?:gen|generation)\b)|principal) (?:\w+ )*(?:{EXPERTS})$"),
    ("senior", r"staff (?:\w+ )*(?:architect|data scientist|designer|developer|engineer)$"),
    ("entry", "(?:assistant|coordinator|representative)$|(?<!law )(?<!city )(?<!town )(?<!county )(?<!chief )clerk$"),
    ("entry", "(?:customer service|operations|retail|sales|store|support|warehouse) associate$"),
    ("entry", r"(?:associate|graduate) (?:\w+ )*(?:analyst|consultant|designer|developer|engineer|scientist)$"),
    ("unpaid", "volunteer|unpaid|board member"),
)
"""The first that a role has, as whole words, is its seniority; None means something else than it seems to. RANKS are
none where one of JOBS ends the role; of several roles the highest is the person's."""

RANKS = frozenset(("owner", "partner", "cxo", "vp", "director", "manager"))

DEPARTMENTS: tuple[tuple[str, re.Pattern[str]], ...] = _read(
    ("Finance", "accountant|accounts (?:payable|receivable)|revenue accounting|sales tax"),
    ("Engineering", "(?:design|product|support|growth) engineer|product engineering|(?:ui|ux) (?:developer|engineer)"),
    ("Human Resources", "human resources|recruiter|recruiting|recruitment|talent(?! agent)|people(?! manager)"),
    (
        "Sales",
        "sales|account executive|account manager|business development|revenue"
        "|commercial(?! (?:driver|lines|pilot|real estate))",
    ),
    ("Marketing", "marketing|brand|growth|content|seo|communications|public relations"),
    ("Customer Success", "(?:customer|client) (?:success|service|services|support|experience|care)|technical support"),
    ("Finance", "finance|financial|accounting|controller|treasurer|treasury|audit|auditor|tax|bookkeeper"),
    ("Legal", "legal|counsel|lawyer|attorney|paralegal|solicitor|compliance"),
    ("Design", "design|designer|ux|ui|creative"),
    ("Product", "product"),
    ("Data", "data(?! (?:center|centre|entry))|analytics|machine learning"),
    (
        "Engineering",
        "engineering|engineer|developer|software|technology|devops|quality assurance|cybersecurity|cyber security"
        "|information (?:officer|security|systems|technology)|(?:cloud|enterprise|solution|solutions) architect"
        "|research development",
    ),
    ("Operations", "operations|operating officer|logistics|supply chain|procurement|purchasing|warehouse"),
    ("Health", "nurse|nursing|physician|doctor|surgeon|dentist|pharmacist|medical|clinical|therapist|midwife"),
    ("Education", "teacher|professor|lecturer|tutor|school principal|headteacher|headmaster|headmistress"),
)
"""The first that a title has, as whole words, is its department."""

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

APART = re.compile(r"[|•·;]")
"""Between roles of which one says nothing about the other."""

NOT_NOW = re.compile(
    r"\b(?:aspiring|ex|former|formerly|future|incoming|past|previous|previously)\b.*"
    r"|^.*\b(?:elect|emerit\w+|ret|retd|retired)\b.*"
)
AIDE = re.compile(
    r"\b(advis[eo]r|aide|asst|assistant|consultant|counsel|ea|liaison|pa|reporting|secretary|staff|support) to\b.*"
)
AND = re.compile(r"[,/()+:–—@]|\s-\s|(?:&|\band\b)(?!\s(?!chief)[\w ]+ officer\b)")
OF = re.compile(r"\s(?:of|for|at|in(?! training)|with|from)\s")

MEDICAL = re.compile(
    r"\b(?:physician|doctor|surgeon|resident|hospitalist|medical|medicine|clinical|phd|mbbs|mph|\w+ologist|\w+iatrist)\b"
)
"""`MD` after a comma or beside one of these words is a degree."""


@lru_cache(maxsize=65_536)
def words(title: str) -> tuple[str, ...]:
    """The words of a title in full: `VP Sales` and `Vice President of Sales` have the same."""
    return tuple(word for word in _full(_without_degree(title.casefold())) if word not in SILENT)


@lru_cache(maxsize=65_536)
def seniority(title: str) -> Seniority | None:
    """The seniority that a title says; None where it says none."""
    said = {_level(role) for role in _roles(title)}
    return next((one for one in get_args(Seniority) if one in said), None)


@lru_cache(maxsize=65_536)
def department(title: str) -> str | None:
    """The department that a title says; None where it says none."""
    text = " ".join(word for now in _now(title) for word in _full(now) if word not in SILENT)
    return next((name for name, said in DEPARTMENTS if said.search(text)), None)


@lru_cache(maxsize=4096)
def level(text: str) -> str | None:
    """What data call a seniority, as one of SENIORITIES: `C-Suite`, `c_suite` and `CXO` are `cxo`; None for another."""
    plain = identifiers.plain(text)
    return plain if plain in SENIORITIES else OTHER_LEVELS.get(plain)


def _roles(title: str) -> Iterator[str]:
    """What somebody is, without of what: of `VP of Sales & Founder` it is `vice president` and `founder`."""
    for now in _now(title):
        yield from (" ".join(_full(OF.split(role)[0])) for role in AND.split(now))


def _now(title: str) -> Iterator[str]:
    """What somebody is now, without whom they help."""
    for apart in APART.split(_without_degree(title.casefold())):
        yield AIDE.sub(r"\1 to", NOT_NOW.sub("", apart))


def _level(role: str) -> Seniority | None:
    helps = JOBS.search(role)
    return next((one for one, said in LEVELS if said.search(role) and not (helps and one in RANKS)), None)


def _without_degree(title: str) -> str:
    return re.sub(r"\bm\.?d\b" if MEDICAL.search(title) else r",\s*m\.?d\b", "", title)


def _full(text: str) -> list[str]:
    """The words of a text, abbreviations in full."""
    plain = identifiers.plain(text).split()
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
    return found
