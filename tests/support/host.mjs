// The program under test: dist/selkies-host, as ./run.sh --build-only leaves it.

import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Process } from "./processes.mjs";
import { ROOT, run, TARGET, until } from "./tools.mjs";

/** The binary. */
export const HOST = join(ROOT, "dist", "selkies-host");
/** The first-party plugins. */
export const PLUGINS = join(ROOT, "dist", "plugins");

/** A TCP port of loopback that was free a moment ago. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

const folders = [];
process.on("exit", () => {
  for (const path of folders) rmSync(path, { recursive: true, force: true });
});

/** An empty folder below target/ that lasts as long as this process. */
export function folder(name) {
  const path = mkdtempSync(join(TARGET, `${name}-`));
  folders.push(path);
  return path;
}

function present() {
  if (!existsSync(HOST)) throw new Error(`${HOST} is missing; run ./run.sh --build-only`);
}

let state;

/** What the host gets of our own environment, nothing that would configure it, a memory of faults of this file's own, and `extra`. */
export function environment(extra) {
  const kept = Object.entries(process.env).filter(([name]) => !/^(SELKIES_|DISPLAY$|XAUTHORITY$|PORT$)/.test(name));
  state ??= folder("state");
  return { ...Object.fromEntries(kept), LC_ALL: "C.UTF-8", SELKIES_STATE_DIR: state, ...extra };
}

/** Runs the binary, or a copy of it, to its end, for subcommands and refusals. */
export function hostCommand(args, { env = {}, binary = HOST, ...options } = {}) {
  present();
  return run(binary, args, { timeout: 20_000, ...options, env: environment(env) });
}

/** A copy of the binary without the plugins that lie beside the original. */
export function hostAlone() {
  present();
  const copy = join(folder("alone"), "selkies-host");
  copyFileSync(HOST, copy);
  return copy;
}

/** A folder for sockets, whose names must be short. */
export function socketFolder() {
  const path = mkdtempSync(join(tmpdir(), "pads-"));
  folders.push(path);
  return path;
}

/** A running host. */
export class Host {
  /**
   * `x`: the X server to show, none for a capture without one. `plugins`: folders. `config`: an object for a
   * configuration file. `port`: to take one again. `addr`: where to listen; it is reached by loopback.
   */
  static async start({ x, args = [], plugins = [PLUGINS], config, env = {}, addr = "127.0.0.1", port, wait = 20_000 } = {}) {
    present();
    port ??= await freePort();
    const place = folder("host");
    const given = [...plugins.flatMap((path) => ["--plugins", path]), "--addr", addr, "--port", String(port)];
    if (x) given.push("--display", x.display);
    if (config) {
      const file = join(place, "host.json");
      writeFileSync(file, JSON.stringify(config, null, 2));
      given.push("--config", file);
    }
    const memory = { SELKIES_STATE_DIR: join(place, "state"), SELKIES_JS_SOCKET_PATH: socketFolder(), ...env };
    return Host.follow(HOST, [...given, ...args], { env: environment(memory), cwd: place, port, wait });
  }

  /** Starts a program that is, or becomes, a host on this port, and waits until it prints its address. */
  static async follow(file, args, { env, cwd, port, wait = 20_000 }) {
    const started = new Process(file, args, { env, cwd });
    const host = new Host(started, port, cwd);
    await until(
      () => `the host prints its address: ${started.out}${started.err}`,
      () => {
        if (started.ended !== null) throw new Error(`the host ended with ${started.ended}: ${started.err}`);
        return /http:\/\/\S+/.exec(started.out)?.[0].endsWith(`:${port}/`);
      },
      wait,
    ).catch(async (error) => {
      await host.stop();
      throw error;
    });
    return host;
  }

  constructor(process, port, place) {
    this.process = process;
    this.port = port;
    this.place = place;
  }

  get url() {
    return `http://127.0.0.1:${this.port}/`;
  }

  get log() {
    return this.process.out + this.process.err;
  }

  /** `/api/status`. */
  async status() {
    const answer = await fetch(`${this.url}api/status`);
    assert.equal(answer.status, 200);
    return answer.json();
  }

  /** Frames encoded since the start, for all clients together. */
  async encodedFrames() {
    const { video } = await this.status();
    assert.equal(typeof video?.frames, "number", "/api/status counts encoded frames");
    return video.frames;
  }

  /** Resident memory in MiB. */
  rss() {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.process.pid}/status`, "utf8"))[1]) / 1024;
  }

  /** True while it answers. */
  async healthy() {
    assert.equal(this.process.ended, null, `the host ended with ${this.process.ended}: ${this.log.slice(-2000)}`);
    const answer = await fetch(`${this.url}api/health`);
    return answer.status === 200;
  }

  async stop() {
    await this.process.stop(6000);
  }
}
