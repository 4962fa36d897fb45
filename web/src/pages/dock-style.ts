/** How the recording that is open looks below the list. */

import { css } from "lit";

export const dockStyle = css`
  .dock {
    position: sticky;
    bottom: 0;
    border-top: 1px solid var(--_line);
    background: var(--_surface);
    box-shadow: 0 -8px 24px rgb(0 0 0 / 7%);
  }

  .inside {
    max-width: 1180px;
    margin: 0 auto;
    padding: 8px 24px calc(14px + env(safe-area-inset-bottom));
  }

  .title {
    display: flex;
    align-items: center;
    gap: 12px;
  }

  .title time {
    color: var(--_muted);
    font-size: 13px;
  }

  .close {
    display: grid;
    place-items: center;
    width: 44px;
    height: 44px;
    margin-block: 0;
    margin-inline: auto -12px;
    padding: 0;
    border: 0;
    border-radius: 50%;
    background: none;
    color: var(--_muted);
    cursor: pointer;
  }

  .close:hover {
    background: var(--_raised);
    color: var(--_ink);
  }

  .close svg {
    width: 20px;
    height: 20px;
    fill: none;
    stroke: currentColor;
    stroke-width: 2;
    stroke-linecap: round;
  }

  @media (max-width: 720px) {
    .inside {
      padding-inline: 16px;
    }
    /* Whose it is in the first line, when it was and what more there is in the second. */
    .title {
      display: grid;
      grid-template-columns: auto minmax(0, 1fr) auto;
      gap: 2px 12px;
    }
    .title strong {
      grid-area: 1 / 1 / 2 / 3;
      overflow: hidden;
      text-overflow: ellipsis;
      white-space: nowrap;
    }
    .title time {
      grid-area: 2 / 1;
    }
    .title a {
      grid-area: 2 / 2;
      justify-self: start;
    }
    .title .close {
      grid-area: 1 / 3 / 3 / 4;
    }
    .title [role="status"] {
      grid-area: 3 / 1 / 4 / 4;
    }
  }
`;
