import { afterEach, beforeEach, expect, type Mock, test, vi } from "vitest";
import { targetOf } from "../src/address";
import { changes, connectMessage, controlsOf, rest } from "../src/gamepad-layout";
import { Gamepads } from "../src/gamepads";
import { parseText } from "../src/wire";

interface Fake {
  id: string;
  index: number;
  mapping: string;
  buttons: { value: number; pressed: boolean }[];
  axes: number[];
  vibrationActuator: { playEffect: Mock<(kind: string, effect: object) => Promise<void>>; reset: Mock<() => Promise<void>> };
}

const up = () => ({ value: 0, pressed: false });
const down = { value: 1, pressed: true };

function pad(index: number, mapping = "standard", buttons = 17, axes = 4): Fake {
  return {
    id: `Pad ${index}`,
    index,
    mapping,
    buttons: Array.from({ length: buttons }, up),
    axes: Array<number>(axes).fill(0),
    vibrationActuator: { playEffect: vi.fn(() => Promise.resolve()), reset: vi.fn(() => Promise.resolve()) },
  };
}

function desk(pads: (Fake | null)[], slot: number | null = null) {
  const sent: string[] = [];
  const shown: string[] = [];
  const gamepads = new Gamepads(
    {
      send: (text) => sent.push(text),
      show: (players) => shown.push(players.map((player) => player.slot).join()),
      pads: vi.fn(() => pads),
      now: () => Date.now(),
    },
    slot,
  );
  const take = () => sent.splice(0).filter((text) => !text.startsWith("js,h,"));
  return { gamepads, sent, shown, take };
}

beforeEach(() => void vi.useFakeTimers({ now: 10_000 }));
afterEach(() => void vi.useRealTimers());

test("what changes is told, once", () => {
  const now = rest();
  [now.buttons[3], now.axes[1]] = [1, -0.123456];
  expect(changes(2, rest(), now)).toEqual(["js,b,2,3,1", "js,a,2,1,-0.1235"]);
  expect(changes(2, now, now)).toEqual([]);
  expect(connectMessage(0, "Päd")).toBe("js,c,0,UMOkZA==,4,17");
});

test("gamepads that a browser leaves as they are come in order", () => {
  const raw = pad(0, "", 11, 8);
  [raw.axes[2], raw.axes[5], raw.axes[3], raw.axes[7]] = [-1, 1, 0.5, -1];
  [raw.buttons[7], raw.buttons[9]] = [down, down];
  const { buttons, axes } = controlsOf(raw);
  expect(axes).toEqual([0, 0, 0.5, 0]);
  expect(buttons).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1, 0, 1, 0, 0, 0, 0]);
  const odd = pad(0, "", 2, 1);
  odd.axes[0] = Number.NaN;
  odd.buttons[1] = { value: 0, pressed: true };
  expect(controlsOf(odd).axes).toEqual([0, 0, 0, 0]);
  expect(controlsOf(odd).buttons[1]).toBe(0.5);
});

test("gamepads are read only while there are any", () => {
  const pads: (Fake | null)[] = [null, null];
  const { gamepads, shown, sent, take } = desk(pads);
  gamepads.admit(true);
  expect(vi.getTimerCount()).toBe(0);
  const first = pad(1);
  pads[1] = first;
  gamepads.wake();
  expect(take()).toEqual(["js,c,0,UGFkIDE=,4,17"]);
  first.buttons[0] = down;
  first.axes[2] = 0.5;
  vi.advanceTimersByTime(4);
  expect(take()).toEqual(["js,b,0,0,1", "js,a,0,2,0.5"]);
  vi.advanceTimersByTime(1000);
  expect(sent.filter((text) => text === "js,h,0").length).toBe(2);
  pads[0] = pad(0);
  vi.advanceTimersByTime(4);
  expect(take()).toEqual(["js,c,1,UGFkIDA=,4,17"]);
  pads.fill(null);
  vi.advanceTimersByTime(4);
  expect(take()).toEqual(["js,d,0", "js,d,1"]);
  expect(vi.getTimerCount()).toBe(0);
  expect(shown).toEqual(["", "0", "0,1", ""]);
});

test("a new connection begins anew, and without leave nothing is said", () => {
  const { gamepads, take } = desk([pad(0)]);
  gamepads.wake();
  expect(take()).toEqual([]);
  gamepads.admit(true);
  expect(take().length).toBe(1);
  gamepads.admit(false);
  vi.advanceTimersByTime(100);
  expect(take()).toEqual([]);
  gamepads.admit(true);
  expect(take()).toEqual(["js,c,0,UGFkIDA=,4,17"]);
});

test("a player has one slot, and the gamepad on the screen is one more", () => {
  const { gamepads, take } = desk([pad(0), pad(1)], 2);
  gamepads.admit(true);
  expect(take()).toEqual(["js,c,2,UGFkIDA=,4,17"]);
  const alone = desk([]);
  alone.gamepads.admit(true);
  const controls = rest();
  alone.gamepads.touch(controls);
  controls.buttons[9] = 1;
  alone.gamepads.touch(controls);
  controls.buttons[9] = 0;
  alone.gamepads.touch(controls);
  alone.gamepads.touch(null);
  expect(alone.take().slice(1)).toEqual(["js,b,0,9,1", "js,b,0,9,0", "js,d,0"]);
});

test("rumbles go to the gamepad of their slot", () => {
  const first = pad(0);
  const { gamepads } = desk([first]);
  gamepads.admit(true);
  gamepads.rumble(1, 1, 1, 100);
  gamepads.rumble(0, 0.5, 0.25, 90_000);
  const effect = { startDelay: 0, duration: 5000, strongMagnitude: 0.5, weakMagnitude: 0.25 };
  expect(first.vibrationActuator.playEffect.mock.calls).toEqual([["dual-rumble", effect]]);
  gamepads.rumble(0, 0, 0, 0);
  expect(first.vibrationActuator.reset).toHaveBeenCalledOnce();
  const parse = (text: string) => parseText(`system,{"action":"rumble,${text}"}`);
  expect(parse("3,1.000,0.200,250")).toEqual({ kind: "rumble", slot: 3, strong: 1, weak: 0.2, ms: 250 });
  for (const wrong of ["4,1,1,1", "0,1.5,0,1", "0,1,1", "0,1,1,1e9", "0,-1,0,1"]) expect(parse(wrong)).toBeNull();
});

test("players' links name their slot", () => {
  const page = (hash: string, search = "") => targetOf({ protocol: "http:", host: "h", pathname: "/", search, hash });
  expect(page("#player3")).toMatchObject({ viewer: true, slot: 2, url: "ws://h/api/websockets?role=viewer&slot=3" });
  expect(page("", "?role=viewer&slot=2")).toMatchObject({ viewer: true, slot: 1 });
  for (const hash of ["", "#shared", "#player1", "#player5"]) expect(page(hash, "?slot=2").slot).toBe(hash === "#shared" ? 1 : null);
});
