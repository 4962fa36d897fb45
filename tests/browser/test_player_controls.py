"""What a person does with the player: each control, by mouse and by link, and what the page hears of it."""

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from callspool.api.schemas import RecordingView
from callspool.domain.reasons import POLICIES, Reason
from callspool.domain.recording import State
from tests.browser.calls import Call
from tests.browser.conftest import Embed, Until
from tests.browser.stand_in import KEY, StandIn
from tests.fixtures.browser import Complaints, audio_time, holds, plays_beyond

WithKey = Callable[[RecordingView], str]
READY: dict[str, Any] = {"duration_s": 184.0, "channels": 2, "content_type": "audio/wav", "verified": True}
HEAR = """
globalThis.heard = [];
for (const name of ['play', 'pause', 'ended', 'seek', 'timeupdate', 'ratechange', 'share', 'download', 'state'])
  document.addEventListener(`callspool-${name}`, ({ detail }) => heard.push([name, detail]));
"""
AUDIO = """(player) => {
  const { playbackRate, preservesPitch } = player.shadowRoot.querySelector('audio');
  return { playbackRate, preservesPitch };
}"""
SMALL = """(all) => all.map((one) => one.getBoundingClientRect())
  .filter(({ width, height }) => width < 44 || height < 44).length"""
LISTEN = """
globalThis.loudest = 0;
const make = AudioContext.prototype.createMediaElementSource;
AudioContext.prototype.createMediaElementSource = function (audio) {
  const source = make.call(this, audio);
  const analyser = this.createAnalyser();
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    for (const sample of samples) loudest = Math.max(loudest, Math.abs(sample));
  }, 20);
  return source;
};
"""


def slider(page: Page) -> Locator:
    return page.get_by_role("slider", name="Position")


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


async def heard(page: Page, *names: str) -> list[Any]:
    return [detail for name, detail in await page.evaluate("heard") if name in names]


async def positions(page: Page) -> list[float]:
    return [detail["position"] for detail in await heard(page, "timeupdate")]


@pytest_asyncio.fixture(loop_scope="session")
async def ready(there: StandIn, embed: Embed, with_key: WithKey, page: Page) -> Page:
    await page.add_init_script(HEAR)
    await embed(with_key(there.add(1, State.READY, **READY)))
    await expect(slider(page)).to_have_attribute("aria-valuemax", "184")
    return page


async def test_a_drag_moves_the_place_and_is_one_seek(ready: Page, there: StandIn) -> None:
    box = await slider(ready).bounding_box()
    assert box is not None
    at = box["y"] + box["height"] / 2
    await ready.mouse.move(box["x"] + box["width"] * 0.25, at)
    await ready.mouse.down()
    for share in (0.4, 0.6, 0.5):
        await ready.mouse.move(box["x"] + box["width"] * share, at)
        await expect(slider(ready)).to_have_attribute("aria-valuenow", str(round(184 * share)))
    assert await heard(ready, "seek") == []
    await ready.mouse.up()
    (seek,) = await heard(ready, "seek")
    assert abs(seek["position"] - 92) < 0.5
    await button(ready, "Forward 10 seconds").click()
    await button(ready, "Back 10 seconds").click()
    await button(ready, "Back 10 seconds").click()
    await expect(slider(ready)).to_have_attribute("aria-valuenow", "82")
    assert there.count("/audio") == 0


async def test_speed_keeps_the_pitch_and_a_loop_goes_round(ready: Page) -> None:
    player = ready.locator("callspool-player")
    await player.evaluate("(player) => player.seek(20)")
    await button(ready, "Loop: set its start here").click()
    await player.evaluate("(player) => player.seek(20.8)")
    await button(ready, "Loop: set its end here").click()
    await ready.get_by_role("combobox", name="Speed").select_option("2")
    await button(ready, "Play").click()

    async def went_round() -> bool:
        seen = [at for at in await positions(ready) if 20 <= at < 21.5]
        return sum(later < earlier for earlier, later in pairwise(seen)) >= 2

    await holds(went_round)
    assert await player.evaluate(AUDIO) == {"playbackRate": 2, "preservesPitch": True}
    assert (await heard(ready, "ratechange"))[-1] == {"rate": 2}
    await button(ready, "Pause").click()
    await expect(button(ready, "Play")).to_be_visible()
    assert [name for name, _ in await ready.evaluate("heard") if name in ("play", "pause")] == ["play", "pause"]


async def test_silence_is_skipped_and_the_end_is_told(ready: Page, a_call: Call) -> None:
    both = [
        (max(a[0], b[0]), min(a[1], b[1]))
        for a in json.loads(a_call.waveform)["silences"][0]
        for b in json.loads(a_call.waveform)["silences"][1]
        if min(a[1], b[1]) - max(a[0], b[0]) > 1.2
    ]
    begins, ends = both[0]
    await button(ready, "Skip silence").click()
    await ready.locator("callspool-player").evaluate(
        "(player, at) => { player.seek(at); player.play(); }", begins - 0.1
    )
    await plays_beyond(ready, ends - 0.25)
    within = [at for at in await positions(ready) if begins + 0.5 < at < ends - 0.4]
    assert within == []
    await ready.locator("callspool-player").evaluate("(player) => player.seek(183.7)")

    async def ended() -> bool:
        return await heard(ready, "ended") != []

    await holds(ended)
    await expect(button(ready, "Play")).to_be_visible()


async def test_a_moment_is_shared_and_found_again(ready: Page) -> None:
    await ready.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await ready.locator("callspool-player").evaluate("(player) => player.seek(83.5)")
    await button(ready, "Copy a link to this moment").click()
    await expect(ready.locator("callspool-player")).to_contain_text("Link copied")
    link = await ready.evaluate("navigator.clipboard.readText()")
    assert "#t=83.5&recording=rec_" in link
    other = await ready.context.new_page()
    await other.goto(link)
    await expect(slider(other)).to_have_attribute("aria-valuenow", "84")
    await other.evaluate("location.hash = '#t=10'")
    await expect(slider(other)).to_have_attribute("aria-valuenow", "10")
    await other.close()
    await ready.evaluate("document.addEventListener('callspool-share', (event) => event.preventDefault())")
    await ready.evaluate("navigator.clipboard.writeText('mine')")
    await button(ready, "Copy a link to this moment").click()
    assert len(await heard(ready, "share")) == 2
    assert await ready.evaluate("navigator.clipboard.readText()") == "mine"


async def test_a_download_is_asked_for_as_one(ready: Page, there: StandIn) -> None:
    async with ready.expect_download() as begun:
        await button(ready, "Download").click()
    assert (await begun.value).url.endswith("download=1")
    assert there.count("GET", "/audio", "download=1") == 1
    assert len(await heard(ready, "download")) == 1


async def test_a_key_is_asked_for_and_once_more_when_it_is_refused(
    there: StandIn, embed: Embed, page: Page, complaints: Complaints
) -> None:
    complaints.allow("status of 401")
    recording = there.add(1, State.READY, **READY)
    await embed()
    await page.evaluate(
        """([id, key]) => {
          globalThis.given = 0;
          const player = document.createElement("callspool-player");
          player.recording = id;
          player.getToken = async () => ((globalThis.given += 1) > 2 ? key : "cs_old");
          document.querySelector("main").append(player);
        }""",
        [recording.id, KEY],
    )
    await expect(slider(page)).to_have_attribute("aria-valuemax", "184")
    assert await page.evaluate("given") >= 3


async def test_a_muted_channel_is_silent_also_from_another_origin(
    there: StandIn, embed: Embed, with_key: WithKey, page: Page
) -> None:
    await page.add_init_script(LISTEN)
    there.storage = there.url.replace("127.0.0.1", "localhost")
    await embed(with_key(there.add(1, State.READY, **READY)))
    await button(page, "Play").click()
    await plays_beyond(page, 0.1)
    mute = button(page, "Mute Agent")
    await mute.click()
    await expect(mute).to_have_attribute("aria-pressed", "true")

    async def sounds() -> bool:
        return bool(await page.evaluate("loudest") > 0.01)

    await holds(sounds)
    assert there.count("GET", "/storage") >= 1


@pytest.mark.rule("F25")
async def test_what_happens_is_announced_and_everything_can_be_hit(
    there: StandIn, embed: Embed, with_key: WithKey, page: Page, until: Until
) -> None:
    await page.emulate_media(reduced_motion="reduce")
    await page.set_viewport_size({"width": 390, "height": 900})
    recording = there.add(1, State.FETCHING)
    await embed(with_key(recording), with_key(there.add(2, State.READY, **READY)))
    status = page.get_by_role("status").first
    await expect(status).to_contain_text("On its way")
    flow = page.locator(".flow").first
    assert await flow.evaluate("(flow) => getComputedStyle(flow, '::after').animationName") == "none"
    assert await page.locator("button, select").evaluate_all(SMALL) == 0
    await there.change(recording, State.FAILED, reason=Reason.GONE)
    await expect(status).to_have_text(f"Could not be fetched. {POLICIES[Reason.GONE].sentence}")
    assert await status.evaluate("(status) => status.getAttribute('aria-live') ?? 'polite'") == "polite"


async def test_forced_colours_keep_the_signs_apart_from_their_ground(ready: Page) -> None:
    await ready.emulate_media(forced_colors="active")
    found = await ready.locator("callspool-player").evaluate(
        """(player) => {
          const probe = document.createElement("span");
          document.body.append(probe);
          const system = (name) => { probe.style.color = name; return getComputedStyle(probe).color; };
          const look = getComputedStyle(player.shadowRoot.querySelector(".toggle"));
          return [look.color === system("HighlightText"), look.backgroundColor === system("Highlight"),
                  look.color !== look.backgroundColor];
        }"""
    )
    assert found == [True, True, True]


async def test_the_timer_stands_where_it_stood_when_a_link_ran_out(
    ready: Page, there: StandIn, complaints: Complaints
) -> None:
    complaints.allow("status of 403")
    there.void_links = 1  # the first link is void when it is used
    await ready.locator("callspool-player").evaluate("(player) => { player.seek(60); player.play(); }")
    await plays_beyond(ready, 60.1)
    assert (await audio_time(ready) or 0) < 75
    seen = await positions(ready)
    assert min(seen[next(index for index, at in enumerate(seen) if at >= 60) :]) >= 60
    assert there.links_given == 2
