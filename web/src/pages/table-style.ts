/** How tables look. */

import { css } from "lit";

export const tableStyle = css`
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
    padding: 2px 9px;
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

  /* A name that is read the other way is cut at its own end. */
  tbody th > a {
    display: inline-block;
    max-width: 100%;
    overflow: hidden;
    text-overflow: ellipsis;
    vertical-align: bottom;
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

  @media (pointer: fine) {
    td .button.small {
      min-height: 36px;
    }
  }

  /* What can be done stays in sight where a table is a little too wide. */
  @media (min-width: 721px) {
    td.end {
      position: sticky;
      inset-inline-end: 0;
      background: var(--_surface);
    }
  }

  /* Whose row it is stays in sight while the rest is moved. */
  @media (max-width: 720px) {
    tbody th,
    thead th:first-child:not(.number) {
      position: sticky;
      inset-inline-start: 0;
      max-width: 168px;
      background: var(--_surface);
    }
    tbody th {
      padding-block: 6px;
    }
    tbody th .mark {
      display: block;
      width: fit-content;
    }
  }
`;
