// A bare client of the WebSocket wire (Selkies 2.1.0), for what no browser would do.

import jpeg from "jpeg-js";
import { randomBytes } from "node:crypto";
import WebSocket from "ws";
import { until } from "./tools.mjs";

const open = new Set();

/** One connection; everything it hears is kept. */
export class WireClient {
  /** Ends every connection of this process. */
  static stopAll() {
    for (const client of open) client.stop();
  }

  texts = [];
  /** Newest JPEG by first row, and the frame ids in order of arrival. */
  stripes = new Map();
  frames = [];
  /** Of a video codec: key frames, and frames that are predicted from another than the one before. */
  keys = 0;
  anchored = 0;
  bytes = 0;
  /** { code, reason } once closed. */
  closed = null;
  /** Whether frames are acknowledged at once. */
  acks = true;
  /** Called with the id of each new frame. */
  onFrame = () => undefined;

  /** Connects; a refused handshake rejects with the HTTP status in the message. */
  static connect(host, { query = "", headers = {}, acks = true, pongs = true } = {}) {
    const address = `ws://127.0.0.1:${host.port}/api/websockets${query}`;
    const socket = new WebSocket(address, { headers, perMessageDeflate: false, autoPong: pongs });
    socket.binaryType = "nodebuffer";
    const client = new WireClient(socket);
    client.acks = acks;
    return new Promise((resolve, reject) => {
      socket.once("open", () => resolve(client));
      socket.once("error", reject);
    });
  }

  /** Connects and takes the display; without a `tabId` (null) even from an owner that is there. */
  static async controller(host, { tabId = randomBytes(8).toString("hex"), size = [1280, 720], settings = {}, ...options } = {}) {
    const client = await WireClient.connect(host, options);
    await client.greeted();
    const tab = tabId === null ? {} : { tabId };
    const [initialClientWidth, initialClientHeight] = size;
    client.send(`SETTINGS,${JSON.stringify({ displayId: "primary", ...tab, initialClientWidth, initialClientHeight, ...settings })}`);
    return client;
  }

  /** Connects as a page with `#shared` does. */
  static async viewer(host, options = {}) {
    const client = await WireClient.connect(host, { query: "?role=viewer", ...options });
    await client.greeted();
    client.send("STOP_VIDEO");
    client.send("START_VIDEO");
    return client;
  }

  constructor(socket) {
    this.socket = socket;
    open.add(this);
    socket.on("message", (data, binary) => (binary ? this.#binary(data) : this.#text(data.toString())));
    socket.on("close", (code, reason) => {
      this.closed = { code, reason: reason.toString() };
      open.delete(this);
    });
    socket.on("error", () => undefined);
  }

  #text(text) {
    this.texts.push(text);
    // Stripes of another size are no part of the next picture.
    if (text.startsWith("PIPELINE_RESETTING") || text.startsWith('{"type":"stream_resolution"')) this.stripes.clear();
  }

  #binary(data) {
    this.bytes += data.length;
    if (data[0] !== 3 && data[0] !== 4) return;
    const frame = data.readUInt16BE(2);
    if (data[0] === 4) this.#video(data, frame);
    else this.stripes.set(data.readUInt16BE(4), data.subarray(6));
    if (this.frames.at(-1) === frame) return;
    this.frames.push(frame);
    this.onFrame(frame);
    if (this.acks) this.send(`CLIENT_FRAME_ACK ${frame} 0`);
  }

  /** A packet that may build on others: [04][codec|kind][frame][y][w][h][reference]. */
  #video(data, frame) {
    const [key, reference] = [(data[1] & 7) === 1, data.readUInt16BE(10)];
    if (key) this.keys += 1;
    else if (reference !== ((frame - 1) & 0xffff)) {
      this.anchored += 1;
      if (!this.frames.includes(reference)) throw new Error(`frame ${frame} builds on ${reference}, which did not come`);
    }
  }

  send(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(message);
  }

  /** The first text that starts with this, or undefined. */
  text(start) {
    return this.texts.find((text) => text.startsWith(start));
  }

  async waitText(start, limit = 5000) {
    return until(() => `a text that starts with ${start}; heard ${JSON.stringify(this.texts.map((t) => t.slice(0, 60)))}`, () => this.text(start), limit);
  }

  /** Waits for the end of the server's greeting. */
  async greeted() {
    await this.waitText('{"type":"server_settings"');
  }

  /** Waits for `count` more frames. */
  async waitFrames(count, limit = 8000) {
    const goal = this.frames.length + count;
    await until(() => `${count} frames; ${count - goal + this.frames.length} came; closed ${JSON.stringify(this.closed)}`, () => this.frames.length >= goal, limit);
  }

  async waitClosed(limit = 5000) {
    return until("the server closes the connection", () => this.closed, limit);
  }

  /** Stops taking anything from the socket, for good. */
  stopReading() {
    this.socket.pause();
  }

  /** Frames per second over `ms`. */
  async rate(ms) {
    const [from, start] = [this.frames.length, performance.now()];
    await new Promise((done) => setTimeout(done, ms));
    return ((this.frames.length - from) * 1000) / (performance.now() - start);
  }

  /** The stripes as one picture. */
  picture() {
    const parts = [...this.stripes].sort(([a], [b]) => a - b).map(([y, data]) => ({ y, ...jpeg.decode(data, { useTArray: true, formatAsRGBA: false }) }));
    const width = Math.max(...parts.map((part) => part.width));
    const height = Math.max(...parts.map((part) => part.y + part.height));
    const data = new Uint8Array(width * height * 3);
    for (const part of parts) {
      if (part.width === width) data.set(part.data, part.y * width * 3);
    }
    return { width, height, data };
  }

  stop() {
    this.socket.terminate();
  }
}
