/**
 * Recordings, newest first. It holds no audio and no address of any (F18): opening one is an event for the page.
 */

import { LitElement, css, html, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { Recording } from "../api/client.js";
import { Localized, t } from "../i18n/words.js";
import "./state-badge.js";
import { theme } from "./theme.js";
import { dayAndTime, duration, moment, reasonSentence, timeOfDay } from "./words.js";

@customElement("callspool-recording-list")
export class RecordingList extends LitElement {
  static override styles = [
    theme,
    css`
      :host {
        display: block;
      }
      ul {
        margin: 0;
        padding: 0;
        overflow: clip;
        border: 1px solid var(--_line);
        border-radius: var(--_radius);
        background: var(--_surface);
        list-style: none;
      }
      li + li {
        border-top: 1px solid var(--_line);
      }
      .row {
        display: grid;
        grid-template-columns: 104px minmax(150px, 1.2fr) minmax(0, 1fr) minmax(0, 1.4fr) 64px;
        gap: 2px 16px;
        align-items: center;
        width: 100%;
        min-height: 44px;
        padding: 6px 18px;
        border: 0;
        background: none;
        text-align: start;
        cursor: pointer;
      }
      .row:hover {
        background: var(--_ground);
      }
      .row:focus-visible {
        outline-offset: -3px;
        border-radius: var(--_radius);
      }
      .row[aria-current="true"] {
        background: var(--_accent-soft);
      }
      .when {
        font-variant-numeric: tabular-nums;
      }
      .tenant,
      .call {
        overflow: hidden;
        color: var(--_muted);
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .call {
        font-family: var(--_mono);
        font-size: 13px;
      }
      .length {
        font-variant-numeric: tabular-nums;
        text-align: end;
      }
      .why {
        grid-column: 2 / -1;
        overflow: hidden;
        color: var(--_muted);
        font-size: 13px;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .more {
        display: flex;
        justify-content: center;
        padding: 16px 0 0;
      }
      .empty {
        margin: 0;
        padding: 56px 24px;
        border: 1px dashed var(--_control);
        border-radius: var(--_radius);
        color: var(--_muted);
        text-align: center;
      }
      @media (max-width: 720px) {
        .row {
          grid-template-columns: 1fr auto;
          padding: 12px 16px;
        }
        callspool-state-badge {
          grid-area: 1 / 2;
          justify-self: end;
        }
        .when {
          grid-area: 1 / 1;
        }
        .length {
          grid-area: 2 / 2;
        }
        .tenant {
          grid-area: 2 / 1;
        }
        .call {
          display: none;
        }
        .why {
          grid-column: 1 / -1;
          white-space: normal;
        }
      }
    `,
  ];

  @property({ attribute: false }) recordings: readonly Recording[] = [];
  @property({ attribute: false }) names: ReadonlyMap<string, string> = new Map();
  @property() selected: string | null = null;
  @property({ type: Boolean }) hasMore = false;
  @property({ type: Boolean }) loading = false;
  @property() emptyText = "";

  constructor() {
    super();
    new Localized(this);
  }

  #open(id: string) {
    this.dispatchEvent(new CustomEvent<string>("recording-open", { detail: id }));
  }

  #more() {
    this.dispatchEvent(new CustomEvent("more-wanted"));
  }

  protected override render() {
    if (this.recordings.length === 0) {
      return html`<p class="empty" role="status">${this.loading ? t("loading") : this.emptyText}</p>`;
    }
    return html`
      <ul aria-label=${t("page.recordings")}>
        ${repeat(this.recordings, (recording) => recording.id, (recording) => this.#row(recording))}
      </ul>
      ${
        this.hasMore
          ? html`<div class="more">
              <button class="button" ?disabled=${this.loading} @click=${this.#more}>
                ${t(this.loading ? "loading" : "more")}
              </button>
            </div>`
          : nothing
      }
    `;
  }

  #row(recording: Recording) {
    const at = moment(recording);
    const tenant = this.names.get(recording.tenant_id) ?? recording.tenant_id;
    const seconds = recording.duration_s ?? recording.announced_duration_s;
    const why = reasonOf(recording);
    return html`
      <li>
        <button
          class="row"
          data-id=${recording.id}
          aria-current=${recording.id === this.selected ? "true" : "false"}
          @click=${() => this.#open(recording.id)}
        >
          <callspool-state-badge state=${recording.state}></callspool-state-badge>
          <time class="when" datetime=${at}>${dayAndTime(at)}</time>
          <span class="tenant"><bdi>${tenant}</bdi></span>
          <span class="call" dir="ltr" title=${recording.call_id ?? ""}>${callOf(recording)}</span>
          <span class="length">${seconds === null ? "" : duration(seconds)}</span>
          ${why ? html`<span class="why">${why}</span>` : nothing}
        </button>
      </li>
    `;
  }
}

/** Why it failed, or what its next try waits for. */
function reasonOf(recording: Recording): string {
  const { state, reason, sentence, not_before } = recording;
  if (sentence === null || (state !== "failed" && state !== "queued")) return "";
  const why = reasonSentence(reason, sentence);
  return state === "queued" && not_before ? `${why} ${t("recordings.next", { time: timeOfDay(not_before) })}` : why;
}

/** Who spoke with whom, where that is known; else the provider's name of the call. */
function callOf(recording: Recording): string {
  const { from_number, to_number, call_id } = recording;
  return from_number && to_number ? `${from_number} → ${to_number}` : (call_id ?? "");
}

declare global {
  interface HTMLElementTagNameMap {
    "callspool-recording-list": RecordingList;
  }
}
