// An encoder that fails again and again: it is started again, then barred, then let in by a command.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { join } from "node:path";
import { WireClient } from "../support/client.mjs";
import { faultyPlugins } from "../support/faults.mjs";
import { folder, Host, hostCommand, PLUGINS } from "../support/host.mjs";
import { Stage } from "../support/processes.mjs";
import { until } from "../support/tools.mjs";

describe("quarantine of the only encoder", { timeout: 400_000 }, () => {
  const stage = new Stage();
  const env = { SELKIES_STATE_DIR: folder("state"), XDG_RUNTIME_DIR: folder("runtime") };
  const id = "faulty.segfault";
  let host;
  let client;

  before(async () => {
    const config = {
      capture: { plugin: "selkies.test-pattern", config: { width: 640, height: 192, fps: 60 } },
      encoders: [{ name: "jpeg", plugin: id, config: { after: 30 } }],
    };
    const plugins = [join(await faultyPlugins("segfault"), "segfault"), PLUGINS];
    host = stage.add(await Host.start({ plugins, config, env }));
    client = await WireClient.controller(host, { size: [640, 192] });
    await client.waitFrames(5);
  }, { timeout: 300_000 });
  after(async () => {
    client?.stop();
    await stage.close();
  });

  test("the third fault bars it, and everybody is told why", { timeout: 60_000 }, async () => {
    const status = JSON.parse(await client.waitText('{"type":"pipeline_status","video":false', 30_000));
    assert.match(status.reason, /^MD011 /);
    const { faults } = await host.status();
    assert.deepEqual(faults.map(({ plugin, ending, barred }) => [plugin, /SIGSEGV/.test(ending), barred]), [
      [id, true, false],
      [id, true, false],
      [id, true, true],
    ]);
    assert.ok(host.log.includes(`selkies-host plugins clear ${id}`), "the log has the remedy");
    const listed = await (await fetch(`${host.url}api/plugins`)).json();
    const entry = listed.plugins.find((plugin) => plugin.id === id);
    assert.match(JSON.stringify(entry), /SP034/);
    assert.ok(await host.healthy());
    assert.equal(client.closed, null);
  });

  test("plugins clear lets the running host use it again", { timeout: 60_000 }, async () => {
    const frames = client.frames.length;
    const { code, stdout, stderr } = await hostCommand(["plugins", "clear", id, "--port", String(host.port)], { env });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /faulty\.segfault: may be used again/);
    await until("frames come again", () => client.frames.length > frames + 5, 15_000);
  });
});
