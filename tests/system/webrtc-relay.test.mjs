// WebRTC through a TURN server alone: a real coturn, short-lived credentials of turn-rest, and their renewal while pages
// are connected.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Coturn } from "../support/coturn.mjs";
import { environment, freePort, HOST } from "../support/host.mjs";
import { Process } from "../support/processes.mjs";
import { Session } from "../support/session.mjs";
import { sleep, until } from "../support/tools.mjs";

const SECRET = "a secret of coturn and turn-rest";
const KEY = "a key of turn-rest";
/** Life of the credentials, in seconds: they are renewed when half of it is over. */
const TTL = 20;
/** Longest time without a new picture while something moves, in ms: nothing is lost on this way. */
const FREEZE = 4000;

/** Runs in the page before its scripts: keeps the names of the TURN users that peer connections are given, in order. */
function recordUsers() {
  window.testUsers = [];
  const note = (config) => {
    for (const { username } of config?.iceServers ?? []) if (username && window.testUsers.at(-1) !== username) window.testUsers.push(username);
  };
  window.RTCPeerConnection = class extends window.RTCPeerConnection {
    constructor(config) {
      super(config);
      window.testPolicy = config?.iceTransportPolicy;
      note(config);
    }

    setConfiguration(config) {
      super.setConfiguration(config);
      note(config);
    }
  };
}

const PAGE = { size: [1280, 720], prepare: [recordUsers] };

const usersOf = (desk) => desk.page.evaluate(() => window.testUsers);
const decodedBy = (desk) => desk.page.evaluate(() => window.testScreen().getVideoPlaybackQuality().totalVideoFrames);
/** When a user's credentials end, in seconds of Unix time: `TIME:NAME` (draft-uberti-behave-turn-rest-00). */
const endOf = (user) => Number(user.split(":")[0]);
const now = () => Date.now() / 1000;

describe("WebRTC through a relay alone", { timeout: 300_000 }, () => {
  let coturn, rest, session, desk;

  before(async () => {
    // Each peer connection has several allocations at both ends.
    coturn = await Coturn.start({ secret: SECRET, ports: 100 });
    const port = await freePort();
    const uri = `http://127.0.0.1:${port}/`;
    const server = { TURN_HOST: "127.0.0.1", TURN_PORT: String(coturn.port), TURN_SHARED_SECRET: SECRET };
    const options = { ...server, TURN_API_KEY: KEY, TURN_TTL: String(TTL) };
    rest = new Process(HOST, ["turn-rest", "--listen", `127.0.0.1:${port}`], { env: environment(options) });
    await until(() => `turn-rest listens: ${rest.out}${rest.err}`, () => rest.out.includes(uri), 20_000);
    const env = {
      SELKIES_MODE: "webrtc",
      SELKIES_RATE_CONTROL_MODE: "crf",
      SELKIES_ENCODER: "x264enc",
      SELKIES_H264_CRF: "20",
      SELKIES_H264_PAINTOVER_CRF: "12",
      SELKIES_RTC_CONFIG_JSON: "none",
      SELKIES_STUN_HOST: "none",
      SELKIES_RTC_FORCE_RELAY: "true",
      SELKIES_TURN_REST_URI: uri,
      SELKIES_TURN_REST_API_KEY: KEY,
    };
    session = await Session.start({ host: { env }, path: "?debug", page: PAGE });
    desk = session.desk;
    await session.waitScreen(1280, 720);
  }, { timeout: 120_000 });

  after(async () => {
    await session?.close();
    await rest?.stop();
    await coturn?.stop();
  });

  async function isRelayed(page) {
    let figures;
    await until(() => `the path is relayed: ${JSON.stringify(figures)}`, async () => /^relay /.test((figures = await page.statistics()).Path), 20_000);
  }

  test("the picture goes through the relay", { timeout: 90_000 }, async () => {
    const scene = await session.scene("text");
    await desk.waitEqual(session.x, { limit: 40_000 });
    await isRelayed(desk);
    assert.equal(await desk.page.evaluate(() => window.testPolicy), "relay");
    await scene.stop();
  });

  test("it goes on when the credentials have expired, and connected pages are given new ones", { timeout: 120_000 }, async (t) => {
    // The very first have expired by then, whenever this test begins.
    const [first] = await usersOf(desk);
    const known = (await usersOf(desk)).at(-1);
    const end = Math.max(endOf(known) + 5, now() + TTL);
    const scene = await session.scene("motion", 640, 360, 30);
    let [frames, changed, longest] = [await decodedBy(desk), performance.now(), 0];
    while (now() < end) {
      await sleep(100);
      const decoded = await decodedBy(desk);
      const pause = performance.now() - changed;
      longest = Math.max(longest, pause);
      assert.ok(pause < FREEZE, `the picture stood still for ${Math.round(pause)} ms, ${Math.round(end - now())} s before the end`);
      if (decoded !== frames) [frames, changed] = [decoded, performance.now()];
    }
    const users = await usersOf(desk);
    t.diagnostic(`${users.length} credentials in turn, longest pause ${Math.round(longest)} ms`);
    assert.ok(endOf(first) < now(), "the first have expired");
    assert.ok(users.length >= 2, JSON.stringify(users));
    assert.ok(endOf(users.at(-1)) > now(), "those that the page has now are good");
    for (const [i, user] of users.slice(1).entries()) assert.ok(endOf(user) > endOf(users[i]), JSON.stringify(users));
    assert.equal(await desk.state(), "connected");
    await scene.stop();
    const still = await session.scene("gradient");
    await desk.waitEqual(session.x, { limit: 40_000 });
    await still.stop();
    assert.deepEqual(desk.complaints, []);
  });

  test("who comes after that is let through the relay at both ends", { timeout: 90_000 }, async () => {
    const other = await session.open("?debug#shared", PAGE);
    const scene = await session.scene("text");
    await other.waitEqual(session.x, { limit: 40_000 });
    await isRelayed(other);
    const [user] = await usersOf(other);
    assert.ok(endOf(user) > now() - TTL, user);
    await scene.stop();
    await other.close();
  });

  test("without the relay there is no way", { timeout: 60_000 }, async () => {
    await coturn.stop();
    await desk.waitState("reconnecting", 40_000);
  });
});
