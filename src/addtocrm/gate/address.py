"""The address that a request comes from."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Networks = tuple[IPv4Network | IPv6Network, ...]


def networks(trusted: Sequence[str]) -> Networks:
    """Addresses and networks in CIDR form. Raises ValueError for anything else."""
    return tuple(ip_network(text, strict=False) for text in trusted)


def client_address(peer: str, forwarded_for: str, trusted: Networks) -> str:
    """The address of the client: the peer's, or behind trusted proxies the last one they did not add themselves."""
    chain = [part.strip() for part in forwarded_for.split(",") if part.strip()]
    address = peer
    while chain and _is_in(address, trusted):
        address = chain.pop()
    return address


def is_loopback(peer: str, forwarded_for: str, trusted: Networks) -> bool:
    """Whether the client is on this machine; one behind a proxy that is not trusted is not."""
    if forwarded_for and not _is_in(peer, trusted):
        return False
    try:
        address = ip_address(client_address(peer, forwarded_for, trusted))
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _is_in(address: str, trusted: Networks) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in trusted)
