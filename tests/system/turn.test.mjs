// STUN and TURN servers: a real coturn, the TURN REST service, what browsers are told, and the check of all of it.

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Coturn } from "../support/coturn.mjs";
import { environment, folder, freePort, HOST, Host, hostCommand, PLUGINS } from "../support/host.mjs";
import { Process } from "../support/processes.mjs";
import { run, tool, until } from "../support/tools.mjs";

const SECRET = "canary-secret-91d7";
const KEY = "canary-key-0c3e";
const PASSWORD = "canary-password-7f21";
/** Nobody outside of this machine is asked by these tests. */
const NO_OTHERS = { SELKIES_STUN_HOST: "none", SELKIES_RTC_CONFIG_JSON: "none" };
const PATTERN = { capture: { plugin: "selkies.test-pattern", config: { width: 320, height: 180, fps: 10 } } };

/** Username and credential that are good until `expires`, as coturn's documentation defines them. */
function credential(expires, user = "ada") {
  const username = `${expires}:${user}`;
  return { username, password: createHmac("sha1", SECRET).update(username).digest("base64") };
}

const soon = () => Math.floor(Date.now() / 1000) + 600;

function command(args, env) {
  return hostCommand(["--plugins", PLUGINS, ...args], { env: { ...NO_OTHERS, ...env }, timeout: 60_000 });
}

/** Whether coturn's own client relays with these credentials. */
async function relays(coturn, { username, password }, more = []) {
  const args = ["-y", "-u", username, "-w", password, "-p", String(coturn.port), "-n", "1", "-m", "1", ...more];
  const { code } = await run(tool("turnutils_uclient"), [...args, "127.0.0.1"], { timeout: 60_000 });
  return code === 0;
}

describe("TURN", { timeout: 300_000 }, () => {
  let coturn, rest, uri;

  before(async () => {
    coturn = await Coturn.start({ secret: SECRET });
    const env = { TURN_SHARED_SECRET: SECRET, TURN_HOST: "127.0.0.1", TURN_PORT: String(coturn.port), TURN_API_KEY: KEY };
    const port = await freePort();
    uri = `http://127.0.0.1:${port}/`;
    rest = new Process(HOST, ["turn-rest", "--listen", `127.0.0.1:${port}`], { env: environment(env) });
    await until(() => `turn-rest listens: ${rest.err}`, () => rest.out.includes(uri), 20_000);
  });

  after(async () => {
    await rest?.stop();
    await coturn?.stop();
  });

  const ofRest = () => ({ SELKIES_TURN_REST_URI: uri, SELKIES_TURN_REST_API_KEY: KEY });

  test("credentials of coturn-rest and turn-rest allocate by UDP and TCP", async () => {
    const { code, stdout, stderr } = await command(["turn-check", "--user", "ada", "--all"], ofRest());
    assert.equal(code, 0, stdout + stderr);
    const ok = stdout.trim().split("\n");
    assert.deepEqual(
      ok.map((line) => line.split(/\s+/).slice(0, 2).join(" ")).sort(),
      [
        `ok stun:127.0.0.1:${coturn.port}`,
        `ok turn:127.0.0.1:${coturn.port}?transport=tcp`,
        `ok turn:127.0.0.1:${coturn.port}?transport=udp`,
      ],
    );
    assert.equal(ok.filter((line) => /relays through 127\.0\.0\.1:\d+/.test(line)).length, 2, stdout);
  });

  test("TURN by TLS is checked with its certificate", async () => {
    const env = { TURN_HOST: "localhost", TURN_PORT: String(coturn.tlsPort), TURN_TLS: "true", TURN_PROTOCOL: "tcp", TURN_SHARED_SECRET: SECRET };
    const trusted = await command(["turn-check", "--json"], { ...env, SSL_CERT_FILE: coturn.certificate });
    assert.equal(trusted.code, 0, trusted.stdout + trusted.stderr);
    const { sources } = JSON.parse(trusted.stdout);
    const [{ source, servers }] = sources;
    assert.deepEqual([sources.length, source], [1, "selkies.turn-hmac"]);
    assert.deepEqual(servers.map(({ url, works }) => [url, works]), [[`turns:localhost:${coturn.tlsPort}?transport=tcp`, true]]);
    const stranger = await command(["turn-check"], env);
    assert.equal(stranger.code, 1);
    assert.match(stranger.stdout, /^FAIL .* TC012 TLS:/m);
  });

  test("wrong and expired credentials are refused, and it is said which", async () => {
    const server = { TURN_HOST: "127.0.0.1", TURN_PORT: String(coturn.port) };
    const stun = { SELKIES_STUN_HOST: "127.0.0.1", SELKIES_STUN_PORT: String(coturn.port) };
    const wrong = await command(["turn-check"], { ...server, ...stun, TURN_SHARED_SECRET: "another" });
    assert.equal(wrong.code, 1, wrong.stdout);
    assert.match(wrong.stdout, /^FAIL +turn:\S+ TC015 /m);
    assert.match(wrong.stdout, /^ok +stun:/m, "STUN needs no credentials");
    const { username, password } = credential(soon() - 3600);
    const old = await command(["turn-check"], { ...server, TURN_USERNAME: username, TURN_PASSWORD: password });
    assert.equal(old.code, 1, old.stdout);
    assert.match(old.stdout, /TC014 the credentials expired \d+ s ago/);
    const fresh = credential(soon());
    const good = await command(["turn-check"], { ...server, TURN_USERNAME: fresh.username, TURN_PASSWORD: fresh.password });
    assert.equal(good.code, 0, good.stdout);
    const closed = await command(["turn-check"], { TURN_HOST: "127.0.0.1", TURN_PORT: String(await freePort()), TURN_PROTOCOL: "tcp", TURN_SHARED_SECRET: SECRET });
    assert.equal(closed.code, 1);
    assert.match(closed.stdout, /^FAIL +turn:\S+ TC010 /m);
  });

  test("every source is checked, also behind the one that serves", async () => {
    const own = { host: "127.0.0.1", port: coturn.port };
    const good = { plugin: "selkies.turn-hmac", config: { ...own, secret: SECRET } };
    const wrong = { plugin: "selkies.turn-longterm", config: { ...own, username: "ada", password: PASSWORD } };
    const absent = { plugin: "selkies.static-rtc", config: { path: join(folder("rtc"), "none.json") } };
    const check = (sources) => {
      const config = join(folder("rtc"), "host.json");
      writeFileSync(config, JSON.stringify({ rtc_config: sources }));
      return command(["turn-check", "--config", config], {});
    };
    const works = await check([absent, good]);
    assert.equal(works.code, 0, works.stdout + works.stderr);
    assert.match(works.stderr, /selkies\.static-rtc: .*none\.json/);
    const behind = await check([good, wrong]);
    assert.equal(behind.code, 1, behind.stdout);
    assert.match(behind.stdout, /^ok +turn:\S+ .*\(selkies\.turn-hmac\)$/m);
    assert.match(behind.stdout, /^FAIL +turn:\S+ TC015 .*\(selkies\.turn-longterm\)$/m);
    assert.equal(behind.stdout.match(/stun:/g).length, 1, "what two name is checked once");
    const refuses = { plugin: "selkies.coturn-rest", config: { uri } };
    const before = await check([refuses, good]);
    assert.equal(before.code, 1, "a source without an answer is a failure even where another one has one");
    assert.match(before.stdout, /^ok +turn:/m);
    assert.ok(!/canary/.test([works, behind, before].map(({ stdout, stderr }) => stdout + stderr).join("")));
  });

  test("coturn's own client relays with what a browser would get, and with nothing else", async () => {
    const { code, stdout, stderr } = await command(["rtc-config", "show", "--user", "ada", "--json"], ofRest());
    assert.equal(code, 0, stderr);
    const { iceServers, lifetimeDuration } = JSON.parse(stdout);
    assert.equal(lifetimeDuration, "86400s");
    const turn = iceServers.find(({ username }) => username);
    assert.match(turn.username, /^\d+:ada$/);
    assert.ok(await relays(coturn, { username: turn.username, password: turn.credential }));
    assert.ok(await relays(coturn, { username: turn.username, password: turn.credential }, ["-t"]), "by TCP");
    assert.ok(!(await relays(coturn, { username: turn.username, password: "wrong" })));
    assert.ok(!(await relays(coturn, credential(soon() - 3600))), "expired");
  });

  test("a service that refuses is passed over, and the reason is told without the key", async () => {
    const env = { SELKIES_TURN_REST_URI: uri, SELKIES_TURN_REST_API_KEY: "canary-wrong-key" };
    const alone = await command(["rtc-config", "show"], env);
    assert.equal(alone.code, 1);
    assert.match(alone.stderr, /selkies\.coturn-rest: .*403/);
    assert.match(alone.stderr, /^CL060 /m);
    const path = join(folder("rtc"), "rtc.json");
    writeFileSync(path, JSON.stringify({ iceServers: [{ urls: "stun:second.example" }] }));
    chmodSync(path, 0o600);
    const config = join(folder("rtc"), "host.json");
    const second = { plugin: "selkies.static-rtc", config: { path } };
    writeFileSync(config, JSON.stringify({ rtc_config: [{ plugin: "selkies.coturn-rest", config: { uri } }, second] }));
    const chained = await command(["rtc-config", "show", "--config", config], {});
    assert.equal(chained.code, 0, chained.stderr);
    assert.match(chained.stdout, /^from selkies\.static-rtc\n(.*\n)*stun:second\.example:3478$/m);
    assert.match(chained.stderr, /400/, "no key was given");
    for (const { stdout, stderr } of [alone, chained]) assert.ok(!/canary/.test(stdout + stderr), stderr);
  });

  test("older variables, newer ones and underscore flags name the same server", async () => {
    const shown = async (args, env) => (await command(["rtc-config", "show", "--json", ...args], env)).stdout;
    assert.match(await shown([], { TURN_HOST: "old.example", TURN_SHARED_SECRET: SECRET }), /turn:old\.example:3478/);
    const both = { TURN_HOST: "old.example", SELKIES_TURN_HOST: "new.example", SELKIES_TURN_SHARED_SECRET: SECRET };
    assert.match(await shown([], both), /turn:new\.example:3478/);
    const flags = ["--turn_host=flag.example", "--turn_port=443", "--turn_protocol=tcp", "--turn_tls=true"];
    assert.match(await shown(flags, both), /turns:flag\.example:443\?transport=tcp/);
  });

  /** The command lines of a host and of its children. */
  async function commandLines(host) {
    const pid = String(host.process.pid);
    const { stdout } = await run("ps", ["-ww", "-o", "args", "-p", pid, "--ppid", pid]);
    return stdout;
  }

  test("no secret gets into logs, status, explanations or lists", async () => {
    const env = { ...NO_OTHERS, TURN_HOST: "127.0.0.1", TURN_SHARED_SECRET: SECRET, SELKIES_ENABLE_DUAL_MODE: "true", ...ofRest() };
    const host = await Host.start({ config: PATTERN, env, args: ["--log-level", "trace"] });
    try {
      await until(() => `a source serves: ${host.log}`, () => /ICE servers come from here/.test(host.log), 20_000);
      const status = JSON.stringify(await host.status());
      const turn = await fetch(`${host.url}turn`);
      const answer = await turn.text();
      assert.equal(turn.status, 200, "pages may choose WebRTC");
      assert.ok(JSON.parse(answer).iceServers.some(({ credential }) => credential), answer);
      assert.ok(!/canary/.test(status + answer));
    } finally {
      await host.stop();
    }
    assert.ok(!/canary/.test(host.log), "the log");
    for (const args of [["config", "explain", "turn_shared_secret"], ["config", "explain", "turn_rest_api_key"], ["plugins", "list"]]) {
      const { code, stdout, stderr } = await command(args, env);
      assert.equal(code, 0, stderr);
      assert.ok(!/canary/.test(stdout + stderr), args.join(" "));
    }
    assert.ok(!/canary/.test(rest.out + rest.err), "the service's log");
  });

  for (const isolation of ["in-process", "process"]) {
    test(`what is given to browsers is shown to nobody else; plugins run ${isolation}`, async () => {
      const env = { ...NO_OTHERS, TURN_HOST: "127.0.0.1", SELKIES_ENABLE_DUAL_MODE: "true" };
      const logins = [{ TURN_SHARED_SECRET: SECRET }, { TURN_USERNAME: "ada", TURN_PASSWORD: PASSWORD }];
      for (const login of logins) {
        const args = ["--log-level", "trace", "--isolation", isolation];
        const host = await Host.start({ config: PATTERN, env: { ...env, ...login }, args });
        let given, status, lines;
        try {
          const servers = async (headers) => {
            const answer = await fetch(`${host.url}turn`, { headers });
            return answer.status === 200 ? (await answer.json()).iceServers : undefined;
          };
          await until(() => `a source serves: ${host.log}`, async () => (given = await servers({})), 20_000);
          given.push(...(await servers({ "x-auth-user": "eve" })));
          status = JSON.stringify([await host.status(), await (await fetch(`${host.url}api/plugins`)).json()]);
          lines = await commandLines(host);
        } finally {
          await host.stop();
        }
        const credentials = given.flatMap(({ credential }) => credential ?? []);
        assert.ok(credentials.length >= 2, JSON.stringify(given));
        assert.match(lines, /selkies-host/);
        for (const secret of [SECRET, PASSWORD, ...credentials]) {
          assert.ok(!host.log.includes(secret), "the log");
          assert.ok(!status.includes(secret), "status and plugins");
          assert.ok(!lines.includes(secret), "command lines");
        }
      }
    });
  }

  test("an address with a password in it is refused without showing it", async () => {
    const address = `http://ada:${PASSWORD}@127.0.0.1/`;
    const refused = await command(["rtc-config", "show"], { SELKIES_TURN_REST_URI: address });
    assert.equal(refused.code, 2, refused.stdout + refused.stderr);
    assert.match(refused.stderr, /SELKIES_TURN_REST_URI.*turn_rest_api_key/);
    const config = join(folder("rtc"), "host.json");
    writeFileSync(config, JSON.stringify({ rtc_config: [{ plugin: "selkies.coturn-rest", config: { uri: address } }] }));
    const listed = await command(["rtc-config", "show", "--config", config], {});
    assert.equal(listed.code, 1, listed.stdout + listed.stderr);
    assert.ok(!/canary/.test(refused.stdout + refused.stderr + listed.stdout + listed.stderr));
  });

  test("turn-rest says what it lacks", async () => {
    const { code, stderr } = await hostCommand(["turn-rest"], { env: { TURN_HOST: "a" } });
    assert.equal(code, 1);
    assert.match(stderr, /^CL061 .*TURN_SHARED_SECRET/m);
    const long = await hostCommand(["turn-rest"], { env: { TURN_HOST: "a", TURN_SHARED_SECRET: SECRET, TURN_TTL: "0" } });
    assert.match(long.stderr, /^CL062 TURN_TTL/m);
    const port = await hostCommand(["turn-rest"], { env: { TURN_HOST: "a:1", TURN_SHARED_SECRET: SECRET } });
    assert.equal(port.code, 2);
    assert.match(port.stderr, /TURN_HOST.*turn_port/);
  });
});
