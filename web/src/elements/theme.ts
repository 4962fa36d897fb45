/**
 * Colours, type and controls that all elements share. An embedder changes a colour by setting the custom
 * property without the underscore, e.g. `--callspool-accent`.
 */

import { css } from "lit";

export const theme = css`
  :host {
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
    --_good: var(--callspool-good, #1a7446);
    --_bad: var(--callspool-bad, #b3261e);
    --_bad-soft: var(--callspool-bad-soft, #fcedeb);
    --_wait: var(--callspool-wait, #86600a);
    --_radius: 10px;
    --_mono: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, monospace;
    color: var(--_ink);
    font-family: ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Open Sans", "Helvetica Neue", sans-serif;
    font-size: 15px;
    line-height: 1.45;
    -webkit-font-smoothing: antialiased;
  }

  @media (prefers-color-scheme: dark) {
    :host {
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
      --_good: var(--callspool-good, #5ac88f);
      --_bad: var(--callspool-bad, #ff938a);
      --_bad-soft: var(--callspool-bad-soft, #37211f);
      --_wait: var(--callspool-wait, #e0b453);
    }
  }

  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }

  [hidden] {
    display: none !important;
  }

  button,
  input {
    font: inherit;
    color: inherit;
  }

  :focus-visible {
    outline: 2px solid var(--_accent);
    outline-offset: 2px;
  }

  .button {
    display: inline-flex;
    align-items: center;
    justify-content: center;
    gap: 8px;
    min-height: 44px;
    padding: 0 18px;
    border: 1px solid var(--_control);
    border-radius: var(--_radius);
    background: var(--_surface);
    font-weight: 600;
    cursor: pointer;
  }

  .button:hover {
    background: var(--_raised);
  }

  .button.primary {
    border-color: transparent;
    background: var(--_accent);
    color: var(--_on-accent);
  }

  .button.primary:hover {
    filter: brightness(1.08);
  }

  .button.quiet {
    border-color: transparent;
    background: transparent;
    color: var(--_muted);
  }

  .button.quiet:hover {
    background: var(--_raised);
    color: var(--_ink);
  }

  .button:disabled,
  .button[aria-disabled="true"] {
    opacity: 0.55;
    cursor: default;
  }

  .visually-hidden {
    position: absolute;
    width: 1px;
    height: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
`;
