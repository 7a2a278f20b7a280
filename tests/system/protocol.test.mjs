// The wire of Selkies 2.1.0 without a browser: order, forms, and what nobody should send.

import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { WireClient } from "../support/client.mjs";
import { folder, Host } from "../support/host.mjs";
import { colourError, ssim } from "../support/picture.mjs";
import { fits, schema } from "../support/schemas.mjs";
import { Session } from "../support/session.mjs";
import { sleep, until } from "../support/tools.mjs";
import { XServer } from "../support/xserver.mjs";

/** An X server and a host without a browser. */
async function stage(args = []) {
  const session = new Session();
  session.x = session.stage.add(await XServer.start());
  session.host = session.stage.add(await Host.start({ x: session.x, args }));
  return session;
}

afterEach(() => WireClient.stopAll());

/** Sends bytes to the host's port and answers what comes back until it closes, and after how many ms it did. */
function raw(host, text, limit = 20_000) {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const socket = connect(host.port, "127.0.0.1", () => socket.write(text));
    let answer = "";
    socket.setEncoding("latin1").on("data", (part) => (answer += part));
    socket.on("error", () => undefined);
    socket.on("close", () => resolve({ answer, after: performance.now() - start }));
    socket.setTimeout(limit, () => {
      socket.destroy();
      reject(new Error(`the host kept the connection for ${limit} ms; it answered ${JSON.stringify(answer.slice(0, 200))}`));
    });
  });
}

describe("wire", { timeout: 240_000 }, () => {
  let session;
  before(async () => {
    session = await stage();
    await session.scene("gradient");
  }, { timeout: 60_000 });
  after(() => session?.close());

  test("the greeting has 2.1.0's order and forms", { timeout: 30_000 }, async () => {
    // The cursor is part of it once one was seen.
    const first = await WireClient.controller(session.host, { size: [800, 600] });
    await first.waitFrames(1);
    await first.waitText("cursor,");
    const client = await WireClient.connect(session.host);
    await client.greeted();
    await sleep(200);
    const kinds = client.texts.map((text) => (text.startsWith("{") ? JSON.parse(text).type : text.split(/[ ,]/)[0]));
    assert.deepEqual(kinds.slice(0, 4), ["MODE", "DISPLAY_CONFIG_UPDATE", "cursor", "server_settings"]);
    assert.equal(client.texts[0], "MODE websockets");
    fits("display-config-update", JSON.parse(client.texts[1].slice("DISPLAY_CONFIG_UPDATE,".length)));
    fits("cursor", JSON.parse(client.texts[2].slice("cursor,".length)));
    fits("server-settings", JSON.parse(client.texts[3]));
    assert.equal(client.frames.length, 0, "no picture before it was asked for");
  });

  test("server_settings have 2.1.0's names and shapes, and no secrets", { timeout: 30_000 }, async () => {
    const client = await WireClient.connect(session.host);
    await client.greeted();
    const { settings } = JSON.parse(client.text('{"type":"server_settings"'));
    assert.equal(settings.encoder.value, "jpeg");
    assert.ok(settings.encoder.allowed.includes("jpeg"));
    for (const name of ["framerate", "jpeg_quality", "video_crf"]) {
      const { value, min, max, default: initial } = settings[name];
      assert.ok(value[0] === min && value[1] === max && min <= initial && initial <= max, `${name}: ${JSON.stringify(settings[name])}`);
    }
    for (const name of ["enable_resize", "audio_enabled", "use_paint_over_quality", "ui_show_sidebar"]) {
      assert.equal(typeof settings[name]?.value, "boolean", name);
      assert.equal(typeof settings[name]?.locked, "boolean", name);
    }
    for (const name of ["master_token", "basic_auth_password", "port", "control_port", "turn_shared_secret", "web_root"]) {
      assert.ok(!(name in settings), `${name} is nobody's business`);
    }
  });

  test("every text of the host fits its schema", { timeout: 30_000 }, async () => {
    const client = await WireClient.controller(session.host, { size: [800, 600] });
    await client.waitFrames(2).catch(() => client.waitFrames(1));
    for (const text of ["STOP_VIDEO", "START_VIDEO", "_ping,12.5", "r,820x610,primary"]) client.send(text);
    await client.waitText("pong,12.5");
    await client.waitText("VIDEO_STOPPED");
    await until("the new size", () => client.texts.some((text) => text.startsWith("{") && JSON.parse(text).width === 820));
    const names = { server_settings: "server-settings", stream_resolution: "stream-resolution", pipeline_status: "pipeline-status" };
    for (const text of client.texts) {
      if (!text.startsWith("{")) fits("server-text", text);
      else fits(names[JSON.parse(text).type] ?? JSON.parse(text).type, JSON.parse(text));
    }
  });

  test("video begins with SETTINGS, stops with STOP_VIDEO, goes on with START_VIDEO", { timeout: 40_000 }, async () => {
    const scene = await session.scene("motion", 320, 180, 30);
    const client = await WireClient.controller(session.host, { size: [800, 600] });
    await client.waitFrames(5);
    client.send("STOP_VIDEO");
    await client.waitText("VIDEO_STOPPED");
    await sleep(300);
    const stopped = client.frames.length;
    await sleep(700);
    assert.equal(client.frames.length, stopped);
    client.send("START_VIDEO");
    await client.waitFrames(5);
    await scene.stop();
  });

  test("stripes are JPEG and make up the display's picture", { timeout: 40_000 }, async () => {
    const client = await WireClient.controller(session.host, { size: [800, 600] });
    await session.waitScreen(800, 600);
    let seen;
    await until(() => `the stripes show the display: SSIM ${seen}`, async () => {
      if (client.stripes.size === 0) return false;
      const [mine, display] = [client.picture(), await session.x.screenshot()];
      seen = ssim(mine, display);
      return seen >= 0.97 && colourError(mine, display) < 4;
    }, 10_000, 200);
    assert.ok(client.stripes.size >= 2, "a picture is made of stripes");
  });

  test("a client that says nothing gets few frames, one that acknowledges gets all", { timeout: 60_000 }, async () => {
    const scene = await session.scene("motion", 320, 180, 60);
    const client = await WireClient.controller(session.host, { size: [800, 600], acks: false, pongs: false });
    await client.waitFrames(1);
    await sleep(3000);
    const silent = client.frames.length;
    client.acks = true;
    client.send(`CLIENT_FRAME_ACK ${client.frames.at(-1)} 0`);
    const acknowledged = await client.rate(3000);
    assert.ok(silent < 12, `${silent} frames in 3 s without an acknowledgement`);
    assert.ok(acknowledged > 25, `${acknowledged.toFixed(1)} frames/s with acknowledgements`);
    await scene.stop();
  });

  test("a client that draws slowly gets what it can draw, and the newest", { timeout: 60_000 }, async () => {
    const scene = await session.scene("motion", 320, 180, 60);
    const client = await WireClient.controller(session.host, { size: [800, 600], acks: false });
    // A page that needs 50 ms for each frame, one after the other.
    const waiting = [];
    let longest = 0;
    client.onFrame = (id) => waiting.push(id);
    const drawing = setInterval(() => {
      const id = waiting.shift();
      longest = Math.max(longest, waiting.length);
      if (id !== undefined) client.send(`CLIENT_FRAME_ACK ${id} 0`);
    }, 50);
    await sleep(3000);
    longest = 0;
    const rate = await client.rate(3000);
    clearInterval(drawing);
    assert.ok(rate > 10 && rate < 24, `${rate.toFixed(1)} frames/s to a client that draws 20`);
    assert.ok(longest <= 3, `${longest} frames waited in the client`);
    await scene.stop();
  });
});

describe("what nobody should send", { timeout: 240_000 }, () => {
  let session;
  before(async () => {
    session = await stage();
    await session.scene("motion", 320, 180, 30);
  }, { timeout: 60_000 });
  after(() => session?.close());

  test("malformed messages of every verb end neither the host nor anybody's connection", { timeout: 90_000 }, async () => {
    const witness = await WireClient.controller(session.host, { size: [800, 600] });
    await witness.waitFrames(3);
    const verbs = Object.values(schema("client-text").$defs).map(({ title, examples }) => ({ verb: title, example: examples[0] }));
    assert.ok(verbs.length > 40, "the schema lists the verbs");
    const huge = "9".repeat(400);
    const tails = ["", ",", ",,", ",,,,,,,", ",-1", ",NaN", `,${huge}`, `,${huge}x${huge},primary`, ",{", ",[]", ',{"displayId":5}', ",\u0000", ",\ud83d\ude00", " ", " x y", ":", ":::", ":../../etc/passwd:5", ",js,0,1", ",1e999,2,3,4", `,${"a,".repeat(2000)}`];
    let client = await WireClient.controller(session.host);
    for (const { verb, example } of verbs) {
      // What takes the display from the witness or runs for good is left to tests of its own.
      if (verb === "cmd") continue;
      for (const tail of tails) client.send(verb + tail);
      for (const cut of [1, 2, 3]) client.send(example.slice(0, -cut));
      client.send(example.toUpperCase());
      client.send(`${example}${example}`);
      client.send(`${example}\n${example}`);
      if (client.closed) client = await WireClient.controller(session.host);
    }
    for (const size of [0, 1, 2, 3, 100, 70_000]) {
      for (const opcode of [0, 1, 2, 3, 4, 5, 6, 255]) client.send(Buffer.alloc(size, opcode));
    }
    client.send("x".repeat(200_000));
    client.send(`SETTINGS,${JSON.stringify({ displayId: "primary", deep: JSON.parse("[".repeat(100) + "]".repeat(100)) })}`);
    await client.waitText("MODE");
    client.send("_ping,77");
    await Promise.race([client.waitText("pong,77", 10_000), until("closed", () => client.closed, 10_000)]);
    assert.ok(await session.host.healthy());
    await witness.waitFrames(5);
    assert.equal(witness.closed, null);
    const { messages } = await session.host.status();
    assert.ok(messages.malformed > 100, `${messages.malformed} malformed messages were counted`);
  });

  test("bytes that are no text close that client only", { timeout: 40_000 }, async () => {
    const witness = await WireClient.controller(session.host, { size: [800, 600] });
    const client = await WireClient.connect(session.host);
    client.socket.send(Buffer.from([0xff, 0xfe, 0xc0, 0x80]), { binary: false });
    assert.equal((await client.waitClosed()).code, 1007);
    await witness.waitFrames(5);
    assert.ok(await session.host.healthy());
  });

  test("an oversized message closes that client only", { timeout: 40_000 }, async () => {
    const witness = await WireClient.controller(session.host, { size: [800, 600] });
    for (const message of ["x".repeat(40 << 20), Buffer.alloc(40 << 20, 1)]) {
      const client = await WireClient.connect(session.host);
      await client.greeted();
      const before = session.host.rss();
      client.send(message);
      const { code } = await client.waitClosed(10_000);
      // Where the rest of the message is not read, the reset may overtake the reason.
      assert.ok([1006, 1009].includes(code), `closed with ${code}`);
      assert.ok(session.host.rss() - before < 24, "it is not collected in memory");
    }
    await witness.waitFrames(5);
    assert.equal(witness.closed, null);
  });

  test("a thousand connections that come and go leave nothing behind", { timeout: 60_000 }, async () => {
    const { host } = session;
    const before = host.rss();
    for (let i = 0; i < 40; i += 1) {
      const clients = await Promise.all(Array.from({ length: 25 }, () => WireClient.connect(host)));
      clients.forEach((client) => client.stop());
    }
    await until("they are forgotten", async () => (await host.status()).clients === 0);
    assert.ok(host.rss() - before < 40, `memory grew from ${before} to ${host.rss()} MiB`);
    const client = await WireClient.controller(host, { size: [800, 600] });
    await client.waitFrames(3);
  });

  test("another site's page may not connect", { timeout: 20_000 }, async () => {
    const { host } = session;
    for (const Origin of ["http://evil.example", "null", `http://127.0.0.1:${host.port + 1}`, `https://evil.example:${host.port}`]) {
      await assert.rejects(WireClient.connect(host, { headers: { Origin } }), /403/, Origin);
    }
    const own = await WireClient.connect(host, { headers: { Origin: `http://127.0.0.1:${host.port}` } });
    await own.greeted();
  });
});

describe("HTTP", { timeout: 120_000 }, () => {
  let session;
  let secret;
  before(async () => {
    const place = folder("web");
    const root = join(place, "root");
    mkdirSync(root);
    writeFileSync(join(root, "index.html"), "<!doctype html>own page");
    writeFileSync(join(place, "secret.txt"), (secret = "this lies outside of the web root"));
    symlinkSync(join(place, "secret.txt"), join(root, "link.txt"));
    session = await stage(["--web-root", root]);
  }, { timeout: 60_000 });
  after(() => session?.close());

  test("the page, health and status are served", { timeout: 20_000 }, async () => {
    const { host } = session;
    assert.match(await (await fetch(host.url)).text(), /own page/);
    assert.ok(await host.healthy());
    assert.equal(typeof (await host.status()).version, "string");
    assert.equal((await fetch(`${host.url}api/nothing`)).status, 404);
    assert.equal((await fetch(`${host.url}missing.js`)).status, 404);
    assert.ok([405, 404].includes((await fetch(host.url, { method: "POST", body: "x" })).status));
  });

  test("paths do not lead out of the web root", { timeout: 20_000 }, async () => {
    const paths = ["/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/%2e%2e%2fsecret.txt", "/./../secret.txt", "//../secret.txt", "/root/../../secret.txt", "/..\\secret.txt", "/%00", "/..%00/secret.txt", "/link.txt", `/${"../".repeat(12)}etc/passwd`, `/${"%2e%2e/".repeat(12)}etc/passwd`, "//etc/passwd"];
    for (const path of paths) {
      const { answer } = await raw(session.host, `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`);
      assert.match(answer, /^HTTP\/1\.1 [43]\d\d/, `${path}: ${answer.slice(0, 80)}`);
      assert.ok(!answer.includes(secret) && !answer.includes("root:"), path);
    }
  });

  test("a client that never finishes its headers is closed after about ten seconds", { timeout: 40_000 }, async () => {
    const half = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ";
    const { after } = await raw(session.host, half);
    assert.ok(after > 5000 && after < 16_000, `closed after ${Math.round(after)} ms`);
    assert.ok(await session.host.healthy());
  });

  test("headers without end are refused", { timeout: 20_000 }, async () => {
    const { answer } = await raw(session.host, `GET / HTTP/1.1\r\nHost: x\r\n${"X-Filler: 0123456789\r\n".repeat(20_000)}`);
    assert.ok(answer === "" || /^HTTP\/1\.1 4/.test(answer), answer.slice(0, 80));
    assert.ok(await session.host.healthy());
  });
});

describe("many clients", { timeout: 240_000 }, () => {
  let session;
  before(async () => {
    session = await stage();
    await session.scene("motion", 320, 180, 30);
  }, { timeout: 60_000 });
  after(() => session?.close());

  test("a client that never reads costs no memory and slows nobody", { timeout: 90_000 }, async () => {
    const { host } = session;
    const reader = await WireClient.controller(host, { size: [1280, 720] });
    await reader.waitFrames(10);
    const alone = await reader.rate(4000);
    const deaf = await Promise.all(Array.from({ length: 3 }, () => WireClient.viewer(host)));
    // One acknowledges all the same, as fast as it can: it lies about what it has read.
    const liar = deaf[0];
    await Promise.all(deaf.map((client) => client.waitFrames(2)));
    deaf.forEach((client) => client.stopReading());
    let id = liar.frames.at(-1);
    const lies = setInterval(() => liar.send(`CLIENT_FRAME_ACK ${(id = (id + 1) & 0xffff)} 0`), 16);
    await sleep(500);
    const before = host.rss();
    const beside = await reader.rate(10_000);
    clearInterval(lies);
    const grown = host.rss() - before;
    assert.ok(grown < 16, `memory grew by ${grown.toFixed(1)} MiB`);
    assert.ok(beside >= 0.8 * alone, `${beside.toFixed(1)} frames/s beside them, ${alone.toFixed(1)} alone`);
    for (const client of [reader, ...deaf]) client.stop();
  });

  test("thirty viewers are served by one encode, and ten that never read slow nobody", { timeout: 120_000 }, async () => {
    const { host } = session;
    const controller = await WireClient.controller(host, { size: [640, 360] });
    await controller.waitFrames(10);
    const measure = async (ms) => {
      const from = await host.encodedFrames();
      const start = performance.now();
      const rate = await controller.rate(ms);
      return { rate, encoded: (((await host.encodedFrames()) - from) * 1000) / (performance.now() - start) };
    };
    const alone = await measure(5000);
    const viewers = [];
    for (let i = 0; i < 30; i += 1) viewers.push(await WireClient.viewer(host));
    await Promise.all(viewers.map((viewer) => viewer.waitFrames(1, 20_000)));
    viewers.slice(0, 10).forEach((viewer) => viewer.stopReading());
    await sleep(1000);
    const readers = viewers.slice(10);
    const from = readers.map(({ frames }) => frames.length);
    const together = await measure(8000);
    assert.ok(together.rate >= 0.8 * alone.rate, `controller: ${together.rate.toFixed(1)} frames/s, alone ${alone.rate.toFixed(1)}`);
    assert.ok(together.encoded <= 1.3 * alone.encoded, `encoded: ${together.encoded.toFixed(1)}/s with 30 viewers, ${alone.encoded.toFixed(1)}/s alone`);
    const least = Math.min(...readers.map(({ frames }, i) => frames.length - from[i]));
    assert.ok(least > 8, `the slowest reading viewer got ${least} frames in 8 s`);
  });
});
