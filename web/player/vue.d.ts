/** Lets TypeScript know `<callspool-player>` in Vue's templates: `import type {} from "@callspool/player/vue"`. */

import type { HTMLAttributes } from "vue";
import type { CallspoolPlayerEventMap, CallspoolPlayerProperties } from "./callspool-player.js";

type Handlers = {
  [Name in keyof CallspoolPlayerEventMap as `on${Capitalize<Name>}`]?: (event: CallspoolPlayerEventMap[Name]) => void;
};

declare module "vue" {
  interface GlobalComponents {
    "callspool-player": new () => { $props: HTMLAttributes & Partial<CallspoolPlayerProperties> & Handlers };
  }
}
