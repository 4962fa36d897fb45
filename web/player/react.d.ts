/** Lets TypeScript know `<callspool-player>` in JSX: `import type {} from "@callspool/player/react"`. React 19 or newer. */

import type { DetailedHTMLProps, HTMLAttributes } from "react";
import type { CallspoolPlayer, CallspoolPlayerEventMap, CallspoolPlayerProperties } from "./callspool-player.js";

type Handlers = {
  [Name in keyof CallspoolPlayerEventMap as `on${Name}`]?: (event: CallspoolPlayerEventMap[Name]) => void;
};

declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "callspool-player": DetailedHTMLProps<HTMLAttributes<CallspoolPlayer>, CallspoolPlayer> &
        Partial<CallspoolPlayerProperties> &
        Handlers;
    }
  }
}
