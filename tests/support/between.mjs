// Stands between browsers and a host: everything passes, but the host's UDP candidates in signaling become those of
// relays, and the browsers' candidates are left out, so that media can only go through the relays.
//
// It runs in a thread of its own: what a test computes meanwhile must not look like a bad path.

import { once } from "node:events";
import { createServer, request } from "node:http";
import { connect } from "node:net";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import WebSocket, { WebSocketServer } from "ws";
import { UdpRelay } from "./udp-relay.mjs";

const SIGNALING = /\/(?:api\/webrtc\/signaling|api\/ws|signaling|ws)\/?(?:\?|$)/;
/** RFC 8839: foundation, component, transport, priority, address, port. */
const CANDIDATE = /^(candidate:\S+ \d+ )(\S+)( \d+ )(\S+) (\d+)( typ .*)$/i;

/** A front of one host; pages open its `url`. */
export class Between {
  #answers = [];

  static async start(host) {
    const worker = new Worker(new URL(import.meta.url), { workerData: { port: host.port } });
    const [{ url }] = await once(worker, "message");
    return new Between(worker, url);
  }

  constructor(worker, url) {
    this.worker = worker;
    this.url = url;
    worker.on("message", (answer) => this.#answers.shift()?.(answer));
  }

  /** Changes the ways of every relay, and of those to come: as UdpRelay.shape. */
  shape(ways) {
    this.worker.postMessage({ shape: ways });
  }

  /**
   * Offers of the host so far, and for `up` to the host and `down` from it the sums of Way.counts, with `late`: the wait in
   * ms that 95 % of the datagrams since the figures before stayed below.
   */
  async figures() {
    const answer = new Promise((resolve) => this.#answers.push(resolve));
    this.worker.postMessage({ figures: true });
    return answer;
  }

  async stop() {
    await this.worker.terminate();
  }
}

/** The front itself, in its thread. */
class Front {
  /** Relays by the host's address and port. */
  relays = new Map();
  /** Peer connections that the host offered. */
  offers = 0;
  #shape = {};
  #since = 0;

  constructor(port) {
    this.host = { port };
    this.server = createServer((incoming, answer) => this.#pass(incoming, answer));
    this.sockets = new WebSocketServer({ noServer: true, maxPayload: 1 << 20 });
    this.server.on("upgrade", (incoming, socket, head) => this.#upgrade(incoming, socket, head));
  }

  async listen() {
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
    return `http://127.0.0.1:${this.server.address().port}/`;
  }

  shape({ up = {}, down = {} }) {
    this.#shape = { up: { ...this.#shape.up, ...up }, down: { ...this.#shape.down, ...down } };
    for (const relay of this.relays.values()) relay.shape(this.#shape);
  }

  figures() {
    const sums = (name) => {
      const ways = [...this.relays.values()].flatMap((relay) => relay.ways(name));
      const total = { late: Math.max(0, ...ways.map((way) => way.percentile(0.95, this.#since))) };
      for (const key of ["came", "lost", "overflowed", "passed", "bytes"]) total[key] = ways.reduce((sum, { counts }) => sum + counts[key], 0);
      return total;
    };
    const answer = { offers: this.offers, up: sums("up"), down: sums("down") };
    this.#since = performance.now();
    return answer;
  }

  #pass(incoming, answer) {
    const { method, url, headers } = incoming;
    const out = request({ host: "127.0.0.1", port: this.host.port, method, path: url, headers }, (reply) => {
      answer.writeHead(reply.statusCode, reply.headers);
      reply.pipe(answer);
    });
    out.on("error", () => answer.destroy());
    incoming.pipe(out);
  }

  #upgrade(incoming, socket, head) {
    socket.on("error", () => undefined);
    if (SIGNALING.test(incoming.url)) {
      this.sockets.handleUpgrade(incoming, socket, head, (page) => this.#signaling(incoming, page));
      return;
    }
    const out = connect(this.host.port, "127.0.0.1", () => {
      const lines = [`${incoming.method} ${incoming.url} HTTP/1.1`];
      for (let i = 0; i < incoming.rawHeaders.length; i += 2) lines.push(`${incoming.rawHeaders[i]}: ${incoming.rawHeaders[i + 1]}`);
      out.write(`${lines.join("\r\n")}\r\n\r\n`);
      out.write(head);
      out.pipe(socket).pipe(out);
    });
    out.on("error", () => socket.destroy());
    socket.on("close", () => out.destroy());
  }

  #signaling({ url, headers }, page) {
    const { host, origin, cookie, authorization } = headers;
    const kept = Object.entries({ host, origin, cookie, authorization }).filter(([, value]) => value !== undefined);
    const server = new WebSocket(`ws://127.0.0.1:${this.host.port}${url}`, { headers: Object.fromEntries(kept) });
    const early = [];
    page.on("message", (data) => {
      const text = leaveOut(data.toString());
      if (text === null) return;
      if (server.readyState === WebSocket.OPEN) server.send(text);
      else early.push(text);
    });
    server.on("open", () => early.splice(0).forEach((text) => server.send(text)));
    // Relays take a moment to begin; messages keep their order.
    let order = Promise.resolve();
    server.on("message", (data) => {
      order = order.then(async () => {
        const text = await this.#rewrite(data.toString());
        if (text !== null && page.readyState === WebSocket.OPEN) page.send(text);
      });
    });
    for (const [one, other] of [[page, server], [server, page]]) {
      one.on("error", () => undefined);
      one.on("close", (code) => void order.then(() => (code >= 1000 && code < 5000 && ![1004, 1005, 1006, 1015].includes(code) ? other.close(code) : other.terminate())));
    }
  }

  async #rewrite(text) {
    const [head, message] = parts(text);
    if (message?.sdp?.type === "offer") {
      this.offers += 1;
      message.sdp.sdp = await this.#rewriteSdp(message.sdp.sdp);
      return head + JSON.stringify(message);
    }
    if (typeof message?.ice?.candidate === "string" && message.ice.candidate !== "") {
      const candidate = await this.#relayed(message.ice.candidate);
      if (candidate === null) return null;
      message.ice.candidate = candidate;
      return head + JSON.stringify(message);
    }
    return text;
  }

  async #rewriteSdp(sdp) {
    const lines = [];
    for (const line of sdp.split("\r\n")) {
      if (!line.startsWith("a=candidate:")) lines.push(line);
      else {
        const candidate = await this.#relayed(line.slice(2));
        if (candidate !== null) lines.push(`a=${candidate}`);
      }
    }
    return lines.join("\r\n");
  }

  /** The candidate with a relay's port; null for others than UDP over IPv4. */
  async #relayed(candidate) {
    const found = CANDIDATE.exec(candidate);
    if (!found || found[2].toLowerCase() !== "udp" || !/^\d+\.\d+\.\d+\.\d+$/.test(found[4])) return null;
    const [, head, transport, priority, host, port, rest] = found;
    const name = `${host}:${port}`;
    let relay = this.relays.get(name);
    if (!relay) {
      // At the same address: a browser pairs none of its own with one of loopback unless that is its own, too.
      relay = await UdpRelay.start({ host, port: Number(port), address: host, seed: this.relays.size + 1 });
      relay.shape(this.#shape);
      this.relays.set(name, relay);
    }
    return `${head}${transport}${priority}${host} ${relay.port}${rest}`;
  }
}

/** A relayed message's first part, peer's name and blank, and its JSON; null where there is none. */
function parts(text) {
  const at = text.indexOf("{");
  try {
    return at < 0 ? [text, null] : [text.slice(0, at), JSON.parse(text.slice(at))];
  } catch {
    return [text, null];
  }
}

/** What a page says, without its candidates; null where nothing is left. */
function leaveOut(text) {
  if (text.startsWith("HELLO")) return text;
  const [head, message] = parts(text);
  if (message?.ice) return null;
  if (typeof message?.sdp?.sdp !== "string") return text;
  message.sdp.sdp = message.sdp.sdp.split("\r\n").filter((line) => !line.startsWith("a=candidate:")).join("\r\n");
  return head + JSON.stringify(message);
}

if (!isMainThread) {
  const front = new Front(workerData.port);
  parentPort.on("message", ({ shape, figures }) => {
    if (shape) front.shape(shape);
    if (figures) parentPort.postMessage(front.figures());
  });
  parentPort.postMessage({ url: await front.listen() });
}
