/** How the page looks around the pages: the header and the way between them. */

import { css } from "lit";

export const appStyle = css`
  :host,
  .all {
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
    max-width: 1180px;
    min-height: 64px;
    margin: 0 auto;
    padding: 8px 24px;
  }

  .problem {
    width: calc(100% - 48px);
    max-width: 1132px;
    margin: 0 auto;
    padding: 12px 16px;
    border-radius: var(--_radius);
    background: var(--_bad-soft);
  }

  .brand {
    display: inline-flex;
    align-items: center;
    gap: 10px;
    min-height: 44px;
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

  .connection {
    margin-inline-start: auto;
  }

  nav {
    display: flex;
    gap: 2px;
    min-width: 0;
    overflow-x: auto;
    scrollbar-width: none;
  }

  nav a {
    flex: none;
    display: inline-flex;
    align-items: center;
    min-height: 44px;
    padding: 0 12px;
    border-radius: var(--_radius);
    color: var(--_muted);
    font-weight: 600;
    text-decoration: none;
  }

  nav a:hover {
    background: var(--_raised);
    color: var(--_ink);
  }

  nav a[aria-current] {
    color: var(--_ink);
    box-shadow: inset 0 -2px var(--_accent);
    border-radius: 0;
  }

  nav a:focus-visible {
    outline-offset: -3px;
  }

  select {
    min-height: 44px;
    padding-inline: 10px 6px;
    border: 1px solid transparent;
    border-radius: var(--_radius);
    background: none;
    color: var(--_muted);
    font: inherit;
    font-size: 13px;
  }

  select option {
    background: var(--_surface);
    color: var(--_ink);
  }

  /* Its word ends where the page does. */
  header > .button {
    margin-inline-end: -18px;
  }

  footer {
    margin: 12px auto;
  }

  @media (max-width: 900px) {
    header {
      flex-wrap: wrap;
      padding-inline: 16px;
    }
    nav {
      order: 1;
      flex: 1 0 100%;
      margin-inline: -4px;
      padding-inline-end: 32px;
      mask-image: linear-gradient(to right, #000 calc(100% - 32px), transparent);
    }
    nav:dir(rtl) {
      mask-image: linear-gradient(to left, #000 calc(100% - 32px), transparent);
    }
    .connection {
      max-width: 34vw;
      line-height: 1.25;
    }
  }

  @media (max-width: 480px) {
    header {
      gap: 4px 8px;
    }
    .brand span {
      display: none;
    }
    header > .button {
      margin-inline-end: -8px;
      padding: 0 8px;
    }
  }
`;
