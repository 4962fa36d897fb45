/** How the player looks. */

import { css } from "lit";

export const playerStyle = css`
  :host {
    display: block;
  }

  .box {
    display: grid;
    gap: 6px;
  }

  .row {
    display: flex;
    align-items: center;
    gap: 14px;
    min-height: 52px;
  }

  .toggle {
    flex: none;
    display: grid;
    place-items: center;
    width: 52px;
    height: 52px;
    padding: 0;
    border: 0;
    border-radius: 50%;
    background: var(--_accent);
    color: var(--_on-accent);
    cursor: pointer;
  }

  .toggle:hover {
    filter: brightness(1.08);
  }

  .toggle[aria-busy="true"] svg {
    animation: beat 1.2s ease-in-out infinite;
  }

  .toggle svg {
    width: 22px;
    height: 22px;
    fill: currentColor;
  }

  .time {
    flex: none;
    min-width: 44px;
    color: var(--_muted);
    font-size: 14px;
    font-variant-numeric: tabular-nums;
    text-align: right;
  }

  .time.end {
    text-align: left;
  }

  input[type="range"] {
    flex: 1;
    min-width: 60px;
    height: 44px;
    margin: 0;
    background: transparent;
    cursor: pointer;
    appearance: none;
    -webkit-appearance: none;
    --_track: linear-gradient(var(--_accent), var(--_accent)) 0 / var(--played, 0%) 100% no-repeat var(--_line);
  }

  input[type="range"]::-webkit-slider-runnable-track {
    height: 6px;
    border-radius: 3px;
    background: var(--_track);
  }

  input[type="range"]::-moz-range-track {
    height: 6px;
    border-radius: 3px;
    background: var(--_track);
  }

  input[type="range"]::-webkit-slider-thumb {
    width: 18px;
    height: 18px;
    margin-top: -6px;
    border: 3px solid var(--_surface);
    border-radius: 50%;
    background: var(--_accent);
    box-shadow: 0 0 0 1px var(--_accent);
    appearance: none;
    -webkit-appearance: none;
  }

  input[type="range"]::-moz-range-thumb {
    width: 12px;
    height: 12px;
    border: 3px solid var(--_surface);
    border-radius: 50%;
    background: var(--_accent);
    box-shadow: 0 0 0 1px var(--_accent);
  }

  input[type="range"]:focus-visible {
    border-radius: 8px;
    outline-offset: 0;
  }

  .text {
    flex: 1;
    min-width: 0;
    margin: 0;
  }

  .text strong {
    display: block;
  }

  .text span {
    color: var(--_muted);
  }

  .problem {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 4px 14px;
    margin: 0;
    padding: 4px 4px 4px 14px;
    min-height: 44px;
    border-radius: var(--_radius);
    background: var(--_bad-soft);
  }

  .problem span {
    flex: 1 1 240px;
  }

  .note {
    margin: 0;
    color: var(--_muted);
    font-size: 13px;
  }

  .flow {
    position: relative;
    height: 4px;
    overflow: hidden;
    border-radius: 2px;
    background: var(--_line);
  }

  .flow::after {
    content: "";
    position: absolute;
    inset: 0 70% 0 0;
    border-radius: 2px;
    background: var(--_accent);
    animation: flow 1.8s ease-in-out infinite;
  }

  @keyframes flow {
    from {
      transform: translateX(-100%);
    }
    to {
      transform: translateX(340%);
    }
  }

  @keyframes beat {
    50% {
      opacity: 0.35;
    }
  }

  @media (prefers-reduced-motion: reduce) {
    .flow::after {
      inset: 0;
      opacity: 0.5;
      animation: none;
    }
    .toggle[aria-busy="true"] svg {
      animation: none;
    }
  }

  @media (max-width: 520px) {
    .row.wraps {
      flex-wrap: wrap;
    }
    .row.wraps .text {
      flex-basis: 100%;
    }
  }
`;
