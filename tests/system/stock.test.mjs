// The web client of Selkies 2.1.0, as it is on PyPI, drives this host.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { EventWindow, Terminal } from "../support/applications.mjs";
import { Browser } from "../support/browser.mjs";
import { Host } from "../support/host.mjs";
import { Session } from "../support/session.mjs";
import { stockClient } from "../support/stock.mjs";
import { sleep, until } from "../support/tools.mjs";
import { XServer } from "../support/xserver.mjs";

describe("stock client 2.1.0", { timeout: 240_000 }, () => {
  const session = new Session();
  let desk;
  before(async () => {
    const web = await stockClient();
    const { stage } = session;
    session.x = stage.add(await XServer.start());
    session.host = stage.add(await Host.start({ x: session.x, args: ["--web-root", web] }));
    session.browser = stage.add(await Browser.start());
    session.desk = desk = await session.browser.open(session.host.url, { size: [1280, 720], selector: "#videoWorkerCanvas, #videoCanvas" });
    await until("the stock page has a canvas", () => desk.page.evaluate(() => window.testScreen()?.offsetWidth > 0), 20_000);
  }, { timeout: 120_000 });
  after(() => session.close());

  test("picture", { timeout: 60_000 }, async () => {
    await session.waitScreen(1280, 720);
    const scene = await session.scene("text");
    await desk.waitEqual(session.x, { limit: 20_000 });
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
    xev.clear();
    for (const [dx, dy, wanted] of [[0, 120, 5], [0, -120, 4]]) {
      xev.clear();
      await desk.page.mouse.wheel(dx, dy);
      await xev.wait(`the wheel's button ${wanted}`, (seen) => seen.find(({ type, button }) => type === "ButtonPress" && button === wanted));
    }
    await xev.stop();
  });

  test("typing", { timeout: 40_000 }, async () => {
    const xterm = await Terminal.start(session.x, ": > ready; cat > typed", { geometry: "80x24+500+200" });
    await desk.click(700, 400);
    await sleep(200);
    const { keyboard } = desk.page;
    await keyboard.type("stock client", { delay: 20 });
    await keyboard.down("Shift");
    await keyboard.press("KeyA");
    await keyboard.up("Shift");
    for (const [key, code] of [["ä", "Quote"], ["ß", "Minus"], ["€", "KeyE"], ["漢", "KeyK"]]) await desk.pressCharacter(key, code);
    await keyboard.press("Enter");
    await xterm.waitFile("typed", "stock clientAäß€漢\n");
    await xterm.stop();
  });

  test("Ctrl+C ends a program", { timeout: 40_000 }, async () => {
    const xterm = await Terminal.start(session.x, "trap : INT; : > ready; cat > first; echo $? > typed", { geometry: "80x24+500+200" });
    await desk.click(700, 400);
    await sleep(200);
    const { keyboard } = desk.page;
    await keyboard.down("Control");
    await keyboard.press("KeyC");
    await keyboard.up("Control");
    await xterm.waitFile("typed", "130\n");
    await xterm.stop();
  });

  test("cursor", { timeout: 40_000 }, async () => {
    const scene = await session.scene("cursor", 3, 11, 500, 200, 300, 300);
    await desk.moveTo(650, 350);
    // The page shows it on the element that takes the input.
    const cursor = () => desk.page.evaluate(() => getComputedStyle(document.getElementById("overlayInput")).cursor);
    let css;
    await until(() => `the cursor's hotspot; it is ${css?.slice(0, 40)}…${css?.slice(-30)}`, async () => {
      css = await cursor();
      return /^(url|image-set)\(.* 3 11, /.test(css);
    });
    await scene.stop();
  });

  test("resize", { timeout: 60_000 }, async () => {
    const scene = await session.scene("text");
    await desk.page.setViewportSize({ width: 1000, height: 600 });
    await session.waitScreen(1000, 600, 12_000);
    await desk.waitEqual(session.x, { limit: 20_000 });
    await scene.stop();
  });

  test("it comes back after the host was killed", { timeout: 60_000 }, async () => {
    const { host, x, stage } = session;
    await host.process.kill();
    await sleep(500);
    const web = await stockClient();
    session.host = stage.add(await Host.start({ x, port: host.port, args: ["--web-root", web] }));
    const scene = await session.scene("gradient");
    await desk.waitEqual(x, { limit: 30_000 });
    await scene.stop();
  });
});

/** Runs in the page: its video worker seems to need three seconds to start. */
function lateWorker() {
  window.Worker = class extends Worker {
    set onmessage(handle) {
      super.onmessage = (event) => {
        if (event.data?.type === "mode") setTimeout(() => handle.call(this, event), 3000);
        else handle.call(this, event);
      };
    }
  };
}

describe("stock client 2.1.0 on a slow computer", { timeout: 120_000 }, () => {
  const session = new Session();
  after(() => session.close());

  test("what came before its video worker was ready is sent again", { timeout: 100_000 }, async () => {
    const { stage } = session;
    const web = await stockClient();
    session.x = stage.add(await XServer.start());
    session.host = stage.add(await Host.start({ x: session.x, args: ["--web-root", web] }));
    session.browser = stage.add(await Browser.start());
    const scene = await session.scene("text");
    const selector = "#videoWorkerCanvas, #videoCanvas";
    const desk = await session.browser.open(session.host.url, { selector, prepare: [lateWorker] });
    let ready = false;
    desk.page.on("console", (message) => (ready ||= message.text().includes("OffscreenCanvas in the video worker")));
    await session.waitScreen(1280, 720);
    await desk.waitEqual(session.x, { limit: 20_000 });
    await until("the worker is ready", () => ready, 20_000);
    // The first stripe that the worker gets takes the page's own drawing off the screen.
    const xterm = await Terminal.start(session.x, ": > ready; cat", { geometry: "20x4+500+200" });
    const shown = () => desk.page.evaluate(() => window.testScreen()?.id);
    await until("the worker draws", async () => (await shown()) === "videoWorkerCanvas", 20_000);
    await desk.waitEqual(session.x, { limit: 30_000 });
    await xterm.stop();
    await scene.stop();
  });
});
