/** How fields and choices look. */

import { css } from "lit";

export const formStyle = css`
  .choices {
    display: flex;
    gap: 4px;
    max-width: 100%;
    margin: 0 -4px;
    padding: 4px;
    overflow-x: auto;
    scrollbar-width: none;
  }

  .fields > div {
    min-width: 0;
  }

  .fields .choices {
    margin-bottom: -4px;
  }

  .caption {
    display: block;
    color: var(--_muted);
    font-size: 13px;
    font-weight: 600;
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
    padding: 0 0 4px;
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

  @media (max-width: 720px) {
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
  }
`;
