// Live sessions with an encoder that fails: what the person in the browser sees of it.

import assert from "node:assert/strict";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { folder, Host, PLUGINS } from "./host.mjs";
import { must, ROOT, sleep, until } from "./tools.mjs";

/**
 * The encoders of tests/faulty that a session meets, with what the host must say of them; null for those that go on
 * themselves, and of whom it must say nothing. `first`: the fault shows when the encoder is made, not at a frame.
 * `slow`: on a busy machine it may miss its deadline, which is then what the host says.
 */
export const FAULTS = {
  segfault: { says: /SIGSEGV/ },
  abort: { says: /SIGABRT/ },
  exit: { says: /exit code/ },
  "hang-encode": { says: /SI007/ },
  "hang-create": { says: /SI007/, first: true },
  panic: { says: /panic/ },
  "beyond-capacity": { says: /capacity/ },
  "empty-packet": { says: /len is 0/ },
  "wrong-frame-id": { says: /frame_id/ },
  overrun: { says: /past its slab/ },
  "refused-format": { says: null },
  retains: { says: null },
  "log-flood": { says: null },
  memory: { says: null, slow: /SI007/ },
  forks: { says: /SIGSYS/ },
};

/** The frame at which an encoder fails: late enough for a busy machine to watch the picture by then. */
const AT_FRAME = 240;

let place;
const built = new Map();

/** Builds faulty plugins, each once; answers the folder that holds one for each name. */
export async function faultyPlugins(...names) {
  if (!place) {
    place = folder("faulty");
    chmodSync(place, 0o755);
  }
  const missing = names.filter((name) => !built.has(name));
  if (missing.length > 0) {
    const made = must(join(ROOT, "tests/faulty/build.sh"), [place, ...missing], { timeout: 300_000 });
    for (const name of missing) built.set(name, made);
  }
  await Promise.all(names.map((name) => built.get(name)));
  return place;
}

/** A host whose first encoder is the faulty one and whose second is ours. The fault shows at the frame `after`. */
export async function faultyHost(x, name, { after = 60, args = [] } = {}) {
  const place = await faultyPlugins(name);
  const encoders = [
    { name: "jpeg", plugin: `faulty.${name}`, config: { after } },
    { name: "jpeg", plugin: "selkies.striped-jpeg" },
  ];
  const env = { SELKIES_STATE_DIR: folder("state") };
  return Host.start({ x, plugins: [join(place, name), PLUGINS], config: { encoders }, env, args });
}

/**
 * Watches a part of the canvas that changes all the time, and notes the longest time that it did not. It is the whole
 * scene, made smaller: a corner of it may rest for many frames.
 */
export async function watchGaps(desk, { x = 0, y = 0, width = 640, height = 480 } = {}) {
  await desk.page.evaluate(({ x, y, width, height }) => {
    const edge = 64;
    const copy = new OffscreenCanvas(edge, edge).getContext("2d", { willReadFrequently: true });
    const watch = { last: performance.now(), longest: 0, changes: 0, sum: -1, on: true };
    window.testGaps = watch;
    const look = () => {
      if (!watch.on) return;
      copy.drawImage(window.testScreen(), x, y, width, height, 0, 0, edge, edge);
      let sum = 0;
      const { data } = copy.getImageData(0, 0, edge, edge);
      for (let i = 0; i < data.length; i += 4) sum = (sum * 31 + data[i] * 7 + data[i + 1] * 3 + data[i + 2]) | 0;
      const now = performance.now();
      if (sum !== watch.sum) {
        watch.longest = Math.max(watch.longest, now - watch.last);
        [watch.sum, watch.last] = [sum, now];
        watch.changes += 1;
      }
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }, { x, y, width, height });
}

/** Ends the watch; milliseconds of the longest gap, the one that is still open included, and changes seen. */
export function gaps(desk) {
  return desk.page.evaluate(() => {
    const watch = window.testGaps;
    watch.on = false;
    return { longest: Math.max(watch.longest, performance.now() - watch.last), changes: watch.changes };
  });
}

/** Forgets the gaps so far. */
export async function forgetGaps(desk) {
  await desk.page.evaluate(() => {
    window.testGaps.longest = 0;
    window.testGaps.last = performance.now();
  });
}

/**
 * Lives through one fault: a page on a moving scene until well after it. Answers the longest gap in milliseconds, the
 * frames a second afterwards, and the host's fault. Throws where the session did not survive.
 */
export async function liveThrough(session, name, { typed } = {}) {
  const { says, first, slow } = FAULTS[name];
  const host = await faultyHost(session.x, name, { after: first ? 1 : AT_FRAME });
  let desk;
  try {
    desk = await session.browser.open(host.url, {});
    await desk.waitState("connected");
    await until("the canvas has a size", async () => (await desk.size()).width > 1);
    let lost = 0;
    await desk.page.exposeFunction("testLost", () => (lost += 1));
    await desk.page.evaluate(() => {
      new MutationObserver(() => {
        if (document.getElementById("state").dataset.state !== "connected") window.testLost();
      }).observe(document.getElementById("state"), { attributes: true });
    });
    await watchGaps(desk);
    if (!first) await until("the picture moves", () => desk.page.evaluate(() => window.testGaps.changes > 5));
    if (!first) await forgetGaps(desk);
    const watched = Date.now() / 1000;
    const typing = typed?.(desk);
    let fault;
    if (says) {
      await until(() => `the host tells of ${name}: ${host.log.slice(-1500)}`, async () => {
        const { faults } = await host.status();
        return (fault = faults.find((entry) => entry.plugin === `faulty.${name}`)) !== undefined;
      }, 30_000);
    } else {
      // As many frames as the fault needs, and more.
      const from = await host.encodedFrames();
      await until("frames go on", async () => (await host.encodedFrames()) > from + AT_FRAME, 30_000);
    }
    const { changes: before } = await desk.page.evaluate(() => window.testGaps);
    await sleep(1000);
    await typing;
    const { longest, changes } = await gaps(desk);
    const status = await host.status();
    if (says) {
      // The gap of a fault that came earlier would not be in the figure.
      if (!first) assert.ok(fault.at >= watched, `${name} failed ${watched - fault.at} s before it was watched`);
      assert.equal(status.video.encoder, "selkies.striped-jpeg/jpeg", `after ${name}`);
      assert.match(fault.message, says, `the reason of ${name}`);
      assert.equal(fault.version, "0.1.0");
      assert.ok(fault.last_call.startsWith("encoder.") || fault.last_call === "memory.commit", fault.last_call);
    } else if (slow && status.faults.length > 0) {
      for (const { message } of status.faults) assert.match(message, slow, `${name} was too slow`);
      [fault] = status.faults;
    } else {
      assert.equal(status.video.encoder, `faulty.${name}/jpeg`, `${name} goes on`);
      assert.deepEqual(status.faults, [], `nothing is said of ${name}`);
    }
    assert.equal(lost, 0, `the page lost its connection during ${name}`);
    assert.ok(await host.healthy());
    assert.equal(await desk.state(), "connected");
    assert.deepEqual(desk.complaints, []);
    return { longest, fps: changes - before, fault, log: host.log };
  } finally {
    await desk?.close();
    await host.stop();
  }
}
