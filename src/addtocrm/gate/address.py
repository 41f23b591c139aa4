"""The address that a request comes from."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

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


def _is_in(address: str, trusted: Networks) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in trusted)
