// The page's pointer looks like the one of the window under it.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Terminal } from "../support/applications.mjs";
import { Session } from "../support/session.mjs";
import { until } from "../support/tools.mjs";

/** A CSS cursor's image, hotspot and size. */
function parse(css) {
  const found = /url\("data:image\/png;base64,([^"]+)"\)[^,]*? (\d+) (\d+), /.exec(css);
  if (!found) return null;
  const png = Buffer.from(found[1], "base64");
  return { png: found[1], hot: [Number(found[2]), Number(found[3])], size: [png.readUInt32BE(16), png.readUInt32BE(20)] };
}

describe("cursor", { timeout: 120_000 }, () => {
  let session;
  before(async () => {
    session = await Session.start({ page: { size: [1280, 720] } });
    await session.waitScreen(1280, 720);
    await session.scene("cursor", 3, 11, 0, 0, 300, 300);
    await session.scene("cursor", 15, 0, 600, 0, 300, 300);
  }, { timeout: 60_000 });
  after(() => session?.close());

  /** Moves there and waits for a cursor that satisfies `wanted`. */
  async function cursorAt(x, y, what, wanted) {
    const { desk } = session;
    await desk.moveTo(x, y);
    let css;
    return until(() => `${what}; it is ${css?.slice(0, 80)}…${css?.slice(-30)}`, async () => {
      const cursor = parse((css = await desk.cursor()));
      return cursor && wanted(cursor) && cursor;
    });
  }

  test("shape and hotspot follow the window under the pointer", { timeout: 40_000 }, async () => {
    const first = await cursorAt(150, 150, "hotspot 3,11", ({ hot }) => hot.join() === "3,11");
    assert.deepEqual(first.size, [16, 16]);
    await cursorAt(750, 150, "hotspot 15,0", ({ hot }) => hot.join() === "15,0");
    await cursorAt(150, 160, "hotspot 3,11 again", ({ hot }) => hot.join() === "3,11");
  });

  test("the image has the cursor's colour", { timeout: 40_000 }, async () => {
    const { png } = await cursorAt(150, 150, "hotspot 3,11", ({ hot }) => hot.join() === "3,11");
    const colour = await session.desk.page.evaluate(async (data) => {
      const image = new Image();
      image.src = `data:image/png;base64,${data}`;
      await image.decode();
      const context = new OffscreenCanvas(16, 16).getContext("2d");
      context.drawImage(image, 0, 0);
      return [...context.getImageData(8, 8, 1, 1).data];
    }, png);
    assert.deepEqual(colour, [255, 0, 0, 255]);
  });

  test("over text of xterm it is another than over the desktop", { timeout: 40_000 }, async () => {
    const xterm = await Terminal.start(session.x, ": > ready; sleep 60", { geometry: "60x15+100+400" });
    const square = await cursorAt(750, 150, "hotspot 15,0", ({ hot }) => hot.join() === "15,0");
    const beam = await cursorAt(250, 500, "another image", ({ png }) => png !== square.png);
    const outside = await cursorAt(1200, 600, "a third image", ({ png }) => png !== square.png && png !== beam.png);
    assert.notEqual(outside.png, beam.png);
    await xterm.stop();
  });

  test("a page that comes later has the cursor at once", { timeout: 40_000 }, async () => {
    await cursorAt(150, 150, "hotspot 3,11", ({ hot }) => hot.join() === "3,11");
    const late = await session.open("#shared", { size: [1280, 720] });
    await until("its cursor", async () => parse(await late.cursor())?.hot.join() === "3,11");
    await late.close();
  });
});
