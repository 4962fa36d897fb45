/** How lists of cards look, and what asks before it does something. */

import { css } from "lit";

export const cardStyle = css`
  .cards {
    display: grid;
    grid-template-columns: minmax(0, 1fr) auto auto;
    gap: 10px 20px;
    margin: 0;
    padding: 0;
    list-style: none;
  }

  .cards li {
    display: grid;
    grid-column: 1 / -1;
    grid-template-columns: subgrid;
    row-gap: 8px;
    align-items: center;
    padding: 14px 18px;
    border: 1px solid var(--_line);
    border-radius: var(--_radius);
    background: var(--_surface);
  }

  .cards .what:nth-last-child(2) {
    grid-column: span 2;
  }

  .cards .what {
    display: grid;
    gap: 4px;
  }

  .cards strong {
    font-weight: 600;
  }

  .cards .acts {
    display: flex;
    align-items: center;
    justify-content: end;
    gap: 8px;
  }

  .shares span:not(:last-child) {
    margin-inline-end: 12px;
  }

  .big {
    text-align: end;
    font-size: 22px;
    font-weight: 650;
    font-variant-numeric: tabular-nums;
  }

  .ask {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 10px 16px;
    padding: 12px 18px;
    border-radius: var(--_radius);
    background: var(--_accent-soft);
  }

  .ask p {
    flex: 1 1 240px;
  }

  .secret {
    padding: 8px 12px;
    border-radius: 8px;
    background: var(--_surface);
    user-select: all;
  }

  .what progress {
    margin-block: 4px 2px;
  }

  progress {
    width: 100%;
    height: 8px;
    border: 0;
    border-radius: 4px;
    background: var(--_line);
    overflow: hidden;
    accent-color: var(--_accent);
  }

  progress::-webkit-progress-bar {
    background: var(--_line);
  }

  progress::-webkit-progress-value {
    background: var(--_accent);
  }

  @media (max-width: 720px) {
    .cards {
      grid-template-columns: minmax(0, 1fr) auto;
    }
    .cards .acts {
      grid-column: 1 / -1;
      justify-content: start;
    }
  }
`;
