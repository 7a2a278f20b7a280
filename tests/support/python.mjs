// Python with packages of PyPI, in an environment of its own below target/, made once.

import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { must, ROOT, tool } from "./tools.mjs";

/** Answers the interpreter of an environment with the packages of tests/support/NAME.txt. */
export async function pythonWith(name) {
  const wanted = join(ROOT, "tests", "support", `${name}.txt`);
  const place = join(ROOT, "target", `python-${name}`);
  const [python, made] = [join(place, "bin", "python"), join(place, "made-of.txt")];
  const list = readFileSync(wanted, "utf8");
  if (existsSync(made) && readFileSync(made, "utf8") === list) return python;
  rmSync(place, { recursive: true, force: true });
  try {
    await must(tool("python3"), ["-m", "venv", place]);
    await must(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", wanted]);
  } catch (error) {
    throw new Error(`the packages of ${wanted} cannot be installed (Debian package: python3-venv): ${error.message}`);
  }
  writeFileSync(made, list);
  return python;
}
