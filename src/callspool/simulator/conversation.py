"""Put a two-party call together from a seed: who speaks when, pauses, key presses, the line's faint noise.

A call is a list of sounds with their places, and any part of it can be rendered without the rest: hours of
audio need neither memory nor disk, and a range of bytes costs only that range.
"""

from bisect import bisect_left
from dataclasses import dataclass
from random import Random
from typing import Final

import numpy as np

from callspool.simulator.speech import KEYS, RATE, UTTERANCES, VOICES, Samples, Voices

_HISS_FRAMES: Final = 7919
"""A prime, so that the noise's repetition is not in step with anything."""
_HISS: Final = 12


@dataclass(frozen=True, slots=True)
class _Sound:
    start: int
    channel: int
    samples: Samples


class Conversation:
    """One call's audio: the same for the same seed and duration."""

    def __init__(self, seed: int, duration_s: float, voices: Voices, silence_s: float = 0.0) -> None:
        """Make it; *silence_s* in its middle nothing is heard, since it was paused."""
        self.frames = round(duration_s * RATE)
        quiet = round(silence_s * RATE)
        self._quiet = ((self.frames - quiet) // 2, (self.frames + quiet) // 2)
        self._sounds = _converse(Random(seed), self.frames, voices)
        self._starts = [sound.start for sound in self._sounds]
        self._longest = max((sound.samples.size for sound in self._sounds), default=0)
        noise = np.random.default_rng(seed % 2**64)  # it takes no negative seed
        self._hiss = noise.integers(-_HISS, _HISS + 1, (_HISS_FRAMES, 2), dtype=np.int16)

    def render(self, start: int, stop: int, channels: int) -> Samples:
        """Return frames *start* to *stop*, one row a frame; in one channel both people are mixed."""
        out = self._hiss[np.arange(start, stop) % _HISS_FRAMES]
        first, last = bisect_left(self._starts, start - self._longest), bisect_left(self._starts, stop)
        for sound in self._sounds[first:last]:
            begin, end = max(sound.start, start), min(sound.start + sound.samples.size, stop)
            if begin < end:
                out[begin - start : end - start, sound.channel] += sound.samples[
                    begin - sound.start : end - sound.start
                ]
        quiet_from, quiet_to = (min(max(at - start, 0), stop - start) for at in self._quiet)
        out[quiet_from:quiet_to] = 0
        return out if channels == 2 else out.sum(axis=1, keepdims=True, dtype=np.int16)


def _converse(random: Random, frames: int, voices: Voices) -> list[_Sound]:
    """Let two people take turns until the time is over. No channel has two sounds at once."""
    people = random.sample(range(VOICES), 2)
    sounds: list[_Sound] = []
    at = int(random.uniform(0.05, 0.3) * RATE)
    speaker = random.randrange(2)
    if random.random() < 0.35:  # a menu first
        at = _press_keys(random, sounds, at + RATE, voices)
    while at < frames:
        for _ in range(random.randint(1, 3)):
            said = voices.utterance(people[speaker], random.randrange(UTTERANCES))
            sounds.append(_Sound(at, speaker, said))
            at += said.size + int(random.uniform(0.08, 0.35) * RATE)
        speaker = 1 - speaker
        at += int((random.uniform(3, 7) if random.random() < 0.04 else random.expovariate(2.5)) * RATE)
        if random.random() < 0.03:
            at = _press_keys(random, sounds, at, voices)
    return sounds


def _press_keys(random: Random, sounds: list[_Sound], at: int, voices: Voices) -> int:
    for _ in range(random.randint(1, 4)):
        tone = voices.key_press(random.choice(KEYS))
        sounds.append(_Sound(at, 0, tone))
        at += tone.size + int(0.1 * RATE)
    return at + RATE // 2
