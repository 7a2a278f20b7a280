// A guide whose fenced blocks are executed: commands, files and the output they must have.
//
// The word after the language is the path through the guide (rust, c); then follows, for commands, `serve` when they run
// until they are stopped, and for files, the name. A `text` block is the output of the commands before it.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { run, tool } from "./tools.mjs";

/** The blocks of a page in their order: `{ line, language, path, rest, text }`. */
export function blocks(file) {
  const found = [];
  let open = null;
  readFileSync(file, "utf8").split("\n").forEach((line, index) => {
    if (open !== null && line === "```") {
      found.push({ ...open, text: open.text.join("\n") + "\n" });
      open = null;
    } else if (open !== null) {
      open.text.push(line);
    } else if (line.startsWith("```")) {
      const [language, path, ...rest] = line.slice(3).split(" ");
      open = { line: index + 1, language, path, rest: rest.join(" "), text: [] };
    }
  });
  assert.equal(open, null, `${file}: a block is not closed`);
  return found;
}

/** The steps of one path: `{ line, kind: "run"|"serve"|"file", text, name, wanted }`. */
export function steps(file, path) {
  const found = [];
  let last = null;
  for (const block of blocks(file)) {
    const at = `${file}:${block.line}`;
    if (block.language === "text") {
      assert.ok(last?.kind === "run" && last.wanted === undefined, `${at}: output without commands before it`);
      last.wanted = block.text;
      continue;
    }
    assert.ok(block.path, `${at}: a block that no test executes`);
    last = { at, text: block.text, name: block.rest, kind: "file" };
    if (block.language === "sh") {
      assert.ok(["", "serve"].includes(block.rest), `${at}: ${block.rest}`);
      last.kind = block.rest || "run";
    } else {
      assert.ok(block.rest && !block.rest.includes(".."), `${at}: a file without a name`);
    }
    if (block.path === path) found.push(last);
  }
  return found;
}

/**
 * True when `said` is what the guide shows: line by line, `...` for any text, a line of `...` for any lines. How wide a
 * column is does not matter.
 */
export function matches(wanted, said) {
  const narrow = (text) => text.trimEnd().replace(/ +/g, " ").replace(/ $/gm, "");
  const escape = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const pattern = narrow(wanted).split("\n").map((line) => {
    if (line === "...") return "(?:.*\\n)*?";
    return `${line.split("...").map(escape).join(".*")}\\n`;
  });
  return new RegExp(`^${pattern.join("")}$`).test(`${narrow(said)}\n`);
}

/** Someone who follows a guide: a folder, and the variables of their shell. */
export class Reader {
  constructor(folder, env) {
    this.folder = folder;
    this.env = env;
    this.place = join(folder, ".place");
  }

  /** Puts a file where the reader is. */
  write(step) {
    const path = join(this.folder, step.name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, step.text);
  }

  /** Runs a block of commands as a shell would, stopping at the first that fails; follows its `cd`. */
  async run(step, limit) {
    const script = `${step.text}pwd > "$GUIDE_PLACE"\n`;
    const env = { ...this.env, GUIDE_PLACE: this.place };
    const { code, stdout, stderr } = await run(tool("bash"), ["-euo", "pipefail", "-c", script], { cwd: this.folder, env, timeout: limit });
    assert.equal(code, 0, `${step.at} ended with ${code}:\n${step.text}\n${stdout}\n${stderr}`);
    if (step.wanted !== undefined) {
      assert.ok(matches(step.wanted, stdout), `${step.at}: the guide shows\n${step.wanted}\nand this came\n${stdout}`);
    }
    this.folder = readFileSync(this.place, "utf8").trim();
  }
}
