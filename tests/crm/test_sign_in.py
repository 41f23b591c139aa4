"""Odd answers of a token endpoint, and whose failures they are."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from vendor_server import Script, Talk, VendorServer

from addtocrm.core.outgoing.client import Outgoing
from addtocrm.core.outgoing.quotas import MemoryQuotas
from addtocrm.core.settings import Settings
from addtocrm.crm import oauth
from addtocrm.crm.connectors import salesforce, zoho
from addtocrm.crm.failures import Rejected, Unavailable
from addtocrm.crm.oauth import Granted, Tokens


def run(script: Script, work: Callable[[Outgoing, Settings, VendorServer], Awaitable[Any]]) -> Any:
    async def beside() -> Any:
        async with VendorServer(script) as server:
            apps = {f"{name}_{part}": "x" for name in ("ZOHO", "SALESFORCE") for part in ("CLIENT_ID", "CLIENT_SECRET")}
            urls = {"ZOHO_URL": server.url, "SALESFORCE_URL": server.url}
            settings = Settings(allow_private_networks=True, vendors=apps | urls)
            outgoing = Outgoing(settings, MemoryQuotas())
            try:
                return await work(outgoing, settings, server)
            finally:
                await outgoing.close()

    return asyncio.run(beside())


def exchange(body: str, **params: str) -> Granted:
    async def script(talk: Talk) -> None:
        await talk.answer(200, body.encode())

    async def work(outgoing: Outgoing, settings: Settings, _: VendorServer) -> Granted:
        return await oauth.exchanged(outgoing, settings, zoho.connector, {"code": "c", **params}, None)

    return run(script, work)


@pytest.mark.parametrize(
    "body",
    ['{"access_token": "\u00e9"}', '{"access_token": 7}', '{"access_token": ""}', "[]", '{"access_token": "a\\nb"}'],
)
def test_an_answer_without_a_token(body: str) -> None:
    with pytest.raises(Unavailable):
        exchange(body)


@pytest.mark.parametrize("seconds", ["1e300", "-5", '"soon"', "null", "[]"])
def test_a_token_that_does_not_say_when_it_ends(seconds: str) -> None:
    assert exchange(f'{{"access_token": "a", "expires_in": {seconds}}}').tokens.expires_at is None


@pytest.mark.parametrize(
    "address",
    [
        "https://[bad",
        "https://accounts.zoho.eu:99999999",
        "https://accounts.zoho.eu:abc",
        "http://accounts.zoho.eu",
        "https://x@accounts.zoho.eu",
        "https://accounts.zoho.eu.example.com",
        "javascript:alert(1)",
    ],
)
def test_an_address_that_is_not_the_vendors_is_not_followed(address: str) -> None:
    granted = exchange(f'{{"access_token": "a", "api_domain": "{address}"}}', **{"accounts-server": address})
    assert (granted.api_url, granted.auth_url) == (None, None)


def test_an_address_of_the_vendors_is_followed() -> None:
    granted = exchange(
        '{"access_token": "a", "api_domain": "https://www.zohoapis.eu"}',
        **{"accounts-server": "https://accounts.zoho.eu"},
    )
    assert (granted.api_url, granted.auth_url) == ("https://www.zohoapis.eu", "https://accounts.zoho.eu")


@pytest.mark.parametrize("token", ["a:b@[x", "a:b@example.com", "a:b@x.my.salesforce.com:99999999"])
def test_a_host_by_hand_is_the_vendors(token: str) -> None:
    async def script(talk: Talk) -> None:
        raise AssertionError("nobody is asked")

    async def work(outgoing: Outgoing, settings: Settings, _: VendorServer) -> None:
        with pytest.raises(Rejected):
            await oauth.by_hand(outgoing, settings, salesforce.connector, token)

    run(script, work)


def test_one_accounts_failing_sign_in_shuts_nobody_else_out() -> None:
    async def script(talk: Talk) -> None:
        if b"refresh_token=broken" in talk.body:
            await talk.answer(500, b"{}")
        else:
            await talk.answer(200, b'{"access_token": "new"}')

    async def work(outgoing: Outgoing, settings: Settings, server: VendorServer) -> None:
        def refreshed(token: str) -> Awaitable[Tokens]:
            old = Tokens(access_token="old", refresh_token=token)
            return oauth.refreshed(outgoing, settings, zoho.connector, old, None)

        for _ in range(8):
            with pytest.raises(Unavailable):
                await refreshed("broken")
        assert len(server.seen) < 8, "the vendor is left alone"
        assert (await refreshed("good")).access_token == "new"

    run(script, work)


def test_a_sandbox_is_signed_in_to_at_its_own_address_and_called_where_it_says() -> None:
    instance = "https://acme--uat.sandbox.my.salesforce.com"

    async def script(talk: Talk) -> None:
        await talk.answer(200, f'{{"access_token": "a", "refresh_token": "r", "instance_url": "{instance}"}}'.encode())

    async def work(outgoing: Outgoing, settings: Settings, server: VendorServer) -> None:
        vendors = {name: value for name, value in settings.vendors.items() if name != "SALESFORCE_URL"}
        sandbox = Settings(allow_private_networks=True, vendors=vendors | {"SALESFORCE_AUTH_URL": server.url})
        page = oauth.authorize_url(sandbox, salesforce.connector, "state-1", None)
        assert page.startswith(f"{server.url}/services/oauth2/authorize?")
        granted = await oauth.exchanged(outgoing, sandbox, salesforce.connector, {"code": "c"}, None)
        assert (granted.tokens.access_token, granted.api_url) == ("a", instance)
        await oauth.refreshed(outgoing, sandbox, salesforce.connector, granted.tokens, granted.auth_url)
        assert [talk.path for talk in server.seen] == ["/services/oauth2/token"] * 2

    run(script, work)
