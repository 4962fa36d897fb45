"""What each fault does on the wire, seen by a client that neither checks nor retries; and how faults are written."""

import email.utils
import io
from collections import Counter

import httpx
import pytest
import soundfile

from callspool.simulator import Account, Fault, FaultKind, Recording, Simulator
from callspool.simulator.faults import CallbackFault
from tests.fixtures.simulator import Heard, basic, hear, media_path, wait_until


class Faulty:
    """A recording with a fault, and what a client hears of it."""

    def __init__(self, simulator: Simulator, *faults: str, duration_s: float = 2.0) -> None:
        self.simulator = simulator
        self.account: Account = simulator.add_account()
        self.recording: Recording = simulator.add_recording(
            account_sid=self.account.sid, duration_s=duration_s, channels=1, faults=faults
        )

    async def hear(self, **given: object) -> Heard:
        headers = {**basic(self.account), **given.pop("headers", {})}  # type: ignore[dict-item]
        return await hear(self.simulator.url, media_path(self.recording), headers, **given)  # type: ignore[arg-type]

    async def audio(self) -> bytes:
        return await self.simulator.audio(self.recording)


async def test_not_found_for_the_first_seconds(simulator: Simulator) -> None:
    faulty = Faulty(simulator, "404:30")
    assert (await faulty.hear()).status == 404
    simulator.clock.ahead_s = 29
    assert (await faulty.hear()).status == 404
    simulator.clock.ahead_s = 30
    assert (await faulty.hear()).body == await faulty.audio()


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_refused_for_ever(simulator: Simulator, status: int) -> None:
    faulty = Faulty(simulator, str(status))
    assert [(await faulty.hear()).status for _ in range(3)] == [status] * 3


async def test_refused_so_many_times(simulator: Simulator) -> None:
    faulty = Faulty(simulator, "403:2")
    assert [(await faulty.hear()).status for _ in range(3)] == [403, 403, 200]


async def test_too_many_requests_with_seconds_a_date_or_nothing(simulator: Simulator) -> None:
    faulty = Faulty(simulator, "429:3:2", "429:date60", "429")
    answers = [await faulty.hear() for _ in range(5)]
    assert [answer.status for answer in answers] == [429, 429, 429, 429, 200]
    assert [answer.headers.get("retry-after") for answer in answers[:2]] == ["3", "3"]
    until, now = (email.utils.parsedate_to_datetime(answers[2].headers[name]) for name in ("retry-after", "date"))
    assert (until - now).total_seconds() == pytest.approx(60, abs=1)
    assert "retry-after" not in answers[3].headers
    assert b'"code": 20429' in answers[0].body


async def test_server_errors_pass(simulator: Simulator) -> None:
    faulty = Faulty(simulator, "500", "503:2:7")
    answers = [await faulty.hear() for _ in range(4)]
    assert [answer.status for answer in answers] == [500, 503, 503, 200]
    assert answers[1].headers["retry-after"] == "7"


async def test_connection_is_reset_in_mid_body_and_can_be_resumed(simulator: Simulator) -> None:
    faulty = Faulty(simulator, "reset:0.25")
    whole = await faulty.audio()
    broken = await faulty.hear()
    assert (broken.status, broken.end) == (200, "reset")
    assert int(broken.headers["content-length"]) == len(whole)
    assert broken.body == whole[: len(whole) // 4]
    rest = await faulty.hear(headers={"Range": f"bytes={len(broken.body)}-", "If-Range": broken.headers["etag"]})
    assert (rest.status, broken.body + rest.body) == (206, whole)


async def test_stall_sends_a_part_and_then_nothing(simulator: Simulator) -> None:
    faulty = Faulty(simulator, "stall:0.5")
    whole = await faulty.audio()
    got = await faulty.hear(quiet_s=0.3)
    assert (got.end, got.body) == ("open", whole[: len(whole) // 2])
    assert (await faulty.hear()).body == whole


async def test_short_body_breaks_the_promise_of_its_length(simulator: Simulator) -> None:
    faulty = Faulty(simulator, "short:0.5")
    whole = await faulty.audio()
    got = await faulty.hear()
    assert (got.end, got.body, int(got.headers["content-length"])) == ("closed", whole[: len(whole) // 2], len(whole))
    async with httpx.AsyncClient(headers=basic(faulty.account)) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(simulator.url + media_path(faulty.recording))


async def test_truncated_body_looks_whole_to_http(simulator: Simulator) -> None:
    faulty = Faulty(simulator, "truncated:0.5")
    whole = await faulty.audio()
    got = await faulty.hear()
    assert (got.end, got.body) == ("closed", whole[: len(whole) // 2])
    assert "content-length" not in got.headers
    assert "transfer-encoding" not in got.headers
    async with httpx.AsyncClient(headers=basic(faulty.account)) as client:  # it notices nothing
        assert (await client.get(simulator.url + media_path(faulty.recording))).content == got.body


@pytest.mark.parametrize("delta", [-1000, 500])
async def test_wrong_length_comes_with_all_of_the_body(simulator: Simulator, delta: int) -> None:
    faulty = Faulty(simulator, f"wrong-length:{delta}:1")
    whole = await faulty.audio()
    got = await faulty.hear()
    assert (got.body, int(got.headers["content-length"]), got.end) == (whole, len(whole) + delta, "closed")
    assert int((await faulty.hear()).headers["content-length"]) == len(whole)


async def test_garbage_is_called_audio_and_is_none(simulator: Simulator) -> None:
    faulty = Faulty(simulator, "garbage")
    got = await faulty.hear()
    assert (got.status, got.headers["content-type"]) == (200, "audio/x-wav")
    assert len(got.body) == len(await faulty.audio())
    with pytest.raises(soundfile.LibsndfileError):
        soundfile.read(io.BytesIO(got.body))


@pytest.mark.parametrize(("kind", "content_type"), [("html", "text/html; charset=utf-8"), ("json", "application/json")])
async def test_error_page_comes_with_status_200(simulator: Simulator, kind: str, content_type: str) -> None:
    got = await Faulty(simulator, kind).hear()
    assert (got.status, got.headers["content-type"]) == (200, content_type)
    assert len(got.body) == int(got.headers["content-length"])


async def test_endless_body_goes_on_past_any_size_until_the_client_leaves(simulator: Simulator) -> None:
    faulty = Faulty(simulator, "endless")
    whole = await faulty.audio()
    got = await faulty.hear(until=lambda body: len(body) > 20 * len(whole))
    assert (got.end, got.body[: len(whole)]) == ("open", whole)
    assert "content-length" not in got.headers
    await wait_until(lambda: simulator.log.entries[-1].end is not None)
    assert not simulator.log.entries[-1].whole


async def test_redirect_leads_to_another_origin_that_wants_no_credentials(simulator: Simulator) -> None:
    faulty = Faulty(simulator, "redirect")
    got = await faulty.hear()
    location = got.headers["location"]
    assert (got.status, location.startswith(simulator.second_origin)) == (302, True)
    assert simulator.second_origin != simulator.url
    second = await hear(simulator.second_origin, location.removeprefix(simulator.second_origin))
    assert second.body == await faulty.audio()
    forged = await hear(simulator.second_origin, location.removeprefix(simulator.second_origin) + "0")
    assert forged.status == 403
    hops = simulator.log.entries[-3:]
    assert [(hop.origin, hop.authorized, hop.whole) for hop in hops] == [
        ("api", True, False),
        ("media", False, True),
        ("media", False, False),
    ]


async def test_redirect_leads_in_a_circle_or_where_it_is_told(simulator: Simulator) -> None:
    loop = Faulty(simulator, "redirect:loop")
    assert (await loop.hear()).headers["location"] == media_path(loop.recording)
    inside = Faulty(simulator, "redirect:http://169.254.169.254/latest/meta-data?x=1")
    assert (await inside.hear()).headers["location"] == "http://169.254.169.254/latest/meta-data?x=1"


async def test_drip_and_latency_go_along_with_other_faults(simulator: Simulator) -> None:
    faulty = Faulty(simulator, "drip:4000", "latency:0.1", "reset:0.1", duration_s=1)
    whole = await faulty.audio()
    got = await faulty.hear()
    entry = simulator.log.entries[-1]
    assert (got.end, len(got.body)) == ("reset", len(whole) // 10)
    assert entry.end is not None
    assert entry.end - entry.start == pytest.approx(0.1 + len(got.body) / 4000, abs=0.2)
    again = await faulty.hear(until=lambda body: len(body) >= 400)
    assert again.end == "open"  # still dripping, and no longer broken


async def test_faults_happen_one_after_the_other(simulator: Simulator) -> None:
    faulty = Faulty(simulator, "503:1", "429:1:1", "reset:0", "html:1")
    seen = [await faulty.hear() for _ in range(5)]
    assert [answer.status for answer in seen] == [503, 429, 200, 200, 200]
    assert seen[3].headers["content-type"].startswith("text/html")
    assert seen[4].body == await faulty.audio()
    assert [entry.fault for entry in simulator.log.entries] == ["status", "status", "reset", "html", ""]


async def test_head_requests_meet_no_fault_and_use_none_up(simulator: Simulator) -> None:
    faulty = Faulty(simulator, "503:1")
    async with httpx.AsyncClient(headers=basic(faulty.account)) as client:
        assert (await client.head(simulator.url + media_path(faulty.recording))).status_code == 200
    assert (await faulty.hear()).status == 503


ALL_KINDS = [
    *("404", "404:2.5", "401", "403:3", "410", "429", "429:3:2", "429:date9:always", "429:-:2", "500", "503:2:9"),
    *(
        "reset",
        "reset:0.9:3",
        "stall",
        "short",
        "truncated:0.2",
        "wrong-length",
        "wrong-length:-8:1",
        "altered:0.9:1",
        "garbage",
    ),
    *("html", "json:1", "endless", "redirect", "redirect:loop", "redirect:https://a.example:8/b?c=d", "drip:10"),
    *("latency:0.5", "no-range", "weak-etag"),
]


@pytest.mark.parametrize("text", ALL_KINDS)
def test_fault_is_read_from_what_it_is_written_as(text: str) -> None:
    fault = Fault.parse(text)
    assert Fault.parse(str(fault)) == fault


def test_every_kind_of_fault_can_be_written() -> None:
    assert {Fault.parse(text).kind for text in ALL_KINDS} == set(FaultKind)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "status",
        "418",
        "200",
        "999",
        "reset:2",
        "reset:x",
        "429:soon",
        "drip",
        "drip:0",
        "latency",
        "html:1:2",
        "403:-1",
    ],
)
def test_fault_that_makes_no_sense_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"^fault '.*': .+"):
        Fault.parse(text)


@pytest.mark.parametrize("text", ["duplicate", "duplicate:3", "lost", "reordered", "late:0.5"])
def test_callback_fault_is_read_from_what_it_is_written_as(text: str) -> None:
    fault = CallbackFault.parse(text)
    assert CallbackFault.parse(str(fault)) == fault


@pytest.mark.parametrize("text", ["", "early", "lost:2", "late:x", "duplicate:-1"])
def test_callback_fault_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^callback fault '.*': .+"):
        CallbackFault.parse(text)


def test_faults_come_at_their_rates_and_the_same_for_the_same_seed() -> None:
    rates = {Fault.parse("reset"): 0.2, Fault.parse("410"): 0.1}

    def draw(seed: int) -> list[str]:
        simulator = Simulator(seed=seed, fault_rates=rates)
        account = simulator.add_account()
        made = (simulator.add_recording(account_sid=account.sid) for _ in range(1000))
        return [" ".join(map(str, recording.faults)) for recording in made]

    first = draw(7)
    counted = Counter(first)
    assert first == draw(7)
    assert first != draw(8)
    assert counted["reset:0.5:1"] == pytest.approx(200, abs=50)
    assert counted["410:always:-"] == pytest.approx(100, abs=40)
    with pytest.raises(ValueError, match="rates"):
        Simulator(fault_rates={Fault.parse("reset"): 1.1})
