// The clipboard between X applications and pages, with xclip and xsel as the applications.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { Terminal } from "../support/applications.mjs";
import { Browser } from "../support/browser.mjs";
import { WireClient } from "../support/client.mjs";
import { copy, paste, waitPasted } from "../support/clipboard.mjs";
import { Firefox } from "../support/firefox.mjs";
import { Host } from "../support/host.mjs";
import { Stage } from "../support/processes.mjs";
import { Session } from "../support/session.mjs";
import { until } from "../support/tools.mjs";
import { XServer } from "../support/xserver.mjs";

const LINE = "grün, 5 €, 日本語 0123456789\n";
const LONG = Buffer.from(LINE.repeat(Math.ceil(10_000_000 / Buffer.byteLength(LINE))));
const PICTURE = Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), randomBytes(5_000_000)]);
/** What pages of 2.1.0 put into one message. */
const PART = 750 * 1024;

const digest = (bytes) => createHash("sha256").update(bytes).digest("hex");

/** Contents that a client was told, in order. */
function contents(texts) {
  const found = [];
  let open = null;
  for (const text of texts) {
    const [verb, ...fields] = text.split(",");
    if (verb === "clipboard") found.push({ mime: "text/plain", bytes: Buffer.from(fields[0], "base64") });
    else if (verb === "clipboard_binary") found.push({ mime: fields[0], bytes: Buffer.from(fields[1], "base64") });
    else if (verb === "clipboard_start") open = { mime: fields[0], total: Number(fields[1]), parts: [] };
    else if (verb === "clipboard_data") open.parts.push(Buffer.from(fields[0], "base64"));
    else if (verb === "clipboard_finish") {
      const bytes = Buffer.concat(open.parts);
      assert.equal(bytes.length, open.total, "as many bytes as were announced");
      found.push({ mime: open.mime, bytes });
    }
  }
  return found;
}

async function waitContent(client, mime, bytes, limit = 30_000) {
  const wanted = digest(bytes);
  let seen;
  await until(
    () => `${bytes.length} bytes of ${mime} are told; told are ${JSON.stringify(seen?.map((it) => [it.mime, it.bytes.length]))}`,
    () => {
      seen = contents(client.texts);
      return seen.some((it) => it.mime === mime && it.bytes.length === bytes.length && digest(it.bytes) === wanted);
    },
    limit,
    100,
  );
}

/** Sends a content as a page does: in one message, or in parts of either generation. */
function give(client, mime, bytes, id = "t1") {
  const verb = mime === "text/plain" ? "cw" : "cb";
  const kind = verb === "cb" ? `,${mime}` : "";
  const named = id === "" ? "" : `,${id}`;
  if (bytes.length < PART) return client.send(`${verb}${kind},${bytes.toString("base64")}`);
  client.send(`${verb}s${named}${kind},${bytes.length}`);
  for (let at = 0; at < bytes.length; at += PART) {
    client.send(`${verb}d${named},${bytes.subarray(at, at + PART).toString("base64")}`);
  }
  client.send(`${verb}e${named}`);
}

/** Waits until everything that was sent before was acted on. */
async function heard(client, mark) {
  client.send(`_ping,${mark}`);
  await client.waitText(`pong,${mark}`);
}

describe("clipboard on the wire", { timeout: 300_000 }, () => {
  const stage = new Stage();
  let x;
  let host;
  let client;
  let viewer;
  before(async () => {
    x = stage.add(await XServer.start());
    await copy(x, "there before");
    host = stage.add(await Host.start({ x, env: { SELKIES_ENABLE_BINARY_CLIPBOARD: "true" } }));
    client = await WireClient.controller(host);
    viewer = await WireClient.viewer(host);
  }, { timeout: 60_000 });
  after(async () => {
    WireClient.stopAll();
    await stage.close();
  });

  test("what was copied before the page came is told when it asks", { timeout: 30_000 }, async () => {
    await waitContent(client, "text/plain", Buffer.from("there before"));
    client.send("cr");
    await client.waitText("clipboard_reply,cr");
  });

  test("10 MB of text and 5 MB of PNG from applications, byte by byte, while the picture goes on", { timeout: 120_000 }, async () => {
    const scene = x.scene("gradient");
    await until(() => `the scene is drawn: ${scene.err}`, () => scene.out.includes("ready"), 20_000);
    await copy(x, LONG);
    await waitContent(client, "text/plain", LONG, 60_000);
    await copy(x, PICTURE, { type: "image/png" });
    await waitContent(client, "image/png", PICTURE, 60_000);
    assert.equal(client.closed, null);
    assert.ok(client.texts.every((text) => text.length < 1 << 20), "no part is longer than a page takes");
    await scene.stop();
  });

  test("10 MB of text and 5 MB of PNG to applications, byte by byte, in the messages of both generations", { timeout: 120_000 }, async () => {
    for (const id of ["t1", ""]) {
      const text = Buffer.concat([Buffer.from(id), LONG]);
      give(client, "text/plain", text, id);
      await waitPasted(x, text, { limit: 40_000 });
      assert.ok((await paste(x, { program: "xsel" })).equals(text), "xsel pastes the same");
      give(client, "image/png", PICTURE, id);
      await waitPasted(x, PICTURE, { type: "image/png", limit: 40_000 });
    }
  });

  test("what a page wrote goes to other pages and not back to it", { timeout: 40_000 }, async () => {
    const other = await WireClient.controller(host);
    await heard(other, 1);
    const [before, others] = [contents(client.texts).length, contents(other.texts).length];
    give(client, "text/plain", Buffer.from("from the first"));
    await until("the other page is told", () => contents(other.texts).length > others);
    assert.equal(contents(other.texts).at(-1).bytes.toString(), "from the first");
    await waitPasted(x, "from the first");
    await heard(client, 2);
    assert.equal(contents(client.texts).length, before);
    other.stop();
  });

  test("a viewer is told nothing and writes nothing", { timeout: 40_000 }, async () => {
    for (const text of ["cr", "REQUEST_CLIPBOARD", "cw,aGk=", "cws,1,2", "cwd,1,aGk=", "cwe,1"]) viewer.send(text);
    await copy(x, "not for viewers");
    await waitContent(client, "text/plain", Buffer.from("not for viewers"));
    await heard(viewer, 3);
    assert.deepEqual(viewer.texts.filter((text) => text.startsWith("clipboard")), []);
    assert.equal((await paste(x)).toString(), "not for viewers");
    assert.ok(client.texts.some((text) => text.startsWith("clipboard")), "others were told all the time");
  });

  for (const [direction, env] of [["in", { SELKIES_ENABLE_CLIPBOARD: "in" }], ["out", { SELKIES_CLIPBOARD_IN_ENABLED: "false" }], ["false", { SELKIES_CLIPBOARD_ENABLED: "false" }]]) {
    test(`with the direction ${direction} nothing goes the other way`, { timeout: 60_000 }, async () => {
      const gated = await Host.start({ x, env });
      try {
        const page = await WireClient.controller(gated);
        const settings = JSON.parse(await page.waitText('{"type":"server_settings"')).settings;
        assert.equal(settings.enable_clipboard.value, direction);
        await copy(x, `theirs with ${direction}`);
        page.send("cr");
        if (direction === "out") await waitContent(page, "text/plain", Buffer.from("theirs with out"));
        give(page, "text/plain", Buffer.from(`mine with ${direction}`));
        if (direction === "in") await waitPasted(x, "mine with in");
        await heard(page, 4);
        if (direction !== "in") assert.equal((await paste(x)).toString(), `theirs with ${direction}`);
        if (direction !== "out") assert.deepEqual(contents(page.texts), []);
        page.stop();
      } finally {
        await gated.stop();
      }
    });
  }

  test("pictures stay out unless they are let in", { timeout: 60_000 }, async () => {
    const plain = await Host.start({ x, env: { SELKIES_ENABLE_BINARY_CLIPBOARD: "false|locked" } });
    try {
      const page = await WireClient.controller(plain, { settings: { enable_binary_clipboard: true } });
      await copy(x, PICTURE, { type: "image/png" });
      give(page, "image/png", PICTURE);
      give(page, "text/plain", Buffer.from("words"));
      await waitPasted(x, "words");
      assert.ok(contents(page.texts).every(({ mime }) => mime === "text/plain"));
      page.stop();
    } finally {
      await plain.stop();
    }
  });
});

/** An xterm in which Ctrl+V pastes, and what came of it. */
const PASTING = ["-xrm", "*VT100.translations: #override Ctrl<Key>V: insert-selection(CLIPBOARD)"];

for (const mode of ["websockets"]) {
  describe(`clipboard in Chromium over ${mode}`, { timeout: 240_000 }, () => {
    let session;
    let desk;
    before(async () => {
      const env = { SELKIES_MODE: mode, SELKIES_ENCODER: "jpeg", SELKIES_ENABLE_BINARY_CLIPBOARD: "true" };
      session = await Session.start({ host: { env } });
      desk = session.desk;
      await desk.page.context().grantPermissions(["clipboard-read", "clipboard-write"], { origin: new URL(session.host.url).origin });
      await session.waitScreen(1280, 720);
    }, { timeout: 90_000 });
    after(() => session?.close());

    const local = () => desk.page.evaluate(() => navigator.clipboard.readText());

    test("Ctrl+V pastes what was copied in the browser just before", { timeout: 60_000 }, async () => {
      const xterm = await Terminal.start(session.x, ": > ready; cat > typed", { options: PASTING });
      await desk.click(200, 200);
      const pasted = [];
      for (const words of ["first words", "grün, 5 €, 日本語"]) {
        await desk.page.evaluate((text) => navigator.clipboard.writeText(text), words);
        await desk.page.keyboard.press("Control+v");
        await desk.page.keyboard.press("Enter");
        pasted.push(`${words}\n`);
        await xterm.waitFile("typed", pasted.join(""));
      }
      await xterm.stop();
    });

    test("what applications copy is in the browser's clipboard", { timeout: 60_000 }, async () => {
      await copy(session.x, "copied by an application");
      await until(async () => `the browser has it: ${await local()}`, async () => (await local()) === "copied by an application");
    });

    test("long texts go both ways", { timeout: 90_000 }, async () => {
      const long = LONG.toString();
      await copy(session.x, LONG);
      await until("the browser has 10 MB", async () => desk.page.evaluate(async (length) => (await navigator.clipboard.readText()).length === length, long.length), 60_000, 500);
      assert.equal(digest(Buffer.from(await local())), digest(LONG));
      await desk.page.evaluate((line) => navigator.clipboard.writeText(line.repeat(300_000).slice(0, 9_000_000)), "back again\n");
      await desk.page.keyboard.press("Control+v");
      await waitPasted(session.x, "back again\n".repeat(300_000).slice(0, 9_000_000), { limit: 60_000 });
    });

    test("pictures go both ways", { timeout: 90_000 }, async () => {
      const drawn = await desk.page.evaluate(async () => {
        const canvas = new OffscreenCanvas(123, 45);
        const pen = canvas.getContext("2d");
        pen.fillStyle = "#c04080";
        pen.fillRect(10, 10, 60, 20);
        const blob = await canvas.convertToBlob({ type: "image/png" });
        await navigator.clipboard.write([new ClipboardItem({ "image/png": blob })]);
        return [...new Uint8Array(await blob.arrayBuffer())];
      });
      await desk.page.keyboard.press("Control+v");
      let got;
      // The browser writes its clipboard's picture anew: its size tells that it is the same.
      await until(() => `an application pastes a picture of 123x45: ${got?.length} bytes`, async () => {
        got = await paste(session.x, { type: "image/png" });
        return got.length > 24 && got.readUInt32BE(16) === 123 && got.readUInt32BE(20) === 45;
      });
      await copy(session.x, "in between");
      await until("the browser has the text", async () => (await local()) === "in between");
      await copy(session.x, Buffer.from(drawn), { type: "image/png" });
      let seen;
      await until(() => `the browser has the picture: ${JSON.stringify(seen)}`, async () => {
        seen = await desk.page.evaluate(async () => {
          const [item] = await navigator.clipboard.read();
          if (!item.types.includes("image/png")) return item.types;
          const picture = await createImageBitmap(await item.getType("image/png"));
          const pen = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
          pen.drawImage(picture, 0, 0);
          return [picture.width, picture.height, ...pen.getImageData(20, 20, 1, 1).data];
        });
        return JSON.stringify(seen) === JSON.stringify([123, 45, 0xc0, 0x40, 0x80, 255]);
      });
    });
  });
}

describe("clipboard in Firefox ESR", { timeout: 240_000 }, () => {
  let session;
  let page;
  before(async () => {
    session = await Session.start({ browser: Firefox, host: { env: { SELKIES_ENCODER: "jpeg" } } });
    ({ page } = session.desk);
    await session.waitScreen(1280, 720);
  }, { timeout: 120_000 });
  after(() => session?.close());

  /** Opens or closes the panel. */
  const panel = () => page.evaluate(() => document.getElementById("overlay-toggle").click());
  const box = (act) => page.evaluate((what) => {
    const field = document.getElementById("clipboard-text");
    if (what.text !== undefined) field.value = what.text;
    field.focus();
    if (what.select) field.select();
    return field.value;
  }, act);

  test("the panel's box sends a text", { timeout: 60_000 }, async () => {
    await panel();
    await box({ text: "typed into the box" });
    await page.evaluate(() => document.getElementById("clipboard-send").click());
    await waitPasted(session.x, "typed into the box");
    await panel();
  });

  test("Ctrl+V pastes what the browser has, without asking", { timeout: 60_000 }, async () => {
    await panel();
    await box({ text: "copied in Firefox: 日本語", select: true });
    await page.keyboard.press("Control+c");
    await panel();
    const xterm = await Terminal.start(session.x, ": > ready; cat > typed", { options: PASTING });
    await session.desk.click(200, 200);
    await page.keyboard.press("Control+v");
    await page.keyboard.press("Enter");
    await xterm.waitFile("typed", "copied in Firefox: 日本語\n");
    await xterm.stop();
  });

  test("what applications copy is in the browser's clipboard with the next key", { timeout: 60_000 }, async () => {
    await copy(session.x, "copied by an application");
    await panel();
    await until("the panel shows it", async () => (await page.evaluate(() => document.getElementById("clipboard-text").value)) === "copied by an application");
    await panel();
    await page.keyboard.press("Shift");
    await panel();
    await until("the browser pastes it", async () => {
      await box({ text: "" });
      await page.keyboard.press("Control+v");
      return (await box({})) === "copied by an application";
    }, 15_000, 300);
    await panel();
  });
});
