"""Which addresses may be contacted."""

import pytest

from addtocrm.core.networks import is_public


@pytest.mark.parametrize(
    "ip",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1"),
        *("224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1"),
        *("::1", "::", "fe80::1", "fc00::1", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a00:1"),
        *("fec0::1", "fec0:ffff::1", "feff::1", "3fff::1", "3fff:fff:ffff::1", "5f00::1", "4000::1", "::10.0.0.1"),
        *("::8.8.8.8", "64:ff9b:1::8.8.8.8", "100::1", "::ffff:0:8.8.8.8", "2002:a00:1::", "2001:2::1"),
        "2001:0:4136:e378:8000:63bf:f5ff:fffe",
    ],
)
def test_these_are_never_contacted(ip: str) -> None:
    assert not is_public(ip)


@pytest.mark.parametrize(
    "ip", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2a00:1450::1"]
)
def test_these_are_public(ip: str) -> None:
    assert is_public(ip)
