// The tests' own bad network is as bad as it says.

import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { after, before, beforeEach, describe, test } from "node:test";
import { CLEAR, UdpRelay, Way } from "../support/udp-relay.mjs";
import { sleep, until } from "../support/tools.mjs";

describe("the lossy path", { timeout: 60_000 }, () => {
  let target, relay, caller, heard;
  before(async () => {
    target = createSocket("udp4").bind(0, "127.0.0.1");
    await once(target, "listening");
    target.on("message", (data, { port }) => target.send(data, port, "127.0.0.1"));
    relay = await UdpRelay.start({ port: target.address().port });
    caller = createSocket("udp4").bind(0, "127.0.0.1");
    caller.on("message", (data) => heard.push({ at: performance.now(), number: data.readUInt32BE(0) }));
    await once(caller, "listening");
  });
  after(() => {
    relay.stop();
    caller.close();
    target.close();
  });
  beforeEach(() => {
    heard = [];
    relay.shape({ up: CLEAR, down: CLEAR });
  });

  /** Sends numbered datagrams of a size, `pause` ms between them, and answers when the first one was sent. */
  async function send(count, { size = 1000, pause = 0 } = {}) {
    const start = performance.now();
    for (let i = 0; i < count; i += 1) {
      const data = Buffer.alloc(size);
      data.writeUInt32BE(i);
      caller.send(data, relay.port, "127.0.0.1");
      if (pause > 0 || i % 16 === 15) await sleep(pause);
    }
    return start;
  }
  const hears = (count) => until(() => `${count} datagrams come back; ${heard.length} did`, () => heard.length >= count, 10_000);

  test("a clear one gives everything back, in order", async () => {
    await send(200);
    await hears(200);
    assert.deepEqual(heard.map(({ number }) => number), Array.from({ length: 200 }, (_, i) => i));
  });

  test("delay is added each way", async () => {
    relay.shape({ up: { delay: 60 }, down: { delay: 40 } });
    const start = await send(1);
    await hears(1);
    const took = heard[0].at - start;
    assert.ok(took >= 99, `${took} ms there and back`);
  });

  test("a rate limits what passes, and its queue what waits", async () => {
    relay.shape({ down: { rate: 1e6, queue: 100 } });
    // 125 datagrams of 1000 bytes a second; 12 or 13 of them wait.
    const start = await send(60);
    await hears(10);
    await until("the queue is empty", async () => {
      const before = heard.length;
      await sleep(60);
      return heard.length === before;
    });
    assert.ok(heard.length >= 12 && heard.length <= 40, `${heard.length} of a burst of 60 passed`);
    const span = heard.at(-1).at - start;
    assert.ok(span >= (heard.length - 1) * 8 - 2, `${heard.length} datagrams in ${span} ms`);
    const [way] = relay.ways("down");
    assert.ok(way.counts.overflowed >= 20 && way.percentile(1) <= 101, JSON.stringify([way.counts, way.percentile(1)]));
  });

  test("reordering lets some come late, and none is lost", async () => {
    relay.shape({ up: { reorder: 0.2, late: 20 } });
    await send(60, { pause: 2 });
    await hears(60);
    const numbers = heard.map(({ number }) => number);
    assert.notDeepEqual(numbers, [...numbers].sort((a, b) => a - b));
  });

  test("a black hole takes everything while it is there", async () => {
    relay.shape({ up: { hole: true } });
    await send(20);
    await sleep(100);
    assert.equal(heard.length, 0);
    relay.shape({ up: { hole: false } });
    await send(5);
    await hears(5);
  });

  test("loss is what it says, and the same in every run", () => {
    const lost = (seed) => {
      let passed = 0;
      const way = new Way(() => (passed += 1), seed);
      way.shape = { ...CLEAR, loss: 0.05 };
      for (let i = 0; i < 4000; i += 1) way.push(Buffer.alloc(1), i);
      way.stop();
      return 4000 - passed;
    };
    const share = lost(7) / 4000;
    assert.ok(share > 0.04 && share < 0.06, `${share} of the datagrams were lost`);
    assert.equal(lost(7), lost(7));
    assert.notEqual(lost(7), lost(8));
  });
});
