// Gamepads of a page that are none, and programs of the desktop that see them.

import { join } from "node:path";
import { HOST } from "./host.mjs";
import { Process } from "./processes.mjs";
import { must, ROOT, TARGET, until } from "./tools.mjs";

/** Runs in the page before its scripts: `window.testPads` are its gamepads, with what they were let do. */
export function FAKE_GAMEPADS() {
  const pads = [null, null, null, null];
  navigator.getGamepads = () => pads;
  window.testPads = {
    /** Connects a standard gamepad. */
    plug(index) {
      const played = [];
      const motors = {
        playEffect: async (kind, effect) => void played.push({ kind, ...effect }),
        reset: async () => void played.push({ kind: "reset" }),
      };
      pads[index] = {
        index,
        id: `Fake pad ${index}`,
        mapping: "standard",
        connected: true,
        buttons: Array.from({ length: 17 }, () => ({ value: 0, pressed: false, touched: false })),
        axes: [0, 0, 0, 0],
        vibrationActuator: motors,
        played,
      };
      window.dispatchEvent(new Event("gamepadconnected"));
    },
    unplug(index) {
      pads[index] = null;
      window.dispatchEvent(new Event("gamepaddisconnected"));
    },
    button(index, button, value) {
      pads[index].buttons[button] = { value, pressed: value > 0.5, touched: value > 0 };
    },
    axis(index, axis, value) {
      pads[index].axes[axis] = value;
    },
    played: (index) => pads[index].played,
  };
}

/** A program under the interposer that comes with the host. */
export class GamepadProgram {
  constructor(host, file, args) {
    const library = join(HOST, "../interposer/$LIB/selkies_joystick_interposer.so");
    const env = { ...process.env, LC_ALL: "C.UTF-8", LD_PRELOAD: library, SELKIES_JS_SOCKET_PATH: host.sockets };
    this.process = new Process(file, args, { env });
    this.read = 0;
  }

  /** `jstest`, which prints every event. */
  static joystick(host, number) {
    return new GamepadProgram(host, "jstest", ["--event", `/dev/input/js${number}`]);
  }

  /** The SDL program of the gamepad plugin's tests, which rumbles at Start. */
  static async sdl(host, device) {
    const program = join(TARGET, "sdl-gamepad");
    await must("gcc", ["-std=gnu11", "-o", program, join(ROOT, "plugins/gamepad/tests/c/sdl.c"), "-lSDL2"]);
    return new GamepadProgram(host, program, [device]);
  }

  get output() {
    return this.process.out + this.process.err;
  }

  /** Waits until it printed this, after what was waited for before. */
  async prints(pattern, limit = 20_000) {
    await until(() => `${pattern} is printed: ${this.output.slice(this.read)}`, () => {
      const found = new RegExp(pattern).exec(this.output.slice(this.read));
      if (found) this.read += found.index + found[0].length;
      return found !== null;
    }, limit);
  }

  /** A button of a joystick is at `value`, or an axis. */
  button(number, value) {
    return this.prints(`type 1, time \\d+, number ${number}, value ${value}\\n`);
  }

  axis(number, value) {
    return this.prints(`type 2, time \\d+, number ${number}, value ${value}\\n`);
  }

  stop() {
    return this.process.stop();
  }
}
