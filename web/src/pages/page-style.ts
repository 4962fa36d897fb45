/** How the pages look around their elements: the frame, headings, text. */

import { css } from "lit";

export const pageStyle = css`
  :host {
    flex: 1;
    display: flex;
    flex-direction: column;
    min-width: 0;
  }

  main {
    flex: 1;
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    align-content: start;
    gap: 20px;
    width: 100%;
    max-width: 1180px;
    margin: 0 auto;
    padding: 8px 24px 48px;
  }

  .bar {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    justify-content: space-between;
    gap: 8px 24px;
    margin-top: 8px;
  }

  .bar h2 {
    margin: 0;
  }

  h1 {
    margin: 0;
    font-size: 22px;
    letter-spacing: -0.01em;
    line-height: 1.2;
  }

  h2 {
    margin: 12px 0 0;
    font-size: 16px;
    line-height: 1.3;
  }

  p {
    margin: 0;
  }

  a {
    color: var(--_accent);
    text-underline-offset: 3px;
  }

  a.button {
    color: inherit;
    text-decoration: none;
  }

  small {
    color: var(--_muted);
    font-size: 13px;
    font-weight: 400;
  }

  code {
    font-family: var(--_mono);
    font-size: 0.9em;
    overflow-wrap: anywhere;
  }

  .lead {
    max-width: 68ch;
    color: var(--_muted);
  }

  .button.small {
    min-height: 44px;
    padding: 0 14px;
    border-color: var(--_line);
    font-size: 14px;
  }

  .pair {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr));
    gap: 20px;
    align-items: start;
  }

  .pair > * {
    min-width: 0;
  }

  .mark {
    padding: 2px 8px;
    border-radius: 6px;
    font-size: 13px;
    background: var(--_accent-soft);
    color: var(--_ink);
  }

  .empty {
    padding: 56px 24px;
    border: 1px dashed var(--_control);
    border-radius: var(--_radius);
    color: var(--_muted);
    text-align: center;
  }

  .more {
    justify-self: center;
  }

  .problem {
    margin: 0;
    padding: 12px 16px;
    border-radius: var(--_radius);
    background: var(--_bad-soft);
  }

  callspool-player {
    --callspool-padding: 0;
  }

  @media (max-width: 720px) {
    main {
      padding-inline: 16px;
    }
  }
`;
