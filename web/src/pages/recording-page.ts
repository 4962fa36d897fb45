/**
 * One recording: the player, what is known of it, why it waits, and all that happened to it.
 */

import { html, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import type { LiveEvent, RecordingDetail, Waiting } from "../api/client.js";
import { Problem } from "../api/problem.js";
import "../../player/src/index.js";
import "../elements/state-badge.js";
import { theme } from "../elements/theme.js";
import { bytes, dayAndTime, duration, moment, reasonSentence, timeOfDay } from "../elements/words.js";
import { whyItWaits } from "../i18n/told.js";
import { type Key, t } from "../i18n/words.js";
import { Page } from "./page.js";
import { pageStyle } from "./page-style.js";
import { recordingStyle } from "./recording-style.js";
import { href } from "./router.js";
import { type Entry, timeline } from "./timeline.js";

type Step = RecordingDetail["history"][number];
type Listen = RecordingDetail["listens"][number];

@customElement("callspool-recording-page")
export class RecordingPage extends Page {
  static override styles = [theme, pageStyle, recordingStyle];

  @state() private recording: RecordingDetail | null = null;
  @state() private why: Waiting | null = null;
  @state() private tenant = "";

  protected override willUpdate(): void {
    const { id } = this.route;
    if (id === null || !this.loaded || this.recording?.id === id || this.problem) return;
    void this.reread();
  }

  protected override async read(signal: AbortSignal): Promise<void> {
    const id = this.route.id ?? "";
    const [recording, tenants] = await Promise.all([this.client.recording(id, signal), this.client.tenants(signal)]);
    const waits = recording.state === "queued" || recording.state === "fetching" || recording.state === "announced";
    this.why = waits ? await this.client.why(id, signal) : null;
    const isOlder = this.recording?.id === recording.id && this.recording.version > recording.version;
    if (!isOlder) this.recording = recording;
    this.tenant = tenants.find((one) => one.id === recording.tenant_id)?.name ?? recording.tenant_id;
  }

  protected override heard(event: LiveEvent): void {
    if (event.recording.id !== this.route.id) return;
    if (this.recording && event.recording.version > this.recording.version) {
      this.recording = { ...this.recording, ...event.recording };
    }
    this.rereadSoon();
  }

  protected override render() {
    const { recording } = this;
    if (!recording) {
      const isUnknown = this.problem instanceof Problem && this.problem.status === 404;
      return html`
        <main aria-busy=${!this.loaded}>
          <p><a href=${href("recordings")}>${t("recording.all")}</a></p>
          ${isUnknown ? html`<p class="empty" role="alert">${t("recording.unknown")}</p>` : this.complaint()}
        </main>
      `;
    }
    return html`
      <main>
        <p class="back"><a href=${href("recordings")}>${t("recording.all")}</a></p>
        <div class="bar">
          <h1><bdi>${this.tenant}</bdi>, <time datetime=${moment(recording)}>${dayAndTime(moment(recording))}</time></h1>
          <callspool-state-badge state=${recording.state}></callspool-state-badge>
        </div>
        ${this.complaint()} ${this.#listen(recording)}
        ${this.why ? this.#waits(this.why, recording) : nothing}
        <div class="pair">
          <section>
            <h2>${t("recording.facts")}</h2>
            ${this.#facts(recording)}
          </section>
          <section>
            <h2>${t("recording.history")}</h2>
            <ol class="history">
              ${timeline(recording).map((entry) => this.#entry(entry))}
            </ol>
          </section>
        </div>
      </main>
    `;
  }

  #waits(why: Waiting, { reason, sentence }: RecordingDetail) {
    const because = why.obstacle?.code === "put_off" && reason ? reasonSentence(reason, sentence) : "";
    return html`
      <p class="lead" role="status"><strong>${t("recording.why")}</strong> ${whyItWaits(why)} ${because}</p>
    `;
  }

  #listen(recording: RecordingDetail) {
    return html`
      <section class="listen" aria-label=${t("recording.selected")}>
        <callspool-player
          lang=${document.documentElement.lang}
          recording=${recording.id}
          .server=${this.server}
          cancellable
        ></callspool-player>
      </section>
    `;
  }

  #facts(recording: RecordingDetail) {
    const facts: [Key, unknown][] = [
      ["fact.from", recording.from_number],
      ["fact.to", recording.to_number],
      ["fact.direction", recording.direction],
      ["fact.duration", recording.duration_s === null ? null : duration(recording.duration_s)],
      ["fact.verified", proof(recording)],
      ["fact.channels", recording.channels],
      ["fact.size", recording.size === null ? null : bytes(recording.size)],
      ["fact.type", recording.content_type],
      ["fact.call", recording.call_id],
      ["fact.provider", recording.provider_recording_id],
      ["account", recording.account_id],
      ["fact.id", recording.id],
      ["fact.sha256", recording.sha256],
      ["fact.failures", recording.tries || null],
    ];
    const gone = recording.provider_deleted_at;
    facts.push(["fact.providerDeleted", gone === null ? null : dayAndTime(gone)]);
    facts.push(["fact.held", recording.holds.map(({ why, actor }) => `${why} (${actor})`).join("; ")]);
    const { purged } = recording;
    facts.push(["fact.purged", purged === null ? null : `${dayAndTime(purged.at)}, ${purged.by}: ${purged.why}`]);
    const known = facts.filter(([, value]) => value !== null && value !== undefined && value !== "");
    return html`
      <dl class="facts">
        ${known.map(([key, value]) => html`<dt>${t(key)}</dt><dd><bdi>${value}</bdi></dd>`)}
      </dl>
    `;
  }

  #entry(entry: Entry) {
    switch (entry.kind) {
      case "step": {
        const { step } = entry;
        return this.#happened(entry.at, t(`event.${step.event}` as Key), step.actor, step);
      }
      case "tries": {
        const said = t("recording.tries", { n: entry.count, time: timeOfDay(entry.until) });
        return this.#happened(entry.at, said, entry.last.actor, entry.last);
      }
      case "repeat":
        return this.#happened(entry.at, t("event.repeat", { status: entry.repeat.status }), "webhook");
      case "listen":
        return this.#heard(entry.listen);
    }
  }

  #heard({ at, actor, by_link, result }: Listen) {
    const said = t(by_link ? "event.listenLink" : "event.listen");
    return this.#happened(at, result ? `${said} (${t(`heard.${result}`)})` : said, actor);
  }

  #happened(at: string, what: string, who: string, step: Step | null = null) {
    const why = step?.reason ? reasonSentence(step.reason, step.sentence) : null;
    return html`
      <li data-state=${step?.state ?? nothing}>
        <time datetime=${at} title=${dayAndTime(at)}>${timeOfDay(at)}</time>
        <div>
          <strong>${what}</strong>
          ${step?.http_status ? html`<span class="mark" dir="ltr">HTTP ${step.http_status}</span>` : nothing}
          <small>${step && step.attempt > 0 ? t("recording.attempt", { attempt: step.attempt }) : ""} <bdi>${who}</bdi></small>
          ${why ? html`<p>${why}</p>` : nothing}
          ${step?.detail ? html`<p class="detail"><bdi dir="ltr">${step.detail}</bdi></p>` : nothing}
        </div>
      </li>
    `;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "callspool-recording-page": RecordingPage;
  }
}

/** Says what of a recording could not be compared with the provider's word. */
function proof(recording: RecordingDetail): string | null {
  if (recording.verified === null) return null;
  if (recording.verified) return t("yes");
  return recording.unverified.map((what) => t(`fact.unverified_${what}`)).join(" ");
}
