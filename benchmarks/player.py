"""Is a waveform of our own smaller and sooner on the screen than the library that people know?

Twenty timelines of a call of 184 s with two channels, from peaks that are there already, in one Chromium, in turns:
the player's own canvas, and wavesurfer.js with the regions plug-in that a loop needs. Both are bundled and
compressed by the same tools. The decision that rests on it is docs/adr/0007.
"""

import asyncio
import gzip
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, async_playwright
from tests.browser.calls import call
from tests.fixtures.browser import FLAGS, PACKAGES, chromium_there
from tests.fixtures.node import ROOT, WEB, install, run

from benchmarks.experiment import Bar, Context, Experiment
from benchmarks.machine import Noise
from benchmarks.result import OURS, Figure, figure

_SECONDS: Final = 184.0
_TIMELINES: Final = 20
_RUNS: Final = 5

_OWN: Final = """
import { WaveCanvas } from "PLAYER/wave.ts";
import { readPeaks } from "PLAYER/peaks.ts";
import { Scrub } from "PLAYER/scrub.ts";
import { jump, nextLoop } from "PLAYER/course.ts";
globalThis.parts = [Scrub, jump, nextLoop]; // what is used nowhere is left out of the bundle
globalThis.make = (hold, document_) => {
  const canvas = hold.appendChild(document.createElement("canvas"));
  canvas.style.cssText = "display: block; width: 100%; height: 88px";
  const peaks = readPeaks(document_);
  const picture = { peaks, lanes: 2, heard: [true, true], seconds: peaks.seconds, position: 0, loaded: 0 };
  new WaveCanvas(canvas).draw({ ...picture, loop: null, skipped: [] });
};
"""
_WAVESURFER: Final = """
import WaveSurfer from "wavesurfer.js";
import RegionsPlugin from "wavesurfer.js/dist/plugins/regions.esm.js";
globalThis.make = (hold, document_) => {
  const { data, length, channels, samples_per_pixel, sample_rate } = document_;
  const peaks = Array.from({ length: channels }, (_, channel) =>
    Array.from({ length: 2 * length }, (_, at) => data[2 * ((at >> 1) * channels + channel) + (at & 1)] / 128));
  WaveSurfer.create({ container: hold, peaks, duration: (length * samples_per_pixel) / sample_rate, height: 44,
    splitChannels: [{}, {}], barWidth: 2, barGap: 1, plugins: [RegionsPlugin.create()] });
};
"""
_ONE: Final = """async ([document_, many]) => {
  document.body.replaceChildren();
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const began = performance.now();
  for (let one = 0; one < many; one += 1) make(document.body.appendChild(document.createElement("div")), document_);
  const made = performance.now() - began;
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return { made, painted: performance.now() - began };
}"""


@dataclass(frozen=True, slots=True)
class _Drawing:
    subject: str
    program: str


def _drawings() -> list[_Drawing]:
    version = json.loads((PACKAGES / "node_modules/wavesurfer.js/package.json").read_text())["version"]
    return [_Drawing(OURS, _OWN), _Drawing(f"wavesurfer.js {version}", _WAVESURFER)]


def _bundled(folder: Path, drawing: _Drawing) -> str:
    """Return the program as a browser gets it."""
    entry = folder / "entry.ts"
    entry.write_text(drawing.program.replace("PLAYER", str(WEB / "player" / "src")))
    (folder / "node_modules").unlink(missing_ok=True)
    (folder / "node_modules").symlink_to(PACKAGES / "node_modules")
    (folder / "vite.config.mjs").write_text(
        'export default { build: { target: "es2022", lib: { entry: "entry.ts", formats: ["es"], fileName: "out" } } };'
    )
    done = run(folder, PACKAGES / "node_modules" / "vite" / "bin" / "vite.js", "build", "--minify", "oxc")
    if done.returncode:
        raise RuntimeError(done.stderr)
    (built,) = (folder / "dist").glob("out*")
    return built.read_text()


async def _timed(browser: Browser, program: str, document: Any) -> dict[str, float]:
    page = await browser.new_page(viewport={"width": 900, "height": 2000})
    try:
        await page.add_script_tag(content=program, type="module")
        await page.evaluate(_ONE, [document, 1])  # what is compiled once is not what is asked
        times: dict[str, float] = await page.evaluate(_ONE, [document, _TIMELINES])
        return times
    finally:
        await page.close()


async def _in_turns(programs: dict[str, str], runs: int, noise: Noise) -> dict[str, list[dict[str, float]]]:
    document = json.loads(call(_SECONDS).waveform)
    found: dict[str, list[dict[str, float]]] = {subject: [] for subject in programs}
    chromium = chromium_there()
    with tempfile.TemporaryDirectory(prefix="callspool-bench-") as home:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=chromium.executable, args=list(FLAGS), env=dict(chromium.environment(Path(home)))
            )
            for _ in range(runs):
                for subject, program in programs.items():
                    with noise.watched(()):
                        found[subject].append(await _timed(browser, program, document))
            await browser.close()
    return found


def _measure(context: Context) -> list[Figure]:
    install(PACKAGES)
    install(WEB)
    with tempfile.TemporaryDirectory(prefix="callspool-bench-", dir=ROOT) as folder:
        programs = {one.subject: _bundled(Path(folder), one) for one in _drawings()}
    context.tell("twenty timelines")
    noise = Noise()
    found = asyncio.run(_in_turns(programs, context.options.runs or _RUNS, noise))
    sizes = {subject: [float(len(gzip.compress(text.encode(), 9)))] for subject, text in programs.items()}
    figures = _judged("drawing.bytes", sizes, "bytes", noise, "fewer than wavesurfer.js has")
    for what in ("made", "painted"):
        times = {subject: [one[what] for one in its] for subject, its in found.items()}
        figures += _judged(f"drawing.{what}", times, "ms", noise, "sooner than wavesurfer.js")
    return figures


def _judged(name: str, values: Mapping[str, Sequence[float]], unit: str, noise: Noise, bar: str) -> list[Figure]:
    """Return the figure of both: callspool's is held to the other's median."""
    figures = [replace(figure(name, subject, its, unit), noise=str(noise)) for subject, its in values.items()]
    most = next(one.value for one in figures if one.subject != OURS)
    return [Bar(bar, most).judge(one, noise) if one.subject == OURS and most is not None else one for one in figures]


EXPERIMENTS: Final = (
    Experiment(
        "drawing",
        {
            "drawing.bytes": "the drawing, its regions and its pointer: bytes, minified and gzip",
            "drawing.made": "20 timelines, made",
            "drawing.painted": "20 timelines, until they are painted",
        },
        _measure,
    ),
)
SUBJECTS: Final = (OURS, "wavesurfer.js")
