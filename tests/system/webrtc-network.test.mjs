// WebRTC over bad paths: loss, a bottleneck that changes, a long way, reordering, and a black hole.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { Terminal } from "../support/applications.mjs";
import { Between } from "../support/between.mjs";
import { Firefox } from "../support/firefox.mjs";
import { Session } from "../support/session.mjs";
import { sleep, until } from "../support/tools.mjs";
import { CLEAR } from "../support/udp-relay.mjs";

/** Longest time that the picture may stand still while something moves, in ms; and on a machine that needs longer by itself. */
const FREEZE = [500, 1000];

/** The same with a fifth of all datagrams lost. */
const HANG = 2000;

/** Least share of a bottleneck that is used from 3 s after it changed. */
const USED = 0.65;

/** Pictures that a page showed so far. */
const decodedBy = (desk) =>
  desk.page.evaluate(() => {
    const screen = window.testScreen();
    if (!navigator.userAgent.includes("Firefox")) return screen.getVideoPlaybackQuality().totalVideoFrames;
    // Firefox counts no pictures of media streams; those that differ from the one before are counted instead.
    if (window.differentPictures === undefined) {
      const small = Object.assign(document.createElement("canvas"), { width: 40, height: 24 }).getContext("2d", { willReadFrequently: true });
      let before = "";
      window.differentPictures = 0;
      setInterval(() => {
        small.drawImage(screen, 0, 0, 40, 24);
        const now = small.getImageData(0, 0, 40, 24).data.join();
        if (now !== before) [before, window.differentPictures] = [now, window.differentPictures + 1];
      }, 20);
    }
    return window.differentPictures;
  });

/** A page whose media goes through a relay, and what moves on the display. */
class BadPath {
  #scenes = [];

  static async start(settings, options = {}) {
    const path = new BadPath();
    const env = { SELKIES_MODE: "webrtc", SELKIES_ENCODER: "x264enc", ...settings };
    path.session = await Session.start({ host: { env }, path: "?debug", page: { size: [1280, 720] }, ...options });
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
  async moving(width = 640, height = 360) {
    const started = await this.scene("tiles", width, height, 30);
    const before = await decodedBy(this.desk);
    await until("the motion is shown", async () => (await decodedBy(this.desk)) > before + 10, 20_000);
    return started;
  }

  /** Watches what moves for `ms`; answers the longest time for which no picture came, in ms. */
  async longestPause(ms) {
    let [longest, before, changed] = [0, await decodedBy(this.desk), performance.now()];
    for (const end = changed + ms; performance.now() < end; await sleep(30)) {
      const frames = await decodedBy(this.desk);
      const now = performance.now();
      longest = Math.max(longest, now - changed);
      assert.ok(now - changed < 20_000, "the picture stands still for ever");
      if (frames !== before) [before, changed] = [frames, now];
    }
    return Math.round(longest);
  }

  /** Something moves on the path as it is for a while; answers the longest pause that is allowed on this machine. */
  async allowance() {
    const calm = await this.longestPause(4000);
    return { calm, most: Math.min(FREEZE[1], Math.max(FREEZE[0], 3 * calm)) };
  }

  async showsStill() {
    await this.scene("text");
    await this.desk.waitEqual(this.session.x, { limit: 40_000, least: 0.95 });
  }
}

/** Where so much is lost, retransmissions are lost, too; the picture may hang for moments, but not stop. */
async function outlasts(t, path, loss) {
  const started = await path.moving();
  path.between.shape({ up: { ...CLEAR, loss }, down: { ...CLEAR, loss } });
  const frames = await decodedBy(path.desk);
  const longest = await path.longestPause(15_000);
  const shown = (await decodedBy(path.desk)) - frames;
  t.diagnostic(`longest pause ${longest} ms, ${shown} pictures in 15 s`);
  assert.ok(longest <= HANG, `the picture stood still for ${longest} ms`);
  await started.stop();
  await path.showsStill();
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

  for (const [what, ways] of [
    ["1 % loss", { up: { loss: 0.01 }, down: { loss: 0.01 } }],
    ["5 % loss", { up: { loss: 0.05 }, down: { loss: 0.05 } }],
    ["20 % loss of what the page reports", { up: { loss: 0.2 }, down: {} }],
    ["a way of 300 ms", { up: { delay: 150 }, down: { delay: 150 } }],
  ]) {
    test(`${what} does not stop the motion, and the picture after it is whole`, { timeout: 120_000 }, async (t) => {
      const started = await path.moving();
      const { calm, most } = await path.allowance();
      const { down: before } = await path.between.figures();
      path.between.shape({ up: { ...CLEAR, ...ways.up }, down: { ...CLEAR, ...ways.down } });
      // A way that becomes longer is a pause by itself, and what is under way has to be learned anew.
      const first = ways.down.delay ? await path.longestPause(2000) : 0;
      assert.ok(first <= FREEZE[1], `the picture stood still for ${first} ms when the way became longer`);
      const longest = await path.longestPause(15_000);
      const { down } = await path.between.figures();
      const gone = down.lost - before.lost;
      t.diagnostic(`${gone} of ${down.came - before.came} datagrams were lost, longest pause ${longest} ms (${first} ms at first), ${calm} ms before`);
      if (ways.down.loss) assert.ok(gone > 5, `${gone} datagrams were lost`);
      assert.ok(longest <= most, `the picture stood still for ${longest} ms, ${most} ms are allowed, ${calm} ms without loss`);
      await started.stop();
      await path.showsStill();
    });
  }

  test("20 % loss lets the motion go on, and the picture after it is whole", { timeout: 120_000 }, (t) => outlasts(t, path, 0.2));

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
    const { calm, most } = await path.allowance();
    path.between.shape({ down: { ...CLEAR, reorder: 0.1, late: 12 } });
    const longest = await path.longestPause(5000);
    assert.ok(longest <= most, `the picture stood still for ${longest} ms, ${calm} ms in order`);
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

describe("WebRTC over a bad path in Firefox", { timeout: 200_000 }, () => {
  let path;
  before(async () => (path = await BadPath.start({ SELKIES_ENCODER: "vp8enc" }, { browser: Firefox })), { timeout: 120_000 });
  afterEach(() => path?.clear());
  after(() => path?.session.close());

  test("20 % loss lets the motion go on, and the picture after it is whole", { timeout: 120_000 }, (t) => outlasts(t, path, 0.2));
});

describe("WebRTC with a constant bit rate", { timeout: 200_000 }, () => {
  let path;
  // A bit rate is one of frames at this rate: the scene has as many.
  const settings = { SELKIES_RATE_CONTROL_MODE: "cbr", SELKIES_VIDEO_BITRATE: "12000", SELKIES_FRAMERATE: "30" };
  before(async () => (path = await BadPath.start(settings)), { timeout: 120_000 });
  afterEach(() => path.clear());
  after(() => path?.session.close());

  test("a bottleneck that narrows and widens is used within 3 s, without a queue", { timeout: 120_000 }, async (t) => {
    await path.moving(1024, 576);
    const phases = [];
    for (const rate of [10e6, 2e6, 10e6]) {
      path.between.shape({ down: { ...CLEAR, rate, queue: 300 } });
      const first = await path.longestPause(3000);
      const { down: before } = await path.between.figures();
      const [begun, shown] = [performance.now(), await decodedBy(path.desk)];
      const second = await path.longestPause(5000);
      const { down } = await path.between.figures();
      const seconds = (performance.now() - begun) / 1000;
      const fps = Math.round(((await decodedBy(path.desk)) - shown) / seconds);
      const used = Number((((down.bytes - before.bytes) * 8) / seconds / rate).toFixed(2));
      const [settling, late] = [before.late, down.late].map(Math.round);
      phases.push({ rate, longest: Math.max(first, second), used, fps, settling, late });
    }
    t.diagnostic(JSON.stringify(phases));
    for (const { used, late } of phases) {
      assert.ok(used >= USED, `the path is used: ${JSON.stringify(phases)}`);
      assert.ok(late < 100, `the queue stays short: ${JSON.stringify(phases)}`);
    }
  });
});
