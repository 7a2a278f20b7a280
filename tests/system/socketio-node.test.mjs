// The host as the Streaming Node: it offers its stream to the peer behind a Socket.IO relay (GCOM), here a page that knows nothing of
// Selkies.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { Browser } from "../support/browser.mjs";
import { Host, hostCommand } from "../support/host.mjs";
import { startRelay, stopPeers } from "../support/signaling.mjs";
import { ROOT, until } from "../support/tools.mjs";

const CLIENT = join(ROOT, "tests", "node_modules", "socket.io-client", "dist", "socket.io.min.js");
const config = { capture: { plugin: "selkies.test-pattern" }, input: [] };

/** The peer's side, as anybody would write it after the relay's description. Runs in a page. */
function gcom([url, token]) {
  const video = document.body.appendChild(Object.assign(document.createElement("video"), { muted: true, autoplay: true }));
  const state = (window.gcom = { offers: 0, errors: [], channels: [] });
  const socket = (state.socket = io(url, { auth: { token } }));
  let connection;
  socket.on("connect", () => socket.emit("signal", { type: "offer", data: {} }));
  socket.on("connect_error", (error) => state.errors.push(error.message));
  socket.on("signal", async ({ type, data }) => {
    try {
      if (type === "offer") {
        state.offers += 1;
        connection?.close();
        connection = state.connection = new RTCPeerConnection();
        connection.ontrack = ({ streams, track }) => (video.srcObject = streams[0] ?? new MediaStream([track]));
        connection.ondatachannel = ({ channel }) => state.channels.push(channel.label);
        connection.onicecandidate = ({ candidate }) => candidate && socket.emit("signal", { type: "ice-candidate", data: candidate.toJSON() });
        await connection.setRemoteDescription(data);
        await connection.setLocalDescription(await connection.createAnswer());
        socket.emit("signal", { type: "answer", data: connection.localDescription.toJSON() });
      } else if (type === "ice-candidate") {
        await connection.addIceCandidate(data);
      }
    } catch (error) {
      state.errors.push(String(error));
    }
  });
}

describe("the host behind a relay", { timeout: 240_000 }, () => {
  const token = "the-relays-token";
  const open = [];
  let browser;
  let pages;
  before(async () => {
    pages = createServer((_, answer) => answer.setHeader("content-type", "text/html").end("<!doctype html><title>gcom</title>"));
    await new Promise((done) => pages.listen(0, "127.0.0.1", done));
    browser = await Browser.start();
  });
  afterEach(async () => {
    await stopPeers();
    for (const one of open.splice(0).reverse()) await one.stop();
  });
  after(async () => {
    await browser?.stop();
    pages?.close();
  });

  /** A page with the peer in it, and what it knows. */
  async function peer(relay) {
    const context = await browser.browser.newContext();
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${pages.address().port}/`);
    await page.addScriptTag({ path: CLIENT });
    await page.evaluate(gcom, [relay.url, token]);
    open.push({ stop: () => context.close() });
    return page;
  }

  /** Frames that the page has decoded, of the connection that it has now. */
  const decoded = (page) =>
    page.evaluate(async () => {
      const reports = (await window.gcom.connection?.getStats()) ?? new Map();
      return [...reports.values()].find((report) => report.type === "inbound-rtp" && report.kind === "video")?.framesDecoded ?? 0;
    });

  /** Waits until the page plays. */
  async function plays(page, what, host) {
    let seen;
    const shown = () => `${what}: ${JSON.stringify(seen)} ${host.log.slice(-2000)}`;
    await until(shown, async () => {
      seen = await page.evaluate(() => [window.gcom.offers, window.gcom.errors, window.gcom.connection?.connectionState]);
      return (await decoded(page)) > 30;
    }, 60_000);
  }

  async function start(args = []) {
    const relay = await startRelay([], { SELKIES_SOCKETIO_TOKEN: token });
    open.push(relay);
    const given = ["--mode", "webrtc", "--socketio-url", relay.url, ...args];
    const host = await Host.start({ config, args: given, env: { SELKIES_SOCKETIO_URL_TOKEN: token } });
    open.push(host);
    return { relay, host };
  }

  test("a page with socket.io-client sees the picture; so does the next one", { timeout: 180_000 }, async () => {
    const { relay, host } = await start();
    const page = await peer(relay);
    await plays(page, "the picture moves", host);
    const { channels, errors } = await page.evaluate(() => ({ channels: window.gcom.channels.sort(), errors: window.gcom.errors }));
    assert.deepEqual([channels, errors], [["input", "pointer"], []]);
    // What was set up stays without the relay; a page that comes later is offered the stream anew.
    await page.context().close();
    const next = await peer(relay);
    await plays(next, "the next page sees it", host);
    assert.ok(await host.healthy());
    assert.ok(!host.log.includes(token), "the token is in no log");
  });

  test("a host that cannot do it says so at once", { timeout: 60_000 }, async () => {
    const refused = async (args, pattern) => {
      const { code, stderr } = await hostCommand(["--port", "0", ...args]);
      assert.equal(code, 1);
      assert.match(stderr, pattern);
    };
    await refused(["--mode", "webrtc", "--socketio-url", "gcom:8080"], /CL070.*SO020/);
    await refused(["--mode", "websockets", "--socketio-url", "http://127.0.0.1:1"], /CL071.*--mode webrtc/);
  });
});
