"""What is taken for whole audio and what is not, decided by real decoders in a child process."""

import asyncio
import os
import struct
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import soundfile

from callspool.audio.probe import SubprocessProber
from callspool.domain.errors import FetchFailed
from callspool.domain.ports.audio import Probe
from callspool.domain.reasons import Reason
from tests.fixtures import made


@pytest.fixture
async def prober() -> AsyncIterator[SubprocessProber]:
    prober = SubprocessProber()
    yield prober
    await prober.close()


async def probe(prober: SubprocessProber, tmp_path: Path, data: bytes, name: str = "file.part") -> Probe:
    path = tmp_path / name
    path.write_bytes(data)
    return await prober.probe(path)


async def refusal(prober: SubprocessProber, tmp_path: Path, data: bytes, name: str = "file.part") -> Reason:
    with pytest.raises(FetchFailed) as failed:
        await probe(prober, tmp_path, data, name)
    return failed.value.reason


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_U8", "ULAW", "ALAW"])
@pytest.mark.parametrize("channels", [1, 2])
async def test_wav_of_every_telephone_codec_is_measured(
    prober: SubprocessProber, tmp_path: Path, subtype: str, channels: int
) -> None:
    found = await probe(prober, tmp_path, made.wav(3.5, channels, subtype))
    assert found == Probe("audio/wav", "wav", channels, 8000, 3.5, is_counted=True)


@pytest.mark.rule("F24")
@pytest.mark.parametrize("channels", [1, 2])
async def test_mp3_is_known_by_its_bytes_whatever_its_name(
    prober: SubprocessProber, tmp_path: Path, channels: int
) -> None:
    found = await probe(prober, tmp_path, made.mp3(5.0, channels), "file.wav")
    assert (found.content_type, found.extension, found.channels) == ("audio/mpeg", "mp3", channels)
    assert found.duration_s == pytest.approx(5.0, abs=0.3)


@pytest.mark.rule("F24")
async def test_wav_is_known_by_its_bytes_whatever_its_name(prober: SubprocessProber, tmp_path: Path) -> None:
    found = await probe(prober, tmp_path, made.wav(1.0), "file.mp3")
    assert (found.content_type, found.extension) == ("audio/wav", "wav")


@pytest.mark.rule("F11")
async def test_a_recording_of_300_bytes_is_a_recording(prober: SubprocessProber, tmp_path: Path) -> None:
    data = made.wav(128 / 8000)
    assert len(data) == 300
    assert (await probe(prober, tmp_path, data)).duration_s == 128 / 8000


@pytest.mark.rule("F10")
@pytest.mark.parametrize(
    "data",
    [
        b"<!DOCTYPE html><html><body>" + b"Service unavailable. " * 500,
        b'{"code": 20404, "message": "not found"}' * 100,
        b'<?xml version="1.0"?><TwilioResponse/>',
        b"upstream connect error",
        b"\x89PNG\r\n\x1a\n" + bytes(4000),
        b"fLaC" + bytes(4000),
        b"OggS" + bytes(4000),
        bytes(range(256)) * 40,
    ],
    ids=["html", "json", "xml", "text", "png", "flac", "ogg", "bytes"],
)
async def test_what_is_not_wav_or_mp3_is_refused(prober: SubprocessProber, tmp_path: Path, data: bytes) -> None:
    assert await refusal(prober, tmp_path, data) is Reason.NOT_AUDIO


@pytest.mark.rule("I3")
@pytest.mark.parametrize("subtype", ["PCM_16", "ULAW"])
@pytest.mark.parametrize("cut", [1, 500, 20_000])
async def test_wav_that_lost_its_end_is_truncated(
    prober: SubprocessProber, tmp_path: Path, subtype: str, cut: int
) -> None:
    assert await refusal(prober, tmp_path, made.wav(5.0, 1, subtype)[:-cut]) is Reason.TRUNCATED


@pytest.mark.rule("I3")
async def test_wav_whose_audio_chunk_lost_its_end_is_truncated_whatever_the_file_says(
    prober: SubprocessProber, tmp_path: Path
) -> None:
    data = bytearray(made.wav(5.0)[:-1000])
    data[4:8] = b"\xff\xff\xff\xff"
    assert await refusal(prober, tmp_path, bytes(data)) is Reason.TRUNCATED


@pytest.mark.rule("I3")
@pytest.mark.parametrize("size", [0, 3, 11, 20, 40, 44])
async def test_wav_that_is_only_a_part_of_its_header_is_truncated(
    prober: SubprocessProber, tmp_path: Path, size: int
) -> None:
    assert await refusal(prober, tmp_path, made.wav(5.0)[:size]) is Reason.TRUNCATED


async def test_wav_whose_header_is_whole_but_has_no_audio_is_refused(prober: SubprocessProber, tmp_path: Path) -> None:
    assert await refusal(prober, tmp_path, made.wav(0.0)) is Reason.TRUNCATED


async def test_wav_written_into_a_pipe_declares_no_size_and_is_measured(
    prober: SubprocessProber, tmp_path: Path
) -> None:
    data = bytearray(made.wav(2.0))
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
    assert (await probe(prober, tmp_path, bytes(data))).duration_s == 2.0


async def test_wav_with_other_chunks_before_and_after_its_audio_is_measured(
    prober: SubprocessProber, tmp_path: Path
) -> None:
    format_chunk = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
    data = made.riff((b"LIST", b"INFO" + bytes(22)), (b"fmt ", format_chunk), (b"data", bytes(16000)), (b"id3 ", b"xy"))
    assert (await probe(prober, tmp_path, data)).duration_s == 1.0


async def test_wav_with_a_codec_that_nobody_knows_is_undecodable(prober: SubprocessProber, tmp_path: Path) -> None:
    format_chunk = struct.pack("<HHIIHH", 0x5A5A, 1, 8000, 16000, 2, 16)
    data = made.riff((b"fmt ", format_chunk), (b"data", bytes(16000)))
    assert await refusal(prober, tmp_path, data) is Reason.UNDECODABLE


@pytest.mark.rule("I3")
async def test_mp3_with_a_hole_is_undecodable(prober: SubprocessProber, tmp_path: Path) -> None:
    data = made.mp3(60.0)
    middle = len(data) // 2
    damaged = data[:middle] + bytes(20_000) + data[middle + 20_000 :]
    assert await refusal(prober, tmp_path, damaged) is Reason.UNDECODABLE


async def test_a_playlist_named_mp3_opens_no_other_file(prober: SubprocessProber, tmp_path: Path) -> None:
    (tmp_path / "other.wav").write_bytes(made.wav(1.0))
    playlist = b"ffconcat version 1.0\nfile other.wav\n"
    assert await refusal(prober, tmp_path, playlist, "file.mp3") is Reason.NOT_AUDIO


@pytest.mark.parametrize("tail", [b"", b"ffconcat version 1.0\nfile other.wav\n"])
async def test_an_id3_tag_alone_makes_no_mp3(prober: SubprocessProber, tmp_path: Path, tail: bytes) -> None:
    (tmp_path / "other.wav").write_bytes(made.wav(1.0))
    data = b"ID3\x04\x00\x00\x00\x00\x00\x0a" + bytes(10) + tail
    assert await refusal(prober, tmp_path, data, "file.mp3") in (Reason.UNDECODABLE, Reason.TRUNCATED)


async def test_a_child_that_dies_costs_one_file_and_no_more(prober: SubprocessProber, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    hangs = asyncio.create_task(prober.probe(pipe))  # the child blocks: nobody writes into this pipe
    while not (children := await _children()):
        await asyncio.sleep(0.01)
    os.kill(children[0], 9)
    with pytest.raises(FetchFailed) as failed:
        await hangs
    assert failed.value.reason is Reason.UNDECODABLE
    assert (await probe(prober, tmp_path, made.wav(1.0))).duration_s == 1.0


async def test_a_file_that_takes_too_long_is_given_up_and_its_child_ended(tmp_path: Path) -> None:
    prober = SubprocessProber(timeout=timedelta(seconds=0.5))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(FetchFailed) as failed:
        await prober.probe(pipe)
    assert failed.value.reason is Reason.UNDECODABLE
    assert await _children() == []
    await prober.close()


async def test_many_files_at_once_are_all_answered_by_few_children(prober: SubprocessProber, tmp_path: Path) -> None:
    paths = []
    for number in range(20):
        paths.append(tmp_path / f"{number}.part")
        paths[-1].write_bytes(made.wav(0.1 * (number + 1)))
    found = await asyncio.gather(*(prober.probe(path) for path in paths))
    assert [round(each.duration_s, 1) for each in found] == [round(0.1 * (n + 1), 1) for n in range(20)]
    assert len(await _children()) <= 2


async def test_hours_of_audio_are_decoded_in_little_memory(prober: SubprocessProber, tmp_path: Path) -> None:
    path = tmp_path / "long.part"
    with soundfile.SoundFile(path, "w", 8000, 1, "PCM_U8", format="WAV") as file:
        for _ in range(60):
            file.write(np.zeros(8000 * 60, dtype=np.int16))
    assert (await prober.probe(path)).duration_s == 3600.0
    (child,) = await _children()
    status = Path(f"/proc/{child}/status")
    if status.exists():
        peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        assert int(peak.split()[1]) < 200_000


async def _children() -> list[int]:
    """Return the ids of our checking processes."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            if b"callspool.audio.check" in command and parent == os.getpid():
                found.append(int(entry.name))
    return found
