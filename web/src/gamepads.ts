// The gamepads of this browser, and the one on the screen: tells the host what they do, and lets them rumble.

import { changes, connectMessage, type Controls, controlsOf, type PadLike, rest, SLOTS } from "./gamepad-layout";

/** How often gamepads are read, in ms; browsers that are hidden do it once a second. */
const PERIOD = 4;
/** How often the host hears that a gamepad is still held, in ms; it waits for two seconds. */
const BEAT = 500;
/** Longest rumble that browsers take, in ms. */
const LONGEST_RUMBLE = 5000;

/** What a browser's motors are called by. */
interface Actuator {
  playEffect(kind: "dual-rumble", effect: object): Promise<unknown>;
  reset?(): Promise<unknown>;
}

/** A gamepad of the Gamepad API. */
type BrowserPad = PadLike & { readonly index: number; readonly vibrationActuator?: Actuator | null };

/** A gamepad that takes part. */
interface Player {
  slot: number;
  name: string;
  told: Controls;
  /** Its number at the browser; null for the one on the screen. */
  index: number | null;
}

/** What the gamepads stand on. */
export interface GamepadsHost {
  send(text: string): void;
  /** The gamepads that take part have changed. */
  show(players: readonly { slot: number; name: string }[]): void;
  pads(): readonly (BrowserPad | null)[];
  now(): number;
}

/** This page's, at the browser's API. */
export function browserPads(): readonly (BrowserPad | null)[] {
  return typeof navigator.getGamepads === "function" ? (navigator.getGamepads() as readonly (BrowserPad | null)[]) : [];
}

/** Reads gamepads while there are any, and only then. */
export class Gamepads {
  private players: Player[] = [];
  private screen: Controls | null = null;
  private allowed = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private beaten = 0;

  /** `slot` is the only one that this page may play in; null for all. */
  constructor(
    private readonly host: GamepadsHost,
    private readonly slot: number | null,
  ) {}

  /** The host takes gamepads from now on, and knows of none; or it does not. */
  admit(allowed: boolean): void {
    this.allowed = allowed;
    this.players = [];
    this.host.show([]);
    this.wake();
  }

  /** A gamepad came or went, or may have. */
  wake(): void {
    if (this.timer === undefined && this.allowed) this.read();
  }

  /** What the gamepad on the screen does; null where there is none. */
  touch(controls: Controls | null): void {
    this.screen = controls;
    if (this.timer === undefined) this.wake();
    else this.look();
  }

  /** A program lets the gamepad of a slot rumble. */
  rumble(slot: number, strong: number, weak: number, ms: number): void {
    const player = this.players.find((candidate) => candidate.slot === slot);
    if (!player) return;
    if (player.index === null) {
      // Telephones have one motor.
      if (typeof navigator.vibrate === "function") navigator.vibrate(strong + weak > 0 ? Math.min(ms, LONGEST_RUMBLE) : 0);
      return;
    }
    const motors = this.host.pads()[player.index]?.vibrationActuator;
    if (!motors) return;
    const played =
      strong + weak === 0 && motors.reset
        ? motors.reset()
        : motors.playEffect("dual-rumble", {
            startDelay: 0,
            duration: Math.min(ms, LONGEST_RUMBLE),
            strongMagnitude: strong,
            weakMagnitude: weak,
          });
    // One that cannot is one that does not.
    Promise.resolve(played).catch(() => undefined);
  }

  private read(): void {
    this.timer = undefined;
    this.look();
    if (this.allowed && this.players.length > 0) this.timer = setTimeout(() => this.read(), PERIOD);
  }

  private look(): void {
    if (!this.allowed) return;
    const found = this.host.pads().filter((pad): pad is BrowserPad => pad !== null);
    this.part(found);
    this.join(found);
    for (const player of this.players) {
      const pad = found.find((candidate) => candidate.index === player.index);
      const now = player.index === null ? this.screen : pad ? controlsOf(pad) : null;
      if (!now) continue;
      for (const message of changes(player.slot, player.told, now)) this.host.send(message);
      player.told = { buttons: [...now.buttons], axes: [...now.axes] };
    }
    const time = this.host.now();
    if (this.players.length > 0 && time - this.beaten >= BEAT) {
      this.beaten = time;
      for (const { slot } of this.players) this.host.send(`js,h,${slot}`);
    }
  }

  /** Those that are gone leave. */
  private part(found: readonly BrowserPad[]): void {
    const stays = ({ index }: Player) => (index === null ? this.screen !== null : found.some((pad) => pad.index === index));
    const leaving = this.players.filter((player) => !stays(player));
    if (leaving.length === 0) return;
    for (const { slot } of leaving) this.host.send(`js,d,${slot}`);
    this.players = this.players.filter(stays);
    this.host.show(this.players);
  }

  /** Those that came take the first slot that is free. */
  private join(found: readonly BrowserPad[]): void {
    const known = (index: number | null) => this.players.some((player) => player.index === index);
    const came: { index: number | null; name: string }[] = found
      .filter((pad) => !known(pad.index))
      .map((pad) => ({ index: pad.index, name: pad.id }));
    if (this.screen !== null && !known(null)) came.push({ index: null, name: "Touch gamepad" });
    let joined = false;
    for (const { index, name } of came) {
      const slots = this.slot === null ? Array.from({ length: SLOTS }, (_, slot) => slot) : [this.slot];
      const slot = slots.find((candidate) => !this.players.some((player) => player.slot === candidate));
      if (slot === undefined) continue;
      this.players.push({ slot, name, told: rest(), index });
      this.host.send(connectMessage(slot, name));
      joined = true;
    }
    if (joined) this.host.show(this.players);
  }
}
