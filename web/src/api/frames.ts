/**
 * Reads server-sent events out of text that arrives in pieces (WHATWG HTML, 9.2.6). `EventSource` cannot be
 * used: it sends no Authorization header.
 */

export interface Frame {
  /** `""` for a comment: the server's sign of life. */
  event: string;
  data: string;
  /** The last id seen so far, which a reconnect gives back. */
  id: string | null;
}

export class FrameReader {
  #rest = "";
  #event = "";
  #data: string[] = [];
  #id: string | null = null;

  /** Takes the next piece and returns the frames that are complete with it. */
  push(text: string): Frame[] {
    const frames: Frame[] = [];
    const whole = this.#rest + text;
    // A final \r may be half of \r\n: it waits for the next piece.
    const usable = whole.endsWith("\r") ? whole.length - 1 : whole.length;
    const lines = whole.slice(0, usable).split(/\r\n|\n|\r/);
    this.#rest = (lines.pop() ?? "") + whole.slice(usable);
    for (const line of lines) {
      const frame = this.#line(line);
      if (frame) frames.push(frame);
    }
    return frames;
  }

  #line(line: string): Frame | null {
    if (line === "") return this.#dispatch();
    if (line.startsWith(":")) return { event: "", data: line.slice(1).trim(), id: this.#id };
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.#event = value;
    else if (field === "data") this.#data.push(value);
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    return null;
  }

  #dispatch(): Frame | null {
    const frame = this.#data.length
      ? { event: this.#event || "message", data: this.#data.join("\n"), id: this.#id }
      : null;
    this.#event = "";
    this.#data = [];
    return frame;
  }
}
