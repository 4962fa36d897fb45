"""Signing in with an identity provider as a person does it: real server, real Chromium, a provider on the loopback."""

from pathlib import Path
from typing import Any

from playwright.async_api import expect

from tests.acceptance.system import system, until
from tests.fixtures.oidc import CLIENT, SECRET, providing


async def test_person_signs_in_at_the_provider_and_out_here(tmp_path: Path, page: Any, complaints: Any) -> None:
    complaints.allow("status of 40[13]")
    async with providing() as provider:
        given = {"oidc_client_id": CLIENT, "oidc_client_secret": SECRET, "oidc_name": "Acme SSO"}
        grants = {"oidc_grants": "@acme.example=tenant:acme"}
        async with system(tmp_path, oidc_issuer=provider.url, **given, **grants) as running:
            provider.person |= {"email": "anna@acme.example"}
            await page.goto(f"{running.url}/")
            await page.get_by_role("link", name="Sign in with Acme SSO").click()
            await page.get_by_role("link", name="Continue").click()  # at the provider
            await page.get_by_text("Live", exact=True).wait_for()
            assert page.url == f"{running.url}/"
            (session,) = await running.parts.store.sessions_of("anna@acme.example")
            assert session.tenant_id == "acme"
            await page.reload()
            await page.get_by_text("Live", exact=True).wait_for()
            await page.get_by_role("button", name="Sign out").click()
            await expect(page.get_by_role("link", name="Sign in with Acme SSO")).to_be_visible()

            async def is_out() -> bool:
                return await running.parts.store.sessions_of("anna@acme.example") == []

            await until(is_out)  # the page does not wait for the server's answer

            provider.person |= {"sub": "2", "email": "eve@other.example"}
            await page.get_by_role("link", name="Sign in with Acme SSO").click()
            await page.get_by_role("link", name="Continue").click()
            await expect(page.get_by_text("'eve@other.example' has no access here")).to_be_visible()
            await page.get_by_role("link", name="Sign in").click()
            await expect(page.get_by_role("link", name="Sign in with Acme SSO")).to_be_visible()
            await page.goto("about:blank")
