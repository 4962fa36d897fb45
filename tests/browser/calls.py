"""A call as the provider would have it, for players to show: two people who speak in turn, and its waveform."""

import gzip
import io
from dataclasses import dataclass

import numpy as np
import soundfile

from callspool.audio.waveform import Waveform
from callspool.simulator.conversation import Conversation
from callspool.simulator.speech import RATE, Voices


@dataclass(frozen=True)
class Call:
    """One call's audio and the document that a player draws."""

    wav: bytes
    waveform: bytes
    seconds: float


def call(seconds: float, channels: int = 2, seed: int = 5) -> Call:
    """Return the same call for the same seed."""
    conversation = Conversation(seed, seconds, Voices())
    samples = conversation.render(0, conversation.frames, channels)
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="WAV", subtype="PCM_16")
    waveform = Waveform(RATE, channels)
    waveform.feed([np.ascontiguousarray(samples[:, channel]) for channel in range(channels)])
    return Call(file.getvalue(), gzip.decompress(waveform.finish()), seconds)
