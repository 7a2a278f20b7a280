// Runs the built page in Chromium over real WebRTC against a page that plays the server: picture, channels, figures,
// restart, and going over between the transports. CHROMIUM names the browser; default /usr/bin/chromium.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { MockPeer } from "./rtc-peer.mjs";
import { MockServer } from "./server.mjs";

const server = new MockServer(fileURLToPath(new URL("../../dist", import.meta.url)));
const port = await server.listen();
const origin = `http://127.0.0.1:${port}`;
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--allow-loopback-in-peer-connection", "--disable-features=WebRtcHideLocalIpsWithMdns"],
});
const context = await browser.newContext({ viewport: { width: 960, height: 540 } });
const complaints = [];
const peer = await MockPeer.start(context, origin, server);

/** Waits until `probe` answers something true, and returns it. */
async function until(what, probe, limit = 15_000) {
  for (const end = Date.now() + limit; ; ) {
    const answer = await probe();
    if (answer) return answer;
    assert.ok(Date.now() < end, `${what}: not within ${limit} ms; heard ${JSON.stringify([peer.input.slice(-8), peer.pointer.slice(-4), server.received.slice(-8)])}`);
    await new Promise((done) => setTimeout(done, 20));
  }
}

async function open(path, prepare = () => undefined) {
  const page = await context.newPage();
  await page.addInitScript(prepare);
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.goto(origin + path);
  return page;
}

const seen = (page) => page.evaluate(() => window.__selkies);
const state = (page, name) => until(`state ${name}`, async () => (await page.getAttribute("#state", "data-state")) === name);
const mode = (page, name) => until(`mode ${name}`, async () => (await seen(page)).mode === name);
const said = (pattern, channel = "input") => until(`${pattern} on ${channel}`, () => peer[channel].find((text) => pattern.test(text)));

/** The colour in the middle of what is shown. */
const middle = (page) =>
  page.evaluate(() => {
    const shown = [...document.querySelectorAll("#screen, #video")].find((node) => node.offsetWidth > 0);
    const [width, height] = shown instanceof HTMLVideoElement ? [shown.videoWidth, shown.videoHeight] : [shown.width, shown.height];
    const copy = new OffscreenCanvas(Math.max(1, width), Math.max(1, height)).getContext("2d");
    copy.drawImage(shown, 0, 0);
    return { width, height, colour: [...copy.getImageData(width >> 1, height >> 1, 1, 1).data].slice(0, 3) };
  });
const shows = async (page, colour) => {
  let last;
  return until(`the picture is ${colour}`, async () => {
    last = await middle(page);
    return last.colour.every((value, i) => Math.abs(value - colour[i]) < 24) && last;
  });
};

const steps = {
  async "a picture over WebRTC, in the server's mode"(page) {
    await peer.paint("rgb(220 20 20)");
    await state(page, "connected");
    const { width, height } = await shows(page, [220, 20, 20]);
    assert.deepEqual([width, height, (await seen(page)).mode], [640, 360, "webrtc"]);
    assert.match(peer.target, /^\/desk\/api\/webrtc\/signaling$/);
    assert.equal(peer.hello.selkies_host, 1);
    assert.ok(peer.hello.rtc_codecs.includes("vp8"), JSON.stringify(peer.hello));
    assert.match(peer.hello.client_tab_id, /^[0-9a-f]{16}$/);
    assert.equal(JSON.parse((await said(/^SETTINGS,/)).slice(9)).initialClientWidth, 960);
    await said(/^_codecs,(.+,)?vp8/);
    await peer.paint("rgb(20 200 40)");
    await shows(page, [20, 200, 40]);
  },

  async "keys and clicks in stream pixels on the reliable channel, movement on the other one"(page) {
    await page.mouse.move(480, 270);
    await said(/^m,320,180,0,0,\d+$/, "pointer");
    await said(/^m,320,180,0,0,\d+$/); // where it came to rest
    await page.mouse.down();
    await said(/^m,320,180,1,0,\d+$/);
    await page.mouse.up();
    await page.mouse.wheel(0, 120);
    await said(/^m,320,180,8,1,\d+$/);
    await page.keyboard.press("a");
    await said(/^kd,97$/);
    const numbers = [...peer.input, ...peer.pointer].filter((text) => text.startsWith("m,")).map((text) => Number(text.split(",")[5]));
    assert.equal(new Set(numbers).size, numbers.length, `every message has a number of its own: ${numbers}`);
  },

  async "a locked pointer moves relatively"(page) {
    await page.keyboard.press("Control+Shift+KeyL");
    await said(/^p,1$/);
    await page.mouse.move(510, 300);
    await said(/^m2,20,20,0,0,\d+$/);
    await page.evaluate(() => document.exitPointerLock());
    await said(/^p,0$/);
  },

  async "the cursor, and the display's size"(page) {
    await peer.say('cursor,{"curdata":"","width":0,"height":0,"hotx":0,"hoty":0}');
    await until("the cursor is hidden", async () => (await page.evaluate(() => getComputedStyle(document.getElementById("video")).cursor)) === "none");
    await page.setViewportSize({ width: 801, height: 601 });
    await said(/^r,800x600,primary$/);
    await page.setViewportSize({ width: 960, height: 540 });
    await said(/^r,960x540,primary$/);
  },

  async "the overlay shows the path's figures"(page) {
    await page.keyboard.press("Control+Shift+KeyS");
    await until("figures", async () => /TransportWebRTC.*CodecVP[89].*Pathdirect udp/.test((await page.textContent("#stats")) ?? ""));
    const { stats } = await seen(page);
    assert.ok(stats.framesDrawn > 10 && stats.rtc.framesDecoded > 10 && stats.bytesPerSecond > 0 && stats.fps > 5, JSON.stringify(stats));
    await page.keyboard.press("Escape");
  },

  async "a path that is gone is replaced in the same session"(page) {
    const { connections } = peer;
    peer.input.length = 0;
    await peer.paint("rgb(30 40 220)");
    await peer.hangUp();
    await until("a restart", () => peer.signals.some(({ restart }) => restart));
    await shows(page, [30, 40, 220]);
    await state(page, "connected");
    assert.equal(peer.connections, connections);
    // This server greeted again.
    await said(/^SETTINGS,/);
  },

  async "without signaling a new session begins"(page) {
    const { connections } = peer;
    await peer.paint("rgb(220 20 20)");
    peer.socket.close(1001);
    await state(page, "reconnecting");
    await until("another connection", () => peer.connections > connections);
    await shows(page, [220, 20, 20]);
  },

  async "the user's choice goes over to WebSocket and back"(page) {
    await page.evaluate(() => (document.getElementById("overlay").hidden = false));
    await page.selectOption("#mode", "websockets");
    await mode(page, "websockets");
    await state(page, "connected");
    await until("settings over WebSocket", () => server.received.some((text) => text.startsWith("SETTINGS,")));
    assert.deepEqual(await page.evaluate(() => [document.getElementById("screen").hidden, document.getElementById("video").hidden]), [false, true]);
    await page.reload();
    await mode(page, "websockets");
    await page.evaluate(() => (document.getElementById("overlay").hidden = false));
    await page.selectOption("#mode", "");
    await mode(page, "webrtc");
    await shows(page, [220, 20, 20]);
    // The canvas is good for another stream.
    await page.selectOption("#mode", "websockets");
    await mode(page, "websockets");
    await state(page, "connected");
    await page.selectOption("#mode", "");
    await mode(page, "webrtc");
    await page.evaluate(() => (document.getElementById("overlay").hidden = true));
  },

  async "KILL ends the session"(page) {
    await state(page, "connected");
    await peer.say("KILL another client");
    await state(page, "ended");
    await page.close();
  },

  async "WebSocket takes over where WebRTC does not come about"() {
    peer.offers = false;
    const page = await open("/?debug");
    await mode(page, "webrtc");
    await mode(page, "websockets");
    await state(page, "connected");
    assert.match(await page.textContent("#stats"), /TransportWebSocket. WebRTC found no way to the server/);
    await page.close();
    peer.offers = true;
  },

  async "a browser without WebRTC uses WebSocket at once"() {
    const { connections } = peer;
    const page = await open("/?debug", () => delete window.RTCPeerConnection);
    await state(page, "connected");
    assert.deepEqual([(await seen(page)).mode, peer.connections], ["websockets", connections]);
    await page.close();
  },

  async "a page that was told of another mode follows"() {
    server.status = { current_mode: "websockets", available_modes: ["websockets", "webrtc"], enable_dual_mode: false };
    const page = await open("/?debug");
    await state(page, "connected");
    assert.equal((await seen(page)).mode, "websockets");
    server.status = { ...server.status, current_mode: "webrtc" };
    server.say('system,{"action":"reload"}');
    await mode(page, "webrtc");
    await shows(page, [220, 20, 20]);
    assert.ok(await page.evaluate(() => document.getElementById("transport").hidden), "there is nothing to choose from");
    await page.close();
  },
};

try {
  server.status = { current_mode: "webrtc", available_modes: ["websockets", "webrtc"], enable_dual_mode: true };
  const page = await open("/desk/?debug");
  for (const [name, step] of Object.entries(steps)) {
    await step(page);
    console.log(`ok   ${name}`);
  }
  assert.deepEqual(complaints, [], "the browser complained");
  console.log(`${Object.keys(steps).length} steps passed`);
} finally {
  await browser.close();
  await server.close();
}
