// Plugins in child processes of the real host: a stream from them, and what the page sees when one dies.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { WireClient } from "../support/client.mjs";
import { Host } from "../support/host.mjs";
import { run, until } from "../support/tools.mjs";

const CONFIG = {
  capture: { plugin: "selkies.test-pattern", config: { width: 640, height: 192, fps: 30 } },
  // Alone: the same one must come back.
  encoders: [{ name: "jpeg", plugin: "selkies.striped-jpeg" }],
  settings: { framerate: 30 },
};

/** The numbers of the host's children that run plugins, by what `ps` shows of them. */
async function plugins(host) {
  const { stdout } = await run("ps", ["-o", "pid=,comm=", "--ppid", String(host.process.pid)]);
  const rows = stdout.trim().split("\n").map((row) => row.trim().split(/\s+/));
  return new Map(rows.filter(([, name]) => name?.startsWith("plugin:")).map(([pid, name]) => [name, Number(pid)]));
}

describe("plugins in children", { timeout: 120_000 }, () => {
  let host;
  before(async () => (host = await Host.start({ config: CONFIG, args: ["--isolation", "process"] })), { timeout: 60_000 });
  after(() => host?.stop());

  test("capture and encoder are processes, and frames come from them", { timeout: 60_000 }, async () => {
    const client = await WireClient.controller(host);
    await client.greeted();
    await client.waitFrames(10);
    const found = await plugins(host);
    // Beside those of sound and gamepads, whether or not they find what they need here.
    for (const name of ["plugin:striped-", "plugin:test-pat"]) assert.ok(found.has(name), `${name}: ${[...found.keys()]}`);
    client.stop();
  });

  for (const name of ["plugin:striped-", "plugin:test-pat"]) {
    test(`${name} is killed: the stream goes on with a new one`, { timeout: 60_000 }, async () => {
      const client = await WireClient.controller(host);
      await client.greeted();
      await client.waitFrames(5);
      const before = (await plugins(host)).get(name);
      assert.ok(before, "it runs");
      process.kill(before, "SIGKILL");
      await until("another process runs it", async () => {
        const now = (await plugins(host)).get(name);
        return now !== undefined && now !== before;
      }, 20_000);
      await client.waitFrames(10, 20_000);
      assert.match(host.log, /SI006 .*killed by SIGKILL \(9\)/);
      assert.ok(await host.healthy());
      client.stop();
    });
  }
});
