// Encoders that crash, hang or lie in the middle of a session: another one goes on, and nobody is thrown out.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Terminal } from "../support/applications.mjs";
import { Browser } from "../support/browser.mjs";
import { FAULTS, faultyPlugins, liveThrough } from "../support/faults.mjs";
import { Stage } from "../support/processes.mjs";
import { until } from "../support/tools.mjs";
import { XServer } from "../support/xserver.mjs";

/** What a loaded machine may add to the 250 ms that tests/bench/faults.mjs measures. */
const GENEROUS = 1500;

describe("a faulty encoder in a live session", { timeout: 600_000 }, () => {
  const stage = new Stage();
  const session = {};
  before(async () => {
    await faultyPlugins(...Object.keys(FAULTS));
    session.x = stage.add(await XServer.start({ size: [1280, 720] }));
    session.browser = stage.add(await Browser.start());
    const scene = session.x.scene("motion", "640", "480", "60");
    await until(() => `the scene is drawn: ${scene.err}`, () => scene.out.includes("ready"));
    session.xterm = await Terminal.start(session.x, ": > ready; cat > typed", { geometry: "60x20+700+20" });
  }, { timeout: 400_000 });
  after(() => stage.close());

  for (const name of Object.keys(FAULTS)) {
    test(name, { timeout: 60_000 }, async () => {
      const line = `keys during ${name} 0123456789 0123456789`;
      const { longest, fps, log } = await liveThrough(session, name, {
        typed: async (desk) => {
          await desk.click(900, 150);
          await desk.page.keyboard.type(`\n${line}\n`, { delay: 25 });
        },
      });
      assert.ok(longest < GENEROUS, `the picture stood still for ${Math.round(longest)} ms: ${log.slice(-3000)}`);
      assert.ok(fps >= 5, `${fps} frames in the second afterwards`);
      // Input is never lost, whatever the encoder does.
      await session.xterm.waitLine("typed", line);
    });
  }
});
