// The web client of Selkies 2.1.0, as it is on PyPI, drives this host over WebRTC.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { EventWindow, Terminal } from "../support/applications.mjs";
import { Browser } from "../support/browser.mjs";
import { Host } from "../support/host.mjs";
import { Session } from "../support/session.mjs";
import { stockClient } from "../support/stock.mjs";
import { sleep, until } from "../support/tools.mjs";
import { XServer } from "../support/xserver.mjs";

describe("stock client 2.1.0 over WebRTC", { timeout: 300_000 }, () => {
  const session = new Session();
  let desk;
  before(async () => {
    const web = await stockClient();
    const { stage } = session;
    session.x = stage.add(await XServer.start());
    const env = { SELKIES_MODE: "webrtc", SELKIES_ENCODER: "x264enc,vp8enc", SELKIES_H264_CRF: "20" };
    session.host = stage.add(await Host.start({ x: session.x, args: ["--web-root", web], env }));
    session.browser = stage.add(await Browser.start());
    session.desk = desk = await session.browser.open(session.host.url, { size: [1280, 720], selector: "video#stream" });
    await until("the stock page shows a video", async () => (await desk.page.evaluate(() => window.testScreen()?.videoWidth ?? 0)) > 1, 40_000);
  }, { timeout: 120_000 });
  after(() => session.close());

  test("picture", { timeout: 90_000 }, async () => {
    await session.waitScreen(1280, 720, 20_000);
    const scene = await session.scene("text");
    await desk.waitEqual(session.x, { limit: 40_000 });
    await scene.stop();
  });

  test("click", { timeout: 40_000 }, async () => {
    const xev = await EventWindow.start(session.x);
    for (const [x, y] of [[640, 360], [1201, 699]]) {
      xev.clear();
      const at = await desk.click(x, y);
      const press = await xev.wait("the click", (seen) => seen.find(({ type }) => type === "ButtonPress"));
      assert.deepEqual([press.button, press.x, press.y], [1, at.x, at.y]);
      await xev.wait("the release", (seen) => seen.find(({ type }) => type === "ButtonRelease"));
    }
    await xev.stop();
  });

  test("typing", { timeout: 40_000 }, async () => {
    const xterm = await Terminal.start(session.x, ": > ready; cat > typed", { geometry: "80x24+500+200" });
    await desk.click(700, 400);
    await sleep(200);
    await desk.page.keyboard.type("stock client", { delay: 20 });
    await desk.page.keyboard.press("Enter");
    await xterm.waitFile("typed", "stock client\n");
    await xterm.stop();
  });

  test("cursor", { timeout: 40_000 }, async () => {
    const scene = await session.scene("cursor", 3, 11, 500, 200, 300, 300);
    await desk.moveTo(650, 350);
    let css;
    await until(() => `the cursor's hotspot; it is ${css?.slice(0, 60)}…`, async () => {
      css = await desk.page.evaluate(() => getComputedStyle(document.getElementById("overlayInput")).cursor);
      return /^(url|image-set)\(.* 3 11, /.test(css);
    });
    await scene.stop();
  });

  test("resize", { timeout: 90_000 }, async () => {
    const scene = await session.scene("text");
    await desk.page.setViewportSize({ width: 1000, height: 600 });
    await session.waitScreen(1000, 600, 20_000);
    await desk.waitEqual(session.x, { limit: 40_000 });
    await scene.stop();
  });
});
