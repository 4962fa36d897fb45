"""Which pages may read what is a tenant's: its own list, changed at run time, whatever way the answer goes."""

from pathlib import Path

import httpx

from callspool.api.recent import MEMORY
from callspool.domain.ids import TenantId
from callspool.domain.ports.store import Store
from callspool.scheduler.connection import Functions
from tests.api.conftest import Api, SettableClock, running, until

CRM, EVIL = "https://crm.example", "https://evil.example"


async def allow(api: Api, tenant: str, *origins: str) -> httpx.Response:
    change = {"allowed_origins": origins}
    return await api.client.patch(f"/api/tenants/{tenant}", headers=api.as_("operator"), json=change)


def may_read(answer: httpx.Response, origin: str) -> bool:
    """What a browser makes of an answer to a page of that origin; without Vary its cache would hand it to others."""
    assert "origin" in {name.strip().lower() for name in answer.headers["vary"].split(",")}
    return answer.headers.get("access-control-allow-origin") in ("*", origin)


async def reads(api: Api, origin: str, path: str, who: str | None = None, **headers: str) -> bool:
    answer = await api.get(path, who, headers={"origin": origin, **headers})
    return may_read(answer, origin)


async def test_a_page_that_is_not_on_a_tenants_list_reads_nothing_of_it(api: Api) -> None:
    recording = await api.ready()
    link = (await api.post(f"/api/recordings/{recording.id}/playback")).json()["url"]
    link = link.removeprefix(api.services.settings.public_url)
    waveform = link.replace("/audio?", "/waveform?")
    assert (await allow(api, "acme", CRM)).status_code == 200

    for path, who in (
        (link, None),
        (waveform, None),
        ("/api/recordings", "acme"),
        (f"/api/recordings/{recording.id}", "acme"),
        (f"/api/recordings/{recording.id}/audio", "acme"),
        (f"/api/recordings/{recording.id}/audio", "operator"),
        ("/api/recordings/rec_" + "0" * 32, "acme"),  # refusals of a known key are its tenant's too
        ("/api/audit", "acme"),
    ):
        assert await reads(api, CRM, path, who), path
        assert not await reads(api, EVIL, path, who), path
    assert await reads(api, EVIL, "/api/recordings", "bravo")  # which has no list: the setting holds
    assert await reads(api, EVIL, "/api/recordings", "operator")


async def test_each_way_of_a_range_says_the_same(api: Api) -> None:
    recording = await api.ready()
    link = (await api.post(f"/api/recordings/{recording.id}/playback")).json()["url"]
    link = link.removeprefix(api.services.settings.public_url)
    await allow(api, "acme", CRM)
    for _ in range(3):  # once it is known, a range without an origin goes the quick way, and then the straight one
        plain = await api.client.get(link, headers={"range": "bytes=0-1"})
        assert plain.status_code == 206
        assert "access-control-allow-origin" not in plain.headers
        assert "origin" in plain.headers["vary"].lower()
        assert await reads(api, CRM, link, range="bytes=0-1")
        assert not await reads(api, EVIL, link, range="bytes=0-1")


async def test_the_stream_of_events_is_its_tenants(api: Api) -> None:
    await allow(api, "acme", CRM)
    for origin, expected in ((CRM, True), (EVIL, False)):
        headers = {**api.as_("acme"), "origin": origin}
        async with api.client.stream("GET", "/api/events", headers=headers) as answer:
            assert answer.status_code == 200
            assert may_read(answer, origin) is expected


async def test_a_list_counts_a_second_after_it_was_changed(api: Api) -> None:
    assert await reads(api, EVIL, "/api/recordings", "acme")

    async def shut() -> bool:
        return not await reads(api, EVIL, "/api/recordings", "acme")

    async def open_() -> bool:
        return await reads(api, EVIL, "/api/recordings", "acme")

    seconds = MEMORY.total_seconds() + 5
    await allow(api, "acme", CRM)
    await until(shut, seconds)
    await allow(api, "acme", CRM, EVIL)
    await until(open_, seconds)
    await allow(api, "acme", CRM)
    await until(shut, seconds)
    assert (await allow(api, "acme")).json()["allowed_origins"] == []
    await until(open_, seconds)


async def test_a_narrow_setting_is_widened_for_one_tenant_alone(
    tmp_path: Path, clock: SettableClock, store: Store, functions: Functions
) -> None:
    async with running(tmp_path, clock, store, functions, allowed_origins="https://all.example") as api:
        await allow(api, "acme", CRM)
        assert await reads(api, CRM, "/api/recordings", "acme")
        assert not await reads(api, CRM, "/api/recordings", "bravo")
        assert not await reads(api, "https://all.example", "/api/recordings", "acme")
        assert await reads(api, "https://all.example", "/api/recordings", "bravo")
        # Nobody is known here: what is refused may be read by whoever has any business here, and by nobody else.
        for origin, expected in ((CRM, True), ("https://all.example", True), (EVIL, False)):
            assert await reads(api, origin, "/api/recordings/rec_" + "0" * 32 + "/audio?token=x") is expected
            asked = {"origin": origin, "access-control-request-method": "GET"}
            answer = await api.client.options("/api/recordings", headers=asked)
            assert (answer.status_code == 200) is expected
            assert may_read(answer, origin) is expected


NO_ORIGINS = [
    *("*", "null", "", "crm.example", "https://", "https://crm.example/", "https://crm.example/path"),
    *("http://crm.example", "https://crm.example:0", "https://crm.example:65536", "https://a b", "https://*.example"),
    *("https://user@crm.example", "https://crm.example?x", "https://crm.example#", "ftp://crm.example"),
    *("https://b\u00fccher.example", "https://-a.example", "https://" + "a" * 300, "https://crm.example\nhttps://evil"),
]


async def test_what_is_no_origin_is_refused(api: Api) -> None:
    for text in NO_ORIGINS:
        answer = await allow(api, "acme", CRM, text)
        assert (answer.status_code, answer.json()["field"]) == (422, "allowed_origins"), text
    assert (await api.services.store.tenant(TenantId("acme"))).allowed_origins == ()


async def test_a_list_is_kept_as_browsers_write_it_and_is_bounded(api: Api) -> None:
    answer = await allow(
        *(api, "acme", "HTTPS://CRM.Example:443", CRM, "http://localhost:3000", "http://[::1]:80"),
        *("http://app.localhost", "https://a.example:8443"),
    )
    expected = [CRM, "http://localhost:3000", "http://[::1]", "http://app.localhost", "https://a.example:8443"]
    assert answer.json()["allowed_origins"] == expected
    overview = (await api.get("/api/overview", "operator")).json()["tenants"]
    assert [one["allowed_origins"] for one in overview] == [expected, []]
    (entry,) = (await api.get("/api/audit?limit=1", "operator")).json()["entries"]
    assert (entry["action"], entry["target"], entry["detail"]) == ("tenant.set", "acme", {"allowed_origins": expected})

    many = await allow(api, "acme", *(f"https://crm{one}.example" for one in range(21)))
    assert (many.status_code, many.json()["field"]) == (422, "allowed_origins")
    assert (
        await api.client.patch("/api/tenants/acme", headers=api.as_("acme"), json={"allowed_origins": [EVIL]})
    ).status_code == 403
