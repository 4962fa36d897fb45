"""How soon is a recording heard that nobody has fetched, and how much of that is the provider's own time?

The provider needs 100 ms to its first byte and sends 4 MB/s. A click is a play request by a signed link, on an idle
system: API, scheduler, worker and the relay between them take part. Before each click the provider is asked
directly. The old way, with the same provider: a worker downloads the whole, and the player asks every 2 to 5 s
whether it is there; checks and its own requests cost it nothing here.
"""

import random
import socket
import statistics
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Final
from urllib.request import urlopen

from benchmarks.data import files, made
from benchmarks.data.installation import Installation, installation
from benchmarks.data.processes import origin
from benchmarks.data.turns import Contender, in_turns, shown
from benchmarks.experiment import Bar, Context, Experiment
from benchmarks.result import OURS, Figure
from benchmarks.run import DidNotRun

_FIRST_BYTE_S: Final = 0.1
_RATE: Final = 4_000_000
_DURATION_S: Final = 30
"""Two channels: 960 kB, a quarter of a second at that rate."""
_POLL_S: Final = (2.0, 5.0)
_SEED: Final = 17
_PATIENCE_S: Final = 60
_AGAIN_S: Final = 0.5


class _Clicks:
    """What is clicked at: each recording once."""

    def __init__(self, system: Installation, provider: str, size: int, clicks: int) -> None:
        self._system = system
        self._provider = int(provider.rpartition(":")[2])
        self._size = size
        self._clicks = clicks
        self._number = 0
        self._direct: list[float] = []

    def warm(self) -> None:
        """Click twice, so that every process has been at work before it counts; a worker may still be starting."""
        until = time.monotonic() + _PATIENCE_S
        for _, path in self._announced(2):
            while True:
                try:
                    _first_sound(self._system.port, path, whole=True)
                except DidNotRun:
                    if time.monotonic() > until:
                        raise
                    time.sleep(_AGAIN_S)
                else:
                    break

    def ours(self) -> Mapping[str, float]:
        """Click, and ask the provider itself before each click."""
        self._direct, heard, added = [], [], []
        for sid, path in self._announced(self._clicks):
            self._direct.append(_first_sound(self._provider, f"/Recordings/{sid}.wav", whole=False))
            heard.append(_first_sound(self._system.port, path, whole=True))
            added.append(heard[-1] - self._direct[-1])
        return {**_spread(heard), "added": _of(added, 50), "added_p95": _of(added, 95)}

    def _announced(self, count: int) -> list[tuple[str, str]]:
        """Return recordings that nobody has asked for yet, with the paths that play them."""
        sids = [made.sid(self._number + place, self._size) for place in range(count)]
        self._number += count
        return list(zip(sids, self._system.announce(sids, _DURATION_S), strict=True))

    def provider(self) -> Mapping[str, float]:
        """Return how the provider answered in between."""
        return _spread(self._direct)

    def old_way(self) -> Mapping[str, float]:
        """Click some at once: what they wait for is mostly the next poll."""
        chance = random.Random(_SEED)
        seeds = [chance.random() for _ in range(max(4, self._clicks // 4))]
        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(len(seeds)) as clicks:
            files_of = [Path(folder) / str(place) for place in range(len(seeds))]
            return _spread(list(clicks.map(self._wait_for_whole, seeds, files_of)))

    def _wait_for_whole(self, seed: float, file: Path) -> float:
        chance, begun = random.Random(seed), time.perf_counter()
        with ThreadPoolExecutor(1) as worker:
            download = worker.submit(self._download, file)
            while True:
                time.sleep(chance.uniform(*_POLL_S))
                if download.done():
                    with file.open("rb") as ready:
                        ready.read(1)
                    return (time.perf_counter() - begun) * 1000

    def _download(self, file: Path) -> None:
        url = f"http://127.0.0.1:{self._provider}/Recordings/{made.sid(0, self._size)}.wav"
        with urlopen(url, timeout=_PATIENCE_S) as answer, file.open("wb") as target:
            while data := answer.read(64 * 1024):
                target.write(data)


def _first_sound(port: int, path: str, *, whole: bool) -> float:
    """Return the ms from the request to the first byte of audio; then listen to the end, if so wanted."""
    with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE_S) as connection:
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
        begun, answer = time.perf_counter(), b""
        connection.sendall(request)
        while not _has_sound(answer):
            part = connection.recv(65536)
            if not part:
                raise DidNotRun(f"it is not played: {answer[:200]!r}")
            answer += part
        took = (time.perf_counter() - begun) * 1000
        while whole and connection.recv(65536):
            pass
        return took


def _has_sound(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    if end and not head.startswith(b"HTTP/1.1 200 "):
        raise DidNotRun(f"it is not played: {head[:200]!r}")
    is_chunked = b"transfer-encoding: chunked" in head.lower()
    return bool(body.partition(b"\r\n")[2] if is_chunked else body)


def _spread(times: list[float]) -> dict[str, float]:
    return {"p50": _of(times, 50), "p95": _of(times, 95)} if times else {}


def _of(times: list[float], percent: int) -> float:
    return statistics.quantiles(times, n=100, method="inclusive")[percent - 1]


def _measure(context: Context) -> list[Figure]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="callspool-bench-")))
        file = files.wav_file(folder / "call.wav", _DURATION_S)
        pid, provider = stack.enter_context(origin(file, first_byte_s=_FIRST_BYTE_S, rate=_RATE))
        system = stack.enter_context(installation(folder, provider, worker=True))
        clicks = _Clicks(system, provider, file.stat().st_size, 10 if context.options.quick else 40)
        clicks.warm()
        contenders = [
            Contender(OURS, OURS, clicks.ours),
            Contender("provider", "the provider itself", clicks.provider),
            Contender("old way", "download, then polls", clicks.old_way),
        ]
        runs = context.options.runs or (1 if context.options.quick else 5)
        turns = in_turns(context, "click to sound", contenders, runs=runs, needs_s=20, servers=[pid, *system.pids])
    ours = {name: its for name, its in turns.items() if name == OURS}
    return [
        *shown("click-to-sound.first", "p50", "ms", turns),
        *shown("click-to-sound.first_p95", "p95", "ms", turns),
        *shown("click-to-sound.added", "added", "ms", ours),
        *shown(
            "click-to-sound.added_p95", "added_p95", "ms", ours, Bar("at most 50 ms after the provider's own", 50.0)
        ),
    ]


CLICK: Final = Experiment(
    "click-to-sound",
    {
        "click-to-sound.first": "click to sound: first byte of audio, median",
        "click-to-sound.first_p95": "click to sound: first byte of audio, 95 %",
        "click-to-sound.added": "click to sound: after the provider's own first byte, median",
        "click-to-sound.added_p95": "click to sound: after the provider's own first byte, 95 %",
    },
    _measure,
)
