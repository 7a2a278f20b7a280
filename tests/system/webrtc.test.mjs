// The page over WebRTC: picture, keys, pointer, cursor and size, in Chromium and in Firefox, which has VP8 only.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { EventWindow, Terminal } from "../support/applications.mjs";
import { Browser } from "../support/browser.mjs";
import { Firefox } from "../support/firefox.mjs";
import { Session } from "../support/session.mjs";
import { sleep, until } from "../support/tools.mjs";

const SETTINGS = { SELKIES_MODE: "webrtc", SELKIES_RATE_CONTROL_MODE: "crf", SELKIES_H264_CRF: "20", SELKIES_H264_PAINTOVER_CRF: "12" };

const BROWSERS = [
  { name: "Chromium", browser: Browser, encoder: "x264enc", used: /x264enc$/, codec: "H264" },
  { name: "Firefox ESR", browser: Firefox, encoder: "x264enc,vp8enc", used: /vp8enc$/, codec: "VP8" },
];

for (const { name, browser, encoder, used, codec } of BROWSERS) {
  describe(`WebRTC in ${name}`, { timeout: 300_000 }, () => {
    let session;
    let desk;
    before(async () => {
      const env = { ...SETTINGS, SELKIES_ENCODER: encoder };
      session = await Session.start({ browser, host: { env }, path: "?debug", page: { size: [1280, 720] } });
      desk = session.desk;
      await session.waitScreen(1280, 720);
    }, { timeout: 90_000 });
    after(() => session?.close());

    const seen = (page = desk) => page.page.evaluate(() => window.__selkies);

    test("the picture equals the display at rest", { timeout: 90_000 }, async () => {
      for (const kind of ["text", "gradient"]) {
        const scene = await session.scene(kind);
        await desk.waitEqual(session.x, { limit: 30_000 });
        await scene.stop();
      }
      assert.equal((await seen()).mode, "webrtc");
      assert.match((await session.host.status()).video.encoder, used);
    });

    test("what is typed reaches a program", { timeout: 40_000 }, async () => {
      const xterm = await Terminal.start(session.x, ": > ready; cat > typed");
      await desk.click(200, 200);
      await sleep(150);
      await desk.page.keyboard.type("over WebRTC 0123 äß€漢\n");
      await xterm.waitFile("typed", "over WebRTC 0123 äß€漢\n");
      await xterm.stop();
    });

    test("clicks and the wheel arrive where the pointer is", { timeout: 60_000 }, async () => {
      const xev = await EventWindow.start(session.x);
      for (const [x, y] of [[0, 0], [640, 360], [1279, 719], [333, 477]]) {
        for (const [side, button] of [["left", 1], ["middle", 2], ["right", 3]]) {
          xev.clear();
          const at = await desk.click(x, y, side);
          const [down, up] = await xev.wait(`button ${button}`, (events) => {
            const mine = events.filter((event) => event.button === button);
            return mine.length >= 2 && mine;
          });
          assert.deepEqual([down.type, down.x, down.y], ["ButtonPress", at.x, at.y]);
          assert.deepEqual([up.type, up.x, up.y], ["ButtonRelease", at.x, at.y]);
        }
      }
      for (const [dy, button] of [[-120, 4], [120, 5]]) {
        xev.clear();
        await desk.page.mouse.wheel(0, dy);
        await xev.wait(`the wheel's button ${button}`, (events) => events.find((event) => event.type === "ButtonPress" && event.button === button));
      }
      await xev.stop();
    });

    test("a movement ends where the pointer rests, though its channel may lose", { timeout: 30_000 }, async () => {
      for (const [x, y] of [[200, 100], [900, 600], [451, 333]]) {
        const at = await desk.moveTo(x, y);
        await until("the pointer is there", async () => {
          const held = await session.x.held();
          return held.x === at.x && held.y === at.y;
        });
      }
    });

    test("the page's pointer looks like the one of the window under it", { timeout: 40_000 }, async () => {
      const scene = await session.scene("cursor", 3, 11, 500, 200, 300, 300);
      await desk.moveTo(650, 350);
      let css;
      await until(() => `the cursor's hotspot; it is ${css?.slice(0, 60)}…`, async () => /(url|image-set)\(.* 3 11, /.test((css = await desk.cursor())));
      await scene.stop();
    });

    test("the display follows the page's size, and the picture the display", { timeout: 90_000 }, async () => {
      const scene = await session.scene("text");
      for (const [width, height] of [[1000, 600], [1281, 721]]) {
        await desk.page.setViewportSize({ width, height });
        await session.waitScreen(width & ~1, height & ~1);
        await desk.waitSize(width & ~1, height & ~1, 20_000);
        await desk.waitEqual(session.x, { limit: 30_000 });
      }
      await scene.stop();
    });

    test("two pages that watch are served from the same encode", { timeout: 120_000 }, async () => {
      const watching = [];
      for (let i = 0; i < 2; i += 1) watching.push(await session.open("?debug#shared"));
      const scene = await session.scene("motion", 640, 360, 30);
      const pages = [desk, ...watching];
      const decoded = () => Promise.all(pages.map(async (page) => (await seen(page)).stats?.framesDrawn ?? 0));
      await until("all of them draw", async () => (await decoded()).every((frames) => frames > 5), 30_000);
      const [encoded, drawn] = [await session.host.encodedFrames(), await decoded()];
      let now;
      // Figures of the page are a second old at most.
      await until(() => `frames are encoded once: ${JSON.stringify(now)}`, async () => {
        const frames = await decoded();
        now = { encoded: (await session.host.encodedFrames()) - encoded, drawn: frames.map((count, i) => count - drawn[i]) };
        return now.encoded >= 90 && now.drawn.every((count) => count >= 0.6 * now.encoded);
      }, 40_000, 500);
      assert.ok(now.encoded < 1.7 * Math.max(...now.drawn), JSON.stringify(now));
      await scene.stop();
      const still = await session.scene("text");
      for (const page of pages) await page.waitEqual(session.x, { limit: 30_000 });
      await still.stop();
      for (const page of watching) await page.close();
    });

    test("the figures are those of the path", { timeout: 30_000 }, async () => {
      const scene = await session.scene("motion", 320, 200, 30);
      let figures;
      await until(() => `figures: ${JSON.stringify(figures)}`, async () => {
        figures = await desk.statistics();
        return figures.Transport === "WebRTC" && figures.Codec === codec && figures.Path === "direct udp" && parseFloat(figures["Frames drawn"]) > 5;
      }, 20_000);
      await scene.stop();
    });

    test("it comes back after the host was killed", { timeout: 90_000 }, async () => {
      const { host, x, stage } = session;
      await host.process.kill();
      await desk.waitState("reconnecting", 20_000);
      const env = { ...SETTINGS, SELKIES_ENCODER: encoder };
      session.host = stage.add(await host.constructor.start({ x, port: host.port, env }));
      await desk.waitState("connected", 40_000);
      const scene = await session.scene("gradient");
      await desk.waitEqual(x, { limit: 30_000 });
      await scene.stop();
      assert.deepEqual(desk.complaints, []);
    });
  });
}
