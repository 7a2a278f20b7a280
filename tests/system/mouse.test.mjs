// Clicks, wheel and movement arrive with the right coordinates.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { EventWindow } from "../support/applications.mjs";
import { Session } from "../support/session.mjs";
import { sleep, until } from "../support/tools.mjs";

const POINTS = [[0, 0], [1, 717], [1277, 3], [1279, 719], [640, 360], [333, 477]];

/** Waits for press and release of a button at exactly this place. */
async function clicked(xev, button, at) {
  const place = `button ${button} at ${at.x},${at.y}`;
  const [down, up] = await xev.wait(place, (seen) => {
    const mine = seen.filter((event) => event.button === button);
    return mine.length >= 2 && mine;
  });
  assert.deepEqual([down.type, up.type], ["ButtonPress", "ButtonRelease"]);
  assert.deepEqual([down.x, down.y], [at.x, at.y], place);
  assert.deepEqual([up.x, up.y], [at.x, at.y], place);
}

function scenario(name, options, check) {
  describe(name, { timeout: 120_000 }, () => {
    let session;
    let xev;
    before(async () => {
      session = await Session.start(options);
      await session.desk.waitSize(1280, 720);
      xev = await EventWindow.start(session.x);
    }, { timeout: 60_000 });
    after(() => session?.close());

    test("the three buttons click where the pointer is", { timeout: 60_000 }, async () => {
      for (const [x, y] of POINTS) {
        for (const [name, button] of [["left", 1], ["middle", 2], ["right", 3]]) {
          xev.clear();
          await clicked(xev, button, await session.desk.click(x, y, name));
        }
      }
    });

    test("the wheel turns in four directions where the pointer is", { timeout: 40_000 }, async () => {
      for (const [dx, dy, button] of [[0, -120, 4], [0, 120, 5], [-120, 0, 6], [120, 0, 7]]) {
        const at = await session.desk.moveTo(500, 200 + button * 20);
        await sleep(60);
        xev.clear();
        await session.desk.page.mouse.wheel(dx, dy);
        await clicked(xev, button, at);
        await sleep(100);
        assert.equal(xev.events().filter(({ type }) => type === "ButtonPress").length, 1, "one notch is one click");
      }
    });
    check?.(() => ({ ...session, session, xev }));
  });
}

scenario("mouse", { page: { size: [1280, 720] } }, (get) => {
  test("dragging holds the button on the way", { timeout: 40_000 }, async () => {
    const { desk, xev } = get();
    await desk.moveTo(100, 100);
    xev.clear();
    await desk.page.mouse.down();
    await desk.page.mouse.move(420, 260, { steps: 8 });
    await desk.page.mouse.up();
    const up = await xev.wait("the release", (seen) => seen.find(({ type }) => type === "ButtonRelease"));
    assert.deepEqual([up.x, up.y], [420, 260]);
    const dragged = xev.events().filter(({ type, state }) => type === "MotionNotify" && state & 0x100);
    assert.ok(dragged.length >= 2, `moved ${dragged.length} times with the button held`);
  });

  test("a locked pointer moves relatively", { timeout: 40_000 }, async () => {
    const { desk, x } = get();
    await desk.moveTo(600, 300);
    await until("the pointer is there", async () => (await x.held()).x === 600);
    await desk.page.keyboard.press("Control+Shift+KeyL");
    await until("the page has the pointer", () => desk.page.evaluate(() => document.pointerLockElement !== null));
    await desk.page.mouse.move(640, 325);
    await until("the pointer moved by 40,25", async () => {
      const held = await x.held();
      return held.x === 640 && held.y === 325;
    });
    // Far beyond the page's edge in small steps: what an absolute pointer could not do.
    await desk.page.mouse.move(600, 300);
    await desk.page.evaluate(() => document.exitPointerLock());
    await until("the page gave it back", () => desk.page.evaluate(() => document.pointerLockElement === null));
  });
});

scenario("mouse on a scaled picture", {
  x: { size: [1280, 720] },
  host: { args: ["--enable-resize=false"] },
  page: { size: [900, 700] },
}, (get) => {
  test("the display kept its size", { timeout: 20_000 }, async () => {
    const { session, desk } = get();
    assert.ok(await session.staysAt(1280, 720));
    assert.ok((await desk.geometry()).pixels > 1.3, "the picture is shown smaller than it is");
  });
});
