"""What people and companies are both described by."""

import msgspec


class Source(msgspec.Struct, frozen=True):
    """Where a field came from: the provider, when it saw it (RFC 3339), how sure it is (0–1)."""

    provider: str
    observed_at: str
    confidence: float


class Location(msgspec.Struct, frozen=True):
    """`country_code` is ISO 3166-1 alpha-2, and XK for Kosovo."""

    city: str | None = None
    region: str | None = None
    country: str | None = None
    country_code: str | None = None


class Phone(msgspec.Struct, frozen=True):
    number: str
    type: str | None = None
