// A PulseAudio of our own: no hardware, a sink that a host records, and tones that play into it.

import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { folder } from "./host.mjs";
import { Process } from "./processes.mjs";
import { must, tool, until } from "./tools.mjs";

/** Samples a second of what is played and recorded here. */
const RATE = 48_000;

/** A sound server without a user's configuration. */
export class Pulse {
  static async start() {
    const pulse = new Pulse(folder("pulse"));
    await pulse.run();
    return pulse;
  }

  constructor(place) {
    this.place = place;
    this.socket = join(place, "native");
  }

  /** What programs need to reach it; the variables of somebody else's session are out of the way. */
  get env() {
    const { place } = this;
    const own = { HOME: place, XDG_RUNTIME_DIR: place, XDG_CONFIG_HOME: place, PULSE_RUNTIME_PATH: place, PULSE_STATE_PATH: place };
    return { ...own, PULSE_SERVER: `unix:${this.socket}`, PULSE_COOKIE: join(place, "cookie") };
  }

  /** Starts it, also after `kill`, at the same address. */
  async run() {
    rmSync(this.socket, { force: true });
    rmSync(join(this.place, "pid"), { force: true });
    const modules = [
      `module-native-protocol-unix socket=${this.socket} auth-anonymous=1`,
      `module-null-sink sink_name=output rate=${RATE} channels=2`,
    ];
    const options = ["-n", "--daemonize=no", "--exit-idle-time=-1", "--disable-shm=yes", "--log-target=stderr"];
    const { PULSE_SERVER: _, ...env } = this.env;
    const { DISPLAY: _display, DBUS_SESSION_BUS_ADDRESS: _bus, ...kept } = process.env;
    this.process = new Process(tool("pulseaudio"), [...options, ...modules.flatMap((module) => ["-L", module])], {
      env: { ...kept, ...env },
      cwd: this.place,
    });
    await until(
      () => `PulseAudio answers: ${this.process.err.slice(-500)}`,
      async () => existsSync(this.socket) && (await this.control("list", "short", "sinks")).includes("output"),
      15_000,
    );
  }

  /** Ends it as a crash would. */
  async kill() {
    await this.process.kill();
  }

  async stop() {
    await this.process.stop();
  }

  /** Runs pactl. */
  control(...args) {
    return must(tool("pactl"), args, { env: { ...process.env, ...this.env }, timeout: 5000 });
  }

  /** Plays a sine until `silence`. */
  async tone(hertz) {
    this.module = (await this.control("load-module", "module-sine", "sink=output", `frequency=${hertz}`)).trim();
  }

  /** Ends the tone. */
  async silence() {
    await this.control("unload-module", this.module);
  }

  /** Names of the sources that can be recorded. */
  async sources() {
    const lines = (await this.control("list", "short", "sources")).split("\n");
    return lines.map((line) => line.split("\t")[1]).filter(Boolean);
  }

  /** Records a source with parec; `samples` is what came so far, mono, 24 kHz. */
  record(source) {
    const args = ["--raw", `--device=${source}`, "--format=s16le", "--rate=24000", "--channels=1", "--latency-msec=20"];
    return new Recording(new Process(tool("parec"), args, { env: { ...process.env, ...this.env } }));
  }
}

/** A running parec. */
class Recording {
  samples = [];

  constructor(process) {
    this.process = process;
    let rest = Buffer.alloc(0);
    const { stdout } = process.child;
    stdout.removeAllListeners("data");
    // Bytes, not text.
    stdout.setEncoding("latin1").on("data", (text) => {
      const bytes = Buffer.concat([rest, Buffer.from(text, "latin1")]);
      const whole = bytes.length & ~1;
      for (let at = 0; at < whole; at += 2) this.samples.push(bytes.readInt16LE(at));
      rest = bytes.subarray(whole);
    });
  }

  async stop() {
    await this.process.stop();
  }
}
