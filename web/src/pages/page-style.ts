/** How the pages look around their elements: headings, fields, tables, cards. */

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

  .choices {
    display: flex;
    gap: 4px;
    max-width: 100%;
    margin: 0 -4px;
    padding: 4px;
    overflow-x: auto;
    scrollbar-width: none;
  }

  .choices button {
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

  .choices button:hover {
    background: var(--_raised);
    color: var(--_ink);
  }

  .choices button[aria-pressed="true"] {
    border-color: var(--_line);
    background: var(--_surface);
    color: var(--_ink);
  }

  .choices small {
    margin-inline-start: 4px;
    color: var(--_muted);
    font-size: 12px;
    font-weight: 500;
    font-variant-numeric: tabular-nums;
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

  .fields {
    display: flex;
    flex-wrap: wrap;
    align-items: end;
    gap: 12px;
  }

  .fields label {
    display: grid;
    gap: 4px;
    color: var(--_muted);
    font-size: 13px;
    font-weight: 600;
  }

  .fields .wide {
    flex: 1 1 260px;
  }

  .fields .check,
  .inline {
    display: flex;
    align-items: center;
    gap: 8px;
    min-height: 44px;
    color: var(--_muted);
    font-size: 13px;
    font-weight: 600;
  }

  fieldset {
    display: flex;
    flex-wrap: wrap;
    gap: 0 16px;
    min-width: 0;
    margin: 0;
    padding: 0;
    border: 0;
  }

  legend {
    padding: 0;
    color: var(--_muted);
    font-size: 13px;
    font-weight: 600;
  }

  .fields fieldset .check {
    flex: none;
  }

  .check input {
    width: 20px;
    height: 20px;
    accent-color: var(--_accent);
  }

  input:not([type="checkbox"]),
  select {
    width: 100%;
    min-height: 44px;
    padding: 0 12px;
    border: 1px solid var(--_control);
    border-radius: var(--_radius);
    background: var(--_surface);
    color: var(--_ink);
    font: inherit;
    font-size: 15px;
    font-weight: 400;
  }

  select {
    appearance: none;
    max-width: 220px;
    padding-inline-end: 34px;
    background-image:
      linear-gradient(45deg, transparent 50%, var(--_muted) 50%),
      linear-gradient(135deg, var(--_muted) 50%, transparent 50%);
    background-position: right 17px center, right 12px center;
    background-size: 5px 5px;
    background-repeat: no-repeat;
    text-overflow: ellipsis;
  }

  select:dir(rtl) {
    background-position: left 12px center, left 17px center;
  }

  .inline select {
    width: auto;
  }

  .chip {
    display: inline-flex;
    align-items: center;
    min-height: 44px;
    padding: 0 14px;
    border-radius: var(--_radius);
    background: var(--_accent-soft);
  }

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

  .pair {
    display: grid;
    grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr));
    gap: 20px;
    align-items: start;
  }

  .pair > * {
    min-width: 0;
  }

  .table {
    position: relative;
    overflow-x: auto;
    border: 1px solid var(--_line);
    border-radius: var(--_radius);
    background: var(--_surface);
  }

  table {
    width: 100%;
    border-collapse: collapse;
    white-space: nowrap;
  }

  th,
  td {
    height: 48px;
    padding: 2px 12px;
    font-weight: 400;
    font-variant-numeric: tabular-nums;
    text-align: start;
  }

  thead th {
    height: 40px;
    color: var(--_muted);
    font-size: 13px;
    font-weight: 600;
  }

  tbody tr {
    border-top: 1px solid var(--_line);
  }

  th:first-child,
  td:first-child {
    padding-inline-start: 16px;
  }

  tbody th {
    max-width: 260px;
    overflow: hidden;
    font-weight: 600;
    text-overflow: ellipsis;
  }

  .number,
  .end {
    text-align: end;
  }

  .detail {
    max-width: 44ch;
    white-space: normal;
    color: var(--_muted);
    font-size: 13px;
  }

  .detail span {
    display: inline-block;
    margin-inline-end: 14px;
    overflow-wrap: anywhere;
  }

  .detail b {
    color: var(--_ink);
    font-weight: 500;
  }

  td.empty {
    padding: 28px 16px;
    border: 0;
  }

  .past {
    color: var(--_muted);
  }

  .mark {
    padding: 2px 8px;
    border-radius: 6px;
    background: var(--_accent-soft);
    color: var(--_ink);
  }

  [data-circuit="open"],
  [data-circuit="probing"] {
    color: var(--_bad);
    font-weight: 600;
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

  .cards {
    display: grid;
    gap: 10px;
    margin: 0;
    padding: 0;
    list-style: none;
  }

  .cards li {
    display: grid;
    grid-template-columns: minmax(0, 1fr) auto auto;
    gap: 8px 20px;
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
    min-width: 160px;
  }

  .big {
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

  .history li[data-state="failed"] strong {
    color: var(--_bad);
  }

  .history li[data-state="ready"] strong {
    color: var(--_good);
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

  callspool-player {
    --callspool-padding: 0;
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
    main,
    .inside {
      padding-inline: 16px;
    }
    .fields label {
      flex: 1 1 44%;
    }
    .fields .wide {
      flex-basis: 100%;
    }
    select {
      max-width: none;
    }
    /* What goes on beyond the edge fades out there; its last part can still be brought in whole. */
    .choices {
      padding-inline-end: 32px;
      mask-image: linear-gradient(to right, #000 calc(100% - 32px), transparent);
    }
    .choices:dir(rtl) {
      mask-image: linear-gradient(to left, #000 calc(100% - 32px), transparent);
    }
    .cards li {
      grid-template-columns: 1fr auto;
    }
    .cards .acts {
      grid-column: 1 / -1;
      justify-content: start;
    }
  }
`;
