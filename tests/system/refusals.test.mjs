// What the binary refuses, and how it says so: one line, with the remedy, and nothing half-started.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { WireClient } from "../support/client.mjs";
import { folder, freePort, Host, hostAlone, hostCommand, PLUGINS } from "../support/host.mjs";
import { BROKEN, brokenPlugins } from "../support/plugins.mjs";
import { Session } from "../support/session.mjs";
import { XServer } from "../support/xserver.mjs";

/** A capture that needs no X server, so that nothing but the refusal ends the host. */
const PATTERN = { capture: { plugin: "selkies.test-pattern", config: { width: 320, height: 180, fps: 10 } } };

function file(name, text) {
  const path = join(folder("config"), name);
  writeFileSync(path, typeof text === "string" ? text : JSON.stringify(text, null, 2));
  return path;
}

/** Runs the host, which must refuse; answers the lines of its error output without those of the log. */
async function refused(args, options) {
  const { code, stdout, stderr } = await hostCommand(args, options);
  assert.notEqual(code, 0, `${args.join(" ")} was accepted`);
  assert.ok(!stdout.includes("http://"), "no address of a host that does not serve");
  assert.ok(!/panicked|backtrace/i.test(stderr), stderr);
  return stderr.trim().split("\n").filter((line) => line !== "" && !/^\d{4}-\S+Z\s+(INFO|WARN)\s/.test(line));
}

describe("start", { timeout: 180_000 }, () => {
  test("an address that others can reach needs a password or a word of consent", { timeout: 30_000 }, async () => {
    const config = file("host.json", PATTERN);
    const port = String(await freePort());
    const common = ["--plugins", PLUGINS, "--config", config, "--port", port];
    for (const addr of ["0.0.0.0", "::", "192.0.2.1"]) {
      const lines = await refused([...common, "--addr", addr]);
      assert.equal(lines.length, 1, lines.join("\n"));
      assert.match(lines[0], /--allow-unauthenticated/);
    }
    for (const consent of [["--allow-unauthenticated"], ["--basic-auth-password", "secret"]]) {
      const host = await Host.start({ addr: "0.0.0.0", config: PATTERN, args: consent });
      try {
        assert.ok(await host.healthy());
        if (consent.length === 2) {
          assert.equal((await fetch(host.url)).status, 401);
          const headers = { authorization: `Basic ${Buffer.from("ubuntu:secret").toString("base64")}` };
          assert.equal((await fetch(host.url, { headers })).status, 200);
          await assert.rejects(WireClient.connect(host), /401/);
          const client = await WireClient.connect(host, { headers });
          await client.greeted();
          client.stop();
        }
      } finally {
        await host.stop();
      }
    }
  });

  test("a port that is taken", { timeout: 30_000 }, async () => {
    const host = await Host.start({ config: PATTERN });
    try {
      const lines = await refused(["--plugins", PLUGINS, "--config", file("host.json", PATTERN), "--port", String(host.port)]);
      assert.match(lines.at(-1), new RegExp(`${host.port}`));
      assert.ok(await host.healthy());
    } finally {
      await host.stop();
    }
  });

  test("an unknown option names what is meant", { timeout: 20_000 }, async () => {
    assert.match((await refused(["--frame-rate-limit", "5"])).join("\n"), /frame-rate-limit/);
    assert.match((await refused(["plugins", "destroy"])).join("\n"), /destroy/);
  });

  test("no encoder at all", { timeout: 30_000 }, async () => {
    const without = folder("without-encoders");
    for (const name of readdirSync(PLUGINS)) {
      const { kinds } = JSON.parse(readFileSync(join(PLUGINS, name, "selkies-plugin.json"), "utf8"));
      if (!kinds.includes("encoder")) cpSync(join(PLUGINS, name), join(without, name), { recursive: true });
    }
    const args = ["--plugins", without, "--config", file("host.json", PATTERN), "--port", String(await freePort())];
    const lines = await refused(args, { binary: hostAlone() });
    assert.match(lines.join("\n"), /encoder/i);
    assert.ok(lines.length <= 3, lines.join("\n"));
  });

  test("no plugins at all", { timeout: 30_000 }, async () => {
    const lines = await refused(["--plugins", folder("empty"), "--config", file("host.json", PATTERN)], { binary: hostAlone() });
    assert.match(lines.join("\n"), /plugin/i);
    assert.ok(lines.length <= 4, lines.join("\n"));
  });
});

describe("configuration", { timeout: 120_000 }, () => {
  const WRONG = '{\n  "settings": {\n    "jpeg_quality": "40-90",\n    "framerate": { "fast": true }\n  }\n}\n';

  test("a value of the wrong type: file, line, column and pointer, and nothing starts", { timeout: 30_000 }, async () => {
    const path = file("wrong.json", WRONG);
    for (const args of [["config", "check", path], ["--plugins", PLUGINS, "--config", path]]) {
      const lines = await refused(args);
      assert.equal(lines.length, 1, lines.join("\n"));
      assert.ok(lines[0].includes(`${path}:4:18: /settings/framerate`), lines[0]);
    }
  });

  test("every mistake has its line", { timeout: 30_000 }, async () => {
    const path = file("many.json", '{\n  "setings": {},\n  "plugins": { "paths": "here" },\n  "settings": { "port": "many", "encoder": 5 }\n}\n');
    const lines = await refused(["config", "check", path]);
    assert.equal(lines.length, 4, lines.join("\n"));
    for (const [place, i] of [["2:3: /setings", 0], ["3:25: /plugins/paths", 1], ["4:25: /settings/port", 2], ["4:44: /settings/encoder", 3]]) {
      assert.ok(lines[i].includes(`${path}:${place}`), `${place}: ${lines[i]}`);
    }
  });

  test("a plugin's own configuration is judged by its schema", { timeout: 30_000 }, async () => {
    const path = file("plugin.json", '{\n  "capture": {\n    "plugin": "selkies.test-pattern",\n    "config": { "width": "wide" }\n  }\n}\n');
    const lines = await refused(["--plugins", PLUGINS, "--config", path, "--port", String(await freePort())]);
    assert.equal(lines.length, 1, lines.join("\n"));
    assert.ok(lines[0].includes(`${path}:4:26: /capture/config/width`), lines[0]);
  });

  test("what is no JSON, too long or not there", { timeout: 30_000 }, async () => {
    assert.match((await refused(["config", "check", file("cut.json", '{\n  "settings": {')])).join("\n"), /cut\.json:2:\d+/);
    assert.equal((await refused(["config", "check", file("deep.json", "[".repeat(100_000))])).length, 1);
    assert.equal((await refused(["config", "check", file("long.json", `{"x":"${"y".repeat(20 << 20)}"}`)])).length, 1);
    assert.match((await refused(["config", "check", "/nonexistent/host.json"])).join("\n"), /\/nonexistent\/host\.json/);
  });

  test("a right file is accepted, and explain says what won", { timeout: 30_000 }, async () => {
    const path = file("right.json", { ...PATTERN, settings: { jpeg_quality: "55", framerate: "8-60" } });
    const checked = await hostCommand(["--plugins", PLUGINS, "config", "check", path]);
    assert.equal(checked.code, 0, checked.stderr);
    const explained = await hostCommand(["config", "explain", "jpeg_quality", "--config", path], { env: { SELKIES_JPEG_QUALITY: "66" } });
    assert.equal(explained.code, 0, explained.stderr);
    assert.match(explained.stdout, /66/);
    assert.match(explained.stdout, /SELKIES_JPEG_QUALITY/);
    assert.match(explained.stdout, /right\.json/);
    const schema = await hostCommand(["config", "schema"]);
    assert.equal(schema.code, 0, schema.stderr);
    assert.ok(JSON.parse(schema.stdout).properties.settings);
  });

  test("a setting that is wrong in the environment or on the command line", { timeout: 30_000 }, async () => {
    const port = String(await freePort());
    const inEnvironment = await hostCommand(["--plugins", PLUGINS, "--config", file("host.json", PATTERN)], { env: { SELKIES_PORT: "many" } });
    assert.notEqual(inEnvironment.code, 0);
    assert.match(inEnvironment.stderr, /SELKIES_PORT/);
    assert.match((await refused(["--plugins", PLUGINS, "--port", port, "--watermark-location", "99"])).join("\n"), /watermark-location/);
  });
});

describe("plugins", { timeout: 180_000 }, () => {
  /** Trusts every plugin like the host itself, so that the file is all there is to refuse. */
  const IN_PROCESS = { SELKIES_ALLOW_IN_PROCESS: "*" };
  let broken;
  before(async () => (broken = await brokenPlugins()), { timeout: 60_000 });

  test("plugins list tells what is there without loading it", { timeout: 30_000 }, async () => {
    const { code, stdout, stderr } = await hostCommand(["--plugins", PLUGINS, "plugins", "list", "--json"]);
    assert.equal(code, 0, stderr);
    const text = JSON.stringify(JSON.parse(stdout));
    for (const id of ["selkies.x11", "selkies.striped-jpeg", "selkies.test-pattern", "selkies.websocket"]) assert.ok(text.includes(`"${id}"`), id);
    const plain = await hostCommand(["--plugins", PLUGINS, "plugins", "list"]);
    assert.equal(plain.code, 0, plain.stderr);
    assert.match(plain.stdout, /selkies\.striped-jpeg/);
  });

  test("plugins inspect judges each broken file with its code", { timeout: 60_000 }, async () => {
    for (const [kind, [code]] of Object.entries(BROKEN)) {
      const { stdout, stderr, ...ended } = await hostCommand(["plugins", "inspect", join(broken, kind, "plugin.so")], { env: IN_PROCESS });
      assert.ok(`${stdout}${stderr}`.includes(code), `${kind}: ${code} in ${stdout}${stderr}`);
      assert.notEqual(ended.code, 0, `${kind} is refused`);
    }
    const good = await hostCommand(["plugins", "inspect", join(PLUGINS, "test-pattern", "libselkies_test_pattern.so")]);
    assert.equal(good.code, 0, good.stderr);
    assert.match(good.stdout, /selkies\.capture\/1/);
  });

  test("a host with every kind of broken plugin lives, says one line each, and streams", { timeout: 60_000 }, async () => {
    const isolation = { default: "in-process", "allow-in-process": ["*"] };
    // Without a list of encoders, the host tries all that it finds.
    const host = await Host.start({ plugins: [broken, PLUGINS], config: { ...PATTERN, plugins: { isolation } } });
    try {
      const client = await WireClient.controller(host, { size: [320, 180] });
      await client.waitFrames(5);
      for (const [kind, [code]] of Object.entries(BROKEN)) {
        const lines = host.log.split("\n").filter((line) => line.includes(`/${kind}/`) || line.includes(`test.${kind} `) || line.includes(`test.${kind}:`));
        const named = lines.filter((line) => line.includes(code));
        assert.equal(named.length, 1, `${kind}: one line with ${code} in ${JSON.stringify(lines)}`);
        assert.ok(named[0].length < 700, `the line of ${kind} has ${named[0].length} characters`);
      }
      client.stop();
      assert.ok(await host.healthy());
    } finally {
      await host.stop();
    }
  });

  test("a configured capture that is not there names those that are", { timeout: 30_000 }, async () => {
    const config = file("host.json", { capture: { plugin: "vendor.absent" } });
    const lines = await refused(["--plugins", PLUGINS, "--config", config, "--port", String(await freePort())]);
    assert.match(lines.join("\n"), /vendor\.absent/);
    assert.match(lines.join("\n"), /selkies\.test-pattern/);
  });
});

describe("shutting off", { timeout: 60_000 }, () => {
  const session = new Session();
  after(() => session.close());

  test("a host without a display's transport, input or cursor still streams", { timeout: 40_000 }, async () => {
    session.x = session.stage.add(await XServer.start());
    const few = folder("few");
    mkdirSync(few, { recursive: true });
    for (const name of ["test-pattern", "striped-jpeg", "websocket"]) cpSync(join(PLUGINS, name), join(few, name), { recursive: true });
    const host = session.stage.add(await Host.start({ plugins: [few], config: PATTERN }));
    const client = await WireClient.controller(host, { size: [320, 180] });
    await client.waitFrames(5);
    for (const text of ["kd,97", "ku,97", "m,5,5,1,0", "m,5,5,0,0", "r,640x360,primary"]) client.send(text);
    await client.waitFrames(5);
    assert.ok(await host.healthy());
    client.stop();
  });
});
