/** How the page looks around its elements. */

import { css } from "lit";

export const pageStyle = css`
  :host {
    display: flex;
    flex-direction: column;
    min-height: 100vh;
    min-height: 100dvh;
    background: var(--_ground);
  }

  header {
    display: flex;
    align-items: center;
    gap: 8px 20px;
    width: 100%;
    max-width: 1080px;
    min-height: 64px;
    margin: 0 auto;
    padding: 8px 24px;
  }

  .brand {
    display: inline-flex;
    align-items: center;
    gap: 10px;
    min-height: 44px;
    margin-right: auto;
    border-radius: 8px;
    color: inherit;
    font-size: 17px;
    font-weight: 700;
    letter-spacing: -0.01em;
    text-decoration: none;
  }

  .brand svg {
    width: 28px;
    height: 28px;
  }

  .brand rect {
    fill: var(--_accent);
  }

  .brand path {
    fill: none;
    stroke: var(--_on-accent);
    stroke-width: 2.5;
    stroke-linecap: round;
  }

  .connection {
    display: inline-flex;
    align-items: center;
    gap: 8px;
    color: var(--_muted);
    font-size: 13px;
  }

  .connection i {
    flex: none;
    width: 8px;
    height: 8px;
    border-radius: 50%;
    background: var(--_wait);
  }

  .connection[data-state="live"] i {
    background: var(--_good);
  }

  .connection[data-state="waiting"] i,
  .connection[data-state="refused"] i {
    background: var(--_bad);
  }

  main {
    flex: 1;
    display: grid;
    grid-template-columns: minmax(0, 1fr);
    align-content: start;
    gap: 20px;
    width: 100%;
    max-width: 1080px;
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

  h1 {
    margin: 0;
    font-size: 22px;
    letter-spacing: -0.01em;
    line-height: 1.2;
  }

  .filters {
    display: flex;
    gap: 4px;
    max-width: 100%;
    margin: 0 -4px;
    padding: 4px;
    overflow-x: auto;
    scrollbar-width: none;
  }

  .filters button {
    flex: none;
    min-height: 44px;
    padding: 0 14px;
    border: 1px solid transparent;
    border-radius: var(--_radius);
    background: none;
    color: var(--_muted);
    font-weight: 600;
    cursor: pointer;
  }

  .filters button:hover {
    background: var(--_raised);
    color: var(--_ink);
  }

  .filters button[aria-pressed="true"] {
    border-color: var(--_line);
    background: var(--_surface);
    color: var(--_ink);
  }

  .filters small {
    margin-left: 4px;
    color: var(--_muted);
    font-size: 12px;
    font-weight: 500;
    font-variant-numeric: tabular-nums;
  }

  .problem {
    margin: 0;
    padding: 12px 16px;
    border-radius: var(--_radius);
    background: var(--_bad-soft);
  }

  .dock {
    position: sticky;
    bottom: 0;
    border-top: 1px solid var(--_line);
    background: var(--_surface);
    box-shadow: 0 -8px 24px rgb(0 0 0 / 7%);
  }

  .inside {
    max-width: 1080px;
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
    margin: 0 -12px 0 auto;
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
    header,
    main,
    .inside {
      padding-left: 16px;
      padding-right: 16px;
    }
    .connection {
      max-width: 40vw;
      line-height: 1.25;
    }
  }
`;
