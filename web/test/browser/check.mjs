// Runs the built page in Chromium against the mock server: picture, acknowledgements, input, resize, reconnect, end.
// CHROMIUM names the browser; default /usr/bin/chromium.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { MockServer } from "./server.mjs";

const server = new MockServer(fileURLToPath(new URL("../../dist", import.meta.url)));
const port = await server.listen();
const origin = `http://127.0.0.1:${port}`;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-dev-shm-usage"],
});
const context = await browser.newContext({ viewport: { width: 960, height: 540 } });
const complaints = [];

/** Waits until `probe` answers something true, and returns it. */
async function until(what, probe, limit = 5000) {
  for (const end = Date.now() + limit; ; ) {
    const answer = await probe();
    if (answer) return answer;
    assert.ok(Date.now() < end, `${what}: not within ${limit} ms; received ${JSON.stringify(server.received.slice(-12))}`);
    await new Promise((done) => setTimeout(done, 15));
  }
}

const received = (text) => until(text, () => server.received.includes(text));
const receivedLike = (pattern) => until(String(pattern), () => server.received.find((text) => pattern.test(text)));

async function open(path, prepare = () => undefined) {
  const page = await context.newPage();
  await page.addInitScript(prepare);
  page.on("console", (message) => {
    // A refused WebSocket is what the reconnect step causes.
    if (message.type() === "error" && !/WebSocket connection|ERR_CONNECTION/.test(message.text())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(origin + path);
  return page;
}

const state = (page, name, limit) => until(`state ${name}`, async () => (await page.getAttribute("#state", "data-state")) === name, limit);

/** Colours of the canvas at stream pixels, as [red, green, blue]. */
const pixels = (page, ...points) =>
  page.evaluate((at) => {
    const screen = document.getElementById("screen");
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [screen.width, screen.height];
    const copy = canvas.getContext("2d");
    copy.drawImage(screen, 0, 0);
    return at.map(([x, y]) => [...copy.getImageData(x, y, 1, 1).data].slice(0, 3));
  }, points);

const near = (colour, [r, g, b]) => Math.abs(colour[0] - r) + Math.abs(colour[1] - g) + Math.abs(colour[2] - b) < 24;
const shows = (page, points, colours) =>
  until(`pixels ${JSON.stringify(points)} are ${JSON.stringify(colours)}`, async () =>
    (await pixels(page, ...points)).every((colour, i) => near(colour, colours[i])),
  );

const [RED, GREEN, BLUE, WHITE] = [[220, 20, 20], [20, 200, 40], [30, 40, 220], [255, 255, 255]];

/** Pictures are made by the browser itself, so that the check needs no encoder. */
async function makeJpegs(colours, width, height) {
  const page = await context.newPage();
  const made = await page.evaluate(
    async ([list, w, h]) => {
      const canvas = new OffscreenCanvas(w, h);
      const context = canvas.getContext("2d");
      const out = [];
      for (const [r, g, b] of list) {
        context.fillStyle = `rgb(${r},${g},${b})`;
        context.fillRect(0, 0, w, h);
        out.push([...new Uint8Array(await (await canvas.convertToBlob({ type: "image/jpeg", quality: 0.95 })).arrayBuffer())]);
      }
      return out;
    },
    [colours, width, height],
  );
  await page.close();
  return made.map((bytes) => Buffer.from(bytes));
}

/** Annex-B H.264 pictures of one colour each, the first a key frame; null where this browser cannot encode them. */
async function makeVideo(colours, width, height) {
  const page = await context.newPage();
  await page.goto(`${origin}/blank`); // any page of a secure origin has the encoder
  const made = await page.evaluate(
    async ([list, w, h]) => {
      const config = { codec: "avc1.42001f", width: w, height: h, avc: { format: "annexb" }, latencyMode: "realtime" };
      if (typeof VideoEncoder === "undefined" || !(await VideoEncoder.isConfigSupported(config)).supported) return null;
      const out = [];
      const encoder = new VideoEncoder({
        output: (chunk) => {
          const bytes = new Uint8Array(chunk.byteLength);
          chunk.copyTo(bytes);
          out.push({ key: chunk.type === "key", bytes: [...bytes] });
        },
        error: (error) => console.error(String(error)),
      });
      encoder.configure(config);
      const canvas = new OffscreenCanvas(w, h);
      const context = canvas.getContext("2d");
      list.forEach(([r, g, b], i) => {
        context.fillStyle = `rgb(${r},${g},${b})`;
        context.fillRect(0, 0, w, h);
        const frame = new VideoFrame(canvas, { timestamp: i * 33_000 });
        encoder.encode(frame, { keyFrame: i === 0 });
        frame.close();
      });
      await encoder.flush();
      return out;
    },
    [colours, width, height],
  );
  await page.close();
  return made;
}

const steps = {
  async "the handshake announces the page's size"(page) {
    const settings = JSON.parse((await receivedLike(/^SETTINGS,/)).slice(9));
    assert.equal(settings.displayId, "primary");
    assert.equal(settings.initialClientWidth, 960);
    assert.equal(settings.initialClientHeight, 540);
    assert.match(settings.tabId, /^[0-9a-f]{16}$/);
    assert.equal(server.targets.at(-1), "/desk/api/websockets");
    await state(page, "connected");
  },

  async "stripes are drawn, then acknowledged"(page, { stripes: [red, green, blue] }) {
    server.frame(1, [0, red], [120, green], [240, blue]);
    await receivedLike(/^CLIENT_FRAME_ACK 1 \d+$/);
    await shows(page, [[320, 60], [320, 180], [320, 300]], [RED, GREEN, BLUE]);
    assert.deepEqual(await page.evaluate(() => [document.getElementById("screen").width, document.getElementById("screen").height]), [640, 360]);
  },

  async "a partial frame leaves the rest, and ids wrap"(page, { stripes: [, , , white] }) {
    server.frame(65535, [120, white]);
    await receivedLike(/^CLIENT_FRAME_ACK 65535 \d+$/);
    server.frame(0, [240, white]);
    await receivedLike(/^CLIENT_FRAME_ACK 0 \d+$/);
    await shows(page, [[5, 60], [5, 180], [5, 300]], [RED, WHITE, WHITE]);
  },

  async "a flood of frames ends with the newest one, acknowledged in order"(page, { stripes }) {
    for (let id = 2; id <= 300; id += 1) server.frame(id, ...[0, 120, 240].map((y) => [y, stripes[(id + y / 120) % 4]]));
    await receivedLike(/^CLIENT_FRAME_ACK 300 /);
    const colours = [RED, GREEN, BLUE, WHITE];
    await shows(page, [[9, 60], [9, 180], [9, 300]], [0, 1, 2].map((i) => colours[(300 + i) % 4]));
    const acks = server.received.filter((text) => text.startsWith("CLIENT_FRAME_ACK")).map((text) => Number(text.split(" ")[1]));
    const flood = acks.slice(acks.lastIndexOf(0) + 1);
    assert.deepEqual(flood, [...flood].sort((a, b) => a - b));
  },

  async "a broken picture is acknowledged and does no harm"(page, { stripes: [red] }) {
    server.frame(301, [0, Buffer.concat([red.subarray(0, 200), Buffer.alloc(40, 0x55)])]);
    server.say("nonsense");
    server.client.send(Buffer.from([3, 0, 0]));
    server.frame(302, [0, red]);
    await receivedLike(/^CLIENT_FRAME_ACK 302 /);
    await shows(page, [[9, 60]], [RED]);
  },

  async "keys become keysyms"(page) {
    await page.mouse.click(480, 270);
    await page.keyboard.press("a");
    await received("kd,97");
    await received("ku,97");
    await page.keyboard.down("Shift");
    await page.keyboard.press("B");
    await page.keyboard.up("Shift");
    for (const text of ["kd,65505", "kd,66", "ku,66", "ku,65505"]) await received(text);
    await page.keyboard.press("F5"); // would reload the page if the browser had it
    await received("kd,65474");
    await page.keyboard.down("ArrowUp");
    await receivedLike(/^kh,65362$/);
    await page.evaluate(() => window.dispatchEvent(new Event("blur")));
    await received("kr");
    await page.keyboard.up("ArrowUp");
    await page.keyboard.insertText("é");
    await received("kd,233");
    await page.evaluate(() => {
      document.getElementById("keys").dispatchEvent(new CompositionEvent("compositionend", { data: "日本, ok" }));
    });
    await received("co,end,日本, ok");
  },

  async "the pointer is sent in stream pixels"(page) {
    server.received.length = 0;
    await page.mouse.move(480, 270);
    await received("m,320,180,0,0");
    await page.mouse.move(959, 539);
    await received("m,639,359,0,0");
    await page.mouse.move(150, 75);
    await page.mouse.down({ button: "right" });
    await received("m,100,50,4,0");
    await page.mouse.up({ button: "right" });
    await received("m,100,50,0,0");
    await page.mouse.wheel(0, 120); // the driver's wheel has one notch whatever the pixels
    await received("m,100,50,8,1");
    await page.mouse.wheel(0, -120);
    await received("m,100,50,16,1");
    await until("wheel bits taken back", () => server.received.filter((text) => /^m,/.test(text)).at(-1) === "m,100,50,0,0");
  },

  async "a locked pointer moves relatively"(page) {
    await page.keyboard.press("Control+Shift+KeyL");
    await received("p,1");
    await page.mouse.move(180, 105);
    await receivedLike(/^m2,20,20,0,0$/);
    await page.evaluate(() => document.exitPointerLock());
    await received("p,0");
  },

  async "the remote pointer image becomes the cursor"(page) {
    const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    const cursor = () => page.evaluate(() => getComputedStyle(document.getElementById("screen")).cursor);
    server.say(`cursor,${JSON.stringify({ curdata: png, width: 1, height: 1, hotx: 0, hoty: 0, handle: 1 })}`);
    // 640 pixels of the stream are shown as 960, and the image with them.
    await until("cursor image", async () => /^image-set\(url\("data:image\/png;base64,[^"]+"\) 0\.66\d*(x|dppx)/.test(await cursor()));
    server.say('cursor,{"curdata":"","width":0,"height":0,"hotx":0,"hoty":0,"handle":0}');
    await until("hidden cursor", async () => (await cursor()) === "none");
  },

  async "the display follows the page's size"(page) {
    await page.setViewportSize({ width: 801, height: 601 });
    await received("r,800x600,primary");
    await page.setViewportSize({ width: 960, height: 540 });
    await received("r,960x540,primary");
  },

  async "the overlay shows figures and keeps its keys"(page) {
    await page.keyboard.press("Control+Shift+KeyS");
    await until("overlay", () => page.isVisible("#overlay"));
    await until("round trip", async () => /Round trip\d+\.\d ms/.test((await page.textContent("#stats")) ?? ""));
    server.received.length = 0;
    await page.keyboard.press("Escape");
    await until("overlay closed", async () => !(await page.isVisible("#overlay")));
    await page.keyboard.press("z");
    await received("kd,122");
    assert.ok(!server.received.includes("kd,65307"), "Escape belonged to the overlay");
    const stats = await page.evaluate(() => window.__selkies.stats);
    assert.ok(stats.framesDrawn > 4 && stats.decodeErrors >= 1 && stats.acks > 4, JSON.stringify(stats));
  },

  async "a server without a picture says why"(page) {
    server.say('{"type":"pipeline_status","video":false,"reason":"<i>no display</i>"}');
    const badge = () => page.evaluate(() => [document.getElementById("state").innerText, getComputedStyle(document.getElementById("state")).opacity]);
    await until("the reason", async () => (await badge()).join(" ") === "No picture\n<i>no display</i> 1");
    assert.equal(await page.getAttribute("#state", "data-state"), "connected");
    server.say('{"type":"pipeline_status","video":true}');
    await until("no reason", async () => (await badge())[1] === "0");
    server.say('{"type":"pipeline_status","video":true,"reason":"another encoder goes on"}');
    await until("the notice", async () => (await badge()).join(" ") === "Still streaming\nanother encoder goes on 1");
    await until("no notice", async () => (await badge())[1] === "0", 15_000);
  },

  async "a reset starts the ids over, and the size is what was told, from the first stripe on"(page, { stripes: [, green] }) {
    const height = () => page.evaluate(() => document.getElementById("screen").height);
    server.say("PIPELINE_RESETTING primary");
    server.frame(1, [0, green]);
    await receivedLike(/^CLIENT_FRAME_ACK 1 /);
    await shows(page, [[5, 5]], [GREEN]);
    assert.equal(await height(), 360);
    server.say('{"type":"stream_resolution","width":640,"height":240}');
    server.say("PIPELINE_RESETTING primary");
    server.frame(1, [0, green]);
    await until("new size", async () => (await height()) === 240);
    server.say('{"type":"stream_resolution","width":640,"height":360}');
    await until("told size", async () => (await height()) === 360);
    await shows(page, [[5, 5]], [GREEN]);
  },

  async "video is decoded too, after a key frame"(page, { video }) {
    if (video === null) {
      console.log("     (this Chromium has no H.264 encoder to make the pictures with)");
      return;
    }
    server.say('{"type":"stream_resolution","width":320,"height":192}');
    server.video(20, false, 320, 192, Buffer.from(video[1].bytes));
    await received("REQUEST_KEYFRAME");
    video.forEach(({ key, bytes }, i) => server.video(21 + i, key, 320, 192, Buffer.from(bytes)));
    await receivedLike(new RegExp(`^CLIENT_FRAME_ACK ${20 + video.length} `));
    await shows(page, [[160, 96]], [WHITE]);
    server.say('{"type":"stream_resolution","width":640,"height":360}');
  },

  async "a lost connection comes back"(page, { stripes: [red] }) {
    await server.close();
    await state(page, "reconnecting");
    await server.listen(port);
    await state(page, "connected", 8000);
    await receivedLike(/^SETTINGS,/);
    server.frame(1, [0, red]);
    await receivedLike(/^CLIENT_FRAME_ACK 1 /);
    await shows(page, [[320, 60]], [RED]);
  },

  async "KILL ends the session with its reason"(page) {
    const attempts = server.targets.length;
    server.say("KILL <b>another</b> client connected");
    await state(page, "ended");
    assert.equal(await page.textContent("#state-detail"), "<b>another</b> client connected");
    await new Promise((done) => setTimeout(done, 1500));
    assert.equal(server.targets.length, attempts);
  },

  async "a shared link only watches"(_, { stripes: [, , blue] }) {
    const page = await open("/?debug#shared");
    await state(page, "connected");
    assert.equal(server.targets.at(-1), "/api/websockets?role=viewer");
    await received("STOP_VIDEO");
    await received("START_VIDEO");
    server.frame(7, [0, blue]);
    await receivedLike(/^CLIENT_FRAME_ACK 7 /);
    await shows(page, [[320, 60]], [BLUE]);
    await page.mouse.click(480, 270);
    await page.keyboard.press("a");
    await page.setViewportSize({ width: 700, height: 500 });
    await new Promise((done) => setTimeout(done, 400));
    assert.deepEqual(server.received.filter((text) => /^(SETTINGS|k|m|r,|s,)/.test(text)), []);
    await page.close();
  },

  async "a browser that cannot hand a canvas to a worker draws in the page"(_, { stripes: [red, green] }) {
    const page = await open("/?debug", () => {
      delete HTMLCanvasElement.prototype.transferControlToOffscreen;
      delete window.OffscreenCanvas;
    });
    await receivedLike(/^SETTINGS,/);
    server.frame(1, [0, red], [120, green]);
    server.frame(2, [0, green]);
    await receivedLike(/^CLIENT_FRAME_ACK 2 /);
    await shows(page, [[320, 60], [320, 180]], [GREEN, GREEN]);
    await page.close();
  },

  async "no resize where the server forbids it; a silent server is not pinged for ever"() {
    server.settings = { enable_resize: { value: false, locked: true } };
    server.answersPing = false;
    const page = await open("/");
    await receivedLike(/^SETTINGS,/);
    await page.setViewportSize({ width: 640, height: 480 });
    await until("three pings", () => server.received.filter((text) => text.startsWith("_ping,")).length === 3);
    await new Promise((done) => setTimeout(done, 1500));
    assert.equal(server.received.filter((text) => text.startsWith("_ping,")).length, 3);
    assert.ok(!server.received.some((text) => text.startsWith("r,")));
    await page.close();
  },
};

try {
  const stripes = await makeJpegs([RED, GREEN, BLUE, WHITE], 640, 120);
  const video = await makeVideo([RED, BLUE, WHITE], 320, 192);
  const page = await open("/desk/?debug");
  for (const [name, step] of Object.entries(steps)) {
    await step(page, { stripes, video });
    console.log(`ok   ${name}`);
  }
  assert.deepEqual(complaints, [], "the browser complained");
  console.log(`${Object.keys(steps).length} steps passed`);
} finally {
  await browser.close();
  await server.close();
}
