// A private X server and what is on it.

import { Process } from "./processes.mjs";
import { compiled, must, tool, until } from "./tools.mjs";

/** An Xvfb of our own. */
export class XServer {
  /** `size` is the largest screen; `display` names a number to take again, such as `:7`. */
  static async start({ size = [1920, 1200], display } = {}) {
    const args = ["-displayfd", "3", "-screen", "0", `${size[0]}x${size[1]}x24`, "-dpi", "96", "-noreset", "-nolisten", "tcp"];
    const server = new Process(tool("Xvfb"), display ? [display, ...args] : args, {
      stdio: ["ignore", "ignore", "pipe", "pipe"],
    });
    let number = "";
    server.child.stdio[3].setEncoding("utf8").on("data", (text) => (number += text));
    await until(() => `Xvfb starts: ${server.err}`, () => {
      if (server.ended !== null) throw new Error(`Xvfb ended: ${server.err}`);
      return number.endsWith("\n");
    });
    return new XServer(server, `:${number.trim()}`);
  }

  constructor(process, display) {
    this.process = process;
    this.display = display;
  }

  /** The environment of programs on this display. */
  get env() {
    const { XAUTHORITY: _, ...env } = process.env;
    return { ...env, DISPLAY: this.display, LC_ALL: "C.UTF-8", LANG: "C.UTF-8" };
  }

  /** Starts a program on this display. */
  start(file, args = [], options = {}) {
    return new Process(file, args, { ...options, env: { ...this.env, ...options.env } });
  }

  /** Starts support/scene.c. */
  scene(...args) {
    return this.start(compiled("scene"), args.map(String));
  }

  /** Sets the root window's colour. */
  async solid(colour) {
    await must(tool("xsetroot"), ["-solid", colour], { env: this.env });
  }

  /** Size of the screen now, as the X server tells it to a new client. */
  async size() {
    const text = await must(tool("xdpyinfo"), [], { env: this.env });
    const [, width, height] = /dimensions:\s+(\d+)x(\d+) pixels/.exec(text);
    return { width: Number(width), height: Number(height) };
  }

  /** Keycodes and buttons (mask of 1 << button) that are down, and the pointer's place. */
  async held() {
    const text = await must(compiled("held"), [], { env: this.env });
    return JSON.parse(text);
  }

  /** What is on the screen, without the pointer. */
  async screenshot() {
    return parseXwd(await must(tool("xwd"), ["-root", "-silent"], { env: this.env, encoding: "buffer" }));
  }

  async stop() {
    await this.process.stop();
  }
}

/** A true-colour ZPixmap dump (XWDFile.h) as { width, height, data } with three bytes a pixel. */
function parseXwd(dump) {
  const field = (i) => dump.readUInt32BE(i * 4);
  const [headerSize, width, height, order, bits, stride, colours] = [0, 4, 5, 7, 11, 12, 19].map(field);
  const masks = [14, 15, 16].map(field);
  if (bits !== 32 || order !== 0 || masks.join() !== [0xff0000, 0xff00, 0xff].join()) {
    throw new Error(`this X server's pixels are not BGRx: ${bits} bits, order ${order}, masks ${masks}`);
  }
  const start = headerSize + colours * 12;
  const data = new Uint8Array(width * height * 3);
  for (let y = 0, to = 0; y < height; y += 1) {
    for (let from = start + y * stride, end = from + width * 4; from < end; from += 4, to += 3) {
      data[to] = dump[from + 2];
      data[to + 1] = dump[from + 1];
      data[to + 2] = dump[from];
    }
  }
  return { width, height, data };
}
