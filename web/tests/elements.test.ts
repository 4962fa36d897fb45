/** The dashboard's elements, each made for real in a document without layout. */

import { afterEach, describe, expect, test, vi } from "vitest";
import type { Recording } from "../src/api/client.js";
import type { EditNumber } from "../src/elements/edit-number.js";
import "../src/elements/edit-number.js";
import "../src/elements/recording-list.js";
import "../src/elements/sign-in.js";
import "../src/elements/state-badge.js";
import "../src/elements/time-plot.js";
import { choose } from "../src/i18n/words.js";

afterEach(() => {
  document.body.replaceChildren();
  choose("en");
});

async function show<K extends keyof HTMLElementTagNameMap>(tag: K, given: Partial<HTMLElementTagNameMap[K]> = {}) {
  const element = Object.assign(document.createElement(tag), given);
  document.body.append(element);
  await (element as unknown as { updateComplete: Promise<unknown> }).updateComplete;
  return element;
}

function within(element: Element, selector: string): HTMLElement {
  const found = element.shadowRoot?.querySelector<HTMLElement>(selector);
  if (!found) throw new Error(`${element.localName} shows no ${selector}`);
  return found;
}

const text = (element: Element, selector: string) => within(element, selector).textContent?.trim();
const heard = <T>(element: Element, name: string) => {
  const listener = vi.fn<(detail: T) => void>();
  element.addEventListener(name, (event) => listener((event as CustomEvent<T>).detail));
  return listener;
};

describe("a figure that is changed where it stands", () => {
  async function edited(): Promise<EditNumber> {
    const element = await show("callspool-edit-number", { value: 3, label: "Slots, Acme" });
    within(element, ".value").click();
    await element.updateComplete;
    return element;
  }
  const fill = (element: Element, value: string) => {
    (within(element, "input") as HTMLInputElement).value = value;
    within(element, "form").dispatchEvent(new Event("submit", { cancelable: true }));
  };

  test("says what it is and that it can be changed", async () => {
    const element = await show("callspool-edit-number", { value: 3, label: "Slots, Acme" });
    expect(within(element, ".value").getAttribute("aria-label")).toBe("Slots, Acme: 3. Change");
  });

  test("tells a new figure, and waits for it to be set", async () => {
    const element = await edited();
    const set = heard<number>(element, "number-set");
    fill(element, "7");
    await element.updateComplete;
    expect(set.mock.calls).toEqual([[7]]);
    expect(text(element, ".value")).toBe("3");
  });

  test.each([["3"], [""]])("tells nothing of %j", async (value) => {
    const element = await edited();
    const set = heard<number>(element, "number-set");
    fill(element, value);
    expect(set).not.toHaveBeenCalled();
  });

  test("Escape leaves it as it was", async () => {
    const element = await edited();
    const set = heard<number>(element, "number-set");
    within(element, "input").dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
    await element.updateComplete;
    expect(text(element, ".value")).toBe("3");
    expect(set).not.toHaveBeenCalled();
  });
});

describe("signing in", () => {
  const submit = (element: Element) => within(element, "form").dispatchEvent(new Event("submit", { cancelable: true }));

  test("a key is told without the blanks around it, and does not stay in the field", async () => {
    const element = await show("callspool-sign-in");
    const told = heard(element, "sign-in");
    const field = within(element, 'input[name="key"]') as HTMLInputElement;
    field.value = "  cs_1 ";
    submit(element);
    expect(told.mock.calls).toEqual([[{ key: "cs_1" }]]);
    expect(field.value).toBe("");
  });

  test("nothing is told of an empty field", async () => {
    const element = await show("callspool-sign-in");
    const told = heard(element, "sign-in");
    submit(element);
    expect(told).not.toHaveBeenCalled();
  });

  test("a password is told as it was typed", async () => {
    const element = await show("callspool-sign-in");
    const told = heard(element, "sign-in");
    within(element, ".quiet").click();
    await element.updateComplete;
    (within(element, 'input[name="name"]') as HTMLInputElement).value = " dana ";
    (within(element, 'input[name="password"]') as HTMLInputElement).value = " a b ";
    submit(element);
    expect(told.mock.calls).toEqual([[{ name: "dana", password: " a b " }]]);
  });

  test("a refusal is announced", async () => {
    const element = await show("callspool-sign-in", { refusal: "Not this one." });
    expect(text(element, '[role="alert"]')).toBe("Not this one.");
  });
});

describe("the list of recordings", () => {
  const recording = (id: string, state: string, changes: object = {}) => {
    const at = "2026-11-23T10:00:00Z";
    const given = { id, state, tenant_id: "acme", created_at: at, started_at: at, call_id: `CA${id}`, duration_s: 65 };
    const none = { reason: null, sentence: null, not_before: null, from_number: null, to_number: null };
    return { ...given, ...none, ...changes } as unknown as Recording;
  };
  const names = new Map([["acme", "<b>Acme</b>"]]);

  test("a row shows names as text, and opens its recording", async () => {
    const recordings = [recording("1", "ready"), recording("2", "queued")];
    const element = await show("callspool-recording-list", { recordings, names, selected: "2" });
    const opened = heard<string>(element, "recording-open");
    expect(text(element, ".tenant")).toBe("<b>Acme</b>");
    expect(text(element, ".length")).toBe("1:05");
    within(element, '[data-id="1"]').click();
    expect(opened.mock.calls).toEqual([["1"]]);
    expect(within(element, '[aria-current="true"]').dataset["id"]).toBe("2");
  });

  test("why a recording failed stands with it, and not with one that is ready", async () => {
    const why = { reason: "gone", sentence: "The provider has deleted it." };
    const failed = await show("callspool-recording-list", { recordings: [recording("1", "failed", why)] });
    const ready = await show("callspool-recording-list", { recordings: [recording("1", "ready", why)] });
    expect(text(failed, ".why")).toBe("The provider has deleted it.");
    expect(ready.shadowRoot?.querySelector(".why")).toBeNull();
  });

  test("an empty list says so, and not before it is loaded", async () => {
    const element = await show("callspool-recording-list", { emptyText: "None yet.", loading: true });
    expect(text(element, '[role="status"]')).toBe("Loading…");
    element.loading = false;
    await element.updateComplete;
    expect(text(element, '[role="status"]')).toBe("None yet.");
  });

  test("more are asked for once at a time", async () => {
    const given = { recordings: [recording("1", "ready")], hasMore: true };
    const element = await show("callspool-recording-list", given);
    const wanted = heard(element, "more-wanted");
    within(element, ".more button").click();
    element.loading = true;
    await element.updateComplete;
    within(element, ".more button").click();
    expect(wanted).toHaveBeenCalledTimes(1);
  });
});

test("a state is a word, in the language that is chosen while it stands there", async () => {
  const element = await show("callspool-state-badge", { state: "ready" });
  expect(element.shadowRoot?.textContent?.trim()).toBe("Ready");
  expect(element.getAttribute("state")).toBe("ready");
  choose("he");
  await element.updateComplete;
  expect(element.shadowRoot?.textContent?.trim()).toMatch(/[\u0590-\u05ff]/);
});

test("a plot's figures stand in a table for those who cannot see it", async () => {
  const element = await show("callspool-time-plot", {
    heading: "Recordings",
    times: [1_800_000_000, 1_800_003_600],
    series: [{ label: "Ready", colour: "--_good", values: [4, null] }],
    format: (value) => `${value} pieces`,
  });
  expect(text(element, "figcaption")).toContain("Recordings");
  const cells = [...(element.shadowRoot?.querySelectorAll("tbody td") ?? [])].map((cell) => cell.textContent?.trim());
  expect(cells).toEqual(["Ready: 4 pieces", "Ready: –"]);
  expect(element.shadowRoot?.querySelectorAll("tbody tr")).toHaveLength(2);
});
