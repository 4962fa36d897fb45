/** The player's signs, drawn on a grid of 24. They do not turn in right-to-left text: time runs one way. */

import { svg } from "lit";

const icon = (body: unknown) => svg`<svg viewBox="0 0 24 24" aria-hidden="true">${body}</svg>`;
const line = (path: string) => icon(svg`<path class="line" d=${path} />`);
const solid = (path: string) => icon(svg`<path d=${path} />`);

export const PLAY = solid("M8 5.2v13.6a.6.6 0 0 0 .9.5l11-6.8a.6.6 0 0 0 0-1l-11-6.8a.6.6 0 0 0-.9.5z");
export const PAUSE = solid("M7 5h3.4v14H7zM13.6 5H17v14h-3.4z");
const TEN = svg`<text x="12.2" y="15.6" text-anchor="middle" font-size="8.5" font-weight="700">10</text>`;
export const BACK = icon(svg`<path class="line" d="M5.2 8.2A8 8 0 1 1 4 12.6M4.6 4v4.6h4.6" />${TEN}`);
export const FORWARD = icon(svg`<path class="line" d="M18.8 8.2A8 8 0 1 0 20 12.6M19.4 4v4.6h-4.6" />${TEN}`);
export const SKIP = line("M3 12h2M7 8v8M10 10.5v3M13 12h1.5M17 6v12M20.5 9.5v5");
export const LOOP = line("M16.5 3.5 20 7l-3.5 3.5M4 11V9.5A2.5 2.5 0 0 1 6.5 7H20M7.5 20.5 4 17l3.5-3.5M20 13v1.5a2.5 2.5 0 0 1-2.5 2.5H4");
export const SHARE = line("M10 14a4 4 0 0 0 6 .4l3-3a4.2 4.2 0 0 0-6-6l-1.2 1.2M14 10a4 4 0 0 0-6-.4l-3 3a4.2 4.2 0 0 0 6 6l1.2-1.2");
export const DOWNLOAD = line("M12 4v11M7.5 11 12 15.5 16.5 11M5 20h14");
export const SOUND_ON = line("M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM15.5 9a4.2 4.2 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11");
export const SOUND_OFF = line("M4 9.5v5h3.5L12 18.5v-13L7.5 9.5zM16 9.5l5 5M21 9.5l-5 5");
export const SOLO = line("M4.5 15v-2.5a7.5 7.5 0 0 1 15 0V15M4.5 15.5A1.5 1.5 0 0 1 6 14h1.5v5.5H6A1.5 1.5 0 0 1 4.5 18zM19.5 15.5A1.5 1.5 0 0 0 18 14h-1.5v5.5H18a1.5 1.5 0 0 0 1.5-1.5z");

/** What stands beside the words of a state in which nothing can be heard. */
export const SIGNS: Readonly<Record<string, ReturnType<typeof icon>>> = {
  waiting: line("M12 4.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15zM12 8v4.5l3 1.8"),
  downloading: DOWNLOAD,
  failed: line("M12 4 2.8 19.5h18.4zM12 10v4.2M12 16.6v.4"),
  absent: line("M4.5 12h15M7 8.5v7M17 8.5v7"),
  purged: line("M5 7h14M9.5 7V4.8h5V7M7 7l.8 12.2h8.4L17 7M10.5 10.5v5.5M13.5 10.5v5.5"),
  cancelled: line("M12 4.5a7.5 7.5 0 1 0 0 15 7.5 7.5 0 0 0 0-15zM9.5 9.5h5v5h-5z"),
  forbidden: line("M7 11h10v8H7zM9 11V8.5a3 3 0 0 1 6 0V11"),
  expired: line("M7 4.5h10M7 19.5h10M8 4.5c0 4 8 5 8 7.5s-8 3.500-8 7.500M16 4.500c0 4-8 5-8 7.500s8 3.500 8 7.500"),
  offline: line("M4 4l16 16M5 11.500a10 10 0 0 1 4-2.400M12.500 8.500A10 10 0 0 1 19 11.500M8.500 15a5 5 0 0 1 5-1M12 18.500v.1"),
  broken: line("M12 4 2.8 19.5h18.4zM12 10v4.2M12 16.6v.4"),
};
