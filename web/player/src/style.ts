/** How the player looks. Its colours are theme.ts's. */

import { css } from "lit";

export const style = css`
  .player {
    container-type: inline-size;
    display: grid;
    gap: 4px;
    min-width: 0;
  }

  svg {
    width: 22px;
    height: 22px;
    fill: currentColor;
  }

  .line {
    fill: none;
    stroke: currentColor;
    stroke-width: 1.7;
    stroke-linecap: round;
    stroke-linejoin: round;
  }

  .transport .icon svg {
    width: 26px;
    height: 26px;
  }

  .stage {
    display: grid;
    grid-template-columns: auto minmax(0, 1fr);
    gap: 12px;
  }

  .stage > .timeline:only-child {
    grid-column: 1 / -1;
  }

  .lanes {
    display: grid;
    grid-auto-rows: 44px;
  }

  .lane {
    display: flex;
    align-items: center;
    justify-content: flex-end;
  }

  .lane .name {
    flex: 1;
    max-width: 9em;
    margin-inline-end: 6px;
    overflow: hidden;
    color: var(--_muted);
    font-size: 13px;
    font-weight: 600;
    text-overflow: ellipsis;
    white-space: nowrap;
  }

  .timeline {
    position: relative;
    height: 64px;
    border-radius: 8px;
    direction: ltr;
    touch-action: pan-y;
    cursor: pointer;
    user-select: none;
    -webkit-user-select: none;
  }

  .timeline[data-lanes="2"] {
    height: 88px;
  }

  .timeline canvas {
    display: block;
    width: 100%;
    height: 100%;
  }

  .slider {
    position: absolute;
    inset: 0;
    border-radius: 8px;
  }

  .hint {
    position: absolute;
    top: 2px;
    padding: 0 6px;
    border-radius: 5px;
    background: var(--_ink);
    color: var(--_surface);
    font-size: 12px;
    font-variant-numeric: tabular-nums;
    line-height: 18px;
    pointer-events: none;
    transform: translateX(-50%);
  }

  .bar {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 0 8px;
    min-height: 48px;
  }

  .transport,
  .tools {
    display: flex;
    align-items: center;
    gap: 2px;
  }

  .transport {
    margin-inline-start: -6px;
  }

  .tools {
    margin-inline-end: -6px;
  }

  .gap {
    flex: 1;
  }

  .time {
    display: inline-flex;
    gap: 5px;
    margin-inline: 6px;
    color: var(--_muted);
    font-size: 14px;
    font-variant-numeric: tabular-nums;
    white-space: nowrap;
  }

  .time b {
    color: var(--_ink);
    font-weight: 600;
  }

  .time i {
    font-style: normal;
    opacity: 0.6;
  }

  .icon {
    flex: none;
    display: grid;
    place-items: center;
    width: 44px;
    height: 44px;
    padding: 0;
    border: 0;
    border-radius: 10px;
    background: none;
    color: var(--_muted);
    cursor: pointer;
  }

  .icon text {
    font-family: inherit;
    stroke: none;
  }

  .icon:hover {
    background: var(--_raised);
    color: var(--_ink);
  }

  .icon[aria-pressed="true"] {
    background: var(--_accent-soft);
    color: var(--_accent-ink);
  }

  .toggle {
    flex: none;
    display: grid;
    place-items: center;
    width: 44px;
    height: 44px;
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

  .toggle[data-waits="yes"] {
    position: relative;
  }

  .toggle[data-waits="yes"]::after {
    content: "";
    position: absolute;
    inset: -3px;
    border: 2px solid var(--_accent);
    border-inline-start-color: transparent;
    border-radius: 50%;
    animation: turn 1s linear infinite;
  }

  select {
    height: 44px;
    padding: 0 6px;
    border: 0;
    border-radius: 10px;
    background: transparent;
    color: var(--_muted);
    font-size: 14px;
    font-variant-numeric: tabular-nums;
    font-weight: 600;
    text-align: center;
    cursor: pointer;
    appearance: none;
    -webkit-appearance: none;
  }

  select:hover {
    background: var(--_raised);
    color: var(--_ink);
  }

  option {
    background: var(--_surface);
    color: var(--_ink);
  }

  .message {
    display: flex;
    flex-wrap: wrap;
    align-items: center;
    gap: 4px 14px;
    min-height: 64px;
  }

  .sign {
    flex: none;
    display: grid;
    place-items: center;
    width: 44px;
    height: 44px;
    border-radius: 50%;
    background: var(--_raised);
    color: var(--_muted);
  }

  [data-state="failed"] .sign,
  [data-state="broken"] .sign,
  [data-state="forbidden"] .sign,
  [data-state="expired"] .sign {
    background: var(--_bad-soft);
    color: var(--_bad);
  }

  .text {
    flex: 1 1 220px;
    min-width: 0;
    margin: 0;
    overflow-wrap: anywhere;
  }

  .text strong {
    display: block;
    font-weight: 600;
  }

  .text span {
    display: block;
    color: var(--_muted);
    font-size: 14px;
  }

  .note {
    margin: 0;
    color: var(--_muted);
    font-size: 13px;
    font-variant-numeric: tabular-nums;
  }

  [data-state="unverified"] .note {
    color: var(--_wait);
  }

  .skeleton {
    height: 64px;
    border-radius: 8px;
    background: repeating-linear-gradient(90deg, var(--_line) 0 2px, transparent 2px 3px) center / 100% 2px no-repeat;
  }

  .flow {
    position: relative;
    height: 3px;
    overflow: hidden;
    border-radius: 2px;
    background: var(--_line);
  }

  progress.flow {
    display: block;
    width: 100%;
    border: 0;
    appearance: none;
    -webkit-appearance: none;
  }

  progress.flow::-webkit-progress-bar {
    background: var(--_line);
  }

  progress.flow::-webkit-progress-value {
    border-radius: 2px;
    background: var(--_accent);
    transition: inline-size 0.6s ease-out;
  }

  progress.flow::-moz-progress-bar {
    border-radius: 2px;
    background: var(--_accent);
  }

  div.flow::after {
    content: "";
    position: absolute;
    inset: 0 70% 0 0;
    border-radius: 2px;
    background: var(--_accent);
    animation: flow 1.8s ease-in-out infinite;
  }

  [dir="rtl"] div.flow::after {
    animation-direction: reverse;
  }

  @keyframes turn {
    to {
      transform: rotate(1turn);
    }
  }

  @keyframes flow {
    from {
      transform: translateX(-100%);
    }
    to {
      transform: translateX(340%);
    }
  }

  @container (max-width: 540px) {
    .stage {
      gap: 6px;
    }
    .lane .name {
      max-width: 5.2em;
    }
    .gap {
      display: none;
    }
    .time {
      margin-inline-start: auto;
    }
    .tools {
      flex: 1 0 100%;
      justify-content: space-between;
      margin-inline: -6px;
    }
    .message .button {
      margin-inline-start: 58px;
    }
  }

  @container (max-width: 400px) {
    .stage {
      grid-template-columns: minmax(0, 1fr);
    }
    .lanes {
      grid-auto-flow: column;
      grid-auto-columns: 1fr;
    }
    .lane {
      justify-content: flex-start;
    }
    .lane .name {
      flex: none;
    }
  }

  @media (prefers-reduced-motion: reduce) {
    progress.flow::-webkit-progress-value {
      transition: none;
    }
    div.flow::after {
      inset: 0;
      opacity: 0.5;
      animation: none;
    }
    .toggle[data-waits="yes"]::after {
      border-style: dotted;
      animation: none;
    }
  }

  @media (forced-colors: active) {
    .toggle,
    .icon[aria-pressed="true"],
    .sign {
      border: 1px solid ButtonText;
    }
    .icon[aria-pressed="true"] {
      background: Highlight;
      color: HighlightText;
      forced-color-adjust: none;
    }
  }
`;
