// The canvas shows what is on the X display.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { colourError, ssim } from "../support/picture.mjs";
import { Session } from "../support/session.mjs";
import { sleep, until } from "../support/tools.mjs";

describe("picture", { timeout: 180_000 }, () => {
  let session;
  before(async () => {
    session = await Session.start({ page: { size: [1280, 720] } });
    await session.waitScreen(1280, 720);
  }, { timeout: 60_000 });
  after(() => session?.close());

  test("a page of text", { timeout: 40_000 }, async () => {
    const { x, desk } = session;
    await x.solid("#203040");
    const plain = await desk.waitEqual(x);
    const scene = await session.scene("text");
    const text = await desk.waitEqual(x);
    assert.deepEqual([text.width, text.height], [1280, 720]);
    assert.ok(ssim(plain, text) < 0.6, "the measure tells a page of text from a plain one");
    await scene.stop();
  });

  test("colour gradients", { timeout: 40_000 }, async () => {
    const scene = await session.scene("gradient");
    await session.desk.waitEqual(session.x);
    await scene.stop();
  });

  test("movement, and the still picture after it", { timeout: 40_000 }, async () => {
    const { desk, x, host } = session;
    const text = await session.scene("text");
    const scene = await session.scene("motion", 640, 360, 30);
    const { frames, refinements } = (await host.status()).video;
    // The scene may need a moment to begin.
    let changes = 0;
    let last = await desk.picture();
    for (let shots = 0; shots < 20 && changes < 3; shots += 1) {
      await sleep(300);
      const shot = await desk.picture();
      changes += colourError(shot, last) > 1 ? 1 : 0;
      last = shot;
    }
    assert.ok(changes >= 3, `the canvas moved ${changes} times of 20`);
    assert.ok((await host.encodedFrames()) - frames >= 10, "movement is encoded");
    scene.signal("SIGUSR1");
    await desk.waitEqual(x);
    const refined = async () => (await host.status()).video.refinements > refinements;
    await until("what stands still is sent again at a higher quality", refined);
    await scene.stop();
    await text.stop();
  });

  test("a picture that stands still is not encoded again", { timeout: 40_000 }, async () => {
    const { host } = session;
    let frames = -1;
    await until("encoding ends", async () => {
      const last = frames;
      frames = await host.encodedFrames();
      return frames === last;
    }, 10_000, 1500);
    await sleep(2000);
    assert.equal(await host.encodedFrames(), frames);
  });

  test("after the window was resized", { timeout: 60_000 }, async () => {
    const { desk, x } = session;
    const scene = await session.scene("text");
    for (const [width, height] of [[1000, 600], [1600, 900], [1280, 720]]) {
      await desk.page.setViewportSize({ width, height });
      await session.waitScreen(width, height);
      await desk.waitSize(width, height);
      await desk.waitEqual(x);
    }
    await scene.stop();
    assert.deepEqual(desk.complaints, []);
  });
});
