// Fingers, pens, fine wheels, input methods and Macs' keys, in Chromium, as X programs see them.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { EventWindow, Terminal } from "../support/applications.mjs";
import { Fingers } from "../support/fingers.mjs";
import { Session } from "../support/session.mjs";
import { until } from "../support/tools.mjs";

const LINES = ": > ready; cat > typed";

/** Makes the page believe that it is on a Mac. */
function onMac() {
  Object.defineProperty(Navigator.prototype, "platform", { get: () => "MacIntel" });
}

describe("touch", { timeout: 240_000 }, () => {
  let session;
  let xev;
  let fingers;
  before(async () => {
    session = await Session.start({ page: { size: [1280, 720] } });
    await session.waitScreen(1280, 720);
    await session.desk.waitSize(1280, 720);
    xev = await EventWindow.start(session.x);
    fingers = await Fingers.of(session.desk);
  }, { timeout: 60_000 });
  after(() => session?.close());

  /** Waits for so many presses of a button since the last `clear`; answers them. */
  function presses(button, count = 1) {
    return xev.wait(`button ${button}, ${count} times`, (seen) => {
      const mine = seen.filter((event) => event.type === "ButtonPress" && event.button === button);
      return mine.length >= count && mine;
    });
  }

  /** The buttons that were pressed since the last `clear`. */
  function pressed() {
    return xev.events().filter(({ type }) => type === "ButtonPress").map(({ button }) => button);
  }

  test("a tap clicks where the finger was", { timeout: 40_000 }, async () => {
    // Beside the buttons that are there for fingers.
    for (const [x, y] of [[100, 80], [1100, 640]]) {
      xev.clear();
      await fingers.tap([x, y]);
      const [press] = await presses(1);
      assert.ok(Math.abs(press.x - x) <= 1 && Math.abs(press.y - y) <= 1, `${press.x},${press.y} is not ${x},${y}`);
      await session.waitHeld(false);
      assert.deepEqual(pressed(), [1]);
    }
  });

  test("a finger that moves drags", { timeout: 40_000 }, async () => {
    xev.clear();
    await fingers.slide([[200, 200]], [[420, 260]]);
    const up = await xev.wait("the release", (seen) => seen.find(({ type }) => type === "ButtonRelease"));
    assert.ok(Math.abs(up.x - 420) <= 2 && Math.abs(up.y - 260) <= 2, `released at ${up.x},${up.y}`);
    assert.ok(xev.events().some(({ type, state }) => type === "MotionNotify" && state & 0x100), "moved with the button held");
    await session.waitHeld(false);
  });

  test("a finger that rests is the right button", { timeout: 40_000 }, async () => {
    xev.clear();
    await fingers.touch("touchStart", [500, 300]);
    await presses(3);
    await fingers.touch("touchEnd");
    await session.waitHeld(false);
    assert.deepEqual(pressed(), [3]);
  });

  test("two fingers scroll, both ways", { timeout: 40_000 }, async () => {
    xev.clear();
    await fingers.slide([[600, 500], [700, 500]], [[600, 250], [700, 250]]);
    await presses(5, 3);
    xev.clear();
    await fingers.slide([[600, 250], [700, 250]], [[600, 500], [700, 500]]);
    await presses(4, 3);
    assert.ok(pressed().every((button) => button === 4), `${pressed()}`);
  });

  test("two fingers that tap are the right button", { timeout: 40_000 }, async () => {
    xev.clear();
    await fingers.tap([600, 500], [700, 500]);
    await presses(3);
    assert.deepEqual(pressed(), [3]);
  });

  test("fingers that are taken away leave nothing pressed", { timeout: 40_000 }, async () => {
    await fingers.touch("touchStart", [300, 300]);
    await fingers.touch("touchMove", [360, 340]);
    await session.waitHeld(true);
    await fingers.touch("touchCancel");
    await session.waitHeld(false);
  });

  test("as a trackpad, fingers move the pointer from where it is", { timeout: 40_000 }, async () => {
    const { desk, x } = session;
    await desk.moveTo(640, 360);
    await until("the pointer is there", async () => (await x.held()).x === 640);
    const toggle = () => desk.page.evaluate(() => document.getElementById("trackpad-tool").click());
    await toggle();
    xev.clear();
    await fingers.slide([[100, 600]], [[200, 560]]);
    await until("the pointer moved by half as much again", async () => {
      const { x: left, y: top } = await x.held();
      return Math.abs(left - 790) <= 3 && Math.abs(top - 300) <= 3;
    });
    assert.deepEqual(pressed(), []);
    await fingers.tap([100, 600]);
    const [press] = await presses(1);
    assert.ok(Math.abs(press.x - 790) <= 3, "it clicks where the pointer is");
    await session.waitHeld(false);
    await toggle();
  });

  test("parts of a wheel's notch add up", { timeout: 40_000 }, async () => {
    const { page } = session.desk;
    await session.desk.moveTo(640, 360);
    const turn = (deltaY, times) =>
      page.evaluate(([deltaY, times]) => {
        const stage = document.getElementById("stage");
        for (let i = 0; i < times; i += 1) stage.dispatchEvent(new WheelEvent("wheel", { deltaY, cancelable: true, bubbles: true }));
      }, [deltaY, times]);
    xev.clear();
    await turn(30, 7);
    await presses(5, 2);
    await turn(-30, 4);
    await presses(4, 1);
    assert.deepEqual(pressed(), [5, 5, 4]);
  });

  test("what an input method composes arrives in xterm, once", { timeout: 40_000 }, async () => {
    await xev.stop();
    const xterm = await Terminal.start(session.x, LINES);
    await session.desk.click(200, 200);
    await fingers.compose(["k", "か", "かん", "かんじ"], "漢字");
    await fingers.compose(["ni", "ni hao"], "你好");
    await fingers.compose(["ㅎ", "하", "한"], "한");
    await fingers.compose(["^"], "ê");
    await session.desk.page.keyboard.press("Enter");
    await xterm.waitFile("typed", "漢字你好한ê\n");
    await xterm.stop();
  });

  test("the device's own keyboard types, deletes and stays", { timeout: 40_000 }, async () => {
    const { page } = session.desk;
    const xterm = await Terminal.start(session.x, LINES);
    const toggle = () => page.evaluate(() => document.getElementById("keyboard-tool").click());
    const mode = () => page.evaluate(() => [document.activeElement.id, document.activeElement.inputMode]);
    await toggle();
    assert.deepEqual(await mode(), ["keys", "text"]);
    await fingers.tap([200, 200]);
    assert.deepEqual(await mode(), ["keys", "text"], "a tap does not put it away");
    // As such keyboards do it, without keys.
    await fingers.cdp.send("Input.insertText", { text: "hello x" });
    await page.evaluate(() => document.execCommand("delete"));
    await fingers.cdp.send("Input.insertText", { text: "y" });
    await page.keyboard.press("Enter");
    await xterm.waitFile("typed", "hello y\n");
    await toggle();
    assert.deepEqual(await mode(), ["keys", "none"]);
    await xterm.stop();
  });
});

describe("a Mac's keyboard", { timeout: 120_000 }, () => {
  let session;
  let xev;
  before(async () => {
    session = await Session.start({ page: { size: [1280, 720], prepare: [onMac] } });
    await session.waitScreen(1280, 720);
    xev = await EventWindow.start(session.x);
    await session.desk.moveTo(640, 360);
  }, { timeout: 60_000 });
  after(() => session?.close());

  test("Cmd is Ctrl, and what is pressed with it does not stay", { timeout: 40_000 }, async () => {
    const { keyboard } = session.desk.page;
    xev.clear();
    await keyboard.down("Meta");
    await keyboard.down("c");
    const press = await xev.wait("c", (seen) => seen.find(({ type, name }) => type === "KeyPress" && name === "c"));
    assert.equal(press.state & 0x4d, 0x4, "with Control alone");
    // macOS tells nothing of the c's release.
    await until("only Control is held", async () => (await session.x.held()).keys.length === 1);
    await keyboard.up("Meta");
    await session.waitHeld(false);
  });

  test("Option makes characters and is Alt for other keys", { timeout: 40_000 }, async () => {
    const { desk } = session;
    xev.clear();
    await desk.page.keyboard.down("Alt");
    await desk.pressCharacter("å", "KeyA");
    const character = await xev.wait("å", (seen) => seen.find(({ type, keysym }) => type === "KeyPress" && keysym === 0xe5));
    assert.equal(character.state & 0x4d, 0, "without Alt");
    await desk.page.keyboard.press("F2");
    const key = await xev.wait("F2", (seen) => seen.find(({ type, name }) => type === "KeyPress" && name === "F2"));
    assert.equal(key.state & 0x4d, 0x8, "with Alt");
    await desk.page.keyboard.up("Alt");
    await session.waitHeld(false);
  });
});
