// H.264 by libx264 in a browser: whole frames and stripes, at rest and in motion.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Session } from "../support/session.mjs";
import { until } from "../support/tools.mjs";

for (const encoder of ["x264enc", "x264enc-striped"]) {
  describe(encoder, { timeout: 240_000 }, () => {
    let session;
    before(async () => {
      const env = { SELKIES_ENCODER: `${encoder},jpeg`, SELKIES_H264_CRF: "20", SELKIES_H264_PAINTOVER_CRF: "12" };
      session = await Session.start({ host: { env } });
    }, { timeout: 60_000 });
    after(() => session?.close());

    const status = async () => (await fetch(new URL("api/status", session.host.url))).json();

    test("the canvas equals the display at rest", { timeout: 60_000 }, async () => {
      await session.waitScreen(1280, 720);
      for (const kind of ["text", "gradient"]) {
        const scene = await session.scene(kind);
        await session.desk.waitEqual(session.x, { limit: 20_000 });
        await scene.stop();
      }
      assert.equal((await status()).video.encoder, `selkies.x264/${encoder}`);
    });

    test("motion is shown, and at rest nothing is sent", { timeout: 60_000 }, async () => {
      const scene = await session.scene("motion", 640, 360, 60);
      const { frames } = (await status()).video;
      await until("frames of motion", async () => (await status()).video.frames > frames + 30, 20_000);
      await scene.stop();
      const still = await session.scene("text");
      await session.desk.waitEqual(session.x, { limit: 20_000 });
      await still.stop();
      let before;
      await until("nothing is encoded for a second", async () => {
        const { frames, packets, refinements } = (await status()).video;
        const now = [frames, packets, refinements].join();
        const same = now === before;
        before = now;
        return same;
      }, 20_000, 1000);
      assert.ok((await status()).video.refinements > 0, "what rests was refined");
    });

    test("a page that comes later has the picture", { timeout: 60_000 }, () => session.showsLatecomer());

    test("another window size", { timeout: 60_000 }, async () => {
      await session.showsResized(1006, 602);
      assert.deepEqual(session.desk.complaints, []);
    });
  });
}

describe("H.264 in 4:4:4", { timeout: 120_000 }, () => {
  let session;
  before(async () => {
    const env = { SELKIES_ENCODER: "x264enc,jpeg", SELKIES_H264_FULLCOLOR: "true", SELKIES_H264_CRF: "15" };
    session = await Session.start({ host: { env } });
  }, { timeout: 60_000 });
  after(() => session?.close());

  test("the canvas has the display's colours", { timeout: 60_000 }, async () => {
    await session.waitScreen(1280, 720);
    const scene = await session.scene("text");
    // Half chroma misses this limit on coloured text.
    await session.desk.waitEqual(session.x, { limit: 20_000, least: 0.99, colour: 3 });
    await scene.stop();
  });
});
