"""What is made of settings."""

import pytest

from addtocrm.core.settings import Settings


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("HTTPS://CRM.Example.com:443/", "https://crm.example.com"),
        ("http://crm.example.com:80", "http://crm.example.com"),
        ("https://crm.example.com:8443/sales/", "https://crm.example.com:8443/sales"),
        ("http://[2001:DB8::1]:80", "http://[2001:db8::1]"),
    ],
)
def test_the_public_address_is_as_browsers_say_it(given: str, said: str) -> None:
    assert Settings(public_url=given).base_url == said
