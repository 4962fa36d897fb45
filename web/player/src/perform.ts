/** Does what a key means. */

import type { Command } from "./keys.js";
import type { Model } from "./model.js";
import type { Actions } from "./view.js";

const STEP_S = 5;
const LEAP_S = 30;

export function perform(command: Command, model: Model, actions: Actions): void {
  const by = (seconds: number) => model.seek(model.sound.position + seconds);
  switch (command) {
    case "toggle":
      return actions.toggle();
    case "back":
      return by(-STEP_S);
    case "forward":
      return by(STEP_S);
    case "far-back":
      return by(-LEAP_S);
    case "far-forward":
      return by(LEAP_S);
    case "ten-back":
      return actions.skipBy(-10);
    case "ten-forward":
      return actions.skipBy(10);
    case "start":
      return model.seek(0);
    case "end":
      return model.seek(model.seconds);
    case "faster":
      return model.stepRate(1);
    case "slower":
      return model.stepRate(-1);
    case "loop":
      return actions.loop();
    case "skip":
      return actions.skipSilence();
  }
}
