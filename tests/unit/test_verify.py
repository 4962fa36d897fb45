"""What a file proved to be, against what the provider announced and was asked for: real files, really decoded."""

import itertools
import struct
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from callspool.audio.probe import SubprocessProber
from callspool.domain.errors import FetchFailed
from callspool.domain.ports.audio import Probe
from callspool.domain.reasons import Reason
from callspool.domain.recording import Unverified
from callspool.domain.tenant import MediaFormat
from callspool.fetch.verify import verify
from tests.fixtures import made

MINUTE = made.tone(60.0, 2)
PROBE = Probe("audio/wav", "wav", 1, 8000, 60.0)
FORMS = {
    "16-bit": lambda seconds, channels: made.wav(seconds, channels, "PCM_16"),
    "8-bit": lambda seconds, channels: made.wav(seconds, channels, "PCM_U8"),
    "mu-law": lambda seconds, channels: made.wav(seconds, channels, "ULAW"),
    "A-law": lambda seconds, channels: made.wav(seconds, channels, "ALAW"),
    "MP3": made.mp3,
}


@pytest.fixture
async def prober() -> AsyncIterator[SubprocessProber]:
    prober = SubprocessProber()
    yield prober
    await prober.close()


def judged(
    probe: Probe,
    *,
    duration_s: float | None = 60.0,
    channels: int | None = 1,
    media_format: MediaFormat = MediaFormat.DUAL_WAV,
    asked_channels: int | None = None,
    has_length: bool = True,
) -> tuple[Unverified, ...]:
    recording = made.recording(announced_duration_s=duration_s, announced_channels=channels)
    return verify(recording, probe, media_format=media_format, asked_channels=asked_channels, has_length=has_length)


@pytest.mark.rule("I3")
@pytest.mark.parametrize(
    ("announced", "measured"),
    [(60, 57.9), (60, 62.1), (60, 30.0), (1000, 994.9), (1000, 1005.1), (7200, 7194.9), (10, 0.1)],
)
def test_another_duration_than_was_announced_is_refused(announced: float, measured: float) -> None:
    with pytest.raises(FetchFailed) as failed:
        judged(replace(PROBE, duration_s=measured), duration_s=announced)
    assert failed.value.reason is Reason.WRONG_DURATION


@pytest.mark.parametrize(
    ("announced", "measured"),
    [(60, 58.1), (60, 61.9), (200, 196.1), (200, 203.9), (1000, 995.1), (7200, 7204.9), (1, 0.02), (0, 1.9)],
)
def test_a_duration_within_rounding_is_the_announced_one(announced: float, measured: float) -> None:
    assert judged(replace(PROBE, duration_s=measured), duration_s=announced) == ()


@pytest.mark.rule("F23")
def test_an_unknown_duration_leaves_the_recording_unverified() -> None:
    assert judged(PROBE, duration_s=None) == (Unverified.DURATION,)


@pytest.mark.rule("I3")
@pytest.mark.parametrize(
    ("has_length", "is_counted", "unknown"),
    [(True, False, ()), (False, True, ()), (True, True, ()), (False, False, (Unverified.END,))],
)
def test_an_end_that_nothing_counts_leaves_the_recording_unverified(
    has_length: bool, is_counted: bool, unknown: tuple[Unverified, ...]
) -> None:
    assert judged(replace(PROBE, is_counted=is_counted), has_length=has_length) == unknown


@pytest.mark.rule("I3")
@pytest.mark.parametrize("announced", [2, None])
def test_one_channel_in_place_of_the_two_that_were_asked_for_is_refused(announced: int | None) -> None:
    with pytest.raises(FetchFailed) as failed:
        judged(PROBE, channels=announced, asked_channels=2)
    assert failed.value.reason is Reason.WRONG_CHANNELS


@pytest.mark.parametrize("announced", [2, None])
def test_two_channels_where_two_were_asked_for_are_proven(announced: int | None) -> None:
    assert judged(replace(PROBE, channels=2), channels=announced, asked_channels=2) == ()


@pytest.mark.parametrize(
    ("announced", "decoded", "unknown"),
    [(1, 1, ()), (2, 1, (Unverified.CHANNELS,)), (None, 1, (Unverified.CHANNELS,)), (1, 2, (Unverified.CHANNELS,))],
    ids=["as-announced", "mono-of-dual", "unannounced", "dual-of-mono"],
)
def test_where_the_provider_chose_the_form_its_announcement_decides(
    announced: int | None, decoded: int, unknown: tuple[Unverified, ...]
) -> None:
    """It refused two channels, so this is all there is: it is kept, and what is not known of it is marked."""
    assert judged(replace(PROBE, channels=decoded), channels=announced) == unknown


@pytest.mark.parametrize("media_format", [MediaFormat.WAV, MediaFormat.MP3])
def test_an_account_that_takes_the_mix_gets_a_dual_recording_in_one_channel(media_format: MediaFormat) -> None:
    assert judged(PROBE, channels=2, media_format=media_format) == ()


@pytest.mark.rule("F11", "F24")
@pytest.mark.parametrize("form", FORMS)
async def test_every_form_is_proven_however_short(prober: SubprocessProber, tmp_path: Path, form: str) -> None:
    path = tmp_path / "file.part"
    for seconds, channels in itertools.product((0.04, 0.9, 7.5), (1, 2)):
        path.write_bytes(FORMS[form](seconds, channels))
        probe = await prober.probe(path)
        assert (probe.extension, probe.channels) == ("mp3" if form == "MP3" else "wav", channels)
        # Providers announce whole seconds, and 0 for what is shorter.
        announced = float(int(seconds))
        assert judged(probe, duration_s=announced, channels=channels, asked_channels=channels) == ()


SUBTYPES = {"16-bit": "PCM_16", "8-bit": "PCM_U8", "mu-law": "ULAW", "A-law": "ALAW"}


def write_wav(path: Path, subtype: str, minutes: int) -> None:
    """Write a long one, a minute again and again."""
    with soundfile.SoundFile(path, "w", 8000, 2, subtype, format="WAV") as file:
        for _ in range(minutes):
            file.write(MINUTE)


@pytest.mark.rule("S9")
@pytest.mark.parametrize("form", FORMS)
async def test_two_hours_are_proven_like_a_minute(
    prober: SubprocessProber, tmp_path: Path, form: str, is_long: bool
) -> None:
    seconds = 7200.0 if is_long or form != "MP3" else 120.0  # to make that MP3 takes half a minute
    path = tmp_path / "file.part"
    if form == "MP3":
        path.write_bytes(made.mp3(seconds, 2))
    else:
        write_wav(path, SUBTYPES[form], round(seconds / 60))
    probe = await prober.probe(path)
    assert judged(probe, duration_s=seconds, channels=2, asked_channels=2, has_length=False) == ()  # it counts itself


def frames_of(data: bytes) -> list[bytes]:
    """Cut an MP3 of MPEG-2.5 at 8 kHz into its frames."""
    rates = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]
    at = data.index(b"\xff\xe3")
    found = []
    while at + 4 <= len(data):
        size = 72 * rates[data[at + 2] >> 4] * 1000 // 8000 + (data[at + 2] >> 1 & 1)
        found.append(data[at : at + size])
        at += size
    return found


@pytest.mark.rule("I3")
async def test_mp3_that_was_cut_between_two_frames_is_refused_by_its_duration(
    prober: SubprocessProber, tmp_path: Path
) -> None:
    """Each frame is whole, so no decoder minds: without the count in a first frame only the announcement tells."""
    frames = frames_of(made.mp3(20.0))[1:]  # the first one holds that count
    path = tmp_path / "file.part"
    path.write_bytes(b"".join(frames[: len(frames) // 2]))
    probe = await prober.probe(path)
    assert probe.duration_s == pytest.approx(10.0, abs=0.5)
    with pytest.raises(FetchFailed) as failed:
        judged(probe, duration_s=20.0)
    assert failed.value.reason is Reason.WRONG_DURATION
    assert judged(probe, duration_s=None) == (Unverified.DURATION,)


@pytest.mark.rule("I3")
async def test_mp3_that_counts_its_frames_is_truncated_without_them(prober: SubprocessProber, tmp_path: Path) -> None:
    frames = frames_of(made.mp3(20.0))
    path = tmp_path / "file.part"
    path.write_bytes(b"".join(frames))
    assert (await prober.probe(path)).duration_s == pytest.approx(20.0, abs=0.3)
    path.write_bytes(b"".join(frames[: len(frames) // 2]))
    with pytest.raises(FetchFailed) as failed:
        await prober.probe(path)
    assert failed.value.reason is Reason.TRUNCATED


@pytest.mark.rule("I3")
@pytest.mark.parametrize("missing_s", [60, 6])
async def test_an_hour_of_mp3_without_its_end_is_refused(
    prober: SubprocessProber, tmp_path: Path, missing_s: int
) -> None:
    """Less than 2 % of it: that much more may no rounding explain."""
    some = frames_of(made.mp3(20.0))[1:]
    count = (3600 - missing_s) * 8000 // 576  # samples a frame
    path = tmp_path / "file.part"
    path.write_bytes(b"".join(itertools.islice(itertools.cycle(some), count)))
    probe = await prober.probe(path)
    assert not probe.is_counted
    assert probe.duration_s == pytest.approx(3600 - missing_s, abs=0.5)
    with pytest.raises(FetchFailed) as failed:
        judged(probe, duration_s=3600.0)
    assert failed.value.reason is Reason.WRONG_DURATION
    assert judged(probe, duration_s=3600.0 - missing_s, has_length=False) == (Unverified.END,)


LIES = {
    "half-the-rate": (24, struct.pack("<I", 4000)),
    "twice-the-rate": (24, struct.pack("<I", 16000)),
    "two-channels-of-one": (22, struct.pack("<HIIH", 2, 8000, 32000, 4)),
    "eight-bits-of-sixteen": (28, struct.pack("<IHH", 8000, 1, 8)),
    "less-audio-than-there-is": (40, struct.pack("<I", 16000)),
    "more-audio-than-there-is": (40, struct.pack("<I", 10_000_000)),
    "a-longer-file": (4, struct.pack("<I", 10_000_000)),
}


@pytest.mark.rule("I3")
async def test_wav_whose_header_lies_is_refused(prober: SubprocessProber, tmp_path: Path) -> None:
    path = tmp_path / "file.part"
    for lie, (at, written) in LIES.items():
        data = bytearray(made.wav(20.0))
        data[at : at + len(written)] = written
        path.write_bytes(data)
        with pytest.raises(FetchFailed) as failed:
            judged(await prober.probe(path), duration_s=20.0)
        assert failed.value.reason in (Reason.WRONG_DURATION, Reason.TRUNCATED), lie
