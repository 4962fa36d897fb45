/** Defines `<callspool-player>`. A page that loads this file twice keeps the first one. */

import type { CallspoolPlayer as Declared } from "../callspool-player.js";
import { Player } from "./player.js";

export { Player as CallspoolPlayer };

/** The declarations that are published say what the class does. */
const declared: new () => Declared = Player;

if (!customElements.get("callspool-player")) customElements.define("callspool-player", declared);
