"""What a player draws before it has loaded anything: peaks of each channel, and where each is silent.

Made in the pass in which the audio is proven. The form is that of BBC's audiowaveform, JSON version 2, which players
know: pairs of least and greatest sample, the channels of a pixel beside each other, scaled to 8 bits; ``silences`` is
ours: for each channel the spans in seconds. Kept compressed.
"""

import gzip
import json
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MOST_PIXELS: Final = 4000
BIN_S: Final = 0.02
"""What is looked at at once; pixels are made of whole bins."""
SILENT_BELOW: Final = 328
"""-40 dBFS: below it a bin is silent."""
LOUD_ABOVE: Final = 655
"""-34 dBFS: what ends a silence. Between the two nothing changes."""
LEAST_SILENCE_S: Final = 0.5

Samples = NDArray[np.int16]


class Waveform:
    """Gathers one file. Memory: four bytes for each channel and 20 ms."""

    def __init__(self, rate: int, channels: int) -> None:
        self._rate = rate
        self._bin = max(1, round(rate * BIN_S))
        self._rest: list[Samples] = [np.empty(0, np.int16) for _ in range(channels)]
        self._least: list[list[Samples]] = [[] for _ in range(channels)]
        self._most: list[list[Samples]] = [[] for _ in range(channels)]

    def feed(self, channels: Sequence[Samples]) -> None:
        """Take the next samples, one contiguous array a channel."""
        for index, samples in enumerate(channels):
            rest = self._rest[index]
            data = np.concatenate((rest, samples)) if len(rest) else samples
            whole = len(data) // self._bin * self._bin
            self._gather(index, data[:whole].reshape(-1, self._bin))
            self._rest[index] = data[whole:].copy()

    def finish(self) -> bytes:
        """Return the document, compressed."""
        for index, rest in enumerate(self._rest):
            if len(rest):
                self._gather(index, rest.reshape(1, -1))
        least = [_joined(parts) for parts in self._least]
        most = [_joined(parts) for parts in self._most]
        silences = [self._silences(low, high) for low, high in zip(least, most, strict=True)]
        factor = max(1, -(-len(least[0]) // MOST_PIXELS))
        pixels = [
            _eight_bits(reduced)
            for low, high in zip(least, most, strict=True)
            for reduced in (_reduced(low, factor, np.minimum), _reduced(high, factor, np.maximum))
        ]
        document: dict[str, Any] = {
            "version": 2,
            "channels": len(least),
            "sample_rate": self._rate,
            "samples_per_pixel": self._bin * factor,
            "bits": 8,
            "length": len(pixels[0]),
            "data": np.stack(pixels, axis=1).ravel().tolist(),
            "silences": silences,
        }
        # No time in it: the same audio always gives the same bytes.
        return gzip.compress(json.dumps(document, separators=(",", ":")).encode(), mtime=0)

    def _gather(self, index: int, bins: Samples) -> None:
        if bins.size:
            self._least[index].append(bins.min(axis=1))
            self._most[index].append(bins.max(axis=1))

    def _silences(self, least: Samples, most: Samples) -> list[list[float]]:
        peak = np.maximum(np.abs(least.astype(np.int32)), np.abs(most.astype(np.int32)))
        state = np.where(peak > LOUD_ABOVE, 1, np.where(peak < SILENT_BELOW, 0, -1))
        if not len(state):
            return []
        # Bins between the thresholds go on with what was before.
        known = np.where(state >= 0, np.arange(len(state)), 0)
        np.maximum.accumulate(known, out=known)
        quiet = state[known] == 0
        edges = np.flatnonzero(np.diff(np.concatenate(([False], quiet, [False])).astype(np.int8)))
        seconds = edges.reshape(-1, 2) * self._bin / self._rate
        return [[round(a, 2), round(b, 2)] for a, b in seconds.tolist() if b - a >= LEAST_SILENCE_S]


def _joined(parts: list[Samples]) -> Samples:
    return np.concatenate(parts) if parts else np.empty(0, np.int16)


def _reduced(values: Samples, factor: int, reduce: "np.ufunc") -> Samples:
    if factor == 1 or not len(values):
        return values
    starts = np.arange(0, len(values), factor)
    reduced: Samples = reduce.reduceat(values, starts)
    return reduced


def _eight_bits(values: Samples) -> Samples:
    return values >> 8
