/** What the player says in English. The other catalogues have the same names. */

import type { Recording, Waiting } from "../../../src/api/client.js";

/** Why a fetch can fail: the server's list. */
export type Reason = NonNullable<Recording["reason"]>;

/** What can keep a recording from being fetched: the server's list. */
export type Obstacle = NonNullable<Waiting["obstacle"]>["code"];

/** A text; or one for each plural form of `n`. */
export type Text = string | (Partial<Record<Intl.LDMLPluralRule, string>> & { other: string });

export const en = {
  player: "Call recording",
  play: "Play",
  playWhenThere: "Play as soon as it comes",
  pause: "Pause",
  back: "Back 10 seconds",
  forward: "Forward 10 seconds",
  position: "Position",
  ofTotal: "{position} of {total}",
  speed: "Speed",
  skipSilence: "Skip silence",
  loopStart: "Loop: set its start here",
  loopEnd: "Loop: set its end here",
  loopClear: "End the loop",
  share: "Copy a link to this moment",
  shared: "Link copied",
  notShared: "The link could not be copied: {url}",
  download: "Download",
  mute: "Mute {name}",
  solo: "Hear only {name}",
  agent: "Agent",
  customer: "Customer",
  channel: "Channel {n}",
  retry: "Retry",
  again: "Try again",
  cancel: "Stop fetching",
  loading: "Loading…",
  percent: "{percent} downloaded",

  waiting: "Waiting",
  announced: "The call is still being recorded, or the provider has not finished it yet.",
  next: "It is the next in line.",
  ahead: { one: "One recording is before it.", other: "{n} recordings are before it." },
  queued: "It waits for its turn.",
  notYet: "It is not here yet.",
  pressPlay: "Press play to ask for it.",
  nextTry: "Next try at {time}.",
  playsSoon: "It plays as soon as its first sound is here.",
  downloading: "On its way",
  fromProvider: "It is being fetched from the provider.",
  streaming: "Plays while it comes. Its end is not here yet.",
  broke: "The download broke off and begins anew.",
  ready: "Ready to play",
  unverified: "Not verified: the provider gave nothing to compare it with.",
  unverifiedDuration: "Not verified: the provider gave no length to compare with.",
  unverifiedChannels: "Not verified: how many channels there should be is not known.",
  missing: "What arrived lasts {found} of {total}: the rest is missing.",
  failed: "Could not be fetched",
  failedText: "It could not be fetched. Retry; if it stays so, tell the operator.",
  absent: "No recording",
  absentText: "The provider says that nothing was recorded. It will not come.",
  purged: "Deleted",
  purgedText: "The recording was deleted here on {time}. Only its record is left.",
  purgedTextOnly: "The recording was deleted here. Only its record is left.",
  cancelled: "Stopped",
  cancelledText: "A person stopped this recording. It can be started again.",
  forbidden: "Not allowed",
  forbiddenKey: "The key is not valid, or it ran out. Sign in again.",
  forbiddenOne: "There is no such recording, or you may not hear it.",
  forbiddenLink: "This link is damaged, or it is another recording's. Ask for a new one.",
  expired: "The link has expired",
  expiredAsking: "A new link is being asked for.",
  expiredText: "A new one did not work either. Try again, or ask for another link.",
  expiredLink: "Load the page again, or ask for another link.",
  offline: "No connection",
  offlineText: "The server cannot be reached. The player goes on by itself when it can be.",
  offlineLink: "The server cannot be reached. Check the connection, then try again.",
  didNotWork: "That did not work. {why}",
  broken: "Cannot be played",
  notAudio: "The server sent something that is not audio ({type}). A proxy may stand in between.",
  unplayable: "The browser cannot play this kind of audio ({type}). Try another browser.",
  stale: "Not connected: this may be old.",
} as const satisfies Record<string, Text>;

/** What keeps a recording from being fetched now, by the server's code. */
const obstacles: Readonly<Record<Obstacle, string>> = {
  announced: "The provider has not finished it yet.",
  scheduler_away: "It is kept, and goes on when the scheduler answers again.",
  on_its_way: "It is on its way to the scheduler.",
  put_off: "It is put off until {until}.",
  draining: "The scheduler is drained and starts nothing until an operator opens it again.",
  restarted: "The scheduler was restarted and starts nothing until {until}.",
  account_paused: "Account {account} is paused by an operator.",
  account_throttled: "Account {account} is paused until {until}: the provider asked to slow down.",
  account_failing: "Account {account} is paused until {until}: the provider fails.",
  account_refused: "Account {account} is paused until {until}: the provider refused its credentials.",
  account_rests: "Account {account} is paused until {until} after an answer of the provider.",
  tenant_paused: "Tenant {tenant} is paused by an operator.",
  tenant_unknown: "The limits of tenant {tenant} are not known to the scheduler yet.",
  account_unknown: "The limits of account {account} are not known to the scheduler yet.",
  tenant_no_slots: "Tenant {tenant} has no slots: an operator has to give it some.",
  account_no_downloads: "Account {account} may download nothing: an operator has to raise its limit.",
  slots_busy: "{held} of {limit} slots of tenant {tenant} are busy.",
  slot_kept: "The free slot of tenant {tenant} is kept for account {account}, whose turn it is.",
  account_probed: "Account {account} was in trouble, and one download tries alone.",
  account_busy: "Account {account} is busy with as many downloads as it may have.",
  account_full: "{held} of {limit} downloads of account {account} are busy.",
  account_slowed: "{held} of {limit} downloads of account {account} are busy; {set_limit} are allowed when it goes well.",
  no_worker: "It waits for a worker with room.",
};

export type Name = keyof typeof en;

export interface Catalogue {
  texts: Readonly<Record<Name, Text>>;
  /** What the server says in English of a failure, by its reason; what is not here is said as the server says it. */
  reasons: Readonly<Partial<Record<Reason, string>>>;
  obstacles: Readonly<Record<Obstacle, string>>;
}

/** A catalogue that says every reason itself: what lacks one does not compile. */
export interface Translation extends Catalogue {
  reasons: Readonly<Record<Reason, string>>;
}

export const english: Catalogue = { texts: en, reasons: {}, obstacles };
