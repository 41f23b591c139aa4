"""What an operator may set: `ADDTOCRM_…` variables, or the same lines in a `.env` file."""

import os
import re
import socket
from collections.abc import Callable, Mapping
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import msgspec
from dotenv import dotenv_values
from msgspec import Meta

PREFIX = "ADDTOCRM_"
MOST_REQUESTS = 2**31 - 1
"""The highest rate limit there can be."""
DATA_FILES = ("postgres", "secret.key")


class SettingsError(Exception):
    """A variable that cannot be used; the message names it and says what it takes."""


def default_data_dir() -> Path:
    """The platform's folder for application data (XDG on Linux). For root on Linux /var/lib/addtocrm, unless there is
    data in root's home already: PostgreSQL runs as another user then, to whom that home is closed."""
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "addtocrm"
    if os.uname().sysname == "Darwin":
        return Path.home() / "Library" / "Application Support" / "addtocrm"
    chosen = os.environ.get("XDG_DATA_HOME")
    folder = Path(chosen or Path.home() / ".local" / "share") / "addtocrm"
    if os.geteuid() or chosen or any((folder / name).exists() for name in DATA_FILES):
        return folder
    return Path("/var/lib/addtocrm")


class Vendor(msgspec.Struct, frozen=True):
    """What is set for one provider or CRM: `ADDTOCRM_<VENDOR>_URL`, `_AUTH_URL`, `_CLIENT_ID`,
    `_CLIENT_SECRET`."""

    url: str | None
    auth_url: str | None
    client_id: str | None
    client_secret: str | None

    def __repr__(self) -> str:
        return f"Vendor(url={self.url!r})"


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Read once at start; each field is the variable `ADDTOCRM_<FIELD>`."""

    data_dir: Annotated[Path, Meta(description="Folder of the embedded database and the secret key.")] = msgspec.field(
        default_factory=default_data_dir
    )
    database_url: Annotated[
        str | None, Meta(description="An own PostgreSQL, 15 or newer; the embedded one when empty.")
    ] = None
    valkey_url: Annotated[
        str | None, Meta(description="An own Valkey or Redis to count rate limits of several workers or hosts in.")
    ] = None
    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(description="Port to listen on.", ge=1, le=65535)] = 8000
    workers: Annotated[int, Meta(description="Server processes.", ge=1, le=256)] = 1
    public_url: Annotated[
        str | None, Meta(description="Address for links and OAuth redirects; http://HOST:PORT when empty.")
    ] = None
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(description="Addresses or networks of proxies whose X-Forwarded-For is believed (comma list)."),
    ] = ()
    rate_per_minute: Annotated[int, Meta(description="Requests a minute for one key.", ge=1, le=MOST_REQUESTS)] = 60
    rate_per_hour: Annotated[int, Meta(description="Requests an hour for one key.", ge=1, le=MOST_REQUESTS)] = 1000
    cache_days: Annotated[
        float, Meta(description="Days for which a result is kept and free; fractions allowed.", gt=0, le=36500)
    ] = 30.0
    request_days: Annotated[int, Meta(description="Days for which API requests are kept.", ge=1, le=36500)] = 30
    event_days: Annotated[int, Meta(description="Days for which events are kept.", ge=1, le=36500)] = 400
    job_days: Annotated[
        float,
        Meta(description="Days for which an ended job and its results are kept; fractions allowed.", gt=0, le=36500),
    ] = 30.0
    crm_settle_seconds: Annotated[
        float,
        Meta(description="Seconds for which a CRM may still be at a write whose answer was lost.", ge=1, le=3600),
    ] = 120.0
    mail_url: Annotated[
        str | None,
        Meta(description="Server of mail to members, smtps://USER:PASSWORD@HOST; without one, mail is in the log."),
    ] = None
    mail_from: Annotated[str, Meta(description="Sender of mail to members.")] = ""
    open_signup: Annotated[
        bool, Meta(description="Anybody may make an account in the dashboard, on the free plan.")
    ] = False
    max_body_bytes: Annotated[int, Meta(description="Largest request body in bytes.", ge=1024, le=2**30)] = 4_194_304
    metrics_token: Annotated[
        str, Meta(description="Bearer token for /metrics; read from this machine only when empty.")
    ] = ""
    log_level: Annotated[str, Meta(description="debug, info, warning or error.")] = "info"
    dns_servers: Annotated[
        tuple[str, ...], Meta(description="Resolvers as host:port (comma list); the system's when empty.")
    ] = ()
    smtp_port: Annotated[int, Meta(description="Port of the mail servers asked.", ge=1, le=65535)] = 25
    smtp_helo: Annotated[str, Meta(description="Name given in EHLO; the host's when empty.")] = ""
    smtp_from: Annotated[str, Meta(description="Sender given in MAIL FROM; the empty one by default.")] = ""
    allow_private_networks: Annotated[
        bool, Meta(description="Outgoing calls may reach private and loopback addresses.")
    ] = False
    vendors: dict[str, str] = {}

    @property
    def base_url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return _normal(self.public_url or f"http://{host}:{self.port}")

    @property
    def local_url(self) -> str:
        """Where the server is found from this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    @property
    def helo(self) -> str:
        return self.smtp_helo or socket.getfqdn()

    def vendor(self, name: str) -> Vendor:
        """What is set for the provider or CRM `name` (as in its file's name)."""
        key = name.upper()
        return Vendor(
            self.vendors.get(f"{key}_URL"),
            self.vendors.get(f"{key}_AUTH_URL"),
            self.vendors.get(f"{key}_CLIENT_ID"),
            self.vendors.get(f"{key}_CLIENT_SECRET"),
        )


def variables() -> list[tuple[str, Any, str]]:
    """Every variable as (name, default, description), in the order of `Settings`."""
    hints = get_type_hints(Settings, include_extras=True)
    defaults = Settings()
    return [
        (PREFIX + name.upper(), getattr(defaults, name), get_args(hints[name])[1].description)
        for name in Settings.__struct_fields__
        if name != "vendors"
    ]


def load(environ: Mapping[str, str] | None = None, dotenv: Path | None = None) -> Settings:
    """Settings from the environment, then from a `.env` in the working folder, then the defaults.

    Raises SettingsError that names the variable.
    """
    file = dotenv_values(dotenv or Path(".env")) if environ is None or dotenv else {}
    merged = {k: v for k, v in {**file, **(os.environ if environ is None else environ)}.items() if v}
    given = {k.removeprefix(PREFIX): v for k, v in merged.items() if k.startswith(PREFIX)}
    hints = get_type_hints(Settings, include_extras=True)
    values: dict[str, Any] = {}
    vendors: dict[str, str] = {}
    for key, text in given.items():
        name = key.lower()
        if name in hints and name != "vendors":
            values[name] = _convert(PREFIX + key, text.strip(), hints[name])
        elif key.endswith(("_URL", "_CLIENT_ID", "_CLIENT_SECRET")):
            vendors[key] = text.strip()
        else:
            raise SettingsError(f"{PREFIX}{key} is not a setting; `addtocrm settings` lists them all.")
    settings = Settings(**values, vendors=vendors)
    _check(settings)
    return settings


def _convert(variable: str, text: str, hint: Any) -> Any:
    kind = get_args(hint)[0]
    if kind is Path:
        return Path(text).expanduser()
    if get_origin(kind) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    try:
        return msgspec.convert(text, hint, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{variable}={text!r}: {error}.") from None


def _check(settings: Settings) -> None:
    for name, (allowed, takes) in FORMS.items():
        value: str | tuple[str, ...] | None = getattr(settings, name)
        for part in value if isinstance(value, tuple) else (value,):
            _require(PREFIX + name.upper(), part, allowed, takes)
    for key, text in settings.vendors.items():
        allowed, takes = (_is_web_address, WEB_ADDRESS) if key.endswith("_URL") else (_is_token, TOKEN)
        _require(PREFIX + key, text, allowed, takes)


def _require(variable: str, value: str | None, allowed: Callable[[str], object], takes: str) -> None:
    """Raises SettingsError unless `allowed`, where there is a value; a ValueError is a no."""
    try:
        if not value or allowed(value):
            return
    except ValueError:
        pass
    raise SettingsError(f"{variable} takes {takes}.")


def host_and_port(text: str, port: int) -> tuple[str, int]:
    """`host`, `host:port` or `[IPv6]:port` as (host, port); `port` where none is given. Raises ValueError."""
    host, given = text, ""
    if text.count(":") == 1 or text.startswith("["):
        host, _, given = text.partition("]:") if text.startswith("[") else text.partition(":")
    host = host.strip("[]")
    number = int(given) if given else port
    if not 1 <= number <= 65535 or not (_is_ip(host) or HOST_NAME.fullmatch(host)):
        raise ValueError(f"{text} is no host and port")
    return host, number


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_web_address(text: str) -> bool:
    parts = urlsplit(text)
    plain = not parts.query and not parts.fragment and not re.search(r"[\s\x00-\x1f\x7f]", text)
    return plain and parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0


def _normal(address: str) -> str:
    """As browsers say it: the scheme and the host in lower case, no port that goes without saying (RFC 6454 §4)."""
    parts = urlsplit(address)
    usual = ":443" if parts.scheme == "https" else ":80"
    return parts._replace(netloc=parts.netloc.lower().removesuffix(usual)).geturl().rstrip("/")


def _is_url_of(*schemes: str) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        parts = urlsplit(text)
        return parts.scheme in schemes and (parts.scheme == "unix" or parts.port != 0)

    return check


def _is_helo(text: str) -> bool:
    """A host name or an address literal (RFC 5321, 4.1.3)."""
    literal = text[1:-1] if text.startswith("[") and text.endswith("]") else ""
    return _is_ip(literal.removeprefix("IPv6:")) if literal else bool(HOST_NAME.fullmatch(text))


def _is_token(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


HOST_NAME = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?", re.ASCII
)
SENDER = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", re.ASCII)
WEB_ADDRESS = "an address that starts with http:// or https://"
TOKEN = "printable ASCII characters without spaces"  # noqa: S105
FORMS: dict[str, tuple[Callable[[str], object], str]] = {
    "database_url": (_is_url_of("postgresql", "postgres"), "an address such as postgresql://user:password@host/name"),
    "valkey_url": (
        _is_url_of("valkey", "valkeys", "redis", "rediss", "unix"),
        "an address such as valkey://host:6379 or rediss://user:password@host:6380",
    ),
    "host": (_is_ip, "an IP address: 127.0.0.1 for this machine only, 0.0.0.0 or :: for all"),
    "public_url": (_is_web_address, WEB_ADDRESS),
    "trusted_proxies": (lambda text: ip_network(text, strict=False), "IP addresses and networks such as 10.0.0.0/8"),
    "metrics_token": (_is_token, TOKEN),
    "log_level": (("debug", "info", "warning", "error").__contains__, "debug, info, warning or error"),
    "dns_servers": (lambda text: host_and_port(text, 53), "resolvers as host:port, such as 1.1.1.1:53 or [::1]:53"),
    "mail_url": (_is_url_of("smtp", "smtps"), "an address such as smtps://user:password@mail.example.com"),
    "smtp_helo": (_is_helo, "the public name of this host, such as mail.example.com"),
    "smtp_from": (SENDER.fullmatch, "an email address such as verify@example.com"),
}
"""The settings that are not free text: what is allowed, and how it is said."""
