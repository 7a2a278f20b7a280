// The Socket.IO signaling relay by itself, with the clients that people use.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { Browser } from "../support/browser.mjs";
import {
  address, ANSWER, CANDIDATE, OFFER, openSession, Peer, post, PythonPeer, socketOf, startRelay, stopPeers, WAYS,
} from "../support/signaling.mjs";
import { ROOT, until } from "../support/tools.mjs";

const MIB = 1024 * 1024;

const logged = (host, pattern) => until(() => `the log has ${pattern}: ${host.log.slice(-1500)}`, () => pattern.exec(host.log.replace(/\x1b\[[0-9;]*m/g, "")));

describe("the relay by itself", { timeout: 240_000 }, () => {
  let relay;
  before(async () => {
    relay = await startRelay();
  });
  afterEach(async () => {
    await stopPeers();
    await until("all clients are gone", async () => (await (await fetch(relay.url)).json()).clients === 0);
  });
  after(() => relay?.stop());

  test("its health is at /", async () => {
    const answer = await fetch(relay.url);
    assert.deepEqual([answer.status, await answer.json()], [200, { status: "ok", clients: 0 }]);
    assert.equal((await fetch(`${relay.url}other`)).status, 404);
  });

  for (const transports of WAYS) {
    test(`socket.io-client over ${transports}: what one sends, the others hear`, { timeout: 60_000 }, async () => {
      const [node, gcom] = [await Peer.connect(relay.url, { transports }), await Peer.connect(relay.url, { transports })];
      node.send(OFFER);
      await gcom.heard(1);
      gcom.send(ANSWER);
      for (let line = 0; line < 20; line += 1) gcom.send({ ...CANDIDATE, data: { ...CANDIDATE.data, sdpMLineIndex: line } });
      await node.heard(21);
      assert.deepEqual(gcom.signals, [OFFER], "and not what it sends itself");
      assert.deepEqual(node.signals[0], ANSWER);
      assert.deepEqual(node.signals.slice(1).map((signal) => signal.data.sdpMLineIndex), [...Array(20).keys()], "in order");
      assert.equal(node.transport, transports.at(-1));
      // The seed's example sends an offer without anything in it.
      node.send({ type: "offer", data: {} });
      assert.deepEqual((await gcom.heard(2))[1], { type: "offer", data: {} });
      assert.deepEqual([node.errors, gcom.errors], [[], []]);
    });

    test(`python-socketio over ${transports}`, { timeout: 120_000 }, async () => {
      const python = await PythonPeer.start(relay.url, transports.join(","));
      await python.waitFor("connect");
      const node = await Peer.connect(relay.url, { transports });
      python.send(OFFER);
      assert.deepEqual((await node.heard(1))[0], OFFER);
      node.send(CANDIDATE);
      assert.deepEqual(await python.waitFor("signal"), CANDIDATE);
      python.send({ ...ANSWER, acknowledged: true });
      assert.equal(await python.waitFor("acknowledged"), null);
      python.send({ type: "hangup", data: {} });
      assert.equal((await python.waitFor("error")).code, "SO001");
      for (const length of [100_000, 1_000_000, MIB]) {
        python.send({ type: "offer", data: { sdp: "s".repeat(length), type: "offer" } });
        node.send({ type: "answer", data: { sdp: "t".repeat(length), type: "answer" } });
      }
      const lengths = (await node.heard(5)).slice(2).map((signal) => signal.data.sdp.length);
      assert.deepEqual(lengths, [100_000, 1_000_000, MIB]);
      for (const [index, length] of [100_000, 1_000_000, MIB].entries()) {
        assert.deepEqual(await python.waitFor("signal", index + 1), { type: "answer", sdp_length: length });
      }
      python.send({ type: "offer", data: { sdp: "s".repeat(2 * MIB) } });
      await python.waitFor("disconnect");
      assert.equal(node.signals.length, 5, "nobody gets what was too long");
    });

    test(`messages to 1 MiB pass over ${transports}, longer ones end the sender`, { timeout: 60_000 }, async () => {
      const [one, other] = [await Peer.connect(relay.url, { transports }), await Peer.connect(relay.url, { transports })];
      for (const length of [100_000, 1_000_000, MIB]) one.send({ type: "offer", data: { sdp: "x".repeat(length), type: "offer" } });
      assert.deepEqual((await other.heard(3)).map((signal) => signal.data.sdp.length), [100_000, 1_000_000, MIB]);
      one.send({ type: "offer", data: { sdp: "x".repeat(MIB + 1) } });
      await until("the sender is told", () => one.errors.length === 1);
      assert.equal(one.errors[0].code, "SO003");
      one.send({ type: "offer", data: { sdp: "x".repeat(MIB + 2000) } });
      await until("the sender is gone", () => one.left !== undefined);
      assert.equal(other.signals.length, 3);
      assert.ok(other.socket.connected, "the other one stays");
    });
  }

  test("what is no signal is answered with an error event and goes to nobody", { timeout: 30_000 }, async () => {
    const [one, other] = [await Peer.connect(relay.url), await Peer.connect(relay.url)];
    const secret = "a-secret-description";
    const wrong = [
      [{ type: "bye", data: {} }, "SO001"],
      [{ data: { sdp: secret } }, "SO001"],
      ["offer", "SO002"],
      [{ type: "offer", data: secret }, "SO002"],
      [{ type: "offer", data: { sdp: { secret } } }, "SO003"],
      [{ type: "answer", data: { sdp: secret, type: "offer" } }, "SO003"],
      [{ type: "ice-candidate", data: { candidate: secret, sdpMLineIndex: -1 } }, "SO003"],
      [{ type: "offer", data: { sdp: Buffer.from(secret) } }, "SO006"],
    ];
    for (const [signal] of wrong) one.send(signal);
    one.socket.emit("message", secret);
    one.socket.emit("signal");
    await until(() => `all are answered: ${JSON.stringify(one.errors)}`, () => one.errors.length === wrong.length + 2);
    assert.deepEqual(one.errors.map((error) => error.code), [...wrong.map(([, code]) => code), "SO005", "SO002"]);
    for (const error of one.errors) assert.match(error.message, /send/, "it says what to send instead");
    one.send(OFFER);
    await other.heard(1);
    assert.deepEqual(other.signals, [OFFER]);
    await logged(relay, /WARN .*signal refused.*SO001|signal refused: type is/);
    assert.ok(!relay.log.includes(secret), "contents are not logged");
  });

  test("who comes and goes is logged, and more than two are warned of", { timeout: 30_000 }, async () => {
    const before = relay.log.length;
    const peers = [await Peer.connect(relay.url), await Peer.connect(relay.url)];
    assert.doesNotMatch(relay.log.slice(before), /more than 2/);
    peers.push(await Peer.connect(relay.url));
    await until("a warning", () => /WARN.*more than 2 signaling clients/.test(relay.log.slice(before).replace(/\x1b\[[0-9;]*m/g, "")));
    peers[0].send(CANDIDATE);
    assert.deepEqual(await peers[1].heard(1), [CANDIDATE]);
    assert.deepEqual(await peers[2].heard(1), [CANDIDATE], "all others hear it");
    const { socket } = peers[2];
    const id = socket.id;
    await peers[2].stop();
    await logged(relay, new RegExp(`signaling client connected client=${id} from=127.0.0.1 transport="\\w+" clients=3`));
    await logged(relay, new RegExp(`signaling client disconnected client=${id} clients=2`));
    await logged(relay, /signal forwarded client=\S+ kind="ice-candidate" bytes=\d+ receivers=2/);
    assert.ok(!relay.log.includes(CANDIDATE.data.candidate), "contents are not logged");
    await until("the count falls", async () => (await (await fetch(relay.url)).json()).clients === 2);
  });

  test("nothing is lost or turned round while a client changes from polling to a WebSocket", { timeout: 60_000 }, async () => {
    const [one, other] = [Peer.begin(relay.url), Peer.begin(relay.url)];
    let upgrades = 0;
    for (const peer of [one, other]) {
      peer.socket.io.engine.on("upgrade", () => (upgrades += 1));
    }
    await until("both connect", () => one.socket.connected && other.socket.connected);
    const number = (index) => ({ type: "ice-candidate", data: { candidate: "", sdpMLineIndex: index } });
    for (let index = 0; index < 200; index += 1) {
      one.send(number(index));
      other.send(number(index));
      if (index % 10 === 0) await new Promise((done) => setTimeout(done, 1));
    }
    for (const peer of [one, other]) {
      const heard = (await peer.heard(200)).map((signal) => signal.data.sdpMLineIndex);
      assert.deepEqual(heard, [...Array(200).keys()]);
    }
    await until("both change over", () => upgrades === 2);
    assert.deepEqual([one.transport, other.transport], ["websocket", "websocket"]);
  });

  test("two upgrades of one session: the second is refused, the first works", { timeout: 30_000 }, async () => {
    const other = await Peer.connect(relay.url);
    const { sid, upgrades } = await openSession(relay);
    assert.deepEqual(upgrades, ["websocket"]);
    await post(relay, sid, "40");
    const both = await Promise.all([socketOf(relay, `&sid=${sid}`), socketOf(relay, `&sid=${sid}`)]);
    assert.deepEqual(both.map(({ status }) => status ?? 101).sort(), [101, 400]);
    const { socket, told } = both.find(({ socket }) => socket);
    socket.send("2probe");
    await until("the probe is answered", () => told[0] === "3probe");
    // Until it changes over, the third one is refused, too; afterwards as well.
    assert.equal((await socketOf(relay, `&sid=${sid}`)).status, 400);
    socket.send("5");
    await until("what waited arrives", () => told.some((text) => text.startsWith("40{")));
    assert.equal((await socketOf(relay, `&sid=${sid}`)).status, 400);
    assert.equal((await fetch(address(relay, sid))).status, 400, "it polls no more");
    socket.send(`42${JSON.stringify(["signal", OFFER])}`);
    assert.deepEqual(await other.heard(1), [OFFER]);
    socket.close();
  });

  test("an upgrade that breaks off leaves the session polling", { timeout: 30_000 }, async () => {
    const { sid } = await openSession(relay);
    await post(relay, sid, "40");
    const { socket } = await socketOf(relay, `&sid=${sid}`);
    socket.send("42[\"signal\",{}]");
    await until("it is closed", () => socket.code !== undefined);
    assert.match(await (await fetch(address(relay, sid))).text(), /^40\{"sid":"/);
    const again = await socketOf(relay, `&sid=${sid}`);
    again.socket.send("2probe");
    await until("the probe is answered", () => again.told[0] === "3probe");
    again.socket.terminate();
    assert.equal((await post(relay, sid, "1")).status, 200);
  });

  test("other namespaces are refused", { timeout: 30_000 }, async () => {
    const peer = Peer.begin(`${relay.url}admin`);
    await until("it is told", () => peer.refused);
    assert.equal(peer.refused.message, "Invalid namespace");
  });

  test("requests that no client sends", { timeout: 30_000 }, async () => {
    const ask = async (query, options) => {
      const answer = await fetch(`${relay.url}socket.io/${query}`, options);
      return [answer.status, (await answer.json()).code];
    };
    assert.deepEqual(await ask(""), [400, 0]);
    assert.deepEqual(await ask("?EIO=4&transport=smoke"), [400, 0]);
    assert.deepEqual(await ask("?EIO=3&transport=polling"), [400, 5]);
    assert.deepEqual(await ask("?EIO=4&transport=polling&sid=nobody"), [400, 1]);
    assert.deepEqual(await ask("?EIO=4&transport=polling", { method: "POST", body: "40" }), [400, 2]);
    assert.deepEqual(await ask("?EIO=4&transport=polling&sid=nobody", { method: "DELETE" }), [400, 2]);
    assert.deepEqual(await ask("?EIO=4&transport=websocket"), [400, 3], "no WebSocket");
    // Two requests of a kind at once end a session, as in Engine.IO's own server.
    const { sid } = await openSession(relay);
    const polls = await Promise.all([fetch(address(relay, sid)), fetch(address(relay, sid))]);
    assert.deepEqual(polls.map(({ status }) => status).sort(), [200, 400]);
    assert.equal((await fetch(address(relay, sid))).status, 400);
    for (const garbage of ["x", "42", "40\x1e42{", "40\x1e42[\"signal\",{}]\x1e7", "4\x1e", "\x1e\x1e"]) {
      const { sid } = await openSession(relay);
      await post(relay, sid, garbage);
      await until(() => `${JSON.stringify(garbage)} ends the session`, async () => (await fetch(address(relay, sid))).status === 400);
    }
    const { sid: large } = await openSession(relay);
    await post(relay, large, "4".repeat(2 * MIB)).catch(() => undefined);
    assert.equal((await fetch(address(relay, large))).status, 400, "it is gone");
  });

  test("a page of another site on this machine runs the seed's example; one of elsewhere may not", { timeout: 60_000 }, async () => {
    const pages = createServer((_, answer) => answer.setHeader("content-type", "text/html").end("<!doctype html><title>gcom</title>"));
    await new Promise((done) => pages.listen(0, "127.0.0.1", done));
    const browser = await Browser.start();
    try {
      const [node, site] = [await Peer.connect(relay.url), `127.0.0.1:${pages.address().port}`];
      const context = await browser.browser.newContext();
      const page = await context.newPage();
      await page.goto(`http://${site}/`);
      await page.addScriptTag({ path: join(ROOT, "tests", "node_modules", "socket.io-client", "dist", "socket.io.min.js") });
      await page.evaluate((url) => {
        window.heard = [];
        const socket = (window.socket = io(url, { transports: ["polling"] }));
        socket.on("connect", () => window.heard.push("connect"));
        socket.on("signal", (data) => window.heard.push(data));
        socket.emit("signal", { type: "offer", data: {} });
      }, relay.url);
      assert.deepEqual(await node.heard(1), [{ type: "offer", data: {} }]);
      node.send(ANSWER);
      const heard = () => page.evaluate(() => window.heard);
      await until("the page hears the answer", async () => (await heard()).length === 2);
      assert.deepEqual(await heard(), ["connect", ANSWER]);
      // A page that is closed says nothing when it polls.
      await page.evaluate(() => window.socket.disconnect());
      await until("the page is gone", async () => (await (await fetch(relay.url)).json()).clients === 1);
    } finally {
      await browser.stop();
      pages.close();
    }
    const foreign = await fetch(`${relay.url}socket.io/?EIO=4&transport=polling`, { headers: { origin: "https://evil.example" } });
    assert.equal(foreign.status, 403);
    assert.equal((await socketOf(relay, "", { origin: "https://evil.example" })).status, 403);
  });
});
