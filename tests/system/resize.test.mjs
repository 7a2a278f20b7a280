// The X screen follows the page's size, and the picture follows the screen.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { WireClient } from "../support/client.mjs";
import { Session } from "../support/session.mjs";
import { sleep } from "../support/tools.mjs";

describe("resize", { timeout: 180_000 }, () => {
  let session;
  before(async () => {
    session = await Session.start({ page: { size: [1100, 640] } });
    await session.scene("text");
  }, { timeout: 60_000 });
  after(() => session?.close());

  test("the screen has the page's size from the start", { timeout: 30_000 }, async () => {
    await session.waitScreen(1100, 640);
    await session.desk.waitEqual(session.x);
  });

  // Odd sides are rounded down: chroma of 4:2:0 has half of them.
  for (const [width, height] of [[1366, 768], [801, 601], [1281, 721], [640, 480]]) {
    test(`a page of ${width}x${height}`, { timeout: 40_000 }, async () => {
      const { desk, x } = session;
      await desk.page.setViewportSize({ width, height });
      await session.waitScreen(width & ~1, height & ~1);
      await desk.waitSize(width & ~1, height & ~1);
      await desk.waitEqual(x);
    });
  }

  test("a burst of sizes ends with the last one", { timeout: 60_000 }, async () => {
    const { desk, x, host } = session;
    for (let i = 0; i < 12; i += 1) {
      await desk.page.setViewportSize({ width: 700 + i * 40, height: 500 + i * 16 });
      await sleep(60);
    }
    await session.waitScreen(1140, 676);
    await desk.waitEqual(x);
    assert.ok(await host.healthy());
  });

  test("absurd sizes change nothing", { timeout: 30_000 }, async () => {
    const { width, height } = await session.x.size();
    // Only the owner may ask; this takes the display from the page.
    const client = await WireClient.controller(session.host, { tabId: null, size: [width, height] });
    await session.desk.waitState("ended");
    for (const size of ["0x0", "1x1", "-5x300", "99999x99999", "800", "NaNx600", "800x600x2"]) client.send(`r,${size},primary`);
    assert.ok(await session.staysAt(width, height));
    client.send("r,900x500,primary");
    await session.waitScreen(900, 500);
    client.stop();
    assert.ok(await session.host.healthy());
  });
});

describe("resize switched off", { timeout: 90_000 }, () => {
  let session;
  before(async () => {
    session = await Session.start({ x: { size: [1024, 600] }, host: { args: ["--enable-resize=false"] }, page: { size: [800, 500] } });
  }, { timeout: 60_000 });
  after(() => session?.close());

  test("neither the page's start nor its resize changes the screen", { timeout: 60_000 }, async () => {
    const { desk, x } = session;
    await session.scene("text");
    assert.ok(await session.staysAt(1024, 600));
    await desk.page.setViewportSize({ width: 700, height: 700 });
    assert.ok(await session.staysAt(1024, 600));
    await desk.waitSize(1024, 600);
    await desk.waitEqual(x);
  });
});
