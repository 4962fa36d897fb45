import { expect, test } from "vitest";
import { bars, commonSilences, gain, readPeaks } from "../player/src/peaks.js";

const document = {
  version: 2,
  channels: 2,
  sample_rate: 8000,
  samples_per_pixel: 160,
  bits: 8,
  length: 3,
  data: [-64, 32, 0, 0, -1, 127, -128, 0, 0, 0, -32, 16],
  silences: [[[0, 1]], []],
};

test("each channel has its own loudness", () => {
  const peaks = readPeaks(document);
  expect(peaks?.seconds).toBe(0.06);
  expect(peaks?.levels.map((channel) => [...channel])).toEqual([
    [0.5, 127 / 128, 0].map(Math.fround),
    [0, 1, 0.25],
  ]);
  expect(peaks?.silences).toEqual([[[0, 1]], []]);
});

test.each([null, "text", {}, { ...document, version: 1 }, { ...document, length: 9 }, { ...document, data: "x" }])(
  "what is no waveform is none: %j",
  (given) => {
    expect(readPeaks(given)).toBeNull();
  },
);

test("a bar is as loud as its loudest pixel, also where there are more bars than pixels", () => {
  const levels = Float32Array.of(0.25, 0.5, 1, 0, 0.75, 0.125);
  expect([...bars(levels, 3)]).toEqual([0.5, 1, 0.75]);
  expect([...bars(levels, 12)].filter((level) => level === 1).length).toBe(2);
});

test("a quiet call is drawn larger, and a silent one is not blown up", () => {
  expect(gain([Float32Array.of(0.25)])).toBe(4);
  expect(gain([Float32Array.of(0.001)])).toBeLessThan(9);
});

test("silence is where nobody who is heard says anything", () => {
  const agent: [number, number][] = [[0, 4], [6, 9]];
  const customer: [number, number][] = [[2, 7]];
  expect(commonSilences([agent, customer])).toEqual([[2, 4], [6, 7]]);
  expect(commonSilences([agent])).toEqual(agent);
  expect(commonSilences([])).toEqual([]);
});
