// The web client of Selkies 2.1.0, as it is on PyPI, drives this host.

import { after, before, describe, test } from "node:test";
import { EventWindow, Terminal } from "../support/applications.mjs";
import { StockSession } from "../support/stock.mjs";
import { sleep, until } from "../support/tools.mjs";

describe("stock client 2.1.0", { timeout: 240_000 }, () => {
  let session, desk;
  before(async () => {
    session = await StockSession.prepare();
    desk = await session.openStock("#videoWorkerCanvas, #videoCanvas");
    await until("the stock page has a canvas", () => desk.page.evaluate(() => window.testScreen()?.offsetWidth > 0), 20_000);
  }, { timeout: 120_000 });
  after(() => session?.close());

  test("picture", { timeout: 60_000 }, () => session.showsPicture(20_000));

  test("click", { timeout: 40_000 }, () => session.clicks());

  test("wheel", { timeout: 40_000 }, async () => {
    const xev = await EventWindow.start(session.x);
    await desk.moveTo(640, 360);
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

  test("cursor", { timeout: 40_000 }, () => session.showsCursor());

  test("resize", { timeout: 60_000 }, () => session.showsResized(1000, 600));

  test("it comes back after the host was killed", { timeout: 60_000 }, async () => {
    const { host, x } = session;
    await host.process.kill();
    await sleep(500);
    await session.startHost({ port: host.port });
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
  let session;
  after(() => session?.close());

  test("what came before its video worker was ready is sent again", { timeout: 100_000 }, async () => {
    session = await StockSession.prepare();
    const scene = await session.scene("text");
    const desk = await session.openStock("#videoWorkerCanvas, #videoCanvas", { prepare: [lateWorker] });
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
