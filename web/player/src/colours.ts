/**
 * The player's colours and type. An embedder changes a colour by setting the custom property without the underscore,
 * e.g. `--callspool-accent`; they are those of callspool's own pages.
 */

import { css } from "lit";
import { theme as shared } from "../../src/elements/theme.js";

const dark = css`
  color-scheme: dark;
  --_ground: var(--callspool-ground, #101418);
  --_surface: var(--callspool-surface, #181d23);
  --_raised: var(--callspool-raised, #222931);
  --_ink: var(--callspool-ink, #e7eaee);
  --_muted: var(--callspool-muted, #9ba6b2);
  --_line: var(--callspool-line, #2b333c);
  --_control: var(--callspool-control, #6f7b88);
  --_accent: var(--callspool-accent, #63c3d1);
  --_on-accent: var(--callspool-on-accent, #062a30);
  --_accent-soft: var(--callspool-accent-soft, #173439);
  --_accent-ink: var(--callspool-accent-ink, #8ad7e2);
  --_good: var(--callspool-good, #5ac88f);
  --_bad: var(--callspool-bad, #ff938a);
  --_bad-soft: var(--callspool-bad-soft, #37211f);
  --_wait: var(--callspool-wait, #e0b453);
  --_wave: var(--callspool-wave, #56616d);
`;

const light = css`
  color-scheme: light;
  --_ground: var(--callspool-ground, #f5f6f8);
  --_surface: var(--callspool-surface, #ffffff);
  --_raised: var(--callspool-raised, #eef1f4);
  --_ink: var(--callspool-ink, #1b2026);
  --_muted: var(--callspool-muted, #57616d);
  --_line: var(--callspool-line, #dfe3e8);
  --_control: var(--callspool-control, #848e9a);
  --_accent: var(--callspool-accent, #0f6674);
  --_on-accent: var(--callspool-on-accent, #ffffff);
  --_accent-soft: var(--callspool-accent-soft, #e2f0f2);
  --_accent-ink: var(--callspool-accent-ink, #0b515c);
  --_good: var(--callspool-good, #1a7446);
  --_bad: var(--callspool-bad, #b3261e);
  --_bad-soft: var(--callspool-bad-soft, #fcedeb);
  --_wait: var(--callspool-wait, #86600a);
  --_wave: var(--callspool-wave, #a9b3be);
`;

export const colours = [
  shared,
  css`
    :host {
      display: block;
      ${light}
      padding: var(--callspool-padding, 12px 16px);
      border-radius: var(--callspool-radius, 12px);
      background: var(--_surface);
    }

    :host([hidden]) {
      display: none;
    }

    @media (prefers-color-scheme: dark) {
      :host(:not([theme="light"])) {
        ${dark}
      }
    }

    :host([theme="dark"]) {
      ${dark}
    }

    @media (forced-colors: active) {
      :host,
      :host([theme]),
      :host(:not([theme])) {
        --_ink: CanvasText;
        --_accent: Highlight;
        --_on-accent: HighlightText;
        --_wave: GrayText;
        --_line: GrayText;
      }
    }
  `,
];
