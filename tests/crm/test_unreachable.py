"""A CRM that cannot be reached: its name is not known, or it is not who it says."""

import socket
from pathlib import Path
from typing import Any

import pytest
from desk import JANE, AtADesk, Desk
from smtp_server import tls_context
from vendor_server import VendorServer
from vendors.hubspot_server import HubSpotServer


class TestUnreachable(AtADesk):
    crm = "hubspot"
    server = HubSpotServer

    async def is_away(self, desk: Desk, url: str) -> None:
        """Nothing is written while the CRM is at `url`, and it is afterwards."""
        vendors = desk.setup.settings.vendors
        right = vendors["HUBSPOT_URL"]
        vendors["HUBSPOT_URL"] = url
        before = len(desk.vendor.seen)
        error = await desk.fails("crm_unavailable", JANE)
        assert error.retry_after_seconds and "does not answer" in error.message
        vendors["HUBSPOT_URL"] = right
        assert len(desk.vendor.seen) == before
        assert (await desk.write(JANE)).action == "created"
        assert (await desk.events())[-1] == "crm.contact.created"

    def test_a_certificate_that_nobody_vouches_for(self, run: Any, tmp_path: Path) -> None:
        async def work(desk: Desk) -> None:
            async with VendorServer(tls=tls_context(tmp_path)) as other:
                await self.is_away(desk, other.url)
                assert other.seen == []

        run(work)

    def test_a_name_that_is_not_known(self, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        known = socket.getaddrinfo

        def getaddrinfo(host: Any, *arguments: Any, **more: Any) -> Any:
            if host == "crm.example.com":
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return known(host, *arguments, **more)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)

        async def work(desk: Desk) -> None:
            await self.is_away(desk, "https://crm.example.com")

        run(work)
