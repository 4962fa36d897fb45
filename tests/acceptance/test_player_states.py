"""Each state of the player, reached through what really causes it: the simulated provider's faults, real processes."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from callspool.domain.reasons import POLICIES, Reason
from callspool.domain.recording import Recording, State
from callspool.playback.tokens import Grant, Links
from tests.acceptance.system import SID, System, system, until
from tests.fixtures.browser import Complaints, Shoot, audio_time, plays_beyond

POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; media-src 'self'; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'; trusted-types lit-html"
)
PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A CRM</title>'
    '<script type="module" src="/player.js"></script></head><body>{}</body></html>'
)
NOBODY = "rec_" + 32 * "0"
SLOW = "drip:40000"  # a 20 s dual call, 640 kB, takes 16 seconds: it can be heard as it comes

Embed = Callable[..., Awaitable[list[Locator]]]


@pytest_asyncio.fixture(loop_scope="session")
async def running(tmp_path: Path) -> AsyncIterator[System]:
    async with system(tmp_path, play_wait=2.0) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def embed(running: System, page: Page) -> Embed:
    """Opens somebody's page, whose policy allows nothing inline, with these players; returns them."""

    async def go(*players: str) -> list[Locator]:
        body = PAGE.format("".join(f"<callspool-player {attributes}></callspool-player>" for attributes in players))
        headers = {"content-security-policy": POLICY}
        await page.route(
            "**/crm", lambda route: route.fulfill(body=body, headers=headers, content_type="text/html; charset=utf-8")
        )
        await page.set_viewport_size({"width": 900, "height": 200 + 130 * len(players)})
        await page.goto(f"{running.url}/crm")
        return [page.locator("callspool-player").nth(index) for index in range(len(players))]

    return go


def with_key(running: System, recording: Recording, more: str = "") -> str:
    return f'recording="{recording.id}" token="{running.key}" {more}'


async def asked(running: System, method: str, path: str) -> Any:
    async with httpx.AsyncClient(base_url=running.url, trust_env=False, timeout=30) as client:
        answer = await client.request(method, path, headers={"authorization": f"Bearer {running.key}"})
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None


async def link_to(running: System, recording: Recording) -> str:
    return str((await asked(running, "POST", f"/api/recordings/{recording.id}/playback"))["url"])


async def announce(running: System, status: str) -> Recording:
    """The provider tells of a recording that it has not finished, or of one that never came to be."""
    made = running.simulator.add_recording(account_sid=SID, tag="acme", status=status)
    await running.simulator.announce(made, f"{running.url}/webhooks/twilio/main/acme", events=[status])
    return await running.of(made.sid)


async def shows(player: Locator, state: str, words: str) -> None:
    await expect(player.locator(".player")).to_have_attribute("data-state", state, timeout=60_000)
    await expect(player).to_contain_text(words)


@pytest.mark.rule("S8", "F25")
async def test_what_a_recording_can_come_to_is_shown_as_it_happens(
    running: System, embed: Embed, page: Page, shoot: Shoot
) -> None:
    failing = {
        Reason.TRUNCATED: await running.call(duration_s=3.0, faults=["short:0.5"]),
        Reason.NOT_AUDIO: await running.call(duration_s=3.0, faults=["html"]),
        Reason.GONE: await running.call(duration_s=3.0, faults=["410"]),
    }
    good, kept, unverified = [
        await running.call(duration_s=3.0),
        await running.call(duration_s=3.0),
        await running.call(duration_s=3.0, announced_duration_s=-1),
    ]
    stopped = await running.call(duration_s=3.0)
    coming, never = await announce(running, "in-progress"), await announce(running, "absent")
    shown = [*failing.values(), good, kept, unverified, stopped]
    players = await embed(
        *(with_key(running, one, "cancellable") for one in shown), *(with_key(running, one) for one in (coming, never))
    )
    await shows(players[6], "waiting", "6 recordings are before it")
    await shows(players[0], "waiting", "It is the next in line")
    await shows(players[7], "waiting", "still being recorded")
    await shows(players[8], "absent", "nothing was recorded")
    await players[6].get_by_role("button", name="Stop fetching").click()
    await shows(players[6], "cancelled", "It can be started again")
    await running.worker()
    for player, reason in zip(players, failing, strict=False):
        await shows(player, "failed", POLICIES[reason].sentence)
    await shows(players[3], "ready", "0:03")
    await shows(players[5], "unverified", "Not verified")
    assert await players[2].get_by_role("button", name="Retry").count() == 0
    await expect(players[0].get_by_role("button", name="Retry")).to_be_visible()
    await running.reaches(kept, State.READY)
    await asked(running, "DELETE", f"/api/recordings/{kept.id}")
    await shows(players[4], "purged", "deleted here on")
    await players[6].get_by_role("button", name="Retry").click()
    await shows(players[6], "ready", "0:03")
    await players[6].get_by_role("button", name="Play", exact=True).click()
    await plays_beyond(page, 0.3)
    await shoot(page, "player-states-real")


@pytest.mark.rule("S8")
async def test_a_download_is_seen_in_percent_and_heard_as_it_comes(running: System, embed: Embed, page: Page) -> None:
    recording = await running.call(duration_s=20.0, channels=2, faults=[SLOW])
    (player,) = await embed(with_key(running, recording))
    await shows(player, "waiting", "It is the next in line")
    await running.worker()
    await running.reaches(recording, State.FETCHING, seconds=120)
    await shows(player, "downloading", "% downloaded")
    await player.get_by_role("button", name="Play as soon as it comes").click()
    await plays_beyond(page, 0.3)
    await shows(player, "streaming", "Its end is not here yet")
    await running.reaches(recording, State.READY)
    await expect(player).not_to_contain_text("Its end is not here yet")
    await player.evaluate("(player) => { player.seek(15); player.play(); }")  # it may have come to its end
    await plays_beyond(page, 15.1)
    await shows(player, "ready", "0:20")


@pytest.mark.rule("S8")
async def test_a_link_to_what_is_on_its_way_waits_and_plays(
    running: System, embed: Embed, page: Page, complaints: Complaints
) -> None:
    complaints.allow("status of 409")  # the waveform is not there yet
    recording = await running.call(duration_s=20.0, channels=2, faults=[SLOW])
    (player,) = await embed(f'audio-url="{await link_to(running, recording)}"')
    await shows(player, "waiting", "It is not here yet")
    await running.worker()
    await running.reaches(recording, State.FETCHING, seconds=120)
    await player.get_by_role("button", name="Play as soon as it comes").click()
    await plays_beyond(page, 0.3)
    assert await player.evaluate("(player) => player.state") == "streaming"
    await running.reaches(recording, State.READY, seconds=60)
    await shows(player, "ready", "0:20")


@pytest.mark.rule("S8")
async def test_a_link_that_ran_out_is_renewed_once_at_its_place(
    running: System, embed: Embed, page: Page, complaints: Complaints
) -> None:
    complaints.allow("status of 403")
    await running.worker()
    recording = await running.reaches(await running.call(duration_s=8.0), State.READY)
    soon = running.parts.clock.now() + timedelta(seconds=20)
    token = Links(running.parts.secret_key).sign(Grant(recording.tenant_id, recording.id, recording.attempt, soon))
    link = f"/api/recordings/{recording.id}/audio?token={token}"
    (player,) = await embed(f'audio-url="{link}"')
    await shows(player, "ready", "0:08")
    async with httpx.AsyncClient(base_url=running.url, trust_env=False) as client:

        async def has_run_out() -> bool:
            return (await client.head(link)).status_code == 403

        await until(has_run_out)
    await player.evaluate("(player) => { player.seek(4); player.play(); }")
    await shows(player, "expired", "Load the page again")  # there is nobody to ask for a new one
    fresh = json.dumps(f"/api/recordings/{recording.id}/playback")
    key = json.dumps({"authorization": f"Bearer {running.key}"})
    await player.evaluate(
        f"""(player) => {{
            let isAway = true;
            player.getAudioUrl = async () => {{
                if (isAway) {{ isAway = false; throw new Error("the page's own server is away"); }}
                return (await (await fetch({fresh}, {{ method: "POST", headers: {key} }})).json()).url;
            }};
        }}"""
    )
    await shows(player, "expired", "A new one did not work either")
    await player.get_by_role("button", name="Try again").click()
    await plays_beyond(page, 4.1)
    assert (await audio_time(page) or 0) < 7


@pytest.mark.rule("I9", "F9")
async def test_who_may_not_hear_it_is_told_so(
    running: System, embed: Embed, page: Page, complaints: Complaints
) -> None:
    complaints.allow("status of 40[134]")
    await running.worker()
    recording = await running.reaches(await running.call(duration_s=3.0), State.READY)
    link = await link_to(running, recording)
    players = await embed(
        f'recording="{recording.id}" token="cs_{"0" * 64}"',
        f'recording="{NOBODY}" token="{running.key}"',
        f'audio-url="{link[:-4]}AAAA"',
    )
    await shows(players[0], "forbidden", "The key is not valid")
    await shows(players[1], "forbidden", "There is no such recording")
    await shows(players[2], "forbidden", "This link is damaged")


@pytest.mark.rule("S8")
async def test_without_a_connection_it_waits_and_goes_on_by_itself(
    running: System, embed: Embed, page: Page, complaints: Complaints
) -> None:
    complaints.allow("ERR_INTERNET_DISCONNECTED|ERR_NETWORK_CHANGED")
    await running.worker()
    recording = await running.reaches(await running.call(duration_s=3.0), State.READY)
    (player,) = await embed(with_key(running, recording))
    await shows(player, "ready", "0:03")
    await page.context.set_offline(True)
    await player.get_by_role("button", name="Play", exact=True).click()
    await shows(player, "offline", "goes on by itself")
    await page.context.set_offline(False)
    await shows(player, "ready", "0:03")
    await player.get_by_role("button", name="Play", exact=True).click()
    await plays_beyond(page, 0.3)
