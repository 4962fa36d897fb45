"""The simulator's audio is real: software that we did not write opens it, and it sounds like two people."""

import asyncio
import hashlib
import io
import time
from pathlib import Path

import av
import httpx
import numpy as np
import pytest
import soundfile

from callspool.simulator import Simulator
from callspool.simulator.conversation import Conversation
from callspool.simulator.library import BLOCK, Library, read_all, sha256_of
from callspool.simulator.speech import KEYS, RATE, Voices
from tests.fixtures.simulator import basic, media_path

CODECS = {"wav": "pcm_s16le", "mp3": "mp3float"}


@pytest.mark.parametrize("file_format", ["wav", "mp3"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("duration_s", [0.3, 7.25, 61.0])
async def test_two_other_decoders_find_the_right_duration_and_channels(
    simulator: Simulator, file_format: str, channels: int, duration_s: float
) -> None:
    account = simulator.add_account()
    recording = simulator.add_recording(account_sid=account.sid, duration_s=duration_s, channels=channels)
    async with httpx.AsyncClient(base_url=simulator.url, headers=basic(account)) as client:
        got = (await client.get(media_path(recording, file_format, dual=channels == 2))).raise_for_status()
    assert got.headers["content-type"] == {"wav": "audio/x-wav", "mp3": "audio/mpeg"}[file_format]

    samples, rate = soundfile.read(io.BytesIO(got.content), always_2d=True)
    assert (rate, samples.shape[1]) == (8000, channels)
    assert len(samples) / rate == pytest.approx(duration_s, abs=0.15)

    with av.open(io.BytesIO(got.content), format=file_format) as container:
        stream = container.streams.audio[0]
        assert (stream.codec_context.name, stream.rate, stream.channels) == (CODECS[file_format], 8000, channels)
        assert sum(frame.samples for frame in container.decode(stream)) / 8000 == pytest.approx(duration_s, abs=0.15)
    if file_format == "wav":
        assert len(samples) == duration_s * 8000
    elif duration_s > 60:
        assert len(got.content) * 8 / duration_s == pytest.approx(32_000, rel=0.02)


async def test_bytes_that_are_told_are_the_bytes_that_are_sent(simulator: Simulator) -> None:
    account = simulator.add_account()
    recording = simulator.add_recording(account_sid=account.sid, duration_s=3, channels=2)
    async with httpx.AsyncClient(base_url=simulator.url, headers=basic(account)) as client:
        for dual in (False, True):
            for file_format in ("wav", "mp3"):
                got = await client.get(media_path(recording, file_format, dual=dual))
                assert got.content == await simulator.audio(recording, file_format, channels=1 + dual)
        got = await client.get(media_path(recording, dual=True))
    assert hashlib.sha256(got.content).hexdigest() == await simulator.sha256(recording)


async def test_same_seed_gives_the_same_bytes_and_another_gives_others() -> None:
    first, second = Library(), Library()
    try:
        for file_format in ("wav", "mp3"):
            one, same = [read_all(await library.find(5, 9.5, file_format, 2)) for library in (first, second)]
            assert one == same
            assert one != read_all(await first.find(6, 9.5, file_format, 2))
        tiny = {sha256_of(await first.find(seed, 0.05, "wav", 1)) for seed in range(50)}
        assert len(tiny) == 50
    finally:
        await first.close()
        await second.close()


def test_two_people_take_turns_with_pauses_between() -> None:
    samples = Conversation(11, 120, Voices()).render(0, 120 * RATE, 2).astype(float)
    loud = np.sqrt((samples.reshape(-1, RATE // 10, 2) ** 2).mean(axis=1)) > 300
    speaks = loud.mean(axis=0)
    assert 0.2 < speaks[0] < 0.8
    assert 0.2 < speaks[1] < 0.8
    assert (loud[:, 0] & loud[:, 1]).mean() < 0.05
    assert (~loud[:, 0] & ~loud[:, 1]).mean() > 0.1


def test_speech_has_a_pitch_and_resonances_and_lies_in_the_telephone_band() -> None:
    said = Voices().utterance(0, 0).astype(float)
    power = np.abs(np.fft.rfft(said)) ** 2
    hz = np.fft.rfftfreq(said.size, 1 / RATE)
    band = power[(hz > 250) & (hz < 3400)].sum() / power.sum()
    assert band > 0.8
    middle = said[said.size // 3 : said.size // 3 + 800]
    echo = np.correlate(middle, middle, "full")[799:]
    period = 40 + int(np.argmax(echo[40:120]))  # 200 to 67 Hz
    assert echo[period] > 0.4 * echo[0]


@pytest.mark.parametrize("key", KEYS)
def test_key_presses_are_the_two_tones_of_their_key(key: str) -> None:
    tone = Voices().key_press(key).astype(float)
    power = np.abs(np.fft.rfft(tone, RATE))
    rows, columns = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
    row = max(range(4), key=lambda n: power[rows[n]])
    column = max(range(4), key=lambda n: power[columns[n]])
    assert KEYS[row * 4 + column] == key


async def test_any_range_equals_that_part_of_the_whole() -> None:
    library = Library()
    try:
        for channels in (1, 2):
            audio = await library.find(3, 4.321, "wav", channels)
            whole = read_all(audio)
            assert len(whole) == audio.size
            for step in (1, 43, 44, 45, 1001, BLOCK):
                starts = range(0, min(audio.size, 200 * step), step)
                assert b"".join(audio.read(at, at + step) for at in starts) == whole[: len(starts) * step]
    finally:
        await library.close()


async def test_a_minute_takes_milliseconds_and_hours_take_no_memory(simulator: Simulator) -> None:
    account = simulator.add_account()
    for seed in range(6):  # the voices are made once
        await simulator.audio(simulator.add_recording(account_sid=account.sid, duration_s=60, seed=seed))
    times = []
    for seed in range(100, 105):
        recording = simulator.add_recording(account_sid=account.sid, duration_s=60, seed=seed)
        begun = time.perf_counter()
        await simulator.sha256(recording)
        times.append(time.perf_counter() - begun)
    assert min(times) < 0.1

    library = Library()
    hours = await library.find(1, 5 * 3600.0, "wav", 2)
    assert hours.size == 44 + 5 * 3600 * 8000 * 4
    with soundfile.SoundFile(io.BytesIO(hours.read(0, 2_000_000))) as sound:
        assert sound.samplerate == 8000
    assert len(hours.read(hours.size - 1000, hours.size)) == 1000
    await library.close()


async def test_nothing_stays_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    async with Simulator() as running:
        account = running.add_account()
        await running.audio(running.add_recording(account_sid=account.sid, duration_s=1), "mp3")
        assert len(list(tmp_path.rglob("*.mp3"))) == 1
    assert list(tmp_path.iterdir()) == []


async def test_clients_at_once_get_the_same_whole_file(simulator: Simulator) -> None:
    account = simulator.add_account()
    recording = simulator.add_recording(account_sid=account.sid, duration_s=20)
    async with httpx.AsyncClient(base_url=simulator.url, headers=basic(account)) as client:
        got = await asyncio.gather(*(client.get(media_path(recording, "mp3")) for _ in range(5)))
    assert len({answer.content for answer in got}) == 1
    assert all(answer.status_code == 200 for answer in got)


async def test_some_calls_have_key_presses_and_they_are_the_keypads_tones(simulator: Simulator) -> None:
    account = simulator.add_account()
    pressed = 0
    for seed in range(20):
        recording = simulator.add_recording(account_sid=account.sid, duration_s=20, channels=2, seed=seed)
        samples, _ = soundfile.read(io.BytesIO(await simulator.audio(recording, channels=2)), always_2d=True)
        pressed += has_key_press(samples[:, 0])
        assert not has_key_press(samples[:, 1])  # the first channel's side presses
    assert 3 <= pressed <= 19


def has_key_press(samples: np.ndarray) -> bool:
    """Look as an exchange does: for 75 ms or longer nothing but one row's and one column's tone of the keypad."""
    starts = range(0, len(samples) - 400, 200)
    frames = np.stack([samples[start : start + 400] for start in starts]) * np.hanning(400)  # 50 ms each
    power = np.abs(np.fft.rfft(frames, 4000)) ** 2  # 2 Hz a bin
    total = power.sum(axis=1)
    tones = [
        np.max([power[:, hz // 2 - 25 : hz // 2 + 25].sum(axis=1) for hz in hertz], axis=0)
        for hertz in ((697, 770, 852, 941), (1209, 1336, 1477, 1633))
    ]
    is_pair = (total > 0.02 * total.max()) & (tones[0] + tones[1] > 0.95 * total) & (np.minimum(*tones) > 0.25 * total)
    return bool((is_pair[1:] & is_pair[:-1]).any())
