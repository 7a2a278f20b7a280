// Encoders switched from the page while it streams, and pages that decode less than others.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { EventWindow } from "../support/applications.mjs";
import { Session } from "../support/session.mjs";
import { until } from "../support/tools.mjs";

/** The demand: a second from the choice to the picture. */
const SWITCH = 1000;

const ENV = { SELKIES_ENCODER: "x264enc,x264enc-striped,jpeg", SELKIES_H264_CRF: "5-50", SELKIES_H264_PAINTOVER_CRF: "12" };
const PLUGINS = { h264enc: "selkies.x264/x264enc", "h264enc-striped": "selkies.x264/x264enc-striped", jpeg: "selkies.striped-jpeg/jpeg" };

/** From what is first in the configuration on, each is another than the one before, also over the end. */
const ORDER = ["jpeg", "h264enc", "h264enc-striped", "jpeg", "h264enc-striped", "h264enc"];

/** Runs in the page: it lacks what insecure pages lack, in its workers, too. */
function withoutWebCodecs() {
  delete window.VideoDecoder;
  // A worker has a scope of its own: the stream runs in the page without one.
  delete HTMLCanvasElement.prototype.transferControlToOffscreen;
}

/** Runs in the page: its browser says that it decodes H.264, and then refuses to. */
function refusingDecoder() {
  window.VideoDecoder = class extends VideoDecoder {
    configure(config) {
      // What no browser knows is refused as anything else that a decoder does not take: later, by an error.
      super.configure({ ...config, codec: config.codec.startsWith("avc1") ? "avc1.ffffff" : config.codec });
    }
  };
  delete HTMLCanvasElement.prototype.transferControlToOffscreen;
}

async function status(session) {
  return (await fetch(new URL("api/status", session.host.url))).json();
}

/** Chooses an encoder in the panel as a user does. */
async function choose(desk, encoder) {
  await desk.page.evaluate((name) => {
    const menu = document.getElementById("encoder");
    menu.value = name;
    menu.dispatchEvent(new Event("change", { bubbles: true }));
  }, encoder);
}

const shown = (desk) => desk.page.evaluate(() => document.getElementById("encoder").value);
/** The page's figures; the first ones come after a second. */
const figures = async (desk) => {
  await desk.page.waitForFunction(() => window.__selkies.stats, null, { timeout: 10_000 });
  return desk.page.evaluate(() => window.__selkies.stats);
};

/** Waits, in the page, until the canvas has changed twice: the first change may be of a picture that was under way. */
const changesTwice = (desk) =>
  desk.page.evaluate(async () => {
    const copy = new OffscreenCanvas(64, 36).getContext("2d", { willReadFrequently: true });
    const look = () => {
      copy.drawImage(window.testScreen(), 0, 0, 64, 36);
      return copy.getImageData(0, 0, 64, 36).data.join();
    };
    for (let [changes, last] = [0, look()]; changes < 2; ) {
      await new Promise(requestAnimationFrame);
      const now = look();
      if (now !== last) changes += 1;
      last = now;
    }
  });

/** Chooses an encoder and answers the ms until a picture that it made is on the canvas; something must be moving. */
async function switchTo(session, encoder) {
  const began = Date.now();
  await choose(session.desk, encoder);
  await until(`${encoder} encodes`, async () => (await status(session)).video.encoder === PLUGINS[encoder], 10_000, 5);
  await changesTwice(session.desk);
  return Date.now() - began;
}

describe("switching encoders", { timeout: 300_000 }, () => {
  let session;
  before(async () => {
    session = await Session.start({ host: { env: ENV }, path: "?debug" });
    await session.waitScreen(1280, 720);
  }, { timeout: 60_000 });
  after(() => session?.close());

  test("another encoder shows its picture within a second, on the same connection", { timeout: 120_000 }, async () => {
    const { desk, x } = session;
    await until("the menu has the encoder in use", async () => (await shown(desk)) === "h264enc");
    // Twice, for the machine may be busy with something else once.
    const best = {};
    for (const encoder of [...ORDER, ...ORDER]) {
      const motion = await session.scene("motion", 640, 360, 30);
      best[encoder] = Math.min(best[encoder] ?? Infinity, await switchTo(session, encoder));
      await motion.stop();
      const still = await session.scene("text");
      await desk.waitEqual(x, { limit: 20_000 });
      await still.stop();
      assert.equal(await desk.state(), "connected");
    }
    for (const [encoder, took] of Object.entries(best)) assert.ok(took < SWITCH, `${encoder} took ${took} ms`);
    assert.equal((await status(session)).clients, 1);
    assert.equal((await figures(desk)).decodeErrors, 0);
    assert.deepEqual(desk.complaints, []);
  });

  test("at rest, too, the picture is the new encoder's within a second", { timeout: 60_000 }, async () => {
    const { desk, x } = session;
    const still = await session.scene("gradient");
    await desk.waitEqual(x, { limit: 20_000 });
    const best = {};
    for (const encoder of [...ORDER, ...ORDER]) {
      const before = (await figures(desk)).framesDrawn;
      const began = Date.now();
      await choose(desk, encoder);
      await until(`${encoder} encodes`, async () => (await status(session)).video.encoder === PLUGINS[encoder], 10_000, 5);
      best[encoder] = Math.min(best[encoder] ?? Infinity, Date.now() - began);
      await until("its picture is drawn", async () => (await figures(desk)).framesDrawn > before, 10_000, 50);
      await desk.waitEqual(x, { limit: 20_000 });
    }
    await still.stop();
    for (const [encoder, took] of Object.entries(best)) assert.ok(took < SWITCH, `${encoder} took ${took} ms`);
  });

  test("the quality of the running stream follows the slider", { timeout: 60_000 }, async () => {
    const { desk, x } = session;
    await choose(desk, "h264enc");
    const still = await session.scene("text");
    await desk.waitEqual(x, { limit: 20_000 });
    const bytesAt = async (quality) => {
      const motion = await session.scene("motion", 640, 360, 30);
      await desk.page.evaluate((value) => {
        const slider = document.getElementById("quality");
        slider.value = value === "best" ? slider.max : slider.min;
        slider.dispatchEvent(new Event("change", { bubbles: true }));
      }, quality);
      // Past the keyframe that the change brings.
      let { frames } = (await status(session)).video;
      await until("frames in that quality", async () => (await status(session)).video.frames > frames + 10, 20_000);
      const from = (await status(session)).video;
      await until("more of them", async () => (await status(session)).video.frames > from.frames + 30, 20_000);
      const to = (await status(session)).video;
      await motion.stop();
      return (to.bytes - from.bytes) / (to.frames - from.frames);
    };
    const [small, large] = [await bytesAt("smallest"), await bytesAt("best")];
    assert.ok(large > 1.5 * small, `${large} bytes a frame at best, ${small} at least`);
    assert.equal((await status(session)).clients, 1);
    await still.stop();
  });
});

describe("an odd size", { timeout: 120_000 }, () => {
  let session;
  before(async () => {
    session = await Session.start({
      x: { size: [1023, 767] },
      host: { env: ENV, args: ["--enable-resize=false"] },
      page: { size: [1100, 800] },
    });
  }, { timeout: 60_000 });
  after(() => session?.close());

  test("every encoder shows all of it", { timeout: 90_000 }, async () => {
    const { desk, x } = session;
    const still = await session.scene("text");
    for (const encoder of ["jpeg", "h264enc", "h264enc-striped"]) {
      await choose(desk, encoder);
      await until(`${encoder} encodes`, async () => (await status(session)).video.encoder === PLUGINS[encoder]);
      await desk.waitSize(1023, 767);
      await desk.waitEqual(x, { limit: 20_000 });
    }
    await still.stop();
    assert.deepEqual(desk.complaints, []);
  });
});

describe("every codec", { timeout: 240_000 }, () => {
  const encoders = { vp8enc: "selkies.vp8/vp8enc", vp9enc: "selkies.vp9/vp9enc", av1enc: "selkies.av1/av1enc", openh264enc: "selkies.openh264/openh264enc", ...PLUGINS };
  let session;
  before(async () => {
    const env = { ...ENV, SELKIES_ENCODER: "jpeg,x264enc,x264enc-striped,openh264enc,vp8enc,vp9enc,av1enc,x265enc" };
    session = await Session.start({ host: { env }, path: "?debug", page: { size: [800, 500] } });
    await session.waitScreen(800, 500);
  }, { timeout: 60_000 });
  after(() => session?.close());

  for (const encoder of ["vp8enc", "openh264enc", "vp9enc", "av1enc", "jpeg", "av1enc", "h264enc-striped", "vp8enc"]) {
    test(`${encoder} takes over, in motion and at rest`, { timeout: 60_000 }, async () => {
      const { desk, x } = session;
      const motion = await session.scene("motion", 400, 250, 30);
      await choose(desk, encoder);
      await until(`${encoder} encodes`, async () => (await status(session)).video.encoder === encoders[encoder], 20_000, 20);
      await changesTwice(desk);
      await motion.stop();
      const still = await session.scene("text");
      await desk.waitEqual(x, { limit: 20_000 });
      await still.stop();
      assert.equal((await figures(desk)).decodeErrors, 0);
      assert.deepEqual(desk.complaints, []);
    });
  }

  test("H.265 is not offered where the browser does not decode it", { timeout: 30_000 }, async () => {
    const { desk, x } = session;
    const decodes = await desk.page.evaluate(async () => {
      const config = { codec: "hev1.1.6.L123.B0", codedWidth: 1920, codedHeight: 1080 };
      return (await VideoDecoder.isConfigSupported(config)).supported;
    });
    const offered = await desk.page.evaluate(() => !document.querySelector('#encoder option[value="h265enc"]').disabled);
    assert.equal(offered, decodes);
    await choose(desk, "h265enc");
    const still = await session.scene("gradient");
    await desk.waitEqual(x, { limit: 20_000 });
    assert.equal((await status(session)).video.encoder === "selkies.x265/x265enc", decodes);
    await still.stop();
  });
});

describe("pages without video decoders", { timeout: 180_000 }, () => {
  let session;
  before(async () => {
    session = await Session.start({ host: { env: ENV }, path: "?debug", page: { prepare: [withoutWebCodecs] } });
    await session.waitScreen(1280, 720);
  }, { timeout: 60_000 });
  after(() => session?.close());

  test("the owner's page gets JPEG, whatever comes first in the order", { timeout: 60_000 }, async () => {
    const { desk, x } = session;
    const still = await session.scene("text");
    await desk.waitEqual(x, { limit: 20_000 });
    assert.equal((await status(session)).video.encoder, PLUGINS.jpeg);
    await choose(desk, "h264enc");
    await until("the menu goes back to what is in use", async () => (await shown(desk)) === "jpeg");
    await desk.waitEqual(x, { limit: 20_000 });
    await still.stop();
  });

  test("beside a page that decodes more, it is told why it sees nothing, and sees again when that one goes", { timeout: 90_000 }, async () => {
    const { x } = session;
    await session.desk.close();
    const still = await session.scene("gradient");
    const owner = await session.open("?debug");
    await owner.waitEqual(x, { limit: 20_000 });
    await until("H.264 is streamed", async () => (await status(session)).video.encoder === PLUGINS.h264enc);
    const other = await session.browser.open(`${session.host.url}?debug`, { prepare: [withoutWebCodecs] });
    await other.waitState("connected");
    const detail = () => other.page.textContent("#state-detail");
    await until("the reason is shown", async () => /streams h264 .* decodes jpeg only/.test(await detail()));
    await owner.waitEqual(x, { limit: 20_000 });
    assert.equal((await status(session)).video.encoder, PLUGINS.h264enc);
    await owner.close();
    await other.waitEqual(x, { limit: 20_000 });
    assert.equal((await status(session)).video.encoder, PLUGINS.jpeg);
    await until("the reason is gone", async () => !/decodes/.test((await detail()) ?? ""));
    await still.stop();
  });
});

describe("a decoder that fails", { timeout: 90_000 }, () => {
  let session;
  before(async () => {
    session = await Session.start({ host: { env: ENV }, path: "?debug", page: { prepare: [refusingDecoder] } });
    await session.waitScreen(1280, 720);
  }, { timeout: 60_000 });
  after(() => session?.close());

  test("the page steps down, the host hears of it, and the picture is there", { timeout: 60_000 }, async () => {
    const { desk, x } = session;
    const still = await session.scene("text");
    await desk.waitEqual(x, { limit: 20_000 });
    assert.equal((await status(session)).video.encoder, PLUGINS.jpeg);
    await until("the menu says so", async () => (await shown(desk)) === "jpeg");
    const offered = await desk.page.evaluate(() => [...document.querySelectorAll("#encoder option")].map((o) => [o.value, !o.disabled]));
    assert.deepEqual(offered, [["h264enc", false], ["h264enc-striped", false], ["jpeg", true]]);
    assert.equal((await status(session)).clients, 1);
    assert.deepEqual(desk.complaints, []);
    await still.stop();
  });
});

describe("the first moment of a page", { timeout: 120_000 }, () => {
  let session;
  before(async () => {
    session = await Session.start();
    await session.waitScreen(1280, 720);
  }, { timeout: 60_000 });
  after(() => session?.close());

  test("a click lands where it was aimed as soon as the page has a size", { timeout: 60_000 }, async () => {
    const { x, desk } = session;
    const still = await session.scene("gradient");
    await desk.waitEqual(x);
    const xev = await EventWindow.start(x);
    for (let turn = 0; turn < 5; turn += 1) {
      xev.clear();
      const page = await session.browser.open(session.host.url);
      await until("the canvas has a size", async () => (await page.size()).width > 1, 10_000, 1);
      const at = await page.click(900, 640);
      const press = await xev.wait("the click", (seen) => seen.find(({ type }) => type === "ButtonPress"));
      assert.deepEqual([press.x, press.y], [at.x, at.y]);
      assert.deepEqual(await page.size(), { width: 1280, height: 720 });
      await page.close();
    }
    await xev.stop();
    await still.stop();
  });
});
