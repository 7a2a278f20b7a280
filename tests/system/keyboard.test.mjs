// Keys pressed in the page arrive in X applications.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { EventWindow, Terminal } from "../support/applications.mjs";
import { Browser } from "../support/browser.mjs";
import { Session } from "../support/session.mjs";
import { sleep, until } from "../support/tools.mjs";

const LINES = ": > ready; cat > typed";

describe("keyboard", { timeout: 180_000 }, () => {
  let session;
  let desk;
  before(async () => {
    session = await Session.start({ page: { size: [1280, 720] } });
    await session.waitScreen(1280, 720);
    desk = session.desk;
  }, { timeout: 60_000 });
  after(() => session?.close());

  /** An xterm under the pointer: without a window manager that gives it the keys. */
  async function terminal(script) {
    const started = await Terminal.start(session.x, script);
    await desk.click(200, 200);
    await sleep(150);
    return started;
  }

  async function events() {
    const window = await EventWindow.start(session.x);
    await desk.moveTo(700, 500);
    await sleep(150);
    window.clear();
    return window;
  }

  test("text with characters that the layout lacks reaches xterm", { timeout: 40_000 }, async () => {
    const xterm = await terminal(LINES);
    await desk.page.keyboard.type("the quick brown fox 0123456789\n", { delay: 5 });
    await xterm.waitFile("typed", "the quick brown fox 0123456789\n");
    await desk.page.keyboard.type("äß€漢 and ASCII ~^`|\\{}[]@#\n", { delay: 5 });
    await xterm.waitFile("typed", "the quick brown fox 0123456789\näß€漢 and ASCII ~^`|\\{}[]@#\n");
    await xterm.stop();
  });

  test("the same characters as keys of a keyboard that has them", { timeout: 40_000 }, async () => {
    const xterm = await terminal(LINES);
    const keys = [["ä", "Quote"], ["ß", "Minus"], ["€", "KeyE"], ["漢", "KeyK"], ["Ö", "Semicolon"], ["я", "KeyZ"]];
    for (const [key, code] of keys) await desk.pressCharacter(key, code);
    await desk.page.keyboard.press("Enter");
    await xterm.waitFile("typed", `${keys.map(([key]) => key).join("")}\n`);
    await xterm.stop();
  });

  test("composed text", { timeout: 40_000 }, async () => {
    const xterm = await terminal(LINES);
    await desk.page.evaluate(() => {
      document.getElementById("keys").dispatchEvent(new CompositionEvent("compositionend", { data: "日本語, ok" }));
    });
    await desk.page.keyboard.press("Enter");
    await xterm.waitFile("typed", "日本語, ok\n");
    await xterm.stop();
  });

  test("Shift makes capitals and signs", { timeout: 40_000 }, async () => {
    const xterm = await terminal(LINES);
    const { keyboard } = desk.page;
    await keyboard.press("a");
    await keyboard.down("Shift");
    for (const code of ["KeyA", "KeyB", "KeyC", "Digit1", "Slash", "Quote"]) await keyboard.press(code);
    await keyboard.up("Shift");
    await keyboard.press("b");
    await keyboard.press("Enter");
    await xterm.waitFile("typed", 'aABC!?"b\n');
    await xterm.stop();
  });

  test("Ctrl+C ends a program, Ctrl+A arrives as such", { timeout: 40_000 }, async () => {
    const xterm = await terminal(
      "trap : INT; : > ready; cat > first; echo $? > interrupted; stty raw -echo; : > raw; dd bs=1 count=2 of=second 2>/dev/null",
    );
    await desk.page.keyboard.type("unfinished");
    await sleep(300);
    assert.equal(xterm.read("interrupted"), "");
    await desk.page.keyboard.press("Control+c");
    await xterm.waitFile("interrupted", "130\n");
    await until("the terminal is raw", () => xterm.process.ended === null && xterm.read("interrupted") && sleep(300, true));
    await desk.page.keyboard.press("Control+a");
    await desk.page.keyboard.press("Control+Shift+KeyD");
    await xterm.waitFile("second", "\x01\x04");
    await xterm.stop();
  });

  test("keys without a character reach xev, each once down and once up", { timeout: 40_000 }, async () => {
    const names = {
      Enter: "Return", Tab: "Tab", Backspace: "BackSpace", Escape: "Escape", Delete: "Delete", Insert: "Insert",
      ArrowLeft: "Left", ArrowRight: "Right", ArrowUp: "Up", ArrowDown: "Down",
      Home: "Home", End: "End", PageUp: "Prior", PageDown: "Next",
      ...Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`F${i + 1}`, `F${i + 1}`])),
    };
    const xev = await events();
    for (const key of Object.keys(names)) await desk.page.keyboard.press(key);
    const wanted = Object.values(names).flatMap((name) => [`KeyPress ${name}`, `KeyRelease ${name}`]);
    await xev.wait("every key", (seen) => seen.filter(({ type }) => type.startsWith("Key")).length >= wanted.length);
    const seen = xev.events().filter(({ type }) => type.startsWith("Key")).map(({ type, name }) => `${type} ${name}`);
    assert.deepEqual(seen, wanted);
    await xev.stop();
  });

  test("modifiers hold while other keys are pressed", { timeout: 40_000 }, async () => {
    const xev = await events();
    await desk.page.keyboard.press("Control+Alt+KeyT");
    const press = await xev.wait("t", (seen) => seen.find(({ type, name }) => type === "KeyPress" && name === "t"));
    assert.equal(press.state & 0xd, 0xc, "Control and Mod1, no Shift");
    await session.waitHeld(false);
    await xev.stop();
  });

  test("a held key repeats in X, and stays held beyond the heartbeat", { timeout: 40_000 }, async () => {
    const xev = await events();
    await desk.page.keyboard.down("x");
    await session.waitHeld(true);
    await sleep(2600);
    assert.equal((await session.x.held()).keys.length, 1);
    assert.ok(xev.events().filter(({ type, name }) => type === "KeyPress" && name === "x").length > 3, "X repeats it");
    await desk.page.keyboard.up("x");
    await session.waitHeld(false);
    await xev.stop();
  });

  test("held keys are released when the page loses the focus", { timeout: 40_000 }, async () => {
    await desk.page.keyboard.down("Shift");
    await desk.page.keyboard.down("y");
    await session.waitHeld(true);
    // The driver keeps pages focused, but the focus can go into a frame.
    await desk.page.evaluate(() => {
      const frame = document.body.appendChild(document.createElement("iframe"));
      frame.contentWindow.focus();
    });
    await session.waitHeld(false, 1500);
    await desk.page.evaluate(() => document.querySelector("iframe").remove());
    await desk.page.keyboard.up("y");
    await desk.page.keyboard.up("Shift");
    await desk.click(640, 360);
  });

  test("held keys and buttons are released when the browser is killed", { timeout: 60_000 }, async () => {
    const doomed = await Browser.start();
    try {
      const page = await doomed.open(session.host.url, { size: [1280, 720] });
      await page.waitState("connected");
      // Before the first picture there is nowhere to click.
      await page.waitSize(1280, 720);
      await page.moveTo(300, 300);
      await page.page.keyboard.down("Control");
      await page.page.keyboard.down("q");
      await page.page.mouse.down();
      await until("keys and a button are held", async () => {
        const held = await session.x.held();
        return held.keys.length === 2 && held.buttons === 2;
      });
      await doomed.kill();
      await session.waitHeld(false, 3000);
    } finally {
      await doomed.stop();
    }
  });
});
