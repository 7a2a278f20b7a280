// WebRTC over bad paths: loss, a bottleneck that changes, a long way, reordering, and a black hole.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { Terminal } from "../support/applications.mjs";
import { Between } from "../support/between.mjs";
import { Session } from "../support/session.mjs";
import { sleep, until } from "../support/tools.mjs";
import { CLEAR } from "../support/udp-relay.mjs";

/** Longest time that the picture may stand still while something moves, in ms: a key frame must have come by then. */
const FREEZE = 4000;

const decodedBy = (desk) => desk.page.evaluate(() => window.testScreen().getVideoPlaybackQuality().totalVideoFrames);

/** A page whose media goes through a relay, and what moves on the display. */
class BadPath {
  #scenes = [];

  static async start(settings) {
    const path = new BadPath();
    const env = { SELKIES_MODE: "webrtc", SELKIES_ENCODER: "x264enc", ...settings };
    path.session = await Session.start({ host: { env }, path: "?debug", page: { size: [1280, 720] } });
    path.between = path.session.stage.add(await Between.start(path.session.host));
    await path.session.desk.close();
    path.desk = await path.session.browser.open(`${path.between.url}?debug`, { size: [1280, 720] });
    try {
      await path.desk.waitState("connected", 30_000);
      await until("a picture", async () => (await path.desk.size()).width > 1, 20_000);
    } catch (error) {
      const figures = JSON.stringify(await path.between.figures());
      await path.session.close();
      throw new Error(`${error.message}\npath: ${figures}\nhost: ${path.session.host.log.slice(-3000)}`);
    }
    return path;
  }

  /** Whatever a test leaves behind would be in the way of the next one. */
  async clear() {
    this.between.shape({ up: CLEAR, down: CLEAR });
    for (const scene of this.#scenes.splice(0)) await scene.stop();
  }

  async scene(...args) {
    const started = await this.session.scene(...args);
    this.#scenes.push(started);
    return started;
  }

  /** Starts what moves, and waits until the page shows it. */
  async moving() {
    const started = await this.scene("tiles", 640, 360, 30);
    const before = await decodedBy(this.desk);
    await until("the motion is shown", async () => (await decodedBy(this.desk)) > before + 10, 20_000);
    return started;
  }

  /** Pictures must come at least so often for `ms`; answers the longest pause seen, in ms. */
  async watchMotion(ms, limit = FREEZE) {
    let [longest, before, changed] = [0, await decodedBy(this.desk), performance.now()];
    for (const end = changed + ms; performance.now() < end; await sleep(60)) {
      const frames = await decodedBy(this.desk);
      const now = performance.now();
      longest = Math.max(longest, now - changed);
      assert.ok(now - changed < limit, `the picture stood still for ${Math.round(now - changed)} ms`);
      if (frames !== before) [before, changed] = [frames, now];
    }
    return Math.round(longest);
  }

  async showsStill() {
    await this.scene("text");
    await this.desk.waitEqual(this.session.x, { limit: 40_000, least: 0.95 });
  }
}

describe("WebRTC over a bad path", { timeout: 400_000 }, () => {
  let path;
  before(async () => (path = await BadPath.start({})), { timeout: 120_000 });
  afterEach(() => path.clear());
  after(() => path?.session.close());

  test("media goes through the relay, and nothing else", { timeout: 60_000 }, async () => {
    await path.moving();
    const { down } = await path.between.figures();
    await until("a megabyte of pictures", async () => (await path.between.figures()).down.bytes > down.bytes + 1e6, 20_000);
    path.between.shape({ up: { hole: true }, down: { hole: true } });
    await sleep(300);
    const frames = await decodedBy(path.desk);
    await sleep(700);
    assert.ok((await decodedBy(path.desk)) <= frames + 1, "no picture comes another way");
  });

  for (const [percent, limit] of [[1, FREEZE], [5, 2 * FREEZE]]) {
    test(`${percent} % loss does not end the motion, and the picture after it is whole`, { timeout: 90_000 }, async (t) => {
      const started = await path.moving();
      const loss = percent / 100;
      const { down: before } = await path.between.figures();
      path.between.shape({ up: { ...CLEAR, loss }, down: { ...CLEAR, loss } });
      const longest = await path.watchMotion(10_000, limit);
      const { down } = await path.between.figures();
      const gone = down.lost - before.lost;
      t.diagnostic(`${gone} of ${down.came - before.came} datagrams were lost, longest pause ${longest} ms`);
      assert.ok(gone > 5, `${gone} datagrams were lost`);
      await started.stop();
      await path.showsStill();
    });
  }

  test("typing survives 5 % loss on a way of 300 ms", { timeout: 60_000 }, async () => {
    const slow = { ...CLEAR, loss: 0.05, delay: 150 };
    path.between.shape({ up: slow, down: slow });
    const xterm = await Terminal.start(path.session.x, ": > ready; cat > typed");
    await path.desk.click(200, 200);
    await sleep(600);
    await path.desk.page.keyboard.type("nothing of this is lost or twice: 0123456789\n", { delay: 10 });
    await xterm.waitFile("typed", "nothing of this is lost or twice: 0123456789\n", 20_000);
    await xterm.stop();
  });

  test("datagrams out of order do no harm", { timeout: 90_000 }, async () => {
    const started = await path.moving();
    path.between.shape({ down: { ...CLEAR, reorder: 0.1, late: 12 } });
    await path.watchMotion(5000);
    await started.stop();
    await path.showsStill();
  });

  for (const [seconds, fewest] of [[5, 0], [12, 1]]) {
    const how = fewest === 0 ? "is survived" : "is left by a new peer connection in the same session";
    test(`a black hole of ${seconds} s ${how}`, { timeout: 120_000 }, async () => {
      const { offers } = await path.between.figures();
      path.between.shape({ up: { ...CLEAR, hole: true }, down: { ...CLEAR, hole: true } });
      await sleep(seconds * 1000);
      path.between.shape({ up: CLEAR, down: CLEAR });
      await path.scene("gradient");
      await path.desk.waitState("connected", 30_000);
      await path.desk.waitEqual(path.session.x, { limit: 40_000, least: 0.95 });
      assert.equal((await path.desk.page.evaluate(() => window.__selkies)).mode, "webrtc");
      const more = (await path.between.figures()).offers - offers;
      assert.ok(more >= fewest && more <= 5, `${more} offers`);
      assert.deepEqual(path.desk.complaints, []);
    });
  }
});

describe("WebRTC with a constant bit rate", { timeout: 200_000 }, () => {
  let path;
  before(async () => (path = await BadPath.start({ SELKIES_RATE_CONTROL_MODE: "cbr", SELKIES_VIDEO_BITRATE: "8000" })), { timeout: 120_000 });
  afterEach(() => path.clear());
  after(() => path?.session.close());

  test("a bottleneck that narrows and widens does not freeze the picture", { timeout: 120_000 }, async (t) => {
    await path.moving();
    const phases = [];
    for (const rate of [10e6, 2e6, 10e6]) {
      path.between.shape({ down: { ...CLEAR, rate, queue: 300 } });
      // Half of the time is given to find the new rate.
      const first = await path.watchMotion(4000);
      const { down: before } = await path.between.figures();
      const second = await path.watchMotion(4000);
      const { down } = await path.between.figures();
      phases.push({ rate, longest: Math.max(first, second), kbps: Math.round((down.bytes - before.bytes) / 500), late: Math.round(down.late) });
    }
    t.diagnostic(JSON.stringify(phases));
    assert.ok(phases[1].late < 150, `the queue stays short behind 2 Mbit/s: ${JSON.stringify(phases)}`);
    assert.ok(phases[2].kbps > 1.3 * phases[1].kbps, `the rate comes back: ${JSON.stringify(phases)}`);
  });
});
