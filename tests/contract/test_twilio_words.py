"""Every status, source and error code that Twilio has, and recordings that were paused."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import soundfile

from callspool.audio.probe import SubprocessProber
from callspool.domain.errors import FetchFailed, InvalidInput
from callspool.domain.ports.provider import Notice, ProviderStatus
from callspool.domain.reasons import Reason
from callspool.domain.tenant import MediaFormat
from callspool.fetch.verify import verify
from callspool.providers.twilio import Twilio
from callspool.simulator import Simulator
from tests.fixtures.providers import Provided, account_of
from tests.fixtures.specification import enum_of

DAY = timedelta(days=1)
STATUSES = {
    "in-progress": ProviderStatus.IN_PROGRESS,
    "paused": ProviderStatus.IN_PROGRESS,
    "stopped": ProviderStatus.IN_PROGRESS,
    "processing": ProviderStatus.IN_PROGRESS,
    "completed": ProviderStatus.COMPLETED,
    "absent": ProviderStatus.ABSENT,
    "deleted": None,
}
CODES = {
    16101: "too short",
    16102: "silent",
    16105: "no public key",
    16107: "another public key",
    16108: "too many recordings",
    16113: "two channels",
    20404: "another region",
    20429: "may be repeated",
}


@pytest.fixture
async def twilio(simulator: Simulator) -> AsyncIterator[Provided]:
    theirs = simulator.add_account()
    module = Twilio()
    yield Provided("twilio", module, account_of(simulator, theirs), simulator, theirs)
    await module.close()


async def listed(twilio: Provided) -> list[Notice]:
    now = datetime.now(UTC)
    return [entry.notice for entry in (await twilio.provider.list(twilio.account, now - DAY, now + DAY)).entries]


@pytest.mark.parametrize("status", enum_of("recording_enum_status"))
async def test_every_status_is_known_in_webhooks_and_lists(twilio: Provided, status: str) -> None:
    recording = twilio.make(duration_s=2.0)
    twilio.simulator.set_status(recording, status)
    request, expected = twilio.webhook(recording, status), STATUSES[status]

    if expected is None:  # no webhook tells of it, and what is deleted there is not listed
        with pytest.raises(InvalidInput):
            twilio.read(request)
        assert await listed(twilio) == []
        assert await twilio.provider.look_up(twilio.account, recording.sid) is None
        return
    told = twilio.read(request)
    assert told is not None
    assert told.status is expected
    assert [(one.status, one.duration_s) for one in await listed(twilio)] == [
        (expected, 2.0 if status == "completed" else None)
    ]


@pytest.mark.parametrize("source", enum_of("recording_enum_source"))
async def test_every_source_is_kept_as_twilio_names_it(twilio: Provided, source: str) -> None:
    recording = twilio.make(duration_s=2.0, source=source)
    told = twilio.read(twilio.webhook(recording))
    assert told is not None
    assert [told.source, *(one.source for one in await listed(twilio))] == [source, source]


@pytest.mark.parametrize("code", list(CODES))
async def test_every_error_code_is_explained(twilio: Provided, code: int) -> None:
    recording = twilio.make(duration_s=2.0, status="absent", error_code=code)
    told = twilio.read(twilio.webhook(recording, "absent"))
    assert told is not None
    for error in (told.error, *(one.error for one in await listed(twilio))):
        assert error is not None
        assert error.startswith(f"{code}: ")
        assert CODES[code] in error


@pytest.mark.parametrize(
    ("fault", "code", "reason"),
    [("404", 20404, Reason.NOT_READY), ("429:3", 20429, Reason.THROTTLED)],
)
async def test_codes_of_refusals_are_told_with_the_reason(
    twilio: Provided, fault: str, code: int, reason: Reason
) -> None:
    with pytest.raises(FetchFailed, match=CODES[code]) as failed:
        await twilio.download(twilio.ours(twilio.make(duration_s=1.0, fault=fault)))
    assert failed.value.reason is reason


@pytest.mark.parametrize(("behavior", "recorded_s"), [("silence", 12.0), ("skip", 7.0)])
async def test_a_recording_that_was_paused_is_proven(
    provided: Provided, tmp_path: Path, behavior: str, recorded_s: float
) -> None:
    """Paused for 5 s of 12: the pause is in it as a silence, or is not in it. The call lasted 12 s in either case."""
    recording = provided.make(duration_s=12.0, paused_s=5.0, pause_behavior=behavior, channels=1)
    assert provided.simulator.calls[recording.call_sid].duration_s == 12.0
    notice = provided.read(provided.webhook(recording))
    assert notice is not None
    ours = provided.ours(recording, announced_duration_s=notice.duration_s, announced_channels=notice.channels)

    file = tmp_path / "recording.wav"
    async with provided.provider.open(provided.account, ours) as media:
        file.write_bytes(b"".join([bytes(chunk) async for chunk in media.chunks()]))
        told_s, asked = media.duration_s, media.channels
    prober = SubprocessProber()
    probe = await prober.probe(file)
    await prober.close()

    assert probe.duration_s == pytest.approx(recorded_s)
    dual = MediaFormat.DUAL_WAV
    assert verify(ours, probe, media_format=dual, asked_channels=asked, told_duration_s=told_s) == ()
    samples, rate = soundfile.read(file, dtype="int16")
    middle = samples[len(samples) // 2 - 2 * rate : len(samples) // 2 + 2 * rate]
    assert bool(np.any(middle)) is (behavior == "skip")
