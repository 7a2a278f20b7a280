// docs/vendor-guide.md, followed word for word by somebody who has a release and, for Rust, the SDK.

import assert from "node:assert/strict";
import { chmodSync, cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { WireClient } from "../support/client.mjs";
import { matches, Reader, steps } from "../support/guide.mjs";
import { environment, folder, freePort, Host } from "../support/host.mjs";
import { near } from "../support/picture.mjs";
import { ROOT, TARGET, tool, until } from "../support/tools.mjs";

const GUIDE = join(ROOT, "docs", "vendor-guide.md");

/** What each path ends with: the colours of the plugin's pictures. */
const SHOWN = {
  rust: { red: [0xc0, 0x20, 0x20], green: [0x20, 0xc0, 0x20], blue: [0x20, 0x20, 0xc0] },
  c: { red: [0xc0, 0x20, 0x20], "light green": [0x40, 0xe0, 0x40], blue: [0x20, 0x20, 0xc0] },
};

async function reader(path) {
  const place = folder(`guide-${path}`);
  chmodSync(place, 0o755);
  // A release lies elsewhere, and beside it there are no sources.
  const release = join(place, "release");
  cpSync(join(ROOT, "dist"), release, { recursive: true });
  const work = join(place, "work");
  mkdirSync(work, { mode: 0o755 });
  // Build products are kept between runs; the guide's own files are not.
  const kept = join(TARGET, "guide-build");
  return new Reader(work, environment({
    SELKIES: release,
    SDK: join(ROOT, "plugin-api", "sdk"),
    SELKIES_PORT: String(await freePort()),
    CARGO_BUILD_BUILD_DIR: kept,
    CARGO_TERM_COLOR: "never",
    PATH: `${join(tool("cargo"), "..")}:${process.env.PATH}`,
  }));
}

/** The host of the guide shows the plugin's pictures. */
async function showsColours(host, colours) {
  const client = await WireClient.controller(host, { size: [640, 360] });
  await client.waitFrames(1);
  const missing = new Map(Object.entries(colours));
  await until(() => `the colours arrive; ${[...missing.keys()]} did not`, () => {
    const { width, height, data } = client.picture();
    const at = (Math.floor(height / 2) * width + Math.floor(width / 2)) * 3;
    for (const [name, colour] of missing) if (near([...data.subarray(at, at + 3)], colour)) missing.delete(name);
    return missing.size === 0;
  }, 20_000, 100);
  assert.equal(client.closed, null);
  assert.ok(await host.healthy());
  client.stop();
}

for (const [path, colours] of Object.entries(SHOWN)) {
  describe(`the guide in ${path}`, { timeout: 900_000 }, () => {
    test("works word for word, and its pictures arrive", { timeout: 890_000 }, async () => {
      const follows = await reader(path);
      const served = [];
      for (const step of steps(GUIDE, path)) {
        if (step.kind === "file") follows.write(step);
        else if (step.kind === "run") await follows.run(step, 800_000);
        else {
          const host = await Host.follow(tool("bash"), ["-euo", "pipefail", "-c", `exec ${step.text}`], {
            env: follows.env,
            cwd: follows.folder,
            port: Number(follows.env.SELKIES_PORT),
          });
          served.push(step.at);
          try {
            await showsColours(host, colours);
          } finally {
            await host.stop();
          }
        }
      }
      assert.equal(served.length, 1, "the guide ends with a host that shows the plugin");
    });
  });
}

test("output is compared, and only what is marked may differ", () => {
  assert.ok(matches("one\n...\nfour\n", "one\ntwo\nthree\nfour\n"));
  assert.ok(matches("...\ntook ... ms\n", "took 5 ms"));
  assert.ok(matches("id    state\n", "id  state\n"));
  assert.ok(!matches("one\nfour\n", "one\ntwo\nfour\n"));
  assert.ok(!matches("one\n...\nfour\n", "one\ntwo\n"));
  assert.ok(!matches("a.c\n", "abc\n"));
});
