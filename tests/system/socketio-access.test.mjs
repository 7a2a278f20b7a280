// Who may use the Socket.IO signaling relay: floods, tokens, and the relay inside the host.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { Host, hostCommand } from "../support/host.mjs";
import {
  address, CANDIDATE, OFFER, openSession, Peer, post, PythonPeer, startRelay, stopPeers, WAYS,
} from "../support/signaling.mjs";
import { until } from "../support/tools.mjs";

describe("a relay under attack", { timeout: 120_000 }, () => {
  afterEach(stopPeers);

  test("many sessions and floods are stopped, and others go on", { timeout: 60_000 }, async () => {
    // One of its own: for ten seconds it takes no further sessions from here.
    const relay = await startRelay();
    const [one, other] = [await Peer.connect(relay.url), await Peer.connect(relay.url)];
    const statuses = await Promise.all(Array.from({ length: 1000 }, async () => (await fetch(`${relay.url}socket.io/?EIO=4&transport=polling`)).status));
    const opened = statuses.filter((status) => status === 200).length;
    assert.ok(opened > 0 && opened <= 32, `${opened} were opened`);
    assert.deepEqual([...new Set(statuses)].sort(), [200, 429]);
    one.send(OFFER);
    assert.deepEqual(await other.heard(1), [OFFER]);
    for (let index = 0; index < 5000; index += 1) one.send(CANDIDATE);
    await until("the flood ends", () => one.left !== undefined);
    assert.ok(other.signals.length < 1000, `${other.signals.length} came through`);
    assert.ok(other.socket.connected);
    await relay.stop();
  });
});

describe("a relay with a token", { timeout: 120_000 }, () => {
  const token = "a-token-that-nobody-guesses";
  let relay;
  before(async () => {
    relay = await startRelay(["--addr", "0.0.0.0"], { SELKIES_SOCKETIO_TOKEN: token });
  });
  afterEach(stopPeers);
  after(() => relay?.stop());

  test("lets in who brings it, as auth or in a header", { timeout: 60_000 }, async () => {
    const auth = await Peer.connect(relay.url, { auth: { token } });
    const header = await Peer.connect(relay.url, { extraHeaders: { Authorization: `Bearer ${token}` } });
    const python = await PythonPeer.start(relay.url, "websocket", token);
    await python.waitFor("connect");
    auth.send(OFFER);
    assert.deepEqual(await header.heard(1), [OFFER]);
    assert.deepEqual(await python.waitFor("signal"), OFFER);
  });

  test("keeps all others out", { timeout: 60_000 }, async () => {
    const member = await Peer.connect(relay.url, { auth: { token } });
    for (const transports of WAYS) {
      for (const options of [{}, { auth: { token: `${token}x` } }, { auth: { token: [token] } }, { extraHeaders: { Authorization: "Bearer no" } }]) {
        const peer = Peer.begin(relay.url, { transports, ...options });
        await until("it is refused", () => peer.refused);
        assert.match(peer.refused.message, /^SO010 /);
        await peer.stop();
      }
    }
    const python = await PythonPeer.start(relay.url, "polling", "wrong");
    assert.equal((await python.waitFor("connect_error")).data.code, "SO010");
    // Who was not let in hears nothing and says nothing.
    const { sid } = await openSession(relay);
    await post(relay, sid, "40");
    await post(relay, sid, `42${JSON.stringify(["signal", OFFER])}`);
    await until("it is gone", async () => (await fetch(address(relay, sid))).status === 400);
    assert.deepEqual(member.signals, []);
    assert.ok(!relay.log.includes(token), "the token is in no log");
  });

  test("is needed where other machines can connect", { timeout: 30_000 }, async () => {
    const { code, stderr } = await hostCommand(["signaling", "--addr", "0.0.0.0", "--port", "0"]);
    assert.equal(code, 2);
    assert.match(stderr, /without a token.*socketio_token/);
  });
});

describe("the relay inside the host", { timeout: 120_000 }, () => {
  const config = { capture: { plugin: "selkies.test-pattern" }, input: [], settings: { encoder: "jpeg" } };
  const hosts = [];
  const start = async (args, env = {}) => {
    const host = await Host.start({ config, args, env });
    hosts.push(host);
    return host;
  };
  afterEach(async () => {
    await stopPeers();
    for (const host of hosts.splice(0)) await host.stop();
  });

  test("is off unless it is asked for", { timeout: 60_000 }, async () => {
    const host = await start([]);
    assert.equal((await fetch(`${host.url}socket.io/?EIO=4&transport=polling`)).status, 404);
  });

  test("serves beside the page, and ends with the host", { timeout: 60_000 }, async () => {
    const host = await start(["--socketio-signaling"]);
    for (const transports of WAYS) {
      const [one, other] = [await Peer.connect(host.url, { transports }), await Peer.connect(host.url, { transports })];
      one.send(OFFER);
      assert.deepEqual(await other.heard(1), [OFFER]);
      await stopPeers();
    }
    assert.ok(await host.healthy());
    const polls = await Peer.connect(host.url, { transports: ["polling"] });
    const talks = await Peer.connect(host.url, { transports: ["websocket"] });
    const from = Date.now();
    await host.stop();
    await until("both hear that it ends", () => polls.left && talks.left);
    assert.ok(Date.now() - from < 4000, "and it does not wait for them");
  });

  test("asks for the password, or for its own token", { timeout: 60_000 }, async () => {
    const protect = { SELKIES_BASIC_AUTH_PASSWORD: "password" };
    const closed = await start(["--socketio-signaling"], protect);
    assert.equal((await fetch(`${closed.url}socket.io/?EIO=4&transport=polling`)).status, 401);
    const authorization = `Basic ${Buffer.from("ubuntu:password").toString("base64")}`;
    await Peer.connect(closed.url, { extraHeaders: { authorization } });
    const token = "another-token";
    const own = await start(["--socketio-signaling"], { ...protect, SELKIES_SOCKETIO_TOKEN: token });
    await Peer.connect(own.url, { auth: { token } });
    assert.equal((await fetch(own.url)).status, 401, "the page still asks for the password");
  });
});
