/**
 * Which page an address names, and links between them without loading anything anew. What a page shows stands in
 * its address, so that it can be sent to somebody, and "back" goes back.
 */

export const PAGES = {
  recordings: "/",
  now: "/now",
  failures: "/failures",
  backfill: "/backfill",
  keys: "/keys",
  audit: "/audit",
} as const;

export type PageName = keyof typeof PAGES;

export interface Route {
  page: PageName | "recording";
  /** The recording, on its own page. */
  id: string | null;
  params: URLSearchParams;
}

export function read(address: Location | URL): Route {
  const params = new URLSearchParams(address.search);
  const id = /^\/recordings\/([\w-]+)$/.exec(address.pathname)?.[1] ?? null;
  if (id !== null) return { page: "recording", id, params };
  const found = Object.entries(PAGES).find(([, path]) => path === address.pathname);
  return { page: (found?.[0] as PageName | undefined) ?? "recordings", id: null, params };
}

/** Returns a page's address with those parameters that have a value. */
export function href(page: PageName, params: Readonly<Record<string, string | null | undefined>> = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) if (value) query.set(name, value);
  const text = query.toString();
  return PAGES[page] + (text === "" ? "" : `?${text}`);
}

export function recordingHref(id: string): string {
  return `/recordings/${encodeURIComponent(id)}`;
}

/** Goes to an address of this site; *instead* takes the place of the one that is shown. */
export function go(to: string, instead = false): void {
  if (instead) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  window.dispatchEvent(new PopStateEvent("popstate"));
}

/** Follows a click on a link of this site, unless the reader wants a new tab or the like. */
export function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const link = event.composedPath().find((node): node is HTMLAnchorElement => node instanceof HTMLAnchorElement);
  if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  if (link.pathname.startsWith("/api/")) return;
  event.preventDefault();
  go(link.pathname + link.search + link.hash);
}
