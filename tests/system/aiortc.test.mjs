// A WebRTC stack that is neither a browser's nor ours joins as a stock page does: aiortc.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { AiortcPeer } from "../support/aiortc.mjs";
import { Host } from "../support/host.mjs";
import { colourError, ssim } from "../support/picture.mjs";
import { Session } from "../support/session.mjs";
import { until } from "../support/tools.mjs";
import { XServer } from "../support/xserver.mjs";

// Its buffer has room for 128 packets, 150 kB: a picture that is larger never comes out of it.
const SIZE = [640, 480];
/** A square in the corner that never rests: aiortc gives a frame out when the first packet of the next one is there. */
const MOVING = 32;

/** A picture without that square. */
function atRest({ width, height, data }) {
  const rest = Uint8Array.from(data);
  for (let row = 0; row < MOVING; row += 1) rest.fill(0, row * width * 3, (row * width + MOVING) * 3);
  return { width, height, data: rest };
}

for (const [encoder, codec] of [["x264enc", "H264"], ["vp8enc", "VP8"]]) {
  describe(`aiortc with ${codec}`, { timeout: 300_000 }, () => {
    const session = new Session();
    let peer;

    before(async () => {
      const { stage } = session;
      session.x = stage.add(await XServer.start({ size: SIZE }));
      const env = { SELKIES_MODE: "webrtc", SELKIES_RATE_CONTROL_MODE: "crf", SELKIES_ENCODER: encoder, SELKIES_H264_CRF: "20", SELKIES_H264_PAINTOVER_CRF: "12" };
      session.host = stage.add(await Host.start({ x: session.x, env }));
      // The first time its packages are fetched.
      peer = stage.add(await AiortcPeer.start(session.host, SIZE));
      await peer.waitFor("state", (state) => state === "connected", 40_000).catch((error) => {
        throw new Error(`${error.message}\nhost: ${session.host.log.slice(-3000)}`);
      });
    }, { timeout: 240_000 });
    after(() => session.close());

    /** Waits until what the peer decoded equals the display. */
    async function waitEqual(limit = 40_000) {
      let seen = "nothing";
      await until(() => `the frame equals the display: ${seen}`, async () => {
        const frame = await peer.picture();
        if (!frame) return false;
        const display = atRest(await session.x.screenshot());
        const [alike, error] = [ssim(atRest(frame), display), colourError(atRest(frame), display)];
        seen = `frame ${frame.width}x${frame.height}, display ${display.width}x${display.height}, SSIM ${alike}, colours differ by ${error}`;
        return alike >= 0.97 && error <= 8;
      }, limit, 200);
    }

    test("it comes to a codec, and to the channels of 2.1.0", { timeout: 60_000 }, async () => {
      const codecs = await peer.waitFor("codecs");
      assert.ok(codecs.includes(codec), JSON.stringify(codecs));
      assert.deepEqual(peer.all("track"), ["video", "audio"]);
      await peer.waitFor("channel", (label) => label === "input");
      await peer.waitFor("message", (type) => type === "server_settings");
      assert.deepEqual(peer.all("text"), [], "every text is in the dialect of 2.1.0");
    });

    test("what it decodes equals the display", { timeout: 120_000 }, async () => {
      await session.waitScreen(...SIZE, 20_000);
      for (const kind of ["text", "gradient"]) {
        const scenes = [await session.scene(kind), await session.scene("motion", MOVING, MOVING, 10)];
        await waitEqual();
        for (const scene of scenes) await scene.stop();
      }
      assert.match((await session.host.status()).video.encoder, new RegExp(`${encoder}$`));
    });

    test("the pointer goes where it says", { timeout: 30_000 }, async () => {
      for (const [x, y] of [[333, 477], [620, 20]]) {
        peer.send(`m,${x},${y},0,0`);
        let held;
        await until(() => `the pointer is at ${x},${y}: ${JSON.stringify(held)}`, async () => {
          held = await session.x.held();
          return held.x === x && held.y === y;
        });
      }
    });

    test("when it leaves, nothing of it is left", { timeout: 30_000 }, async () => {
      await peer.stop();
      let status;
      await until(() => `nobody is there: ${JSON.stringify(status)}`, async () => {
        status = await session.host.status();
        return status.clients === 0 && status.signaling.sessions === 0;
      }, 20_000);
    });
  });
}
