// Which plugins the operator lets run, and what the host says about each decision.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { WireClient } from "../support/client.mjs";
import { folder, freePort, Host, hostCommand, PLUGINS } from "../support/host.mjs";
import { Signer } from "../support/minisign.mjs";
import { fitsList } from "../support/schemas.mjs";

/** A capture that needs no X server. */
const PATTERN = { capture: { plugin: "selkies.test-pattern", config: { width: 320, height: 180, fps: 10 } } };
const NEEDED = ["test-pattern", "striped-jpeg", "websocket"];

/** Copies first-party plugins; `change` may change their manifests. Answers the folder and the manifests' paths. */
function copied(names, change = () => {}) {
  const root = folder("policy");
  chmodSync(root, 0o755);
  const manifests = names.map((name) => {
    const place = join(root, name);
    mkdirSync(place, { mode: 0o755 });
    cpSync(join(PLUGINS, name), place, { recursive: true });
    const path = join(place, "selkies-plugin.json");
    const manifest = JSON.parse(readFileSync(path, "utf8"));
    change(manifest, place);
    writeFileSync(path, JSON.stringify(manifest, null, 2));
    return path;
  });
  return { root, manifests };
}

function withHash(manifest, place) {
  manifest.sha256 = createHash("sha256").update(readFileSync(join(place, manifest.library))).digest("hex");
}

/** What `plugins list --json` says, in the form that its schema describes. */
async function list(args, env) {
  const { code, stdout, stderr } = await hostCommand([...args, "plugins", "list", "--json"], { env });
  assert.equal(code, 0, stderr);
  const listing = JSON.parse(stdout);
  fitsList(listing);
  return listing;
}

/** The plugins of a listing whose manifests lie below `root`, by id. */
function below(listing, root) {
  return Object.fromEntries(listing.plugins.filter((plugin) => plugin.manifest.startsWith(root)).map((plugin) => [plugin.id, plugin]));
}

async function asked(host, headers = {}) {
  const answer = await fetch(`${host.url}api/plugins`, { headers });
  return answer.status === 200 ? answer.json() : answer.status;
}

describe("signatures", { timeout: 120_000 }, () => {
  test("only plugins that a trusted key has signed run, first-party ones too", { timeout: 60_000 }, async () => {
    const signer = new Signer();
    const stranger = new Signer();
    const { root, manifests } = copied(NEEDED, withHash);
    const key = join(root, "vendor.pub");
    writeFileSync(key, signer.file, { mode: 0o644 });
    const args = ["--plugins", root, "--require-signature", "--trusted-key", key];
    const states = async () => below(await list(args), root);

    for (const plugin of Object.values(await states())) {
      assert.deepEqual([plugin.usable, plugin.refusal.code, plugin.signature], [false, "SP028", { state: "unsigned" }], plugin.id);
    }
    for (const path of manifests) stranger.sign(path);
    for (const plugin of Object.values(await states())) {
      assert.deepEqual([plugin.refusal.code, plugin.signature], ["SP030", { state: "unknown-key", key: stranger.id }], plugin.id);
      assert.ok(plugin.refusal.message.includes(signer.id), plugin.refusal.message);
    }
    const port = String(await freePort());
    const refused = await hostCommand([...args, "--port", port]);
    assert.notEqual(refused.code, 0);
    assert.ok(!refused.stdout.includes("http://"), "it does not serve without plugins");

    for (const path of manifests) signer.sign(path);
    for (const plugin of Object.values(await states())) {
      assert.deepEqual([plugin.usable, plugin.sha256], [true, "verified"], plugin.refusal?.message);
      assert.deepEqual(plugin.signature, { state: "verified", key: signer.id });
    }
    const host = await Host.start({ plugins: [root], config: PATTERN, args: ["--require-signature", "--trusted-key", signer.line] });
    try {
      const client = await WireClient.controller(host, { size: [320, 180] });
      await client.waitFrames(3);
      client.stop();
    } finally {
      await host.stop();
    }

    // One byte of the manifest, one of the library.
    writeFileSync(manifests[0], `${readFileSync(manifests[0], "utf8")} `);
    const library = below(await list(args), root)["selkies.striped-jpeg"].library;
    const bytes = readFileSync(library);
    bytes[bytes.length - 1] ^= 1;
    writeFileSync(library, bytes);
    const changed = await states();
    assert.equal(changed["selkies.test-pattern"].refusal.code, "SP031");
    assert.deepEqual(changed["selkies.test-pattern"].signature, { state: "wrong", key: signer.id });
    assert.equal(changed["selkies.striped-jpeg"].refusal.code, "SP006");
    assert.equal(changed["selkies.striped-jpeg"].sha256, "mismatch");
  });

  test("a signature without a hash does not cover the library", { timeout: 20_000 }, async () => {
    const signer = new Signer();
    const { root, manifests } = copied(["test-pattern"]);
    signer.sign(manifests[0]);
    const config = join(root, "host.json");
    writeFileSync(config, JSON.stringify({ plugins: { paths: ["."], require_signature: true, trusted_keys: [signer.line] } }));
    const plugin = below(await list(["--config", config]), root)["selkies.test-pattern"];
    assert.equal(plugin.refusal.code, "SP032");
  });
});

describe("quarantine", { timeout: 120_000 }, () => {
  /** Makes the host remember three faults of a library. */
  function remember(state, id, library) {
    const at = Date.now();
    const note = { code: "PF003", class: "fatal-plugin", text: "the process ended", version: "0.1.0", ending: "killed by SIGSEGV (11)", last_call: "grab" };
    const record = { library, faults: 3, recent: [], last: { unix_ms: at, note }, quarantined: { since_unix_ms: at, reason: "3 faults in 10 minutes" } };
    mkdirSync(state, { recursive: true });
    writeFileSync(join(state, "plugin-faults.json"), JSON.stringify({ version: 1, plugins: { [id]: record } }));
  }

  test("a plugin that failed too often is refused until it is cleared, in a host that runs too", { timeout: 60_000 }, async () => {
    const { root } = copied([...NEEDED, "x11"]);
    const state = folder("faults");
    const env = { SELKIES_STATE_DIR: state };
    const args = ["--plugins", root];
    const of = async (id) => below(await list(args, env), root)[id];
    const before = await of("selkies.x11");
    assert.ok(before.usable && before.quarantine === null && before.last_fault === null);
    remember(state, "selkies.x11", before.admission.identity);

    const host = await Host.start({ plugins: [root], config: PATTERN, env });
    try {
      const shown = below(await asked(host), root)["selkies.x11"];
      assert.equal(shown.refusal.code, "SP034");
      assert.match(shown.refusal.message, /selkies-host plugins clear selkies\.x11$/);
      assert.equal(shown.quarantine.reason, "3 faults in 10 minutes");
      assert.match(shown.quarantine.since, /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      assert.equal(shown.last_fault.ending, "killed by SIGSEGV (11)");
      assert.equal(shown.last_fault.last_call, "grab");
      const text = await hostCommand([...args, "plugins", "list"], { env });
      assert.match(text.stdout, /^selkies\.x11 .* quarantined /m);
      assert.match(text.stdout, /^selkies\.x11: last fault 20.*SIGSEGV.* in grab; 3 in all$/m);
      const config = join(state, "x11.json");
      writeFileSync(config, JSON.stringify({ capture: { plugin: "selkies.x11" } }));
      const checked = await hostCommand([...args, "config", "check", config], { env });
      // The same plugin lies beside the program too, in a file that has not failed.
      assert.equal(checked.code, 0, checked.stderr);

      const unknown = await hostCommand(["plugins", "clear", "acme.unknown"], { env });
      assert.equal(unknown.code, 1);
      assert.match(unknown.stderr, /^CL018 acme\.unknown: .*selkies\.x11\n$/);
      const cleared = await hostCommand(["plugins", "clear", "selkies.x11"], { env });
      assert.deepEqual([cleared.code, cleared.stdout], [0, "selkies.x11: cleared\n"], cleared.stderr);
      const after = below(await asked(host), root)["selkies.x11"];
      assert.ok(after.usable && after.quarantine === null && after.last_fault === null, JSON.stringify(after));
    } finally {
      await host.stop();
    }
  });

  test("a new library is another matter, and its past is still told", { timeout: 30_000 }, async () => {
    const { root } = copied(["test-pattern"]);
    const state = folder("faults");
    const env = { SELKIES_STATE_DIR: state };
    const args = ["--plugins", root];
    const of = async () => below(await list(args, env), root)["selkies.test-pattern"];
    const { admission, library } = await of();
    remember(state, "selkies.test-pattern", admission.identity);
    assert.equal((await of()).refusal.code, "SP034");
    const bytes = readFileSync(library);
    writeFileSync(library, Buffer.concat([bytes, Buffer.from("\n")]));
    const replaced = await of();
    assert.ok(replaced.usable, replaced.refusal?.message);
    assert.equal(replaced.quarantine, null);
    assert.equal(replaced.last_fault.faults, 3);
  });

  test("a damaged memory is one warning and no obstacle", { timeout: 30_000 }, async () => {
    const state = folder("faults");
    writeFileSync(join(state, "plugin-faults.json"), "{ \"version\": 1, ");
    const host = await Host.start({ config: PATTERN, env: { SELKIES_STATE_DIR: state } });
    try {
      assert.ok(await host.healthy());
      assert.equal(host.log.split("\n").filter((line) => line.includes("SQ001")).length, 1, host.log);
    } finally {
      await host.stop();
    }
  });
});

describe("safe mode", { timeout: 60_000 }, () => {
  test("only what came with the host runs, whatever others call themselves", { timeout: 40_000 }, async () => {
    const rename = (manifest) => (manifest.id = manifest.id.replace("selkies.", "acme."));
    const vendor = copied(["test-pattern"], rename).root;
    const faker = copied(["striped-jpeg"]).root;
    const host = await Host.start({ plugins: [vendor, faker, PLUGINS], config: PATTERN, args: ["--safe-mode"] });
    try {
      const listing = await asked(host);
      fitsList(listing);
      assert.equal(listing.safe_mode, true);
      const [other, fake] = [below(listing, vendor)["acme.test-pattern"], below(listing, faker)["selkies.striped-jpeg"]];
      assert.deepEqual([other.refusal.code, other.rule, fake.refusal.code], ["SP033", "safe mode", "SP033"]);
      assert.match(fake.refusal.message, /outside the host's own plugin folders/);
      const own = below(listing, PLUGINS);
      for (const name of NEEDED) assert.ok(own[`selkies.${name}`].usable, name);
      const client = await WireClient.controller(host, { size: [320, 180] });
      await client.waitFrames(3);
      client.stop();
    } finally {
      await host.stop();
    }
    const byVariable = await list(["--plugins", vendor], { SELKIES_SAFE_MODE: "1" });
    assert.equal(below(byVariable, vendor)["acme.test-pattern"].refusal.code, "SP033");
  });
});

describe("the list", { timeout: 60_000 }, () => {
  test("/api/plugins says what plugins list says, to those who may ask", { timeout: 40_000 }, async () => {
    const { root } = copied(["test-pattern"]);
    writeFileSync(join(root, "broken.selkies-plugin.json"), "{\n \"id\": 3 }");
    const host = await Host.start({ plugins: [root, PLUGINS], config: PATTERN, args: ["--basic-auth-password", "secret"] });
    try {
      assert.equal(await asked(host), 401);
      const authorization = `Basic ${Buffer.from("ubuntu:secret").toString("base64")}`;
      const listing = await asked(host, { authorization });
      fitsList(listing);
      const { fault_file: file, ...told } = listing;
      assert.equal(file, join(host.place, "state", "plugin-faults.json"));
      const { fault_file: _, ...printed } = await list(["--plugins", root, "--plugins", PLUGINS]);
      assert.deepEqual(told, printed);
      const codes = listing.refusals.map((refusal) => refusal.code);
      assert.deepEqual(codes, ["SP003", "SP021"], JSON.stringify(listing.refusals));
    } finally {
      await host.stop();
    }
  });

  test("a folder that everyone can write holds nothing that may be used", { timeout: 20_000 }, async () => {
    const { root } = copied(["test-pattern"]);
    chmodSync(root, 0o777);
    const plugin = below(await list(["--plugins", root]), root)["selkies.test-pattern"];
    assert.equal(plugin.refusal.code, "SP005");
    assert.match(plugin.refusal.message, /everyone may write it \(mode 0777\)/);
  });
});
