// One controller and viewers that cannot follow, of one H.264 stream: the controller loses nothing by them.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { WireClient } from "../support/client.mjs";
import { Host } from "../support/host.mjs";
import { Stage } from "../support/processes.mjs";
import { Session } from "../support/session.mjs";
import { sleep, until } from "../support/tools.mjs";
import { XServer } from "../support/xserver.mjs";

const SIZE = [1280, 720];

/** Reads 10 kB a second, and acknowledges what it has read. */
async function narrow(host) {
  const client = await WireClient.viewer(host);
  let bytes = client.bytes;
  client.socket.on("message", () => {
    const wait = ((client.bytes - bytes) / 10_000) * 1000;
    bytes = client.bytes;
    client.socket.pause();
    setTimeout(() => client.socket.readyState === client.socket.OPEN && client.socket.resume(), wait);
  });
  return client;
}

/** Reads nothing after its first frame. */
async function stalled(host) {
  const client = await WireClient.viewer(host);
  client.onFrame = () => client.stopReading();
  return client;
}

/** Is 300 ms away. */
async function far(host) {
  const client = await WireClient.viewer(host, { acks: false, pongs: false });
  client.onFrame = (frame) => setTimeout(() => client.send(`CLIENT_FRAME_ACK ${frame} 0`), 300);
  client.socket.on("ping", (data) => setTimeout(() => client.socket.readyState === client.socket.OPEN && client.socket.pong(data), 300));
  return client;
}

/** Needs 80 ms to draw a frame. */
async function busy(host) {
  const client = await WireClient.viewer(host, { acks: false });
  let free = performance.now();
  client.onFrame = (frame) => {
    free = Math.max(free, performance.now()) + 80;
    setTimeout(() => client.send(`CLIENT_FRAME_ACK ${frame} 0`), free - performance.now());
  };
  return client;
}

describe("viewers of one H.264 stream", { timeout: 240_000 }, () => {
  const stage = new Stage();
  let host, lead;

  before(async () => {
    const x = stage.add(await XServer.start());
    host = stage.add(await Host.start({ x, args: ["--encoder", "x264enc,jpeg", "--framerate", "30"] }));
    lead = await WireClient.controller(host, { size: SIZE });
    await lead.waitFrames(1);
    const scene = x.scene("motion", 640, 360, 30);
    await until(() => `the scene is drawn: ${scene.err}`, () => scene.out.includes("ready"));
    await lead.waitFrames(30, 20_000);
    const { video } = await host.status();
    assert.equal(video.encoder, "selkies.x264/x264enc");
  }, { timeout: 60_000 });
  after(async () => {
    WireClient.stopAll();
    await stage.close();
  });

  /** The lead's frames per second, and key frames, for a while. */
  async function measure(ms) {
    const { keyframes } = (await host.status()).video;
    const rate = await lead.rate(ms);
    return { rate, keyframes: (await host.status()).video.keyframes - keyframes };
  }

  test("nine that cannot follow cost the controller nothing", { timeout: 120_000 }, async () => {
    const first = await measure(5000);
    assert.equal(first.keyframes, 0, "no key frame unasked");
    const joins = [narrow, narrow, narrow, stalled, stalled, stalled, far, far, far];
    const viewers = await Promise.all(joins.map((join) => join(host)));
    await until("every viewer has a picture", () => viewers.every((viewer) => viewer.keys > 0), 30_000);
    const together = await measure(10_000);
    const distant = viewers.slice(6);
    const [from, began] = [distant.map((viewer) => viewer.frames.length), performance.now()];
    await sleep(4000);
    const rates = distant.map((viewer, at) => ((viewer.frames.length - from[at]) * 1000) / (performance.now() - began));
    viewers.forEach((viewer) => viewer.stop());
    await until("the viewers are gone", async () => (await host.status()).clients === 1, 10_000);
    const last = await measure(5000);
    const alone = Math.min(first.rate, last.rate);
    console.log(
      `the controller alone ${first.rate.toFixed(1)} and ${last.rate.toFixed(1)}, with nine ${together.rate.toFixed(1)} frames/s; ` +
        `${together.keyframes} key frames in 10 s; those 300 ms away ${rates.map((rate) => rate.toFixed(1))} frames/s`,
    );
    assert.ok(together.rate > alone * 0.8, `${together.rate} frames/s beside ${alone}`);
    assert.ok(together.keyframes <= 6, `${together.keyframes} key frames in 10 s`);
    assert.ok(Math.min(...rates) > alone * 0.5, "distance alone costs a viewer little");
    assert.equal(last.keyframes, 0);
  });

  test("a viewer with a slow decoder has fewer frames from the same encode", { timeout: 60_000 }, async () => {
    const viewer = await busy(host);
    await until("the viewer has a picture", () => viewer.keys > 0, 20_000);
    await sleep(3000);
    const [frames, anchored] = [viewer.frames.length, viewer.anchored];
    const { rate, keyframes } = await measure(8000);
    const seen = (viewer.frames.length - frames) / 8;
    console.log(`${rate.toFixed(1)} frames/s for the controller, ${seen.toFixed(1)} for the viewer, ${viewer.anchored - anchored} from older ones; ${keyframes} key frames`);
    assert.ok(seen > 4 && seen < rate, `${seen} frames/s`);
    assert.ok(viewer.anchored > anchored, "it goes on from what it has");
    assert.ok(keyframes <= 3, `${keyframes} key frames in 8 s`);
    viewer.stop();
  });

  test("a viewer that asks for key frames all the time has few", { timeout: 60_000 }, async () => {
    const viewer = await WireClient.viewer(host);
    await until("the viewer has a picture", () => viewer.keys > 0, 20_000);
    const asking = setInterval(() => ["REQUEST_KEYFRAME", `LOST_FRAME ${viewer.frames.at(-1)}`].forEach((text) => viewer.send(text)), 20);
    const { rate, keyframes } = await measure(8000);
    clearInterval(asking);
    console.log(`${rate.toFixed(1)} frames/s for the controller; ${keyframes} key frames in 8 s`);
    assert.ok(keyframes >= 1 && keyframes <= 5, `${keyframes} key frames in 8 s`);
    viewer.stop();
  });
});

/** Runs in the page: each picture takes so long to draw. */
function slowVideo(delay) {
  // A worker has a scope of its own: the stream runs in the page without one.
  delete HTMLCanvasElement.prototype.transferControlToOffscreen;
  const Native = window.VideoDecoder;
  const send = WebSocket.prototype.send;
  window.seen = { pictures: 0, asked: 0 };
  let free = 0;
  window.VideoDecoder = class extends Native {
    constructor(init) {
      const output = (frame) => {
        window.seen.pictures += 1;
        free = Math.max(free, performance.now()) + delay;
        setTimeout(() => init.output(frame), free - performance.now());
      };
      super({ ...init, output });
    }
  };
  WebSocket.prototype.send = function (message) {
    if (message === "REQUEST_KEYFRAME") window.seen.asked += 1;
    return send.call(this, message);
  };
}

describe("a browser that draws slowly beside one that does not", { timeout: 180_000 }, () => {
  let session;
  before(async () => {
    session = await Session.start({ page: { size: SIZE }, host: { args: ["--encoder", "x264enc,jpeg", "--framerate", "30"] } });
    await session.waitScreen(...SIZE);
  }, { timeout: 60_000 });
  after(() => session?.close());

  test("its decoder takes frames that skip some, and ends with the same picture", { timeout: 120_000 }, async () => {
    const viewer = await session.open("?role=viewer", { size: SIZE, prepare: [slowVideo, 100] });
    const seen = () => viewer.page.evaluate(() => window.seen);
    const scene = await session.scene("motion", 640, 360, 30);
    await until("the viewer draws", async () => (await seen()).pictures > 10, 20_000);
    const [from, before] = [await seen(), (await session.host.status()).video];
    await sleep(8000);
    const [to, after] = [await seen(), (await session.host.status()).video];
    const [frames, pictures, keyframes] = [after.frames - before.frames, to.pictures - from.pictures, after.keyframes - before.keyframes];
    console.log(`${frames} frames in 8 s, ${pictures} of them for the slow page; ${keyframes} key frames`);
    // 80 could be drawn; by key frames and what little the cache keeps, it would be some 28.
    assert.ok(pictures >= 36 && pictures < frames, `${pictures} pictures`);
    assert.ok(keyframes <= 4, `${keyframes} key frames`);
    await scene.stop();
    const still = await session.scene("text");
    await viewer.waitEqual(session.x, { limit: 20_000 });
    assert.equal((await seen()).asked, 0, "its decoder never lacked anything");
    assert.deepEqual(viewer.complaints, []);
    await still.stop();
  });
});
