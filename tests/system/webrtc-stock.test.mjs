// The web client of Selkies 2.1.0, as it is on PyPI, drives this host over WebRTC.

import { after, before, describe, test } from "node:test";
import { Terminal } from "../support/applications.mjs";
import { StockSession } from "../support/stock.mjs";
import { sleep, until } from "../support/tools.mjs";

describe("stock client 2.1.0 over WebRTC", { timeout: 300_000 }, () => {
  let session, desk;
  before(async () => {
    session = await StockSession.prepare({ env: { SELKIES_MODE: "webrtc", SELKIES_RATE_CONTROL_MODE: "crf", SELKIES_ENCODER: "x264enc,vp8enc", SELKIES_H264_CRF: "20" } });
    desk = await session.openStock("video#stream");
    await until("the stock page shows a video", async () => (await desk.page.evaluate(() => window.testScreen()?.videoWidth ?? 0)) > 1, 40_000);
  }, { timeout: 120_000 });
  after(() => session?.close());

  test("picture", { timeout: 90_000 }, () => session.showsPicture(40_000));

  test("click", { timeout: 40_000 }, () => session.clicks());

  test("typing", { timeout: 40_000 }, async () => {
    const xterm = await Terminal.start(session.x, ": > ready; cat > typed", { geometry: "80x24+500+200" });
    await desk.click(700, 400);
    await sleep(200);
    await desk.page.keyboard.type("stock client", { delay: 20 });
    await desk.page.keyboard.press("Enter");
    await xterm.waitFile("typed", "stock client\n");
    await xterm.stop();
  });

  test("cursor", { timeout: 40_000 }, () => session.showsCursor());

  test("resize", { timeout: 90_000 }, () => session.showsResized(1000, 600, 40_000));
});
