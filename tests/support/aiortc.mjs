// A peer that is no browser: aiortc, in Python.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { folder } from "./host.mjs";
import { Process } from "./processes.mjs";
import { pythonWith } from "./python.mjs";
import { ROOT, until } from "./tools.mjs";

/** A running tests/support/aiortc_peer.py; everything it says is kept. */
export class AiortcPeer {
  said = [];

  /** Joins the session of `host` as the controller of a display of this size. */
  static async start(host, [width, height]) {
    const python = await pythonWith("aiortc");
    const script = join(ROOT, "tests", "support", "aiortc_peer.py");
    const url = `${host.url.replace("http", "ws")}api/webrtc/signaling`;
    return new AiortcPeer(new Process(python, [script, url, `${width}x${height}`], { stdio: ["pipe", "pipe", "pipe"] }));
  }

  constructor(process) {
    this.process = process;
    this.place = folder("aiortc");
    createInterface({ input: process.child.stdout }).on("line", (line) => this.said.push(JSON.parse(line)));
  }

  /** All that it said of one kind. */
  all(what) {
    return this.said.filter(([said]) => said === what).map(([, value]) => value);
  }

  /** Waits until it says this, with a value for which `wanted` is true, and answers the value. */
  async waitFor(what, wanted = () => true, limit = 30_000) {
    const shown = () => `the peer says ${what}: ${JSON.stringify(this.said.slice(-20))} ${this.process.err.slice(-2000)}`;
    const [value] = await until(shown, () => {
      if (this.process.ended !== null) throw new Error(`it ended with ${this.process.ended}`);
      const found = this.all(what).find(wanted);
      return found !== undefined && [found];
    }, limit);
    return value;
  }

  /** The newest frame that it decoded, as { width, height, data } with three bytes a pixel; null when there was none yet. */
  async picture() {
    const path = join(this.place, "frame.rgb");
    const before = this.all("saved").length;
    this.#tell("save", path);
    await until(() => `a frame is saved: ${this.process.err.slice(-2000)}`, () => this.all("saved").length > before, 15_000);
    const saved = this.all("saved").at(-1);
    return saved && { ...saved, data: new Uint8Array(readFileSync(path)) };
  }

  /** Sends a text on the channel for input. */
  send(text) {
    this.#tell("send", text);
  }

  #tell(what, value) {
    this.process.child.stdin.write(`${JSON.stringify([what, value])}\n`);
  }

  async stop() {
    this.process.child.stdin.end();
    await this.process.stop();
  }
}
