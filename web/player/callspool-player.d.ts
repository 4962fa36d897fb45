/** What `@callspool/player` gives. docs/player.md describes it. */

export type PlayerState =
  | "empty"
  | "loading"
  | "waiting"
  | "downloading"
  | "streaming"
  | "ready"
  | "unverified"
  | "failed"
  | "absent"
  | "purged"
  | "cancelled"
  | "forbidden"
  | "expired"
  | "offline"
  | "broken";

/** What can be set from HTML. */
export interface CallspoolPlayerAttributes {
  recording?: string | null;
  src?: string | null;
  base?: string | null;
  token?: string | null;
  "audio-url"?: string | null;
  lang?: string;
  theme?: "light" | "dark" | null;
  channels?: string | null;
  "no-download"?: boolean;
  cancellable?: boolean;
}

/** What can be set from a program. */
export interface CallspoolPlayerProperties {
  recording: string | null;
  src: string | null;
  base: string | null;
  token: string | null;
  getToken: (() => string | null | Promise<string | null>) | null;
  audioUrl: string | null;
  getAudioUrl: (() => string | null | Promise<string | null>) | null;
  theme: "light" | "dark" | null;
  channels: string | null;
  noDownload: boolean;
  cancellable: boolean;
}

type On<Map, Name extends keyof Map> = (this: CallspoolPlayer, event: Map[Name]) => unknown;

export declare class CallspoolPlayer extends HTMLElement implements CallspoolPlayerProperties {
  recording: string | null;
  src: string | null;
  base: string | null;
  token: string | null;
  getToken: (() => string | null | Promise<string | null>) | null;
  audioUrl: string | null;
  getAudioUrl: (() => string | null | Promise<string | null>) | null;
  theme: "light" | "dark" | null;
  channels: string | null;
  noDownload: boolean;
  cancellable: boolean;

  readonly state: PlayerState;
  currentTime: number;
  readonly duration: number;
  readonly paused: boolean;
  playbackRate: number;

  play(): void;
  pause(): void;
  seek(seconds: number): void;
  retry(): Promise<void>;

  addEventListener<Name extends keyof CallspoolPlayerEventMap>(
    type: Name,
    listener: On<CallspoolPlayerEventMap, Name>,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener<Name extends keyof HTMLElementEventMap>(
    type: Name,
    listener: On<HTMLElementEventMap, Name>,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<Name extends keyof CallspoolPlayerEventMap>(
    type: Name,
    listener: On<CallspoolPlayerEventMap, Name>,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener<Name extends keyof HTMLElementEventMap>(
    type: Name,
    listener: On<HTMLElementEventMap, Name>,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | EventListenerOptions,
  ): void;
}

export interface CallspoolPlayerEventMap {
  "callspool-state": CustomEvent<{ state: PlayerState; recording: unknown }>;
  "callspool-play": CustomEvent<{ position: number; duration: number }>;
  "callspool-pause": CustomEvent<{ position: number; duration: number }>;
  "callspool-ended": CustomEvent<{ position: number; duration: number }>;
  "callspool-seek": CustomEvent<{ position: number; duration: number }>;
  "callspool-timeupdate": CustomEvent<{ position: number; duration: number }>;
  "callspool-ratechange": CustomEvent<{ rate: number }>;
  "callspool-error": CustomEvent<{ code: string; message: string }>;
  "callspool-share": CustomEvent<{ url: string; position: number }>;
  "callspool-download": CustomEvent<{ position: number }>;
}

declare global {
  interface HTMLElementTagNameMap {
    "callspool-player": CallspoolPlayer;
  }
}
