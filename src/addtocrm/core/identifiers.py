"""What identifies people and companies, in its one normal form: two look-ups with the same one are the same.

Every function is pure and idempotent, and raises ValueError with a sentence that helps who typed the text. Text is
NFC; domains are A-labels (UTS 46 non-transitional, IDNA 2008), as DNS has them: `straße.de` is not `strasse.de`.
"""

import hashlib
import re
import unicodedata
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import quote, unquote, urlsplit

import idna
from anyascii import anyascii

from addtocrm.core.matching.legal_forms import LEGAL

PROFILE = "https://www.linkedin.com/in/"
COMPANY = "https://www.linkedin.com/company/"
CANONICAL_PERSON = re.compile(r"https://www\.linkedin\.com/in/[a-z0-9-]{1,100}", re.ASCII)
HOST = re.compile(r"(?:[a-z]{2,3}|www|m|touch|mobile)\.linkedin\.com|linkedin\.com|lnkd\.in", re.ASCII)
SCHEME = re.compile(r"(?:https?:)?/*", re.IGNORECASE)
COMPANY_KINDS = ("company", "school", "showcase", "company-beta", "organization")
LONGEST_SLUG = 100
DISPLAYED = re.compile(r"[^<>@]*<([^<>]+)>")
UNSAFE = re.compile(r"[\s\x00-\x1f\x7f<>\"'`\\{}|^/?#@:;,\[\]()!*$&+=]")


def person_url(text: str) -> str:
    """`https://www.linkedin.com/in/<slug>` from any form of a person's LinkedIn URL that people paste.

    The old public form `/pub/<name>/<a>/<b>/<c>` becomes the slug that LinkedIn gave it, `<name>-<c><b><a>`.
    """
    if CANONICAL_PERSON.fullmatch(text):
        return text
    parts = _linkedin_path(text)
    if parts[0] == "mwlite":
        parts = parts[1:] or [""]
    kind = parts[0]
    if kind in COMPANY_KINDS:
        raise ValueError("is a company's page, not a person's; look it up with POST /v1/companies/lookup.")
    if kind in ("sales", "talent", "recruiter"):
        raise ValueError("is a Sales Navigator or Recruiter link; paste the public profile URL (…/in/name).")
    if kind == "pub" and len(parts) >= 5:
        return PROFILE + _slug(f"{parts[1]}-{parts[4]}{parts[3]}{parts[2]}")
    if kind not in ("in", "pub") or len(parts) < 2 or not parts[1]:
        raise ValueError("is not a LinkedIn profile. Send one such as https://www.linkedin.com/in/jane-doe.")
    return PROFILE + _slug(parts[1])


def company_url(text: str) -> str:
    """`https://www.linkedin.com/company/<slug>` from any form of a company's LinkedIn URL.

    A school's or showcase's page is a page of its own and keeps its kind.
    """
    parts = _linkedin_path(text)
    if parts[0] == "mwlite":
        parts = parts[1:] or [""]
    kind = {"company-beta": "company", "organization": "company"}.get(parts[0], parts[0])
    if kind in ("in", "pub"):
        raise ValueError("is a person's page, not a company's; enrich it with POST /v1/people/enrich.")
    if kind not in ("company", "school", "showcase") or len(parts) < 2 or not parts[1]:
        raise ValueError("is not a LinkedIn company page. Send one such as https://www.linkedin.com/company/acme.")
    return f"https://www.linkedin.com/{kind}/{_slug(parts[1])}"


def _linkedin_path(text: str) -> list[str]:
    """The path's segments, first one lower-cased, of a URL whose host is LinkedIn's."""
    cleaned = text.strip().strip("<>\"'“”‘’()[] \t\r\n")
    if not cleaned:
        raise ValueError("is empty; paste a LinkedIn URL.")
    if len(cleaned) > 2000 or any(unicodedata.category(char) in ("Cc", "Cs") for char in cleaned):
        raise ValueError("holds characters that no URL has, or is too long.")
    if re.match(r"/?(?:in|pub|company|school|showcase)/", cleaned, re.IGNORECASE):
        cleaned = "www.linkedin.com/" + cleaned.lstrip("/")
    scheme = re.match(r"[a-z][a-z0-9+.-]*://", cleaned, re.IGNORECASE)
    if scheme and scheme.group().lower() not in ("http://", "https://"):
        raise ValueError("is no web address; paste a LinkedIn URL.")
    try:
        url = urlsplit("https://" + SCHEME.sub("", cleaned, count=1))
        port = url.port
    except ValueError:
        raise ValueError("is no web address; paste a LinkedIn URL.") from None
    host = (url.hostname or "").rstrip(".")
    if url.username is not None or port not in (None, 80, 443) or not HOST.fullmatch(host):
        raise ValueError("is not on linkedin.com; paste a LinkedIn URL.")
    if host == "lnkd.in":
        raise ValueError("is a short link; open it and paste the address that it leads to.")
    segments = [segment for segment in url.path.split("/") if segment]
    return [segments[0].lower(), *segments[1:]] if segments else [""]


def _slug(raw: str) -> str:
    try:
        slug = unquote(raw, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("has a percent-encoding that is not UTF-8.") from None
    slug = unicodedata.normalize("NFC", unicodedata.normalize("NFC", slug).casefold()).strip()
    if not slug or len(slug) > LONGEST_SLUG or UNSAFE.search(slug) or "%" in slug or slug in (".", ".."):
        raise ValueError("has no usable profile name after /in/ or /company/.")
    return quote(slug, safe="-_.~")


def email(text: str) -> str:
    """An email address as it is stored and sent: trimmed, NFC, the domain an A-label, the local part as typed. Of the
    form `Name <address>` it is the address.

    A cheap check; POST /v1/emails/verify judges the syntax in full. What tells addresses apart is `email_key`.
    """
    shown = DISPLAYED.fullmatch(text.strip())
    cleaned = unicodedata.normalize("NFC", (shown[1] if shown else text.strip()).removeprefix("mailto:").strip("<> "))
    local, at, host = cleaned.rpartition("@")
    if (
        not at
        or not local
        or len(local) > 64
        or len(cleaned) > 320
        or re.search(r"[\s\x00-\x1f\x7f<>()\[\],;:\\\"@\ud800-\udfff]", local)
    ):
        raise ValueError("is not an email address. Send one such as jane@example.com.")
    return f"{local}@{_host(host)}"


def email_key(text: str) -> str:
    """What tells an email address from others: `email` with the local part's case folded."""
    local, _, host = email(text).rpartition("@")
    return f"{unicodedata.normalize('NFC', local.casefold())}@{host}"


def former_email(key: str) -> str:
    """An `email_key` in the form that it had before version 0.1.0, when domains had IDNA 2003's (`strasse.de`)."""
    local, _, host = key.rpartition("@")
    if "xn--" not in host:
        return key
    try:
        return f"{local}@{idna.decode(host).encode('idna').decode()}"
    except (idna.IDNAError, UnicodeError):
        return key


def domain(text: str) -> str:
    """A domain as an A-label, without `www.`, from a domain, a web address or one with a path."""
    cleaned = re.sub(r"^[a-z][a-z0-9+.-]*://|^//", "", text.strip(), flags=re.IGNORECASE)
    host = re.split(r"[/?#]", cleaned, maxsplit=1)[0].rpartition("@")[2]
    ascii_host = _host(re.sub(r":\d*$", "", host))
    return ascii_host.removeprefix("www.") if ascii_host.count(".") > 1 else ascii_host


@lru_cache(maxsize=65_536)
def _host(text: str) -> str:
    host = text.strip().rstrip(".")
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        pass
    else:
        raise ValueError("is an IP address; give a domain such as example.com.")
    try:
        ascii_host = host if host.isascii() else idna.encode(host, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        ascii_host = ""
    ascii_host = ascii_host.lower().rstrip(".")
    label = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?"
    if len(ascii_host) > 253 or not re.fullmatch(rf"{label}(?:\.{label})+", ascii_host, re.ASCII):
        raise ValueError("is not a domain. Send one such as example.com.")
    return ascii_host


LONGEST_KEY = 400


def bounded(key: str) -> str:
    """A key that fits an index (of PostgreSQL's B-tree: 2,704 bytes a row): one longer than LONGEST_KEY in UTF-8 bytes
    becomes its beginning and its SHA-256."""
    encoded = key.encode("utf-8", "surrogatepass")
    if len(encoded) <= LONGEST_KEY:
        return key
    beginning = encoded[: LONGEST_KEY // 2].decode("utf-8", "ignore").rstrip()
    return f"{beginning} {hashlib.sha256(encoded).hexdigest()}"


NOT_WORD = re.compile(r"[^a-z0-9]+")
APOSTROPHES = re.compile(r"['’`ʼ]")


def plain(text: str) -> str:
    """A text as lower-case ASCII words, accents and punctuation gone."""
    folded = text.casefold() if text.isascii() else anyascii(unicodedata.normalize("NFC", text)).casefold()
    return NOT_WORD.sub(" ", APOSTROPHES.sub("", folded)).strip()


def name_key(text: str) -> str:
    """A name for exact comparison: `plain`, bounded."""
    return bounded(plain(text))


@lru_cache(maxsize=65_536)
def company_key(text: str) -> str:
    """A company's name for exact comparison: as `name_key`, legal forms at its end gone."""
    words = name_key(text.replace(".", "")).split()
    while len(words) > 1 and words[-1] in LEGAL:
        words.pop()
    return bounded(" ".join(words))


def without_legal_form(name: str) -> str:
    """A company's name as it is written, the legal forms at its end gone: `Acme GmbH & Co. KG` is `Acme`."""
    words = name.split()
    while len(words) > 1 and (_bare(words[-1]) in LEGAL or not _bare(words[-1])):
        words.pop()
    return " ".join(words).rstrip(",")


def _bare(word: str) -> str:
    return name_key(word.replace(".", ""))
