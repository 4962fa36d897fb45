/** The real element in a document without layout or sound: its words, its keyboard, what it tells and announces. */

import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import "../player/src/index.js";
import type { Player } from "../player/src/player.js";
import type { Client, LiveEvent, Recording, Waiting } from "../src/api/client.js";
import type { Listener } from "../src/api/feed.js";
import { Problem } from "../src/api/problem.js";
import { type Connected, SharedFeed } from "../src/api/shared-feed.js";

const WAVEFORM = {
  version: 2,
  channels: 2,
  sample_rate: 8,
  samples_per_pixel: 8,
  bits: 8,
  length: 100,
  data: Array.from({ length: 400 }, (_, at) => (at % 2 ? 60 : -60)),
  silences: [[[10, 20]], [[12, 30]]],
};
const READY = { duration_s: 100, channels: 2, content_type: "audio/wav", verified: true };

let version = 0;
const recording = (state: string, changes: object = {}) => {
  version += 1;
  const given = { id: "rec_1", tenant_id: "t", state, version, reason: null, sentence: null, unverified: [] };
  return { ...given, updated_at: "2026-11-23T10:00:00Z", ...changes } as unknown as Recording;
};

/** A server in the test's hands. */
class Server {
  retried: Problem | null = null;
  obstacle: Partial<NonNullable<Waiting["obstacle"]>> | null = null;
  ahead = 3;
  asked: string[] = [];
  feed: Listener | null = null;

  constructor(public now: Recording | Problem) {}

  get connected(): Connected {
    const say = async <T>(name: string, value: () => T): Promise<T> => {
      this.asked.push(name);
      return value();
    };
    const read = () => {
      if (this.now instanceof Problem) throw this.now;
      return this.now;
    };
    const retry = () => {
      if (this.retried) throw this.retried;
      return { state: "queued", version: version + 1 };
    };
    const client = {
      recording: () => say("read", read),
      why: () => say("why", () => ({ state: "queued", ahead: this.ahead, obstacle: this.obstacle })),
      waveform: () => say("waveform", () => WAVEFORM),
      retry: () => say("retry", retry),
      playback: () => say("playback", () => ({ url: "/sound?token=1" })),
    } as unknown as Client;
    return { client, feed: new SharedFeed(async (listener) => void (this.feed = listener)) };
  }

  async moves(to: Recording): Promise<void> {
    this.now = to;
    this.feed?.event({ seq: to.version, recording: to } as unknown as LiveEvent);
    await settled();
  }
}

let player: Player;

async function settled(): Promise<void> {
  for (let time = 0; time < 4; time += 1) await new Promise((resolve) => setTimeout(resolve));
  await player.updateComplete;
}

async function show(server: Server, attributes: Partial<Player> = {}): Promise<Server> {
  player = document.createElement("callspool-player") as unknown as Player;
  Object.assign(player, { recording: "rec_1", server: server.connected, lang: "en" }, attributes);
  document.body.append(player);
  await player.updateComplete;
  await server.feed?.refresh("opened");
  await settled();
  return server;
}

const inside = <E extends Element = HTMLElement>(selector: string) => player.renderRoot.querySelector<E>(selector);
const text = () => (inside(".player")?.textContent ?? "").replace(/\s+/g, " ");
const announced = () => inside("[role=status]")?.textContent ?? "";
/** Returns what a screen reader is given to say from now on, one entry for each change of the live region. */
const hears = () => {
  const heard: string[] = [];
  const options = { childList: true, characterData: true, subtree: true };
  new MutationObserver(() => void heard.push(announced())).observe(inside("[role=status]") as Element, options);
  return heard;
};
const button = (name: string) => inside<HTMLButtonElement>(`button[aria-label="${name}"]`);
const slider = (name: string) => Number(inside("[role=slider]")?.getAttribute(`aria-${name}`));
const press = (key: string, code = key, changes: object = {}) => {
  const event = new KeyboardEvent("keydown", { key, code, bubbles: true, composed: true, cancelable: true, ...changes });
  (inside("[role=slider]") ?? inside(".player"))?.dispatchEvent(event);
  return player.updateComplete;
};

beforeAll(() => {
  vi.stubGlobal(
    "IntersectionObserver",
    class {
      constructor(private readonly seen: (entries: object[]) => void) {}
      observe() {
        this.seen([{ isIntersecting: true }]);
      }
      disconnect() {}
    },
  );
});

beforeEach(() => (location.hash = ""));
afterEach(() => player.remove());

describe("each state has its words", () => {
  test.each([
    ["waiting", "The call is still being recorded", recording("announced")],
    ["waiting", "3 recordings are before it.", recording("queued")],
    ["downloading", "It is being fetched from the provider.", recording("fetching")],
    ["ready", "1:40", recording("ready", READY)],
    ["unverified", "no length to compare", recording("ready", { ...READY, verified: false, unverified: ["duration"] })],
    ["failed", "Only a part came.", recording("failed", { reason: "truncated", sentence: "Only a part came." })],
    ["absent", "nothing was recorded", recording("absent")],
    ["purged", "deleted here on 23 Nov 2026", recording("purged")],
    ["cancelled", "It can be started again.", recording("cancelled")],
    ["forbidden", "There is no such recording", new Problem("not_found", "", 404)],
    ["forbidden", "The key is not valid", new Problem("unauthenticated", "", 401)],
    ["offline", "goes on by itself", new Problem("unreachable", "", 0)],
    ["broken", "A part does not answer.", new Problem("unavailable", "A part does not answer.", 503)],
  ])("%s: %s", async (state, words, now) => {
    await show(new Server(now), { lang: "en-GB" });
    expect(player.state).toBe(state);
    expect(text()).toContain(words);
    expect(inside(".player")?.getAttribute("data-state")).toBe(state);
  });

  test("in the page's language, and from right to left where that is so", async () => {
    document.documentElement.lang = "he";
    await show(new Server(recording("failed", { reason: "wrong_channels", sentence: "English" })), { lang: "" });
    document.documentElement.lang = "";
    expect(inside(".player")?.getAttribute("dir")).toBe("rtl");
    expect(text()).not.toContain("English");
  });

  test("what holds up more than its place in line is said too, in the reader's language", async () => {
    const server = new Server(recording("queued"));
    server.obstacle = { code: "account_paused", account: "main" };
    await show(server);
    expect(text()).toContain("Account \u2068main\u2069 is paused by an operator. 3 recordings are before it.");
    player.lang = "ar";
    await settled();
    expect(text()).toContain("أوقف مشغّلٌ الحساب \u2068main\u2069 مؤقتًا. 3 تسجيلات قبله.");
    player.remove();
    server.obstacle = { code: "slots_busy", tenant: "acme", held: 3, limit: 3 };
    await show(server);
    expect(text()).toContain("3 recordings are before it.");
    expect(text()).not.toContain("acme");
  });

  test("a text of the server's is text", async () => {
    await show(new Server(recording("failed", { reason: "quite_new", sentence: "<img src=x>" })));
    expect(text()).toContain("<img src=x>");
    expect(inside("img")).toBeNull();
  });
});

describe("the timeline", () => {
  test("is a slider that says its place as a voice does", async () => {
    await show(new Server(recording("ready", READY)));
    player.seek(61);
    await settled();
    const named = ["label", "orientation", "valuemin", "valuemax", "valuenow", "valuetext"];
    expect(named.map((name) => inside("[role=slider]")?.getAttribute(`aria-${name}`))).toEqual([
      "Position",
      "horizontal",
      "0",
      "100",
      "61",
      "1 minute 1 second of 1 minute 40 seconds",
    ]);
  });

  test("is moved in by keys, from left to right in every language, and never beyond its ends", async () => {
    await show(new Server(recording("ready", READY)), { lang: "ar" });
    const places: number[] = [];
    inside<HTMLElement>("[role=slider]")?.focus();
    for (const key of ["PageUp", "ArrowRight", "ArrowLeft", "ArrowUp", "PageDown", "ArrowLeft", "End", "ArrowRight", "Home"]) {
      await press(key);
      places.push(slider("valuenow"));
    }
    expect(places).toEqual([30, 35, 30, 35, 5, 0, 100, 100, 0]);
  });

  test("letters go by their place: ten seconds, the speed, the loop, the silences", async () => {
    await show(new Server(recording("ready", READY)));
    await press("ل", "KeyL");
    expect(slider("valuenow")).toBe(10);
    await press("b", "KeyB");
    await press("l", "KeyL");
    await press("b", "KeyB");
    expect(button("End the loop")?.getAttribute("aria-pressed")).toBe("true");
    await press(">", "Period", { shiftKey: true });
    expect(player.playbackRate).toBe(1.25);
    await press("s", "KeyS");
    expect(button("Skip silence")?.getAttribute("aria-pressed")).toBe("true");
    await press("l", "KeyL", { ctrlKey: true });
    expect(slider("valuenow")).toBe(20);
  });

  test("a link to a moment is followed when the page opens and when its address changes", async () => {
    location.hash = "#t=12";
    await show(new Server(recording("ready", READY)));
    expect(slider("valuenow")).toBe(12);
    location.hash = "#t=40,50&recording=rec_1";
    dispatchEvent(new Event("hashchange"));
    await settled();
    expect(slider("valuenow")).toBe(40);
    expect(button("End the loop")).not.toBeNull();
    location.hash = "#t=70&recording=rec_2";
    dispatchEvent(new Event("hashchange"));
    await settled();
    expect(slider("valuenow")).toBe(40);
  });
});

test("a drag that the timeline did not outlive is over", async () => {
  const server = await show(new Server(recording("ready", READY)));
  const track = inside("[role=slider]");
  if (!track) throw new Error("no slider");
  track.setPointerCapture = () => undefined;
  track.getBoundingClientRect = () => ({ left: 0, width: 100 }) as DOMRect;
  track.dispatchEvent(new PointerEvent("pointerdown", { button: 0, clientX: 60 }));
  await settled();
  expect(slider("valuenow")).toBe(60);
  await server.moves(recording("queued"));
  expect(inside("[role=slider]")).toBeNull();
  await server.moves(recording("ready", READY));
  expect(slider("valuenow")).toBe(0);
});

describe("what happens is announced", () => {
  test("what is there when the page opens is read where it stands; what comes then is announced", async () => {
    const server = await show(new Server(recording("ready", READY)));
    expect(announced()).toBe("");
    await server.moves(recording("purged"));
    expect(announced()).toContain("Deleted. The recording was deleted here");
  });

  test("a sentence that comes within a state is said once, and a figure that moves is not", async () => {
    const server = await show(new Server(recording("queued")));
    const heard = hears();
    await server.moves(recording("queued", { reason: "truncated", sentence: "Only a part came." }));
    await server.moves(recording("queued", { reason: "truncated", sentence: "Only a part came." }));
    server.ahead = 2;
    await server.moves(recording("queued", { reason: "truncated", sentence: "Only a part came." }));
    expect(text()).toContain("Only a part came. 2 recordings are before it.");
    expect(heard).toEqual(["Only a part came."]);
    await server.moves(recording("fetching"));
    expect(heard).toEqual(["Only a part came.", "On its way. It is being fetched from the provider."]);
  });

  test("what is read in another language is not said again", async () => {
    await show(new Server(recording("failed", { reason: "truncated", sentence: "Only a part came." })));
    const heard = hears();
    player.lang = "he";
    await settled();
    expect(text()).not.toContain("Only a part came.");
    expect(heard.filter(Boolean)).toEqual([]);
  });

  test("what went wrong twice in the same way is said twice", async () => {
    const server = await show(new Server(recording("failed", { reason: "truncated", sentence: "Only a part came." })));
    server.retried = new Problem("unreachable", "", 0);
    const heard = hears();
    for (let time = 0; time < 2; time += 1) {
      inside<HTMLButtonElement>(".button")?.click();
      await settled();
    }
    const failed = "That did not work. The server cannot be reached. Check the connection, then try again.";
    expect(heard.filter(Boolean)).toEqual([failed, failed]);
  });

  test("a retry that fails is said, and the recording stays what it was", async () => {
    const server = await show(new Server(recording("failed", { reason: "truncated", sentence: "Only a part came." })));
    server.retried = new Problem("unreachable", "", 0);
    inside<HTMLButtonElement>(".button")?.click();
    await settled();
    expect(player.state).toBe("failed");
    expect(inside(".note")?.textContent).toContain("That did not work. The server cannot be reached.");
    expect(announced()).toContain("That did not work.");
    server.retried = null;
    inside<HTMLButtonElement>(".button")?.click();
    await settled();
    expect(player.state).toBe("waiting");
    expect(text()).not.toContain("That did not work");
    expect(server.asked.filter((name) => name === "retry")).toHaveLength(2);
  });

  test("the page hears each state once, with the recording", async () => {
    const heard: unknown[] = [];
    const listen = (event: Event) => heard.push((event as CustomEvent).detail.state);
    document.addEventListener("callspool-state", listen);
    const server = await show(new Server(recording("queued")));
    await server.moves(recording("fetching"));
    await server.moves(recording("fetching"));
    await server.moves(recording("absent"));
    document.removeEventListener("callspool-state", listen);
    expect(heard.slice(heard.indexOf("waiting"))).toEqual(["waiting", "downloading", "absent"]);
  });
});

test("channels are buttons that are pressed or not, named after who speaks", async () => {
  await show(new Server(recording("ready", READY)), { channels: "Dana, Caller" });
  const solo = button("Hear only Dana");
  solo?.click();
  await player.updateComplete;
  expect(solo?.getAttribute("aria-pressed")).toBe("true");
  expect(button("Mute Caller")?.getAttribute("aria-pressed")).toBe("false");
});

test("a retry is offered where it can bring something, and a stop where the page wants one", async () => {
  await show(new Server(recording("failed", { reason: "gone" })));
  expect(inside(".button")).toBeNull();
  player.remove();
  await show(new Server(recording("queued")), { cancellable: true });
  expect(inside(".button")?.textContent?.trim()).toBe("Stop fetching");
  expect(button("Play as soon as it comes")).not.toBeNull();
});
