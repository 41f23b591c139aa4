"""Which addresses may be contacted, and which are one client's."""

from ipaddress import IPv6Address, ip_address, ip_network

NAT64 = ip_network("64:ff9b::/96")
UNICAST = ip_network("2000::/3")
"""What IANA gives out of IPv6 for global unicast; the site-local fec0::/10 is outside."""
DOCUMENTATION = ip_network("3fff::/20")
"""RFC 9637; unknown to `ipaddress` before Python 3.14."""


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open Internet: not private, loopback, link-local, multicast
    or reserved, also when it is wrapped in IPv6 (mapped, 6to4, Teredo, NAT64)."""
    ip = ip_address(address)
    if isinstance(ip, IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in NAT64:
            inner = ip_address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if ip not in UNICAST or ip in DOCUMENTATION:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def place_of(address: str) -> str:
    """What a client at `address` is counted by: of IPv6 the network, of whose 2^64 addresses one host has the choice.

    What is no address, as a proxy may say it, is given as it is.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    return str(parsed.ipv4_mapped or ip_network((int(parsed), 64), strict=False))
