// Real X clients that write down what they get: xterm and xev.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { folder } from "./host.mjs";
import { must, tool, until } from "./tools.mjs";

/** An xterm that runs a shell script; files are in `place`. */
export class Terminal {
  /** The script should make the file `ready` when it listens. `geometry` as xterm's. */
  static async start(x, script, { geometry = "80x24+20+20", options = [] } = {}) {
    const place = folder("xterm");
    const file = join(place, "script.sh");
    writeFileSync(file, script);
    const args = ["-u8", "-geometry", geometry, ...options, "-e", "sh", file];
    const process = x.start(tool("xterm"), args, { cwd: place });
    const terminal = new Terminal(process, place);
    await until(() => `xterm starts: ${process.err}`, () => existsSync(join(place, "ready")), 15_000);
    return terminal;
  }

  constructor(process, place) {
    this.process = process;
    this.place = place;
  }

  /** A file that the script wrote, empty when it is not there. */
  read(name) {
    const path = join(this.place, name);
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  }

  /** Waits until the file is exactly this. */
  async waitFile(name, text, limit = 8000) {
    const shown = () => `${name} is ${JSON.stringify(text)}; it is ${JSON.stringify(this.read(name))}`;
    await until(shown, () => this.read(name) === text, limit);
  }

  /** Waits until the file has exactly this line. */
  async waitLine(name, line, limit = 8000) {
    const shown = () => `${name} has the line ${JSON.stringify(line)}; it is ${JSON.stringify(this.read(name))}`;
    await until(shown, () => this.read(name).split("\n").slice(0, -1).includes(line), limit);
  }

  async stop() {
    await this.process.stop();
  }
}

/** xev on a window of its own. */
export class EventWindow {
  /** Its outer place and size are exactly these: no window manager, no border. */
  static async start(x, { left = 0, top = 0, width = 1280, height = 720 } = {}) {
    const geometry = `${width}x${height}+${left}+${top}`;
    const args = ["-oL", tool("xev"), "-geometry", geometry, "-bw", "0", "-event", "keyboard", "-event", "mouse", "-event", "structure"];
    const window = new EventWindow(x.start(tool("stdbuf"), args));
    await until("xev is mapped", () => /MapNotify event/.test(window.process.out));
    // Mapped is not yet painted: the server must have it before the first event is sent.
    await must(tool("xdpyinfo"), [], { env: x.env });
    return window;
  }

  constructor(process) {
    this.process = process;
    this.from = 0;
  }

  /** Forgets what was before. */
  clear() {
    this.from = this.process.out.length;
  }

  /** The events since, in order. */
  events() {
    return this.process.out.slice(this.from).split("\n\n").map(parseEvent).filter(Boolean);
  }

  /** Waits for events that satisfy `wanted` (a function of the list) and answers what it answers. */
  async wait(what, wanted, limit = 6000) {
    const seen = () => JSON.stringify(this.events().slice(-24));
    return until(() => `xev sees ${what}; it saw ${seen()}`, () => wanted(this.events()), limit);
  }

  async stop() {
    await this.process.stop();
  }
}

function parseEvent(text) {
  const type = /(\w+) event, serial/.exec(text)?.[1];
  if (!type || !/^(Key(Press|Release)|Button|Motion)/.test(type)) return null;
  const place = /root:\((-?\d+),(-?\d+)\)/.exec(text);
  const key = /keycode (\d+) \(keysym 0x([0-9a-f]+), (\w+)\)/.exec(text);
  return {
    type,
    x: Number(place?.[1]),
    y: Number(place?.[2]),
    state: Number(/state (0x[0-9a-f]+)/.exec(text)?.[1] ?? 0),
    ...(key ? { keycode: Number(key[1]), keysym: parseInt(key[2], 16), name: key[3] } : {}),
    ...(type.startsWith("Button") ? { button: Number(/button (\d+)/.exec(text)?.[1]) } : {}),
  };
}
