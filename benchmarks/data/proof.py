"""What does it cost to prove and keep an hour of a call with two channels, from its last byte until it is ready?

The proof decodes every frame and draws the peaks in the same pass, in a process of its own, which is counted. Beside
it stands what decoding alone costs, by the same library: no proof can be cheaper.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks.data import files
from benchmarks.data.processes import asked
from benchmarks.data.turns import Contender, in_turns, shown
from benchmarks.experiment import Bar, Context, Experiment
from benchmarks.result import OURS, Figure
from benchmarks.servers import valkey

_HOUR: Final = 3600
_SHORT: Final = 2
_BARS: Final = {"wav": Bar("at most 0.5 CPU s", 0.5), "mp3": Bar("at most 1.5 CPU s", 1.5)}


def _measure(context: Context) -> list[Figure]:
    found: list[Figure] = []
    runs = context.options.runs or (1 if context.options.quick else 5)
    with tempfile.TemporaryDirectory(prefix="callspool-bench-") as name:
        for kind, bar in _BARS.items():
            file = Path(name) / f"hour.{kind}"
            (files.wav_file if kind == "wav" else files.mp3_file)(file, _HOUR)
            warm = files.wav_file(Path(name) / "short.wav", _SHORT)
            contenders = [
                Contender(OURS, OURS, lambda file=file, warm=warm: _keep(file, warm)),  # type: ignore[misc]
                Contender("decoding", "decoding alone", lambda file=file: _decode(file)),  # type: ignore[misc]
            ]
            turns = in_turns(context, f"an hour of {kind}", contenders, runs=runs, needs_s=4, servers=())
            found += shown(f"proof.{kind}", "cpu", "CPU s", turns, bar)
            found += shown(f"proof.{kind}_time", "seconds", "s", turns)
    return found


def _keep(file: Path, warm: Path) -> Mapping[str, float]:
    with tempfile.TemporaryDirectory(prefix="callspool-bench-") as folder, valkey() as server:
        given: list[str | Path | int] = ["--warm", warm, "--folder", folder, "--url", server.url]
        told: Mapping[str, float] = asked("benchmarks.data.proof_process", "keep", file, *given)
        return told


def _decode(file: Path) -> Mapping[str, float]:
    told: Mapping[str, float] = asked("benchmarks.data.proof_process", "decode", file)
    return told


PROOF: Final = Experiment(
    "proof",
    {
        "proof.wav": "an hour of WAV, last byte to ready: processor time",
        "proof.wav_time": "an hour of WAV, last byte to ready: time",
        "proof.mp3": "an hour of MP3, last byte to ready: processor time",
        "proof.mp3_time": "an hour of MP3, last byte to ready: time",
    },
    _measure,
)
