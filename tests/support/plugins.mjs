// Plugin folders that tests make: broken ones.

import { createHash } from "node:crypto";
import { chmodSync, cpSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { folder, PLUGINS } from "./host.mjs";
import { must, ROOT, tool } from "./tools.mjs";

const INCLUDE = join(ROOT, "plugin-api", "include");

function manifestOf(id) {
  return {
    id,
    name: "Broken encoder",
    version: "1.0.0",
    vendor: "Tests",
    license: "MIT",
    library: "plugin.so",
    interfaces: ["selkies.encoder/1"],
    kinds: ["encoder"],
    isolation: { default: "in-process" },
    config_schema: { type: "object", additionalProperties: false },
  };
}

/** Compiles support/broken_plugin.c into `place` with this manifest inside. */
async function compile(place, manifest, args = []) {
  // A JSON string without \u escapes is a C string.
  writeFileSync(join(place, "manifest.h"), `#define MANIFEST ${JSON.stringify(JSON.stringify(manifest))}\n`);
  const source = join(ROOT, "tests", "support", "broken_plugin.c");
  await must(tool("gcc"), ["-shared", "-fPIC", "-O1", "-Wall", "-I", INCLUDE, "-I", place, "-o", join(place, "plugin.so"), source, ...args]);
}

/** The real encoder's library, cut. */
function cut(bytes) {
  return (place) => {
    const source = join(PLUGINS, "striped-jpeg");
    const { library } = JSON.parse(readFileSync(join(source, "selkies-plugin.json"), "utf8"));
    cpSync(join(source, library), join(place, "plugin.so"));
    truncateSync(join(place, "plugin.so"), bytes);
  };
}

/** Ways in which a plugin is broken: what makes it, and the code of its refusal. */
export const BROKEN = {
  "text-file": ["SP007", (place) => writeFileSync(join(place, "plugin.so"), "#!/bin/sh\nexit 0\n")],
  "no-entry": ["SP009", async (place) => {
    const source = join(place, "other.c");
    writeFileSync(source, "__attribute__((visibility(\"default\"))) int answer(void) { return 42; }\n");
    await must(tool("gcc"), ["-shared", "-fPIC", "-o", join(place, "plugin.so"), source]);
  }],
  "cut-at-4k": ["SP008", cut(4 << 10)],
  "cut-at-200k": ["SP008", cut(200 << 10)],
  "wrong-hash": ["SP006", async (place, manifest) => {
    await compile(place, manifest);
    manifest.sha256 = createHash("sha256").update("another library").digest("hex");
  }],
  "wrong-epoch": ["SP013", (place, manifest) => compile(place, manifest, ["-DEPOCH=7"])],
  "changed-table": ["SP018", (place, manifest) => compile(place, manifest, ["-DTABLE_SIZE=64"])],
  "disagreeing": ["SP016", async (place, manifest) => {
    await compile(place, { ...manifest, version: "9.9.9" });
  }],
  "missing-library": ["SP010", async (place, manifest) => {
    const source = join(place, "gone.c");
    writeFileSync(source, "int from_a_missing_library(void) { return 1; }\n");
    const gone = join(place, "libselkies-test-gone.so");
    await must(tool("gcc"), ["-shared", "-fPIC", "-o", gone, "-Wl,-soname,libselkies-test-gone.so", source]);
    await compile(place, manifest, ["-DCALLS_MISSING", gone]);
    await must("rm", [gone]);
  }],
};

/** A folder with one broken plugin of each kind; its id is `test.` and the kind. */
export async function brokenPlugins() {
  const root = folder("broken");
  chmodSync(root, 0o755);
  for (const [kind, [, make]] of Object.entries(BROKEN)) {
    const place = join(root, kind);
    mkdirSync(place, { mode: 0o755 });
    const manifest = manifestOf(`test.${kind}`);
    await make(place, manifest);
    writeFileSync(join(place, "selkies-plugin.json"), JSON.stringify(manifest, null, 2));
  }
  return root;
}
