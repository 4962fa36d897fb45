/**
 * What is to be seen of a player, from its model and in the reader's words. It decides nothing: what is pressed goes
 * back to the element as a call.
 */

import { html, nothing, type TemplateResult } from "lit";
import { LOOP, BACK, DOWNLOAD, FORWARD, PAUSE, PLAY, SHARE, SIGNS, SKIP, SOLO, SOUND_OFF, SOUND_ON } from "./icons.js";
import { SPEEDS } from "./model.js";
import { type Said, type Subject, beside, told } from "./said.js";
import { actionFor, comes, isPlayable } from "./situation.js";
import { type Name, clock } from "./words.js";

/** What a person can do. */
export interface Actions {
  toggle(): void;
  skipBy(seconds: number): void;
  rate(rate: number): void;
  skipSilence(): void;
  loop(): void;
  share(): void;
  download(): void;
  mute(lane: number): void;
  solo(lane: number): void;
  retry(): void;
  again(): void;
  cancel(): void;
}

export interface View extends Subject {
  actions: Actions;
  laneNames: readonly string[];
  mayDownload: boolean;
  mayCancel: boolean;
}

export function body(view: View, timeline: TemplateResult): TemplateResult {
  if (isPlayable(view.state)) return html`${stage(view, timeline)} ${bar(view)} ${notes(view)}`;
  if (view.state === "loading") return loading(view);
  return message(view);
}

function loading({ words }: View): TemplateResult {
  return html`<div class="skeleton" role="img" aria-label=${words.say("loading")}></div>`;
}

function message(view: View): TemplateResult {
  const { model, state, words, actions } = view;
  const recording = model.track?.recording ?? null;
  const { title, said } = told(view);
  const action = actionFor(state, recording, model.track !== null, model.isRefused);
  const busy = (model.track?.busy ?? false) || (model.bare?.renewing ?? false);
  // One that is busy is not disabled: it would lose the focus of whoever pressed it.
  const button = (look: string, name: string, act: () => void) => html`
    <button class="button ${look}" aria-disabled=${busy ? "true" : nothing} @click=${busy ? nothing : act}>${name}</button>
  `;
  const mayStop = view.mayCancel && ["announced", "queued", "fetching"].includes(recording?.state ?? "");
  return html`
    <div class="message">
      ${
        comes(state, recording)
          ? toggle(view, words.say("playWhenThere"))
          : html`<span class="sign">${SIGNS[state] ?? nothing}</span>`
      }
      <p class="text"><strong>${title}</strong> <span dir="auto">${together(said)}</span></p>
      ${
        action
          ? button("", words.say(action), action === "retry" ? actions.retry : actions.again)
          : nothing
      }
      ${mayStop ? button("quiet", words.say("cancel"), actions.cancel) : nothing}
    </div>
    ${state === "downloading" ? flow(view) : nothing} ${notes(view)}
  `;
}

/** How far the download is, or only that it goes on. */
function flow({ model, words }: View): TemplateResult {
  const { share } = model;
  if (share === null) return html`<div class="flow" aria-hidden="true"></div>`;
  return html`<progress class="flow" max="1" .value=${share} aria-label=${words.say("downloading")}></progress>`;
}

function toggle({ model, words, actions }: View, play: string): TemplateResult {
  const { playing, loading: waits, intends } = model.sound;
  const isOn = playing || (waits && intends);
  return html`
    <button
      class="toggle"
      data-waits=${waits ? "yes" : "no"}
      aria-label=${isOn ? words.say("pause") : play}
      aria-keyshortcuts="k Space"
      @click=${actions.toggle}
    >
      ${isOn ? PAUSE : PLAY}
    </button>
  `;
}

function stage(view: View, timeline: TemplateResult): TemplateResult {
  const { model, words, actions } = view;
  return html`
    <div class="stage">
      ${
        model.lanes.length > 1
          ? html`<div class="lanes">
              ${model.lanes.map((lane, index) => {
                const name = view.laneNames[index] ?? words.say("channel", { n: index + 1 });
                return html`
                  <div class="lane" role="group" aria-label=${name}>
                    <span class="name" dir="auto">${name}</span>
                    <button
                      class="icon"
                      aria-pressed=${lane.muted ? "true" : "false"}
                      aria-label=${words.say("mute", { name })}
                      title=${words.say("mute", { name })}
                      @click=${() => actions.mute(index)}
                    >
                      ${lane.muted ? SOUND_OFF : SOUND_ON}
                    </button>
                    <button
                      class="icon"
                      aria-pressed=${lane.solo ? "true" : "false"}
                      aria-label=${words.say("solo", { name })}
                      title=${words.say("solo", { name })}
                      @click=${() => actions.solo(index)}
                    >
                      ${SOLO}
                    </button>
                  </div>
                `;
              })}
            </div>`
          : nothing
      }
      ${timeline}
    </div>
  `;
}

function bar(view: View): TemplateResult {
  const { model, words, actions } = view;
  const { seconds, sound, loop } = model;
  const loopName: Name = loop === null ? "loopStart" : loop.to === null ? "loopEnd" : "loopClear";
  const button = (name: string, sign: unknown, act: () => void, key: string | null, pressed: boolean | null = null) => html`
    <button
      class="icon"
      title=${name}
      aria-label=${name}
      aria-keyshortcuts=${key ?? nothing}
      aria-pressed=${pressed === null ? nothing : pressed ? "true" : "false"}
      @click=${act}
    >
      ${sign}
    </button>
  `;
  return html`
    <div class="bar">
      <div class="transport" dir="ltr">
        ${button(words.say("back"), BACK, () => actions.skipBy(-10), "j")} ${toggle(view, words.say("play"))}
        ${button(words.say("forward"), FORWARD, () => actions.skipBy(10), "l")}
      </div>
      <span class="time" dir="ltr" aria-hidden="true">
        <b>${clock(sound.position, seconds)}</b><i>/</i><span>${clock(seconds)}</span>
      </span>
      <span class="gap"></span>
      <div class="tools">
        <select
          dir="ltr"
          aria-label=${words.say("speed")}
          title=${words.say("speed")}
          @change=${(event: Event) => actions.rate(Number((event.target as HTMLSelectElement).value))}
        >
          ${SPEEDS.map(
            (rate) => html`<option value=${rate} ?selected=${rate === sound.rate}>${words.rate(rate)}</option>`,
          )}
        </select>
        ${
          model.peaks?.silences.some((spans) => spans.length > 0)
            ? button(words.say("skipSilence"), SKIP, actions.skipSilence, "s", model.skipsSilence)
            : nothing
        }
        ${button(words.say(loopName), LOOP, actions.loop, "b", loop !== null)}
        ${button(words.say("share"), SHARE, actions.share, null)}
        ${
          view.mayDownload && view.state !== "streaming"
            ? button(words.say("download"), DOWNLOAD, actions.download, null)
            : nothing
        }
      </div>
    </div>
  `;
}

function notes(view: View): TemplateResult | typeof nothing {
  const said = beside(view);
  return said.length ? html`<p class="note">${together(said)}</p>` : nothing;
}

function together(said: readonly Said[]): string {
  return said.map(({ text }) => text).join(" ");
}
