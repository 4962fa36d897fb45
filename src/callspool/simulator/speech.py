"""Make sounds that look and sound like people on a telephone: utterances and keypad tones.

Speech is made as the throat makes it: a buzz whose pitch falls over the sentence, or breath, shaped by the
resonances (formants) of one vowel after another, a syllable at a time. No words, so no one's privacy. The few
utterances of a voice are made once and used again, so that hundreds of calls cost little.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]
_Floats = npt.NDArray[np.float64]

RATE: Final = 8000
"""Samples a second, as the telephone has them."""
PEAK: Final = 12_000
"""The loudest sample of a sound: two at once still fit into 16 bits."""
VOICES: Final = 6
UTTERANCES: Final = 10
"""Of each voice."""
KEYS: Final = "123A456B789C*0#D"

_FRAME: Final = 256
_HOP: Final = _FRAME // 2
_VOWELS: Final = np.array(  # first to third formant, Hz
    [[730, 1090, 2440], [530, 1840, 2480], [270, 2290, 3010], [570, 840, 2410], [300, 870, 2240], [490, 1350, 1690]],
    dtype=float,
)
_BANDWIDTHS: Final = np.array([90.0, 110.0, 170.0])
_STRENGTHS: Final = np.array([1.0, 0.6, 0.3])
_KEY_ROWS: Final = (697, 770, 852, 941)
_KEY_COLUMNS: Final = (1209, 1336, 1477, 1633)
_KEY_SECONDS: Final = 0.12


class Voices:
    """Every sound that calls are put together from, made when first asked for."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, int], Samples] = {}

    def utterance(self, voice: int, index: int) -> Samples:
        """Return an utterance of a voice: always the same one for the same numbers."""
        key = (voice % VOICES, index % UTTERANCES)
        if key not in self._made:
            self._made[key] = utter(np.random.default_rng(key), pitch_hz=(105, 200, 125, 230, 95, 180)[key[0]])
        return self._made[key]

    def key_press(self, key: str) -> Samples:
        """Return the tone pair of a key of the keypad (DTMF)."""
        place = KEYS.index(key)
        at = np.arange(int(RATE * _KEY_SECONDS)) / RATE
        pair = sum(np.sin(2 * np.pi * hz * at) for hz in (_KEY_ROWS[place // 4], _KEY_COLUMNS[place % 4]))
        return np.asarray(pair * (PEAK / 2), dtype=np.int16)


def utter(rng: np.random.Generator, pitch_hz: float) -> Samples:
    """Make one utterance of a second or two."""
    syllables = int(rng.integers(5, 13))
    frames_of = rng.integers(int(0.11 * RATE / _HOP), int(0.28 * RATE / _HOP), syllables)
    frames = int(frames_of.sum())
    place = np.concatenate([np.arange(count) / count for count in frames_of])  # 0 to 1 within each syllable

    tract = 0.85 + 0.3 * (pitch_hz > 160) + rng.uniform(-0.04, 0.04)  # a shorter throat resonates higher
    vowels = _VOWELS[rng.integers(0, len(_VOWELS), syllables)] * tract
    formants = np.stack([_smooth(np.repeat(vowels[:, n], frames_of)) for n in range(3)], axis=1)
    stress = np.repeat(rng.uniform(0.45, 1.0, syllables), frames_of)
    hisses = np.repeat(rng.random(syllables) < 0.45, frames_of)
    breath = np.where(hisses & (place < 0.3), 0.95, 0.02)
    loudness = stress * np.sin(np.pi * np.clip(place, 0.03, 0.97)) ** 0.7

    melody = np.linspace(1.15, 0.82, frames) * (1 + 0.12 * (stress - 0.7))
    pitch = np.interp(np.arange(frames * _HOP), np.arange(frames) * _HOP, _smooth(melody) * pitch_hz)
    buzz = 1 - 2 * (np.cumsum(pitch * (1 + 0.01 * rng.standard_normal(pitch.size)) / RATE) % 1.0)
    noise = rng.standard_normal(pitch.size) * 0.6
    return _to_samples(_shape(buzz, noise, formants, breath, loudness))


def _shape(buzz: _Floats, noise: _Floats, formants: _Floats, breath: _Floats, loudness: _Floats) -> _Floats:
    """Filter buzz and noise frame by frame and add the frames up, each faded into the next."""
    window = np.sqrt(np.hanning(_FRAME + 1)[:_FRAME])
    hz = np.fft.rfftfreq(_FRAME, 1 / RATE)
    distance = (hz[None, :, None] - formants[:, None, :]) / (_BANDWIDTHS / 2)
    resonance = (_STRENGTHS / np.sqrt(1 + distance**2)).sum(axis=2)
    band = 1 / ((1 + (250 / (hz + 1)) ** 4) * (1 + (hz / 3400) ** 8))  # what a telephone line lets through
    voiced = _spectra(buzz, window) * resonance
    hissed = _spectra(noise, window) * (hz / 4000) ** 1.5
    spectra = ((1 - breath)[:, None] * voiced + breath[:, None] * hissed) * band * loudness[:, None]
    pieces = np.fft.irfft(spectra, _FRAME, axis=1) * window
    out = np.zeros((len(pieces) + 1, _HOP))
    out[:-1] += pieces[:, :_HOP]
    out[1:] += pieces[:, _HOP:]
    return out.ravel()


def _spectra(signal: _Floats, window: _Floats) -> npt.NDArray[np.complex128]:
    halves = np.concatenate([signal, np.zeros(_HOP)]).reshape(-1, _HOP)
    return np.fft.rfft(np.concatenate([halves[:-1], halves[1:]], axis=1) * window, axis=1)


def _smooth(track: _Floats) -> _Floats:
    """Let one sound glide into the next, as a tongue does."""
    kernel = np.hanning(7)[1:-1]
    padded = np.pad(track, len(kernel) // 2, mode="edge")
    return np.convolve(padded, kernel / kernel.sum(), mode="valid")


def _to_samples(signal: _Floats) -> Samples:
    return np.asarray(signal * (PEAK / np.abs(signal).max()), dtype=np.int16)
