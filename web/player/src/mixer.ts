/**
 * Lets each channel of a call be heard alone. Without a wish of that kind the audio element plays as it is: the
 * graph is made at the first press of mute or solo, because browsers allow an AudioContext only at a gesture.
 */

export interface Lane {
  muted: boolean;
  solo: boolean;
}

/** Returns which channels are to be heard. */
export function audible(lanes: readonly Lane[]): boolean[] {
  const anySolo = lanes.some((lane) => lane.solo);
  return lanes.map((lane) => !lane.muted && (!anySolo || lane.solo));
}

/** Returns how loud a channel is on the left and on the right: one that is alone is heard on both. */
export function balance(heard: readonly boolean[]): [left: number, right: number][] {
  const alone = heard.filter(Boolean).length === 1;
  return heard.map((isHeard, index) => {
    if (!isHeard) return [0, 0];
    if (alone) return [1, 1];
    return index % 2 === 0 ? [1, 0] : [0, 1];
  });
}

export class Mixer {
  #context: AudioContext | null = null;
  #gains: [left: GainNode, right: GainNode][] = [];
  #of: HTMLMediaElement | null = null;

  /** Call it in a gesture. Does nothing while every channel is heard and no graph is there. */
  apply(audio: HTMLMediaElement, lanes: readonly Lane[]): void {
    const heard = audible(lanes);
    if (this.#of !== audio) {
      if (heard.every(Boolean)) return;
      this.close();
      this.#make(audio, lanes.length);
    }
    void this.#context?.resume();
    balance(heard).forEach((sides, index) => {
      this.#gains[index]?.forEach((node, side) => {
        const now = this.#context?.currentTime ?? 0;
        node.gain.setTargetAtTime(sides[side] ?? 0, now, 0.01); // a step would click
      });
    });
  }

  close(): void {
    void this.#context?.close();
    this.#context = this.#of = null;
    this.#gains = [];
  }

  #make(audio: HTMLMediaElement, channels: number): void {
    const context = new AudioContext();
    const splitter = new ChannelSplitterNode(context, { numberOfOutputs: channels });
    const merger = new ChannelMergerNode(context, { numberOfInputs: 2 });
    context.createMediaElementSource(audio).connect(splitter);
    for (let channel = 0; channel < channels; channel += 1) {
      const sides: [GainNode, GainNode] = [new GainNode(context), new GainNode(context)];
      sides.forEach((node, side) => {
        splitter.connect(node, channel);
        node.connect(merger, 0, side);
      });
      this.#gains.push(sides);
    }
    merger.connect(context.destination);
    this.#context = context;
    this.#of = audio;
  }
}
