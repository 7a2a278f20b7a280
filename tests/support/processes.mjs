// Child processes that cannot outlive the test: each has a process group, and the group is killed.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { sleep } from "./tools.mjs";

const alive = new Set();

function killGroup(pid, signal) {
  try {
    process.kill(-pid, signal);
  } catch {
    // Gone already.
  }
}

process.on("exit", () => {
  for (const { pid } of alive) killGroup(pid, "SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));

/** A running program; `out` and `err` grow as it writes. */
export class Process {
  out = "";
  err = "";
  /** Exit code or signal name, once ended. */
  ended = null;

  constructor(file, args, { env = process.env, cwd, stdio = ["ignore", "pipe", "pipe"] } = {}) {
    this.child = spawn(file, args, { env, cwd, stdio, detached: true });
    this.exit = new Promise((resolve) => {
      this.child.once("error", (error) => {
        this.err += String(error);
        this.ended = "error";
        resolve({ code: null, signal: null });
      });
      this.child.once("exit", (code, signal) => {
        this.ended = signal ?? code;
        resolve({ code, signal });
      });
    });
    if (this.child.pid !== undefined) {
      alive.add(this.child);
      // The group stays listed: programs that the leader started may outlive it.
      this.child.once("close", () => {
        killGroup(this.child.pid, "SIGKILL");
        alive.delete(this.child);
      });
    }
    this.child.stdout?.setEncoding("utf8").on("data", (text) => (this.out += text));
    this.child.stderr?.setEncoding("utf8").on("data", (text) => (this.err += text));
  }

  get pid() {
    return this.child.pid;
  }

  /** Sends a signal to the program alone. */
  signal(name) {
    this.child.kill(name);
  }

  /** Asks the program to end and kills its group if it does not within `grace` ms. */
  async stop(grace = 3000) {
    if (this.ended === null) this.signal("SIGTERM");
    const timer = sleep(grace, "late", { ref: false });
    const late = (await Promise.race([this.exit, timer])) === "late";
    killGroup(this.pid, "SIGKILL");
    if (late) await this.exit;
  }

  /** Kills the program's group at once. */
  async kill() {
    killGroup(this.pid, "SIGKILL");
    if (this.ended === null) await once(this.child, "exit");
  }
}

/** Ends things in the reverse order of their start. */
export class Stage {
  #ends = [];

  /** Remembers `thing` (which has `stop`) and answers it. */
  add(thing) {
    this.#ends.push(() => thing.stop());
    return thing;
  }

  async close() {
    const errors = [];
    for (const end of this.#ends.reverse()) await Promise.resolve().then(end).catch((error) => errors.push(error));
    this.#ends = [];
    if (errors.length > 0) throw errors[0];
  }
}
