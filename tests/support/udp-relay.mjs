// A UDP path in user space between a peer that calls and one that is called: loss, a bottleneck with its queue, delay,
// reordering, and a black hole, each way by itself and changeable at any time.

import { createSocket } from "node:dgram";
import { once } from "node:events";

/** A path that does nothing: `rate` in bit/s, `queue` and `delay` and `late` in ms, `loss` and `reorder` as shares. */
export const CLEAR = { loss: 0, rate: Infinity, queue: 200, delay: 0, reorder: 0, late: 15, hole: false };

/** Datagrams that wait at most, whatever the times say. */
const MAX_WAITING = 20_000;

/** Reproducible numbers from 0 to 1 (the generator mulberry32). */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** One way of a path. */
export class Way {
  /** What happens to datagrams; assign another one at any time. */
  shape = CLEAR;
  /** Datagrams that came, were lost, found the queue full, and went on; bytes that went on. */
  counts = { came: 0, lost: 0, overflowed: 0, passed: 0, bytes: 0 };
  /** Of each datagram that passed the bottleneck: when, and its wait there, in ms. */
  waits = [];
  #waiting = [];
  #free = 0;
  #timer;
  #random;
  #send;

  constructor(send, seed) {
    this.#send = send;
    this.#random = generator(seed);
  }

  /** Takes a datagram. */
  push(datagram, now = performance.now()) {
    const { loss, rate, queue, delay, reorder, late, hole } = this.shape;
    this.counts.came += 1;
    if (hole || this.#random() < loss) {
      this.counts.lost += 1;
      return;
    }
    const start = Math.max(now, this.#free);
    const wait = start - now;
    if (wait > queue || this.#waiting.length >= MAX_WAITING) {
      this.counts.overflowed += 1;
      return;
    }
    this.#free = start + (Number.isFinite(rate) ? (datagram.length * 8000) / rate : 0);
    this.waits.push({ at: now, wait });
    const due = this.#free + delay + (this.#random() < reorder ? late : 0);
    if (due <= now && this.#waiting.length === 0) {
      this.#pass(datagram);
      return;
    }
    let place = this.#waiting.length;
    while (place > 0 && this.#waiting[place - 1].due > due) place -= 1;
    this.#waiting.splice(place, 0, { due, datagram });
    this.#arm();
  }

  /** The wait that a share of the datagrams since a time stayed below, in ms. */
  percentile(share, since = 0) {
    const waits = this.waits.filter(({ at }) => at >= since).map(({ wait }) => wait).sort((a, b) => a - b);
    return waits.length === 0 ? 0 : waits[Math.min(waits.length - 1, Math.floor(waits.length * share))];
  }

  stop() {
    clearTimeout(this.#timer);
    this.#waiting = [];
    this.#send = () => undefined;
  }

  #arm() {
    clearTimeout(this.#timer);
    if (this.#waiting.length > 0) this.#timer = setTimeout(() => this.#run(), Math.max(0, this.#waiting[0].due - performance.now()));
  }

  #run() {
    // Timers are exact to a millisecond only.
    const now = performance.now() + 0.5;
    while (this.#waiting.length > 0 && this.#waiting[0].due <= now) this.#pass(this.#waiting.shift().datagram);
    this.#arm();
  }

  #pass(datagram) {
    this.counts.passed += 1;
    this.counts.bytes += datagram.length;
    this.#send(datagram);
  }
}

async function bound(address) {
  const socket = createSocket("udp4");
  socket.on("error", () => undefined);
  socket.bind(0, address);
  await once(socket, "listening");
  // A stream's burst must not be lost in here.
  for (const set of ["setRecvBufferSize", "setSendBufferSize"]) {
    try {
      socket[set](1 << 20);
    } catch {
      // The system's limit stays.
    }
  }
  return socket;
}

/** Callers send to `port`; the target sees one port for each of them. */
export class UdpRelay {
  /** By caller's address: the socket towards the target, and the ways. */
  #calls = new Map();
  #shapes = { up: CLEAR, down: CLEAR };

  static async start({ host = "127.0.0.1", port, address = "127.0.0.1", seed = 1 }) {
    return new UdpRelay(await bound(address), { host, port }, address, seed);
  }

  constructor(front, target, address, seed) {
    this.front = front;
    this.target = target;
    this.address = address;
    this.seed = seed;
    front.on("message", (datagram, from) => void this.#called(datagram, from));
  }

  get port() {
    return this.front.address().port;
  }

  /** The ways of all callers, `up` to the target and `down` from it. */
  ways(name) {
    return [...this.#calls.values()].filter(({ back }) => back).map((call) => call[name]);
  }

  /** Changes one or both ways, for present and later callers. */
  shape({ up = {}, down = {} }) {
    this.#shapes = { up: { ...this.#shapes.up, ...up }, down: { ...this.#shapes.down, ...down } };
    for (const name of ["up", "down"]) for (const way of this.ways(name)) way.shape = this.#shapes[name];
  }

  async #called(datagram, { address, port }) {
    const name = `${address}:${port}`;
    let call = this.#calls.get(name);
    if (!call) {
      const early = [];
      call = { up: { push: (data) => early.push(data) } };
      this.#calls.set(name, call);
      early.push(datagram);
      const back = await bound(this.address);
      const seed = this.seed * 1000 + this.#calls.size * 2;
      call.back = back;
      call.up = new Way((data) => back.send(data, this.target.port, this.target.host), seed);
      call.down = new Way((data) => this.front.send(data, port, address), seed + 1);
      [call.up.shape, call.down.shape] = [this.#shapes.up, this.#shapes.down];
      back.on("message", (data) => call.down.push(data));
      for (const data of early) call.up.push(data);
      return;
    }
    call.up.push(datagram);
  }

  stop() {
    this.front.close();
    for (const name of ["up", "down"]) for (const way of this.ways(name)) way.stop();
    for (const { back } of this.#calls.values()) back?.close();
    this.#calls.clear();
  }
}
