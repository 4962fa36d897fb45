"""What operators see and change on the dashboard, in a real browser."""

import math
import re
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Locator, Page, expect

from callspool.domain.reasons import POLICIES, Reason
from callspool.domain.recording import State
from tests.browser.dashboard import PASSWORD, at
from tests.browser.stand_in import KEY, StandIn, tenant
from tests.fixtures.browser import Complaints, Shoot, holds, plays_beyond

Goto = Callable[[str], Awaitable[Page]]
HOSTILE = "<img src=x onerror=\"document.title='owned'\">\u202e Ltd"


@pytest.fixture
def goto(page: Page, there: StandIn) -> Goto:
    """Opens one of the pages with a valid key and waits until it listens."""

    async def go(path: str) -> Page:
        await page.goto(f"{there.url}{path}#key={KEY}")
        await page.locator('[role="status"][data-state="live"]').wait_for()
        return page

    return go


def furnish(there: StandIn) -> None:
    """Put a day's work into the stand-in."""
    operations = there.operations
    operations.tenant(
        "acme", "Acme Ltd", running=3, waiting=187, deferred=4, oldest_waiting_at=at(6), ready_per_minute=4.5
    )
    operations.tenant("birch", "Birch & Sons", running=1, states={"failed": 12})
    operations.tenant(
        "harbour", "Harbour Clinic", slots=8, weight=2.5, paused=True, waiting=40, oldest_waiting_at=at(90)
    )
    operations.tenant("kestrel", HOSTILE, slots=1, running=1)
    tired = {"paused_until": at(-2), "paused_because": "failed", "retry_budget": 7.4, "ready_per_minute": 0.4}
    operations.account("main", running=5, waiting=227, oldest_waiting_at=at(90))
    operations.account(
        "west", provider="telnyx", current_limit=4, circuit="open", waiting=3, oldest_waiting_at=at(4), **tired
    )
    operations.account("eu", provider="signalwire", paused=True, paused_until=None)
    operations.points = [
        {
            "at": at((24 - hour) * 60),
            "ready": round(90 + 70 * math.sin(hour / 4)),
            "failed": 5 if hour == 9 else 0,
            "p50_s": 2.2 + math.sin(hour / 3),
            "p95_s": 9 + 4 * math.sin(hour / 5),
        }
        for hour in range(24)
    ]
    for reason, of in ((Reason.TRUNCATED, {"main": 2, "west": 7}), (Reason.WORKER_LOST, {"main": 3})):
        operations.failures(reason, POLICIES[reason].sentence, of)
    operations.failures(Reason.GONE, POLICIES[Reason.GONE].sentence, {"main": 41}, retryable=False)
    scopes = ["admin", "play", "read", "write"]
    operations.keys = [
        {"id": "key_9", "name": "CRM", "tenant_id": "acme", "scopes": ["play", "read"], "expires_at": at(-99000)},
        {"id": "key_8", "name": "old laptop", "tenant_id": None, "scopes": scopes, "expires_at": None},
    ]
    operations.keys[0] |= {"created_at": at(9000), "revoked_at": None}
    operations.keys[1] |= {"created_at": at(99000), "revoked_at": at(500)}
    operations.entries = [
        {
            "seq": seq,
            "at": at(120 - seq),
            "actor": "key:key_9",
            "action": "tenant.set",
            "target": "acme",
            "detail": {"slots": seq},
            "address": "192.0.2.7",
        }
        for seq in range(120, 0, -1)
    ]
    zero = {"absent": 1, "failed": {}, "purged": 0, "pending": 0, "missing": [], "vanished": 0, "listed_at": at(0)}
    operations.days = [{"day": f"2026-11-{day}", "listed": 220, "kept": 219, **zero} for day in range(23, 10, -1)]
    operations.days[3] |= {"kept": 217, "missing": ["RE" + "3f" * 16, "RE" + "a0" * 16]}
    operations.days[4] |= {"listed": 0, "kept": 0, "absent": 0, "listed_at": None}
    there.tenants = [tenant("Acme Ltd"), tenant("Birch & Sons")]
    for number in range(1, 30):
        there.add(number, State.READY, duration_s=61.0 * number, tenant_id=("acme", "birch")[number % 2])


async def test_limits_and_pauses_are_changed_where_they_stand(there: StandIn, goto: Goto) -> None:
    furnish(there)
    page = await goto("/now")
    row = page.get_by_role("row", name="Acme Ltd")
    await row.get_by_role("button", name="Slots, Acme Ltd: 3. Change").click()
    await page.get_by_role("spinbutton", name="Slots, Acme Ltd").fill("7")
    await page.keyboard.press("Enter")
    await expect(row.get_by_role("button", name="Slots, Acme Ltd: 7. Change")).to_be_visible()
    await row.get_by_role("button", name="Pause: Acme Ltd").click()
    await expect(row.get_by_role("button", name="Resume: Acme Ltd")).to_be_visible()
    await row.get_by_role("button", name="Web pages, Acme Ltd: Default. Change").click()
    await page.get_by_role("textbox", name="Web pages, Acme Ltd").fill("https://crm.example https://a.example")
    await row.get_by_role("button", name="Save").click()
    await expect(row.get_by_role("button", name="Web pages, Acme Ltd: 2 of its own. Change")).to_be_visible()
    await page.get_by_role("row", name="west").get_by_role("button", name="Limit, west: 20. Change").click()
    await page.keyboard.press("Escape")
    pages = {"allowed_origins": ["https://crm.example", "https://a.example"]}
    assert there.operations.changes == [
        *(("tenants/acme", {"slots": 7}), ("tenants/acme", {"paused": True}), ("tenants/acme", pages)),
    ]


COLOURED = """(canvas) => {
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let found = 0;
  for (let at = 0; at < data.length; at += 4) {
    const rgb = data.slice(at, at + 3);
    if (data[at + 3] > 200 && Math.max(...rgb) - Math.min(...rgb) > 60) found += 1;
  }
  return found;
}"""
"""How many points of a drawing are neither grey nor white."""


async def test_the_only_figure_of_a_day_is_seen_in_the_plots(there: StandIn, goto: Goto) -> None:
    furnish(there)
    nothing = {"ready": 0, "failed": 0, "p50_s": None, "p95_s": None}
    there.operations.points = [{**one, **nothing} for one in there.operations.points]
    there.operations.points[-2] |= {"ready": 12, "p50_s": 2.0, "p95_s": 9.0}
    page = await goto("/now")
    plot = page.locator("callspool-time-plot").filter(has_text="Time until ready").locator("canvas")

    async def is_seen() -> bool:  # it is drawn after it is there
        return bool(await plot.evaluate(COLOURED) > 40)

    await holds(is_seen)


async def test_what_others_change_is_seen_and_what_is_not_in_force_is_told(there: StandIn, goto: Goto) -> None:
    furnish(there)
    page = await goto("/now")
    acme = page.get_by_role("row", name="Acme Ltd")
    await expect(acme.get_by_role("button", name="Pause: Acme Ltd")).to_be_visible()
    await expect(acme.get_by_role("cell", name="4.5/min")).to_be_visible()
    there.operations.tenants[0] |= {"paused": True, "ready_per_minute": 12.0}  # no event tells of that
    await expect(acme.get_by_role("button", name="Resume: Acme Ltd")).to_be_visible(timeout=8_000)
    await expect(acme.get_by_role("cell", name="12/min")).to_be_visible()
    there.operations.in_force = False
    await page.get_by_role("button", name="Pause: main").click()
    await expect(page.get_by_text("The scheduler does not answer yet")).to_be_visible()


async def test_an_account_tells_why_it_rests_and_what_it_has_left(there: StandIn, goto: Goto) -> None:
    furnish(there)
    page = await goto("/now")
    west, eu = page.get_by_role("row", name="west"), page.get_by_role("row", name="eu signalwire")
    await expect(west).to_contain_text("Failing: held back")
    await expect(west).to_contain_text("Failing: paused for")
    await expect(west).to_contain_text("7 of 20")
    await expect(west).to_contain_text("0.4/min")
    main = page.get_by_role("row", name="main")
    await expect(main.get_by_role("cell", name="1.5 hrs")).to_be_visible()
    await expect(west.get_by_role("cell", name=re.compile("^4(\\.\\d)? mins$"))).to_be_visible()
    await expect(eu.get_by_role("cell", name="–")).not_to_have_count(0)
    await expect(eu).to_contain_text("Works")  # its circuit, though a person paused it
    await expect(eu).to_contain_text("Paused")


async def test_a_limit_that_the_server_refuses_is_told_and_not_shown(
    there: StandIn, goto: Goto, complaints: Complaints
) -> None:
    complaints.allow("status of 422")
    furnish(there)
    page = await goto("/now")
    await page.get_by_role("button", name="Slots, Acme Ltd: 3. Change").click()
    await page.get_by_role("spinbutton").fill("5000")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("alert")).to_contain_text("at most 1000 slots")
    await expect(page.get_by_role("button", name="Slots, Acme Ltd: 3. Change")).to_be_visible()


async def test_a_hostile_name_is_text_everywhere(there: StandIn, goto: Goto) -> None:
    furnish(there)
    there.tenants.append(tenant(HOSTILE, id="kestrel"))
    there.add(31, State.READY, duration_s=8.0, tenant_id="kestrel")
    page = await goto("/now")
    await expect(page.get_by_role("link", name=HOSTILE)).to_be_visible()
    await page.get_by_role("link", name="Recordings", exact=True).click()
    await expect(page.get_by_role("button", name=HOSTILE)).to_be_visible()
    await expect(page).to_have_title("Recordings · callspool")


async def test_all_failures_of_a_kind_are_counted_then_retried_under_ones_eyes(there: StandIn, goto: Goto) -> None:
    furnish(there)
    page = await goto("/failures")
    group = page.get_by_role("listitem").filter(has_text="truncated")
    await group.get_by_role("button", name="Retry all of them").click()
    ask = page.get_by_role("alertdialog")
    await expect(ask).to_contain_text("9 recordings would be fetched again")
    assert [change for change in there.operations.changes if not change[1]["dry_run"]] == [], "only counted so far"
    await ask.get_by_role("button", name="Retry 9 recordings").click()
    await expect(page.get_by_text("were started again")).to_be_visible()
    assert there.operations.changes[-1][1] == {
        "reason": "truncated",
        "tenant_id": None,
        "account_id": None,
        "dry_run": False,
    }
    await expect(page.get_by_text("Nothing has failed.")).to_be_visible()


async def test_a_retry_of_many_is_narrowed_and_survives_a_reload(there: StandIn, goto: Goto) -> None:
    furnish(there)
    there.operations.failures(Reason.PROVIDER_ERROR, "It took too long.", {"west": 5, "main": 1}, tenant="birch")
    page = await goto("/failures")
    groups = page.get_by_role("main").get_by_role("listitem")
    await expect(groups).to_have_count(4)
    await page.get_by_label("Tenant").select_option("Birch & Sons")
    await expect(groups).to_have_count(1)
    await page.get_by_role("button", name="west 5").click()
    await expect(groups).to_contain_text(["5"])
    await page.get_by_role("button", name="Retry every failure").click()
    there.operations.looks = -1000  # it takes its time
    await page.get_by_role("alertdialog").get_by_role("button", name="Retry 5 recordings").click()
    await expect(page.get_by_role("progressbar")).to_be_visible()
    assert there.operations.changes[-1][1]["tenant_id"] == "birch"
    assert there.operations.changes[-1][1]["account_id"] == "west"
    await page.reload()
    await expect(page.get_by_role("progressbar")).to_be_visible()
    there.operations.looks = 2
    await expect(page.get_by_text("were started again.")).to_be_visible()
    await expect(page.get_by_role("progressbar")).to_have_count(0)
    await expect(page.get_by_text("not failed any more")).to_have_count(0)


async def test_failures_are_seen_and_chosen_by_account(there: StandIn, goto: Goto) -> None:
    furnish(there)
    page = await goto("/failures")
    groups = page.get_by_role("main").get_by_role("listitem")
    accounts = page.get_by_role("group", name="Show by account").get_by_role("button")
    await expect(accounts).to_have_text(["All 53", "main 46", "west 7"])
    await expect(groups.filter(has_text="truncated")).to_contain_text("west 7")
    await accounts.filter(has_text="west").click()
    await expect(groups).to_have_count(1)
    await expect(accounts).to_have_text(["All 53", "main 46", "west 7"])
    assert page.url == f"{there.url}/failures?account=west"
    await page.reload()
    await expect(page.get_by_role("button", name="west 7", pressed=True)).to_be_visible()
    await groups.get_by_role("link", name="Show").click()
    assert page.url == f"{there.url}/?state=failed&reason=truncated&account=west"
    await page.go_back()
    there.operations.groups.clear()
    await page.reload()
    await expect(page.get_by_text("Nothing has failed.")).to_be_visible()
    await expect(page.get_by_role("button", name="west 0", pressed=True)).to_be_visible()


async def test_a_link_from_the_list_leads_to_the_recordings_own_page(there: StandIn, goto: Goto) -> None:
    recording = there.add(1, State.READY, duration_s=8.0, content_type="audio/wav", size=128_044, verified=True)
    page = await goto("/")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.get_by_role("list", name="Recordings").get_by_role("button").click()
    await plays_beyond(page, 0.2)
    await page.get_by_role("button", name="Copy a link to this moment").click()
    await expect(page.get_by_text("The link to this moment was copied.")).to_be_visible()
    link = await page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(f"{there.url}/recordings/{recording.id}#t=")
    await page.goto(link)
    await expect(page.get_by_role("slider").first).to_be_visible()


@pytest.mark.parametrize("state", ["announced", "absent", "purged"])
async def test_every_state_is_a_filter(state: str, there: StandIn, goto: Goto) -> None:
    there.add(1, State.READY)
    there.add(2, State(state))
    page = await goto("/")
    await page.get_by_role("group", name="Show by state").get_by_role("button", name=state.title()).click()
    await expect(page.get_by_role("list", name="Recordings").get_by_role("listitem")).to_have_count(1)
    assert page.url == f"{there.url}/?state={state}"


async def test_on_a_phone_what_is_chosen_is_in_sight(there: StandIn, page: Page, goto: Goto) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    for language in ("en", "he"):
        await page.add_init_script(f"localStorage.setItem('callspool.language', '{language}')")
        await goto("/?state=purged")
        await expect(page.locator("[aria-pressed=true]")).to_be_in_viewport(ratio=1)
        await goto("/audit")
        await expect(page.locator("nav [aria-current]")).to_be_in_viewport(ratio=1)


async def test_what_asks_and_what_is_open_is_accessible(
    there: StandIn, page: Page, goto: Goto, axe: Callable[[Page], Awaitable[None]]
) -> None:
    furnish(there)
    await page.goto(there.url)
    await page.get_by_label("API key").wait_for()
    await axe(page)
    await goto("/failures")
    await page.get_by_role("button", name="Retry all of them").first.click()
    await page.get_by_role("alertdialog").wait_for()
    await axe(page)
    await goto("/")
    await page.get_by_role("list", name="Recordings").get_by_role("button").first.click()
    await page.get_by_role("region", name="Selected recording").get_by_role("slider").first.wait_for()
    await axe(page)


async def test_what_cannot_be_had_again_offers_no_retry(there: StandIn, goto: Goto) -> None:
    furnish(there)
    page = await goto("/failures")
    group = page.get_by_role("listitem").filter(has_text="gone")
    await expect(group.get_by_text("Cannot be had again")).to_be_visible()
    await expect(group.get_by_role("button")).to_have_count(0)
    await group.get_by_role("link", name="Show").click()
    assert page.url == f"{there.url}/?state=failed&reason=gone"


async def test_filters_stand_in_the_address_and_back_goes_back(there: StandIn, goto: Goto) -> None:
    furnish(there)
    page = await goto("/?tenant=birch")
    rows = page.get_by_role("list", name="Recordings").get_by_role("listitem")
    await expect(rows).to_have_count(15)
    await page.get_by_role("searchbox").fill(f"CA{7:032x}")
    await expect(rows).to_have_count(1)
    assert page.url == f"{there.url}/?tenant=birch&q=CA{7:032x}"
    await page.get_by_role("button", name="Show everything").click()
    await expect(rows).to_have_count(29)
    await page.go_back()
    await expect(rows).to_have_count(1)
    await page.reload()
    await expect(rows).to_have_count(1)


async def test_a_recordings_own_page_plays_it_and_tells_what_happened(there: StandIn, goto: Goto) -> None:
    recording = there.add(1, State.READY, duration_s=8.0, content_type="audio/wav", size=128_044, verified=True)
    step = {"state": "queued", "attempt": 0, "at": at(9), "reason": None, "sentence": None, "detail": None}
    there.history[recording.id] = [
        {"seq": 1, "event": "enqueue", "version": 1, "actor": "webhook", **step},
        {"seq": 2, "event": "claim", "version": 2, "actor": "worker:w1", **step, "attempt": 1},
        {"seq": 3, "event": "keep", "version": 3, "actor": "worker:w1", **step, "attempt": 1, "state": "ready"},
    ]
    page = await goto(f"/recordings/{recording.id}")
    await expect(page.get_by_text("Verified and kept")).to_be_visible()
    await expect(page.get_by_text("128 kB")).to_be_visible()
    await page.get_by_role("group", name="Call recording").get_by_role("button", name="Play", exact=True).click()
    await plays_beyond(page, 0.2)
    await there.change(recording, State.PURGED)
    await expect(page.locator("callspool-state-badge")).to_contain_text("Purged")
    await expect(page.get_by_text("The recording was deleted here").first).to_be_visible()


async def test_a_recordings_page_tells_every_webhook_answer_and_listener(there: StandIn, goto: Goto) -> None:
    recording = there.add(1, State.READY, duration_s=8.0)
    step = {"state": "queued", "attempt": 0, "reason": None, "sentence": None, "detail": None, "actor": "worker:w1"}
    late = {"reason": "not_ready", "sentence": "The provider has not finished it yet.", "http_status": 404}
    there.history[recording.id] = [
        {"seq": 1, "event": "enqueue", "version": 1, **step, "at": at(9), "actor": "webhook"},
        {"seq": 2, "event": "claim", "version": 2, **step, "at": at(8.9), "attempt": 1},
        {"seq": 3, "event": "defer", "version": 3, **step, "at": at(8.8), "attempt": 1, **late},
        {"seq": 4, "event": "claim", "version": 4, **step, "at": at(8), "attempt": 2},
        {"seq": 5, "event": "keep", "version": 5, **step, "at": at(7), "attempt": 2, "state": "ready"},
    ]
    there.beside[recording.id] = {
        "repeats": [{"at": at(8.5), "status": "completed"}],
        "listens": [
            {"at": at(3), "actor": "user:anna", "by_link": False, "result": None},
            {"at": at(2), "actor": "user:anna", "by_link": True, "result": "partial"},
        ],
        "holds": [{"why": "Case 12", "actor": "user:legal"}],
    }
    page = await goto(f"/recordings/{recording.id}")
    told = page.locator(".history li")
    await expect(told).to_have_count(8)
    await expect(told.nth(2)).to_contain_text("HTTP 404")
    await expect(told.nth(2)).to_contain_text("has not finished it yet")
    await expect(told.nth(3)).to_contain_text("completed: told again by the provider")
    await expect(told.nth(6)).to_contain_text("Listened")
    await expect(told.nth(6)).to_contain_text("user:anna")
    await expect(told.nth(7)).to_contain_text("Listened through a link of (a part of it was sent)")
    await expect(page.locator(".facts")).to_contain_text("Case 12 (user:legal)")
    await page.get_by_label("Language").select_option("he")
    await expect(told.nth(2)).to_contain_text("הספק עדיין לא סיים את ההקלטה")


async def test_why_a_recording_waits_is_told(there: StandIn, goto: Goto) -> None:
    recording = there.add(1, State.QUEUED)
    page = await goto(f"/recordings/{recording.id}")
    await expect(page.get_by_text("2 recordings are before it.").first).to_be_visible()


async def test_an_unknown_recording_has_a_page_that_says_so(there: StandIn, goto: Goto, complaints: Complaints) -> None:
    complaints.allow("status of 404")
    page = await goto("/recordings/rec_none")
    await expect(page.get_by_role("alert")).to_contain_text("no such recording")


async def test_a_backfill_begins_dry_and_shows_its_progress_and_end(there: StandIn, goto: Goto) -> None:
    furnish(there)
    page = await goto("/backfill")
    await page.get_by_label("Since").fill("2026-11-01")
    await page.get_by_role("button", name="Start").click()
    await expect(page.get_by_text("120 listed, 7 new, 113 known, 0 gone at the provider")).to_be_visible()
    kind, asked = there.operations.changes[0]
    assert (kind, asked["account_id"], asked["since"]) == ("backfill", "main", "2026-11-01T00:00:00Z")
    assert asked["dry_run"] is True, "a click too many costs nothing"
    await page.get_by_text("2 missing").click()
    await expect(page.get_by_text("RE" + "a0" * 16)).to_be_visible()
    await expect(page.get_by_role("row", name="2026-11-19")).to_contain_text("not listed")


async def test_a_keys_secret_is_shown_once_and_revoking_asks_twice(there: StandIn, goto: Goto) -> None:
    furnish(there)
    page = await goto("/keys")
    await page.get_by_label("Name", exact=True).fill("Reporting")
    await page.get_by_label("Sees").select_option("Acme Ltd")
    await page.get_by_label("Valid until").fill("2126-12-01")
    await page.get_by_label("Change").uncheck()
    await page.get_by_label("Manage").uncheck()
    await page.get_by_role("button", name="Make a key").click()
    await expect(page.get_by_text("cs_shown-once")).to_be_visible()
    await page.get_by_role("button", name="I have it").click()
    await expect(page.get_by_text("cs_shown-once")).to_have_count(0)
    revoke = page.get_by_role("row", name="Reporting").get_by_role("button", name="Revoke: Reporting")
    await revoke.click()
    assert there.operations.keys[-1]["revoked_at"] is None
    await revoke.click()
    await expect(page.get_by_role("row", name="Reporting").get_by_role("button")).to_have_count(0)
    assert there.operations.keys[-1]["tenant_id"] == "acme"
    ((_, wish),) = there.operations.changes
    assert wish["scopes"] == ["read", "play"]
    assert wish["expires_at"].startswith(("2126-11-30", "2126-12-01"))
    await expect(page.get_by_role("row", name="Reporting")).to_contain_text("See, Play")
    await expect(page.get_by_role("row", name="CRM")).to_contain_text("See, Play")
    await expect(page.get_by_role("row", name="old laptop")).to_contain_text("Everything")


async def test_the_audit_log_is_read_page_by_page(there: StandIn, goto: Goto) -> None:
    furnish(there)
    page = await goto("/audit")
    await expect(page.get_by_role("row")).to_have_count(51)
    await page.get_by_role("button", name="Load more").click()
    await expect(page.get_by_role("row")).to_have_count(101)
    there.operations.entries[:0] = [
        {**there.operations.entries[0], "seq": 1000, "action": "recording.heard", "detail": {"ranges": "0-99"}}
    ]
    await page.get_by_role("button", name="Listening").click()
    await expect(page.get_by_role("row")).to_have_count(2)
    await expect(page.get_by_role("row").nth(1)).to_contain_text("ranges: 0-99")


async def test_a_tenant_sees_no_page_of_operators_and_changes_nothing(there: StandIn, goto: Goto) -> None:
    furnish(there)
    there.operations.tenant_id = "acme"
    page = await goto("/now")
    await expect(page.get_by_role("navigation").get_by_role("link")).to_have_text(["Recordings", "Now", "Failures"])
    await expect(page.get_by_role("row", name="Acme Ltd")).to_be_visible()
    await expect(page.get_by_role("button", name="Change")).to_have_count(0)
    await expect(page.get_by_role("button", name="Pause")).to_have_count(0)


@pytest.mark.parametrize("path", ["/backfill", "/keys", "/audit"])
async def test_a_tenant_is_led_away_from_what_is_the_operators(path: str, there: StandIn, goto: Goto) -> None:
    furnish(there)
    there.operations.tenant_id = "acme"
    page = await goto(path)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Recordings")
    assert page.url == f"{there.url}/"


async def sign_in(page: Page) -> None:
    """Sign in by name, where name and password are asked for."""
    await page.get_by_label("Name").fill("dana")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("row", name="Acme Ltd")).to_be_visible()


async def test_a_person_signs_in_by_name_and_stays_in_after_a_reload(
    there: StandIn, page: Page, complaints: Complaints
) -> None:
    complaints.allow("status of 401")
    furnish(there)
    await page.goto(f"{there.url}/now")
    await page.get_by_role("button", name="Use a name and a password").click()
    await page.get_by_label("Name").fill("dana")
    await page.get_by_label("Password").fill("wrong")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("do not fit together")
    await sign_in(page)
    await page.reload()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_label("API key")).to_be_visible()
    assert there.count("DELETE", "/api/session") == 1


async def test_who_could_not_be_signed_out_is_told_and_may_try_again(
    there: StandIn, page: Page, complaints: Complaints, shoot: Shoot
) -> None:
    complaints.allow("status of 503")
    furnish(there)
    await page.goto(f"{there.url}/now")
    await page.get_by_role("button", name="Use a name and a password").click()
    await sign_in(page)
    there.operations.is_away = True
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("alert")).to_contain_text("You are still signed in.")
    await shoot(page, "sign-out-failed")
    await page.reload()
    await expect(page.get_by_role("row", name="Acme Ltd")).to_be_visible()
    there.operations.is_away = False
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_label("API key")).to_be_visible()
    await page.reload()
    await expect(page.get_by_label("API key")).to_be_visible()


async def test_hebrew_is_read_from_the_right_and_is_kept(there: StandIn, goto: Goto) -> None:
    furnish(there)
    page = await goto("/now")
    await page.get_by_label("Language").select_option("עברית")
    await expect(page.get_by_role("heading", level=1)).to_have_text("עכשיו")
    assert await page.evaluate("[document.documentElement.dir, document.documentElement.lang]") == ["rtl", "he"]
    await page.reload()
    await expect(page.get_by_role("heading", level=1)).to_have_text("עכשיו")


async def test_a_browser_without_a_locale_of_its_system_shows_the_pages_all_the_same(
    there: StandIn, page: Page, goto: Goto
) -> None:
    """Chromium says this where LANG is C or POSIX, as in a container."""
    recording = there.add(40, State.READY)
    for name, value in (("language", "'en-US@posix'"), ("languages", "['en-US@posix']")):
        await page.add_init_script(f"Object.defineProperty(Navigator.prototype, '{name}', {{ get: () => {value} }})")
    await goto(f"/recordings/{recording.id}")
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await expect(page.locator("callspool-player").get_by_role("button", name="Play", exact=False).first).to_be_visible()


NOT_TRANSLATED = """() => {
  const found = [];
  const look = (root) => {
    const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
    for (let node = walk.nextNode(); node; node = walk.nextNode()) {
      if (node.nodeType === Node.ELEMENT_NODE) {
        if (node.shadowRoot && node.localName !== 'callspool-player') look(node.shadowRoot);
        continue;
      }
      const own = `style, script, noscript, code, bdi, td, th[scope=row], option[lang], option[value],
        .brand, .call, .cards strong`;
      const words = node.parentElement?.closest(own) ? [] : node.data.match(/[A-Za-z]{3,}/g) ?? [];
      if (words.length && !node.data.includes('⟦')) found.push(node.data.trim());
    }
  };
  look(document.body);
  return found;
}"""


async def test_nothing_that_the_pages_say_is_untranslated(there: StandIn, page: Page, goto: Goto) -> None:
    furnish(there)
    await page.add_init_script("localStorage.setItem('callspool.language', 'en-XA')")
    for path in PATHS[:-2]:
        await goto(path)
        await page.locator("main:not([aria-busy=true])").wait_for()
        assert await page.evaluate("document.documentElement.lang") == "en-XA"
        assert await page.evaluate(NOT_TRANSLATED) == [], path


async def test_arabic_says_what_is_wrong_and_why_something_waits(
    there: StandIn, page: Page, goto: Goto, complaints: Complaints
) -> None:
    complaints.allow("status of 422")
    furnish(there)
    recording = there.add(40, State.QUEUED)
    await page.add_init_script("localStorage.setItem('callspool.language', 'ar')")
    await goto(f"/recordings/{recording.id}")
    why = page.get_by_role("main").get_by_role("status").filter(has_text="لماذا")
    await expect(why).to_contain_text("3 من 3 خانات للعميل")
    await expect(why).to_contain_text("تسجيلان قبله")
    await expect(why).not_to_contain_text("busy")
    assert await page.evaluate("document.documentElement.dir") == "rtl"
    await goto("/now")
    await page.get_by_role("row", name="Acme Ltd").get_by_role("button", name="3").first.click()
    await page.get_by_role("spinbutton").fill("5000")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("إحدى القيم خطأ")
    await expect(page.get_by_role("alert")).to_contain_text("at most 1000 slots")


PATHS = ("/now", "/failures", "/backfill", "/keys", "/audit", "/?tenant=acme", "/recordings/rec_" + f"{1:032x}")


@pytest.mark.parametrize("look", ["light", "dark", "he"])
async def test_every_page_fits_its_window_and_is_accessible(
    look: str, there: StandIn, page: Page, goto: Goto, shoot: Shoot, axe: Callable[[Page], Awaitable[None]]
) -> None:
    furnish(there)
    there.history[f"rec_{1:032x}"] = [
        {
            "seq": seq,
            "event": event,
            "state": state,
            "version": seq,
            "attempt": min(seq - 1, 1),
            "at": at(9),
            "reason": reason,
            "sentence": POLICIES[reason].sentence if reason else None,
            "detail": "HTTP 200, 81,920 of 160,044 bytes" if reason else None,
            "actor": "worker:w1",
        }
        for seq, event, state, reason in [
            (1, "enqueue", "queued", None),
            (2, "claim", "fetching", None),
            (3, "defer", "queued", Reason.TRUNCATED),
            (4, "keep", "ready", None),
        ]
    ]
    await page.emulate_media(color_scheme="dark" if look == "dark" else "light")
    if look == "he":
        await page.add_init_script("localStorage.setItem('callspool.language', 'he')")
    for path in PATHS:
        await goto(path)
        await page.locator("main:not([aria-busy=true])").wait_for()
        await _settled(page.locator("main"))
        for width in (390, 1280):
            await page.set_viewport_size({"width": width, "height": 900})
            fits = await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            assert fits, f"{path} sticks out of {width} pixels"
            await shoot(page, f"dash-{path.strip('/?').split('=')[0].split('/')[0]}-{look}-{width}")
            if width > 390 or look == "light":
                await axe(page)


async def _settled(main: Locator) -> None:
    """Wait until something of the page's own stands there."""
    await expect(main.get_by_role("heading", level=1)).to_be_visible()
