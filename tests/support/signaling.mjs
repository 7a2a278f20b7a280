// The relay `selkies-host signaling`, and clients of it: socket.io-client, python-socketio.

import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { io } from "socket.io-client";
import WebSocket from "ws";
import { environment, folder, freePort, Host, HOST } from "./host.mjs";
import { Process } from "./processes.mjs";
import { pythonWith } from "./python.mjs";
import { ROOT, until } from "./tools.mjs";

/** Transports in the orders that clients try. */
export const WAYS = [["polling"], ["websocket"], ["polling", "websocket"]];
/** Signals as clients send them. */
export const OFFER = { type: "offer", data: { sdp: "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n", type: "offer" } };
export const ANSWER = { type: "answer", data: { sdp: "v=0\r\n", type: "answer" } };
export const CANDIDATE = { type: "ice-candidate", data: { candidate: "candidate:1 1 UDP 1 192.0.2.1 9 typ host", sdpMid: "0", sdpMLineIndex: 0 } };

const open = new Set();

/** Ends every client of this process. */
export async function stopPeers() {
  for (const peer of open) await peer.stop();
  open.clear();
}

/** A relay on a free port. */
export async function startRelay(args = [], env = {}) {
  const port = await freePort();
  const given = ["signaling", "--port", String(port), ...args];
  return Host.follow(HOST, given, { env: environment(env), cwd: folder("relay"), port });
}

/** A client of socket.io-client 4.x; everything it hears is kept. */
export class Peer {
  signals = [];
  errors = [];

  /** Connects; `options` as of `io()`. */
  static async connect(url, options = {}) {
    const peer = Peer.begin(url, options);
    await until(() => `a client connects: ${peer.refused?.message}`, () => peer.socket.connected);
    return peer;
  }

  /** Begins to connect. */
  static begin(url, options = {}) {
    const peer = new Peer(io(url, { forceNew: true, reconnection: false, ...options }));
    open.add(peer);
    return peer;
  }

  constructor(socket) {
    this.socket = socket;
    socket.on("signal", (signal) => this.signals.push(signal));
    socket.on("error", (error) => this.errors.push(error));
    socket.on("connect_error", (error) => (this.refused = error));
    socket.on("disconnect", (reason) => (this.left = reason));
  }

  send(signal) {
    this.socket.emit("signal", signal);
  }

  /** Waits until it has heard so many signals. */
  async heard(count, limit = 15_000) {
    await until(() => `${count} signals arrive; ${this.signals.length} did`, () => this.signals.length >= count, limit);
    return this.signals;
  }

  get transport() {
    return this.socket.io.engine.transport.name;
  }

  async stop() {
    this.socket.disconnect();
  }
}

/** A client of python-socketio; everything it says is kept. */
export class PythonPeer {
  said = [];

  static async start(url, transports, token) {
    const python = await pythonWith("socketio");
    const script = join(ROOT, "tests", "support", "socketio_peer.py");
    const args = [script, url, transports, ...(token ? [token] : [])];
    const peer = new PythonPeer(new Process(python, args, { stdio: ["pipe", "pipe", "pipe"] }));
    open.add(peer);
    return peer;
  }

  constructor(process) {
    this.process = process;
    createInterface({ input: process.child.stdout }).on("line", (line) => this.said.push(JSON.parse(line)));
  }

  /** Waits until it said this, and answers the value. */
  async waitFor(what, index = 0) {
    const found = () => this.said.filter(([said]) => said === what)[index];
    const shown = () => `the Python client says ${what}: ${JSON.stringify(this.said)} ${this.process.err}`;
    return (await until(shown, found, 20_000))[1];
  }

  send(signal) {
    this.process.child.stdin.write(`${JSON.stringify(signal)}\n`);
  }

  async stop() {
    this.process.child.stdin.end();
    await this.process.stop();
  }
}

/** Engine.IO by hand: opens a session by polling and answers its name. */
export async function openSession(relay, path = "socket.io/") {
  const answer = await fetch(`${relay.url}${path}?EIO=4&transport=polling`);
  assert.equal(answer.status, 200);
  return JSON.parse((await answer.text()).slice(1));
}

/** Where a session polls. */
export const address = (relay, session) => `${relay.url}socket.io/?EIO=4&transport=polling&sid=${session}`;
/** What a client says by polling. */
export const post = (relay, session, body) => fetch(address(relay, session), { method: "POST", body });

/** A WebSocket of Engine.IO, `options` as of `ws`; answers it and what it was told, or the HTTP status that refused it. */
export function socketOf(relay, query, options = {}) {
  return new Promise((resolve) => {
    const socket = new WebSocket(`${relay.url.replace("http", "ws")}socket.io/?EIO=4&transport=websocket${query}`, options);
    const told = [];
    socket.on("message", (text) => told.push(String(text)));
    socket.on("close", (code) => (socket.code = code));
    socket.on("error", () => undefined);
    socket.on("open", () => resolve({ socket, told }));
    socket.on("unexpected-response", (_, answer) => resolve({ status: answer.statusCode }));
  });
}
