/**
 * The API key of this tab: taken from the address once, then kept in the tab's session only.
 */

const NAME = "callspool.key";

/** Takes `#key=…` out of the address, so that it is in no bookmark and no history. */
export function takeKeyFromAddress(): void {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (key === null) return;
  history.replaceState(null, "", location.pathname + location.search);
  if (key !== "") keepKey(key);
}

export function storedKey(): string | null {
  return sessionStorage.getItem(NAME);
}

export function keepKey(key: string): void {
  sessionStorage.setItem(NAME, key);
}

export function forgetKey(): void {
  sessionStorage.removeItem(NAME);
}
