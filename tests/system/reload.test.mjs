// New versions of a plugin, taken into use while a client watches.

import assert from "node:assert/strict";
import { copyFileSync, cpSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { WireClient } from "../support/client.mjs";
import { faultyPlugins } from "../support/faults.mjs";
import { folder, Host, hostCommand, PLUGINS } from "../support/host.mjs";
import { Stage } from "../support/processes.mjs";
import { until } from "../support/tools.mjs";

describe("plugins reload", { timeout: 400_000 }, () => {
  const stage = new Stage();
  const env = { SELKIES_STATE_DIR: folder("state"), XDG_RUNTIME_DIR: folder("runtime") };
  const id = "faulty.none";
  let place;
  let host;
  let client;

  before(async () => {
    place = join(folder("renewed"), "none");
    mkdirSync(place, { mode: 0o755 });
    cpSync(join(await faultyPlugins("none"), "none"), place, { recursive: true });
    const config = {
      capture: { plugin: "selkies.test-pattern", config: { width: 640, height: 192, fps: 30 } },
      encoders: [{ name: "jpeg", plugin: id }],
    };
    host = stage.add(await Host.start({ plugins: [place, PLUGINS], config, env }));
    client = await WireClient.controller(host, { size: [640, 192] });
    await client.waitFrames(5);
  }, { timeout: 300_000 });
  after(async () => {
    client?.stop();
    await stage.close();
  });

  /** How many children the host has, whichever of its threads started them. */
  function children() {
    const tasks = `/proc/${host.process.pid}/task`;
    const ids = readdirSync(tasks).flatMap((task) => {
      try {
        return readFileSync(`${tasks}/${task}/children`, "utf8").trim().split(/\s+/);
      } catch {
        return []; // the thread ended meanwhile
      }
    });
    return ids.filter(Boolean).length;
  }

  const reload = (plugin) => hostCommand(["plugins", "reload", plugin, "--port", String(host.port)], { env });

  test("a new version takes over, the stream goes on, the old process ends", { timeout: 60_000 }, async () => {
    assert.equal(children(), 1, "the plugin's process");
    const used = (await host.status()).video.encoders_used;
    // As a package manager does: beside it, then over it.
    copyFileSync(join(place, "libfaulty.so"), join(place, "libfaulty.so.new"));
    renameSync(join(place, "libfaulty.so.new"), join(place, "libfaulty.so"));
    const frames = client.frames.length;
    const { code, stdout, stderr } = await reload(id);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /faulty\.none 0\.1\.0: takes over from the next keyframe/);
    await until("another encoder is in use", async () => (await host.status()).video.encoders_used > used);
    await client.waitFrames(30);
    assert.ok(client.frames.length > frames && client.closed === null);
    const { faults, video } = await host.status();
    assert.deepEqual([faults, video.encoder], [[], `${id}/jpeg`]);
    await until(() => `the old process has ended; there are ${children()}`, () => children() === 1);
  });

  test("SIGHUP takes what changed", { timeout: 60_000 }, async () => {
    const used = (await host.status()).video.encoders_used;
    host.process.signal("SIGHUP");
    await until("the host looks", () => host.log.includes("no plugin changed"));
    copyFileSync(join(place, "libfaulty.so"), join(place, "libfaulty.so.new"));
    renameSync(join(place, "libfaulty.so.new"), join(place, "libfaulty.so"));
    host.process.signal("SIGHUP");
    await until("another encoder is in use", async () => (await host.status()).video.encoders_used > used);
    await client.waitFrames(10);
  });

  test("a version that is refused leaves the old one in use", { timeout: 60_000 }, async () => {
    const manifest = join(place, "selkies-plugin.json");
    const good = readFileSync(manifest, "utf8");
    writeFileSync(manifest, good.replace('"version": "0.1.0"', '"version": "0.2.0"'));
    const { code, stderr } = await reload(id);
    writeFileSync(manifest, good);
    assert.equal(code, 1);
    assert.match(stderr, /^SP016 /);
    await client.waitFrames(10);
  });

  test("what cannot be replaced is said", { timeout: 60_000 }, async () => {
    const inside = await reload("selkies.test-pattern");
    assert.equal(inside.code, 1);
    assert.match(inside.stderr, /^CL047 /);
    const unknown = await reload("acme.nothing");
    assert.match(unknown.stderr, /^SP0\d\d /);
    const nobody = await hostCommand(["plugins", "reload", id, "--port", "1"], { env });
    assert.match(nobody.stderr, /^CL042 /);
    await client.waitFrames(10);
  });
});
