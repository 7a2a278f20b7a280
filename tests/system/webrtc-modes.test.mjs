// Which transport a page uses: the host's mode, the page's address, falling back, and the host's switch.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Between } from "../support/between.mjs";
import { Session } from "../support/session.mjs";
import { until } from "../support/tools.mjs";
import { CLEAR } from "../support/udp-relay.mjs";

const seen = (desk) => desk.page.evaluate(() => window.__selkies);

async function waitMode(desk, mode, limit = 30_000) {
  let last;
  await until(() => `the page uses ${mode}; it is ${JSON.stringify(last)}`, async () => {
    last = await seen(desk);
    return last.mode === mode && last.state === "connected";
  }, limit);
}

describe("both modes served", { timeout: 300_000 }, () => {
  let session;
  before(async () => {
    const env = { SELKIES_MODE: "webrtc", SELKIES_ENABLE_DUAL_MODE: "true", SELKIES_ENCODER: "x264enc,jpeg" };
    session = await Session.start({ host: { env }, path: "?debug" });
  }, { timeout: 90_000 });
  after(() => session?.close());

  test("the host's mode is used", { timeout: 30_000 }, async () => {
    const status = await session.host.status();
    assert.deepEqual([status.current_mode, status.enable_dual_mode], ["webrtc", true]);
    assert.deepEqual([...status.available_modes].sort(), ["webrtc", "websockets"]);
    assert.equal((await seen(session.desk)).mode, "webrtc");
  });

  test("the page's address decides otherwise, and both see the display at the same time", { timeout: 90_000 }, async () => {
    const other = await session.open("?debug&mode=websockets");
    assert.equal((await seen(other)).mode, "websockets");
    const scene = await session.scene("text");
    for (const desk of [session.desk, other]) await desk.waitEqual(session.x, { limit: 30_000, least: 0.95 });
    await scene.stop();
    await other.close();
  });

  test("WebSocket takes over where no path is found", { timeout: 120_000 }, async () => {
    const between = session.stage.add(await Between.start(session.host));
    between.shape({ up: { ...CLEAR, hole: true }, down: { ...CLEAR, hole: true } });
    const desk = await session.browser.open(`${between.url}?debug`);
    await waitMode(desk, "websockets", 60_000);
    assert.match((await desk.statistics()).Transport, /^WebSocket\. WebRTC /);
    const scene = await session.scene("gradient");
    await desk.waitEqual(session.x, { limit: 30_000, least: 0.95 });
    await scene.stop();
    await desk.close();
  });

  test("pages follow when the host's mode is switched", { timeout: 90_000 }, async () => {
    for (const mode of ["websockets", "webrtc"]) {
      const answer = await fetch(`${session.host.url}api/switch`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ mode }),
      });
      assert.equal(answer.status, 200, await answer.text());
      await waitMode(session.desk, mode);
      const scene = await session.scene(mode === "webrtc" ? "text" : "gradient");
      await session.desk.waitEqual(session.x, { limit: 30_000, least: 0.95 });
      await scene.stop();
    }
    assert.deepEqual(session.desk.complaints, []);
  });
});

describe("one mode served", { timeout: 120_000 }, () => {
  let session;
  before(async () => {
    session = await Session.start({ path: "?debug" });
  }, { timeout: 60_000 });
  after(() => session?.close());

  test("WebSocket is the default, and the user's choice of what is not served is none", { timeout: 60_000 }, async () => {
    assert.equal((await seen(session.desk)).mode, "websockets");
    await session.desk.page.evaluate(() => localStorage.setItem("selkies-mode", "webrtc"));
    await session.desk.page.reload();
    await waitMode(session.desk, "websockets");
    assert.ok(await session.desk.page.evaluate(() => document.getElementById("transport").hidden));
  });

  test("a page that insists on WebRTC is not let in, and says so", { timeout: 60_000 }, async () => {
    const desk = await session.browser.open(`${session.host.url}?debug&mode=webrtc`);
    await desk.waitState("reconnecting", 20_000);
    assert.equal((await seen(desk)).mode, "webrtc");
    await desk.close();
  });
});
