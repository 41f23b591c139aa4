"""What every connector with OAuth must do about who signs in, and when."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from desk import AtADesk, Desk

from addtocrm.core.errors import ApiError
from addtocrm.crm import connections


class SignInScenarios(AtADesk):
    """See Scenarios."""

    pkce = False
    """Whether the vendor has it, by its documentation."""

    async def came_back(self, desk: Desk, vendor: Any) -> dict[str, str]:
        """What the browser brings back of a sign-in that was begun now."""
        begun = await connections.begin(desk.setup, desk.account_id, self.crm)
        return dict(parse_qsl(urlsplit(vendor.authorize(begun.authorize_url)).query))

    def test_a_code_is_of_no_use_in_another_sign_in(self, run: Any, vendor: Any) -> None:
        if not self.pkce:
            pytest.skip("the vendor has no PKCE")

        async def work(desk: Desk) -> None:
            mine, other = [await self.came_back(desk, vendor) for _ in range(2)]
            assert [asked["code_challenge_method"] for asked in vendor.codes.values()] == ["S256", "S256"]
            with pytest.raises(ApiError) as refused:
                await connections.finish(desk.setup, self.crm, {**mine, "code": other["code"]})
            assert refused.value.type == "validation_error"

        run(work)

    def test_a_sign_in_that_took_more_than_ten_minutes_is_over(self, run: Any, vendor: Any) -> None:
        async def work(desk: Desk) -> None:
            params = await self.came_back(desk, vendor)
            await desk.setup.pool.execute("update crm_authorizations set began_at = began_at - interval '601 seconds'")
            with pytest.raises(ApiError) as refused:
                await connections.finish(desk.setup, self.crm, params)
            assert refused.value.type == "validation_error"
            params = await self.came_back(desk, vendor)
            await desk.setup.pool.execute("update crm_authorizations set began_at = began_at - interval '500 seconds'")
            await connections.finish(desk.setup, self.crm, params)

        run(work)
