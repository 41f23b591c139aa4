"""What an operator may set: `ADDTOCRM_…` variables, or the same lines in a `.env` file."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import msgspec
from dotenv import dotenv_values
from msgspec import Meta

PREFIX = "ADDTOCRM_"


class SettingsError(Exception):
    """A variable that cannot be used; the message names it and says what it takes."""


def default_data_dir() -> Path:
    """The platform's folder for application data (XDG on Linux)."""
    if os.name == "nt":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "addtocrm"
    if os.uname().sysname == "Darwin":
        return Path.home() / "Library" / "Application Support" / "addtocrm"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "addtocrm"


class Vendor(msgspec.Struct, frozen=True):
    """What is set for one provider or CRM: `ADDTOCRM_<VENDOR>_URL`, `_CLIENT_ID`, `_CLIENT_SECRET`."""

    url: str | None
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
        str | None, Meta(description="An own Valkey or Redis for exact rate limits across workers and hosts.")
    ] = None
    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(description="Port to listen on.", ge=1, le=65535)] = 8000
    workers: Annotated[
        int, Meta(description="Server processes; more than one needs ADDTOCRM_VALKEY_URL.", ge=1, le=256)
    ] = 1
    public_url: Annotated[
        str | None, Meta(description="Address for links and OAuth redirects; http://HOST:PORT when empty.")
    ] = None
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(description="Addresses or networks of proxies whose X-Forwarded-For is believed (comma list)."),
    ] = ()
    rate_per_minute: Annotated[int, Meta(description="Requests a minute for one key.", ge=1)] = 60
    rate_per_hour: Annotated[int, Meta(description="Requests an hour for one key.", ge=1)] = 1000
    cache_days: Annotated[
        float, Meta(description="Days for which a result is kept and free; fractions allowed.", gt=0)
    ] = 30.0
    event_days: Annotated[int, Meta(description="Days for which events are kept.", ge=1, le=36500)] = 400
    max_body_bytes: Annotated[int, Meta(description="Largest request body in bytes.", ge=1024)] = 4_194_304
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
        return (self.public_url or f"http://{host}:{self.port}").rstrip("/")

    @property
    def helo(self) -> str:
        return self.smtp_helo or socket.getfqdn()

    def vendor(self, name: str) -> Vendor:
        """What is set for the provider or CRM `name` (as in its file's name)."""
        key = name.upper()
        return Vendor(
            self.vendors.get(f"{key}_URL"),
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
    if settings.workers > 1 and not settings.valkey_url:
        raise SettingsError(
            f"ADDTOCRM_WORKERS={settings.workers} needs ADDTOCRM_VALKEY_URL: without a shared counter "
            "each worker would grant the whole rate limit."
        )
    if settings.log_level not in ("debug", "info", "warning", "error"):
        raise SettingsError("ADDTOCRM_LOG_LEVEL takes debug, info, warning or error.")
    schemes = {
        "database_url": ("postgresql", "postgres"),
        "valkey_url": ("valkey", "valkeys", "redis", "rediss", "unix"),
        "public_url": ("http", "https"),
    }
    for name, allowed in schemes.items():
        value: str | None = getattr(settings, name)
        if value and urlsplit(value).scheme not in allowed:
            raise SettingsError(f"{PREFIX}{name.upper()} must start with {' or '.join(allowed)}://.")
