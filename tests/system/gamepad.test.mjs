// A gamepad of the browser is one of the desktop's programs, in both transports.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { FAKE_GAMEPADS, GamepadProgram } from "../support/gamepads.mjs";
import { socketFolder } from "../support/host.mjs";
import { Session } from "../support/session.mjs";
import { until } from "../support/tools.mjs";

const PREPARE = [FAKE_GAMEPADS];

for (const mode of ["websockets", "webrtc"]) {
  describe(`gamepads, ${mode}`, { timeout: 180_000 }, () => {
    let session;
    let joystick;
    before(async () => {
      const sockets = socketFolder();
      const host = { env: { SELKIES_JS_SOCKET_PATH: sockets, SELKIES_MODE: mode } };
      session = await Session.start({ host, page: { prepare: PREPARE } });
      session.host.sockets = sockets;
      await session.scene("gradient");
    }, { timeout: 60_000 });
    after(() => session?.close());

    /** Calls a function of the page's gamepads. */
    const pad = (desk, name, ...args) => desk.page.evaluate(([name, args]) => window.testPads[name](...args), [name, args]);

    test("a program that was there before sees what the player does", { timeout: 60_000 }, async () => {
      const { host, desk } = session;
      joystick = session.stage.add(GamepadProgram.joystick(host, 0));
      await joystick.prints("has 8 axes");
      await joystick.prints("number 7, value 0\n");
      await pad(desk, "plug", 0);
      await desk.page.waitForSelector("#gamepads li[data-slot='0']", { state: "attached" });
      await pad(desk, "button", 0, 0, 1);
      await joystick.button(0, 1);
      await pad(desk, "axis", 0, 3, -1);
      await joystick.axis(4, -32767);
      await pad(desk, "button", 0, 7, 0.5);
      await joystick.axis(5, 0);
      await pad(desk, "button", 0, 15, 1);
      await joystick.axis(6, 32767);
      await pad(desk, "button", 0, 0, 0);
      await joystick.button(0, 0);
    });

    test("a program's rumble reaches the player's gamepad, and ends with the program", { timeout: 60_000 }, async () => {
      const { host, desk } = session;
      const sdl = session.stage.add(await GamepadProgram.sdl(host, "/dev/input/event1000"));
      await sdl.prints("controller: X360 Controller");
      await pad(desk, "button", 0, 9, 1);
      await sdl.prints("button start 1");
      let played;
      await until(() => `it rumbles: ${JSON.stringify(played)}`, async () => (played = await pad(desk, "played", 0)).length > 0);
      const { kind, strongMagnitude: strong, weakMagnitude: weak, duration } = played[0];
      assert.deepEqual([kind, strong.toFixed(2), weak.toFixed(2)], ["dual-rumble", "0.50", "0.25"]);
      assert.ok(duration > 0 && duration <= 5000, `${duration} ms`);
      await sdl.stop();
      await until(() => `it ends: ${JSON.stringify(played)}`, async () => (played = await pad(desk, "played", 0)).at(-1).kind === "reset");
      await pad(desk, "button", 0, 9, 0);
    });

    test("what is held is let go when the page goes, and when the gamepad does", { timeout: 60_000 }, async () => {
      const { desk } = session;
      await pad(desk, "button", 0, 3, 1);
      await joystick.button(3, 1);
      await pad(desk, "unplug", 0);
      await joystick.button(3, 0);
      await pad(desk, "plug", 0);
      await pad(desk, "button", 0, 2, 1);
      await joystick.button(2, 1);
      await desk.page.reload();
      await joystick.button(2, 0);
      await desk.waitState("connected");
    });

    // Over WebRTC the slot goes by signaling (web/test/rtc-stream.test.ts).
    if (mode === "websockets") test("a player's page plays in its slot and does nothing else", { timeout: 60_000 }, async () => {
      const { host } = session;
      const socket = join(host.sockets, "selkies_js1.sock");
      assert.ok(!existsSync(socket), "nobody plays there");
      const other = await session.open("#player2", { prepare: PREPARE });
      await pad(other, "plug", 0);
      await until("there is a second gamepad", () => existsSync(socket));
      const second = session.stage.add(GamepadProgram.joystick(host, 1));
      await second.prints("has 8 axes");
      await second.prints("number 7, value 0\n");
      await pad(other, "button", 0, 16, 1);
      await second.button(8, 1);
      await other.page.keyboard.down("a");
      await other.close();
      await second.prints("No such device");
      await until("the second gamepad is gone", () => !existsSync(socket));
      assert.deepEqual((await session.x.held()).keys, [], "no key of a player's");
    });

    test("fingers have a gamepad on the screen", { timeout: 60_000 }, async () => {
      const { page } = session.desk;
      await page.keyboard.press("Control+Shift+G");
      const button = page.locator("#touch-pad [data-button='1']");
      await button.waitFor();
      await button.hover();
      await page.mouse.down();
      await joystick.button(1, 1);
      await page.mouse.up();
      await joystick.button(1, 0);
      const stick = await page.locator("#touch-pad [data-stick='0']").boundingBox();
      const [x, y] = [stick.x + stick.width / 2, stick.y + stick.height / 2];
      await page.mouse.move(x, y);
      await page.mouse.down();
      await page.mouse.move(x + stick.width, y);
      await joystick.axis(0, 32767);
      await page.mouse.up();
      await joystick.axis(0, 0);
      await page.keyboard.press("Control+Shift+G");
      await button.waitFor({ state: "hidden" });
    });

    test("nothing is left when the host ends", { timeout: 40_000 }, async () => {
      const { host } = session;
      await host.stop();
      await joystick.prints("No such device");
      for (const name of ["selkies_js0.sock", "selkies_event1000.sock"]) assert.ok(!existsSync(join(host.sockets, name)), name);
    });
  });
}

test("without leave there are no gamepads", { timeout: 60_000 }, async () => {
  const sockets = socketFolder();
  const env = { SELKIES_JS_SOCKET_PATH: sockets, SELKIES_GAMEPAD_ENABLED: "false" };
  const session = await Session.start({ host: { env }, page: { prepare: PREPARE } });
  try {
    await session.desk.page.evaluate(() => window.testPads.plug(0));
    // The page was told before its picture came.
    assert.equal(await session.desk.page.locator("#gamepads li").count(), 0);
    assert.ok(!existsSync(join(sockets, "selkies_js0.sock")));
  } finally {
    await session.close();
  }
});
