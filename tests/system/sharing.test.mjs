// Two pages at one host, as Selkies 2.1.0 treats them.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { EventWindow } from "../support/applications.mjs";
import { WireClient } from "../support/client.mjs";
import { Session } from "../support/session.mjs";
import { sleep } from "../support/tools.mjs";

const TAB = { "selkies-tab": "0123456789abcdef" };

describe("two pages", { timeout: 180_000 }, () => {
  let session;
  before(async () => {
    session = await Session.start({ page: { size: [1280, 720], storage: TAB } });
    await session.waitScreen(1280, 720);
    await session.scene("gradient");
  }, { timeout: 60_000 });
  after(() => session?.close());

  test("another tab joins beside the owner: both see, both drive, the size is the owner's", { timeout: 50_000 }, async () => {
    const { x, desk } = session;
    const second = await session.open("", { size: [1000, 600] });
    await second.waitEqual(x);
    assert.ok(await session.staysAt(1280, 720, 800));
    assert.equal(await desk.state(), "connected");
    const xev = await EventWindow.start(x);
    for (const page of [desk, second]) {
      xev.clear();
      const at = await page.click(700, 410);
      const press = await xev.wait("a click", (seen) => seen.find(({ type }) => type === "ButtonPress"));
      assert.deepEqual([press.x, press.y], [at.x, at.y]);
      await page.page.keyboard.press("k");
      await xev.wait("k", (seen) => seen.find(({ type, name }) => type === "KeyRelease" && name === "k"));
    }
    await xev.stop();
    await second.close();
  });

  test("a shared page sees the picture, and its keys, mouse and size do nothing", { timeout: 50_000 }, async () => {
    const { x, desk } = session;
    const viewer = await session.open("#shared", { size: [900, 650] });
    await viewer.waitEqual(x);
    const xev = await EventWindow.start(x);
    await viewer.waitEqual(x);
    xev.clear();
    await viewer.click(500, 300);
    await viewer.page.keyboard.type("abc");
    await viewer.page.mouse.wheel(0, 240);
    await viewer.page.setViewportSize({ width: 700, height: 500 });
    await sleep(600);
    assert.deepEqual(xev.events(), []);
    assert.ok(await session.staysAt(1280, 720, 500));
    await desk.click(500, 300);
    await xev.wait("the owner's click", (seen) => seen.find(({ type }) => type === "ButtonPress"));
    await xev.stop();
    await viewer.close();
  });

  test("what a viewer sends past its page is refused, and the host says so", { timeout: 40_000 }, async () => {
    const { x, host } = session;
    const xev = await EventWindow.start(x);
    xev.clear();
    const viewer = await WireClient.viewer(host);
    for (const text of ["kd,97", "ku,97", "m,300,300,1,0", "m,300,300,0,0", "m2,5,5,0,0", "co,end,text", "r,640x480,primary", "s,144", "cmd,touch /tmp/never"]) {
      viewer.send(text);
    }
    await viewer.waitFrames(1);
    await sleep(500);
    assert.deepEqual(xev.events(), []);
    assert.ok(await session.staysAt(1280, 720, 500));
    assert.equal(viewer.closed, null);
    viewer.stop();
    await xev.stop();
  });

  test("the same tab again takes over, and the old page ends for good", { timeout: 50_000 }, async () => {
    const { desk, x } = session;
    const heir = await session.open("", { size: [1280, 720], storage: TAB });
    await desk.waitState("ended");
    assert.match(await desk.page.textContent("#state-detail"), /new primary client/);
    await heir.waitEqual(x);
    await sleep(1500);
    assert.equal(await desk.state(), "ended");
    assert.equal(await heir.state(), "connected");
    session.desk = heir;
  });

  test("when the owner leaves, the page beside it inherits the display's size", { timeout: 50_000 }, async () => {
    const beside = await session.open("", { size: [1000, 600] });
    await session.desk.close();
    await sleep(500);
    await beside.page.setViewportSize({ width: 1100, height: 620 });
    await session.waitScreen(1100, 620);
    await beside.waitEqual(session.x);
    await beside.close();
  });
});

describe("sharing switched off", { timeout: 90_000 }, () => {
  let session;
  before(async () => {
    session = await Session.start({ host: { args: ["--enable-sharing=false", "--enable-shared=false"] } });
  }, { timeout: 60_000 });
  after(() => session?.close());

  test("any other page takes over", { timeout: 40_000 }, async () => {
    const second = await session.open();
    await session.desk.waitState("ended");
    await second.waitEqual(session.x);
  });

  test("a shared page is told that it may not", { timeout: 40_000 }, async () => {
    const viewer = await session.browser.open(`${session.host.url}#shared`);
    await viewer.waitState("ended").catch(() => viewer.waitState("error", 100));
    await viewer.close();
  });
});
