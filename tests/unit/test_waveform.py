"""Peaks and silences, as the proving process makes them: of real WAV and MP3."""

import gzip
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from callspool.audio.probe import SubprocessProber
from callspool.audio.waveform import MOST_PIXELS, Waveform
from tests.fixtures import made


@pytest.fixture
async def prober() -> AsyncIterator[SubprocessProber]:
    prober = SubprocessProber()
    yield prober
    await prober.close()


def document(waveform: bytes) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(gzip.decompress(waveform))
    return read


def pairs(drawn: dict[str, Any], channel: int) -> list[tuple[int, int]]:
    """Return a channel's least and greatest sample of each pixel."""
    data, step = drawn["data"], 2 * drawn["channels"]
    return list(zip(data[2 * channel :: step], data[2 * channel + 1 :: step], strict=True))


def wav(samples: np.ndarray, subtype: str = "PCM_16") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, 8000, format="WAV", subtype=subtype)
    return file.getvalue()


async def drawn(prober: SubprocessProber, tmp_path: Path, data: bytes) -> dict[str, Any]:
    path = tmp_path / "file.part"
    path.write_bytes(data)
    return document((await prober.probe(path)).waveform)


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_U8", "ULAW", "ALAW"])
async def test_each_channel_has_its_own_peaks(prober: SubprocessProber, tmp_path: Path, subtype: str) -> None:
    samples = np.zeros((8000, 2), np.int16)
    samples[4000:, 0] = 16384  # agent: half a second of nothing, then half of full scale
    samples[:, 1] = -8192
    told = await drawn(prober, tmp_path, wav(samples, subtype))
    assert (told["version"], told["bits"], told["channels"], told["samples_per_pixel"]) == (2, 8, 2, 160)
    assert told["length"] == 50
    agent, customer = pairs(told, 0), pairs(told, 1)
    assert all(abs(low) <= 1 and abs(high) <= 1 for low, high in agent[:25])
    assert all(61 <= low <= high <= 66 for low, high in agent[25:])
    assert all(-35 <= low <= high <= -29 for low, high in customer)


async def test_mp3_is_drawn_like_the_wav_of_the_same_sound(prober: SubprocessProber, tmp_path: Path) -> None:
    from_wav = await drawn(prober, tmp_path, made.wav(5.0, 2))
    from_mp3 = await drawn(prober, tmp_path, made.mp3(5.0, 2))
    assert from_mp3["channels"] == 2
    assert abs(from_mp3["length"] - from_wav["length"]) <= 10
    loudest = [max(high for _, high in pairs(one, 0)) for one in (from_wav, from_mp3)]
    assert loudest[1] == pytest.approx(loudest[0], abs=3)


async def test_silences_are_spans_of_each_channel(prober: SubprocessProber, tmp_path: Path) -> None:
    tone = made.tone(1.0)[:, 0]
    quiet = np.zeros(16000, np.int16)
    short = np.zeros(2000, np.int16)  # a quarter of a second: a pause for breath
    agent = np.concatenate((tone, quiet, tone, short, tone))
    customer = np.tile(tone, 6)[: len(agent)]
    told = await drawn(prober, tmp_path, wav(np.stack((agent, customer), axis=1)))
    ((start, end),), others = told["silences"]
    assert (start, end) == (pytest.approx(1.0, abs=0.04), pytest.approx(3.0, abs=0.04))
    assert others == []


def test_noise_between_the_thresholds_does_not_chop_a_silence() -> None:
    drawing = Waveform(8000, 1)
    noise = np.tile(np.concatenate((np.full(160, 100, np.int16), np.full(160, 500, np.int16))), 50)
    drawing.feed([noise])
    assert document(drawing.finish())["silences"] == [[[0.0, 2.0]]]


@pytest.mark.parametrize("seconds", [0.001, 0.5, 79.99, 80.0, 80.02, 7200.0])
def test_there_are_never_more_pixels_than_a_player_needs_and_none_is_lost(seconds: float) -> None:
    frames = int(8000 * seconds)
    drawing = Waveform(8000, 1)
    samples = np.zeros(frames, np.int16)
    samples[-1] = 32767
    for at in range(0, frames, 100_003):  # in blocks that fit nothing
        drawing.feed([samples[at : at + 100_003]])
    told = document(drawing.finish())
    assert told["length"] == len(pairs(told, 0)) <= MOST_PIXELS
    assert (told["length"] - 1) * told["samples_per_pixel"] < frames <= told["length"] * told["samples_per_pixel"]
    assert pairs(told, 0)[-1][1] == 127


def test_the_same_audio_always_gives_the_same_bytes() -> None:
    def once(block: int) -> bytes:
        drawing, samples = Waveform(8000, 2), made.tone(3.0, 2)
        for at in range(0, len(samples), block):
            part = samples[at : at + block]
            drawing.feed([np.ascontiguousarray(part[:, index]) for index in range(2)])
        return drawing.finish()

    assert once(1000) == once(7777)
