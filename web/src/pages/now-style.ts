/** How the figures and the slots of the page "Now" look. */

import { css } from "lit";

export const nowStyle = css`
  .figures {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(min(200px, 45%), 1fr));
    gap: 12px;
    margin: 0;
  }

  .figures div {
    padding: 14px 18px;
    border: 1px solid var(--_line);
    border-radius: var(--_radius);
    background: var(--_surface);
  }

  .figures dt {
    color: var(--_muted);
    font-size: 13px;
    font-weight: 600;
  }

  .figures dd {
    margin: 2px 0 0;
    font-size: 26px;
    font-weight: 650;
    font-variant-numeric: tabular-nums;
    letter-spacing: -0.02em;
    line-height: 1.3;
  }

  .figures dd > small {
    white-space: nowrap;
  }

  .figures dd > * {
    font-size: 13px;
    font-weight: 400;
    letter-spacing: 0;
  }

  [data-circuit="open"],
  [data-circuit="probing"] {
    color: var(--_bad);
    font-weight: 600;
  }

  td[data-circuit] {
    padding-block: 6px;
  }

  [data-circuit] .mark {
    display: block;
    width: fit-content;
    font-weight: 400;
  }

  .dots {
    display: inline-flex;
    gap: 3px;
    margin-inline-end: 8px;
    vertical-align: middle;
  }

  .dots i {
    width: 12px;
    height: 6px;
    border-radius: 3px;
    background: var(--_line);
  }

  .dots i.used {
    background: var(--_accent);
  }

  @media (max-width: 720px) {
    .figures dd > * {
      display: block;
    }
  }
`;
