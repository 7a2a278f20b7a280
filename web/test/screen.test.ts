import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Picture, Screen } from "../src/screen";

let log: string[];
let screen: Screen;

class FakeBitmap {
  constructor(
    readonly name: string,
    readonly width: number,
    readonly height: number,
  ) {}
  close() {
    log.push(`free ${this.name}`);
  }
}

const picture = (name: string, y: number, height: number, width = 64) => ({
  y,
  picture: new FakeBitmap(name, width, height) as unknown as Picture,
});

beforeEach(() => {
  vi.stubGlobal("ImageBitmap", FakeBitmap);
  log = [];
  const drawImage = ({ name }: FakeBitmap, _x: number, y: number) => log.push(`draw ${name} at ${y}`);
  const canvas = { width: 1, height: 1, getContext: () => ({ drawImage }) };
  screen = new Screen(canvas as unknown as OffscreenCanvas, (width, height) => log.push(`size ${width}x${height}`));
  screen.setSize(64, 64);
  log = [];
});

afterEach(() => vi.unstubAllGlobals());

test("of pictures that wait together, those that a newer one hides are freed without being drawn", () => {
  screen.draw([picture("old", 0, 64), picture("stripe", 16, 16), picture("new", 0, 64), picture("newer stripe", 16, 16)]);
  expect(log).toEqual(["free old", "free stripe", "draw new at 0", "free new", "draw newer stripe at 16", "free newer stripe"]);
});

test("what shows beneath a newer picture is drawn", () => {
  screen.draw([picture("tall", 0, 64), picture("narrow", 0, 64, 32), picture("upper", 0, 48)]);
  expect(log.filter((entry) => entry.startsWith("draw"))).toEqual(["draw tall at 0", "draw narrow at 0", "draw upper at 0"]);
});

test("a picture beyond what pictures said makes the canvas larger, never smaller", () => {
  screen.forgetAll();
  screen.draw([picture("first", 0, 64)]);
  screen.draw([picture("wide", 0, 16, 128)]);
  screen.draw([picture("low", 64, 16, 32)]);
  expect(log.filter((entry) => entry.startsWith("size"))).toEqual(["size 128x64", "size 128x80"]);
});

test("late pictures of an older size leave the size that the server told", () => {
  screen.setSize(32, 32);
  screen.draw([picture("late", 0, 64)]);
  screen.forgetSize();
  screen.draw([picture("late", 0, 64)]);
  expect(log.filter((entry) => entry.startsWith("size"))).toEqual(["size 32x32"]);
});
