/** How a recording's own page looks. */

import { css } from "lit";

export const recordingStyle = css`
  .listen {
    padding: 8px 18px 14px;
    border: 1px solid var(--_line);
    border-radius: var(--_radius);
    background: var(--_surface);
  }

  .facts {
    display: grid;
    grid-template-columns: max-content minmax(0, 1fr);
    gap: 8px 20px;
    margin: 12px 0 0;
  }

  .facts dt {
    color: var(--_muted);
  }

  .facts dd {
    margin: 0;
    overflow-wrap: anywhere;
    font-variant-numeric: tabular-nums;
  }

  .history {
    display: grid;
    margin: 12px 0 0;
    padding: 0;
    list-style: none;
  }

  .history li {
    display: grid;
    grid-template-columns: 84px minmax(0, 1fr);
    gap: 16px;
    padding-block: 8px;
    border-top: 1px solid var(--_line);
  }

  .history li:first-child {
    border-top: 0;
  }

  .history time {
    color: var(--_muted);
    font-size: 13px;
    font-variant-numeric: tabular-nums;
    line-height: 22px;
  }

  .history .detail {
    max-width: 44ch;
    color: var(--_muted);
    font-size: 13px;
  }

  .history li[data-state="failed"] strong {
    color: var(--_bad);
  }

  .history li[data-state="ready"] strong {
    color: var(--_good);
  }
`;
