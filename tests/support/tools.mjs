// Programs the tests need, and where things lie. A missing program is a failure that names its Debian package.

import { execFile, execFileSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** The project's root folder. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
/** Everything the tests generate goes below here. */
export const TARGET = join(ROOT, "target", "system-tests");
mkdirSync(TARGET, { recursive: true });

export { sleep };

const PACKAGES = {
  bash: "bash",
  cargo: "none: install Rust by https://rustup.rs",
  chromium: "chromium",
  "firefox-esr": "firefox-esr",
  gcc: "gcc",
  openssl: "openssl",
  pactl: "pulseaudio-utils",
  parec: "pulseaudio-utils",
  ps: "procps",
  pulseaudio: "pulseaudio",
  python3: "python3",
  stdbuf: "coreutils",
  turnserver: "coturn",
  turnutils_uclient: "coturn",
  xclip: "xclip",
  xdpyinfo: "x11-utils",
  xev: "x11-utils",
  xrandr: "x11-xserver-utils",
  xsetroot: "x11-xserver-utils",
  xterm: "xterm",
  Xvfb: "xvfb",
  xsel: "xsel",
  xwd: "x11-apps",
};

/** The path of a program of PACKAGES. */
export function tool(name) {
  const home = join(process.env.HOME ?? "/root", ".cargo", "bin");
  for (const folder of [...(process.env.PATH ?? "").split(delimiter), home]) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here.
    }
  }
  throw new Error(`${name} is missing; Debian package: ${PACKAGES[name]}`);
}

/** Runs a program to its end; answers its exit code and output, whatever the code. */
export function run(file, args, options = {}) {
  return new Promise((resolve, reject) => {
    const settings = { maxBuffer: 256 << 20, timeout: 120_000, ...options };
    execFile(file, args, settings, (error, stdout, stderr) => {
      if (error && typeof error.code !== "number") reject(new Error(`${file} ${args.join(" ")}: ${error.message}`));
      else resolve({ code: error?.code ?? 0, stdout, stderr });
    });
  });
}

/** As `run`, but a code other than 0 is an error. */
export async function must(file, args, options) {
  const { code, stdout, stderr } = await run(file, args, options);
  if (code !== 0) throw new Error(`${file} ${args.join(" ")} ended with ${code}: ${stderr}`);
  return stdout;
}

/** Waits until `probe` answers something true, and answers that. */
export async function until(what, probe, limit = 10_000, pause = 25) {
  let last;
  for (const end = Date.now() + limit; ; ) {
    try {
      last = undefined;
      const answer = await probe();
      if (answer) return answer;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) {
      const reason = last ? `; last error: ${last.message}` : "";
      throw new Error(`${typeof what === "function" ? what() : what}: not within ${limit} ms${reason}`);
    }
    await sleep(pause);
  }
}

/** Compiles a C program of this folder against Xlib and `libraries`, once per change of its source. */
export function compiled(name, libraries = []) {
  const source = join(ROOT, "tests", "support", `${name}.c`);
  const program = join(TARGET, name);
  if (existsSync(program) && statSync(program).mtimeMs > statSync(source).mtimeMs) return program;
  try {
    execFileSync(tool("gcc"), ["-O2", "-Wall", "-Werror", "-o", program, source, "-lX11", ...libraries], { stdio: "pipe" });
  } catch (error) {
    throw new Error(`${source} does not compile (Debian packages: gcc, libx11-dev${libraries.includes("-lpulse-simple") ? ", libpulse-dev" : ""}): ${error.stderr ?? error.message}`);
  }
  return program;
}
