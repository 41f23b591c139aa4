"""Valkey by the address that an operator sets."""


def address(url: str) -> str:
    """The URL with the scheme that the client library knows: `redis://…` for `valkey://…`, `rediss://…` for
    `valkeys://…`."""
    return f"redis{url.removeprefix('valkey')}" if url.startswith("valkey") else url
