// Nothing stays pressed, however and whenever a page goes: a thousand sessions that hold keys and buttons and break off.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { WireClient } from "../support/client.mjs";
import { Host } from "../support/host.mjs";
import { Stage } from "../support/processes.mjs";
import { until } from "../support/tools.mjs";
import { XServer } from "../support/xserver.mjs";

const SESSIONS = 1000;
/** Sessions at a time. */
const CROWD = 5;
/** Modifiers, letters of the layout, characters that it lacks or has with other modifiers only, and keys that print nothing. */
const KEYSYMS = [
  0xffe1, 0xffe2, 0xffe3, 0xffe4, 0xffe9, 0xfe03, 0xffeb,
  0x61, 0x7a, 0x41, 0x21, 0x2f, 0x7b, 0xe4, 0x010020ac, 0x01006f22, 0x01000436,
  0xff0d, 0xff09, 0xff1b, 0xff51, 0xffbe, 0xffb5, 0xffab,
];
const BUTTONS = [1, 2, 4, 8, 16];

/** Numbers that look random and are the same in each run (mulberry32). */
function dice(seed) {
  return (sides) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let value = Math.imul(seed ^ (seed >>> 15), seed | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) % sides;
  };
}

describe("disconnects", { timeout: 400_000 }, () => {
  const stage = new Stage();
  let x;
  let host;
  before(async () => {
    x = stage.add(await XServer.start({ size: [320, 240] }));
    host = stage.add(await Host.start({ x, args: ["--enable-resize=false"] }));
  }, { timeout: 60_000 });
  after(async () => {
    WireClient.stopAll();
    await stage.close();
  });

  /** Waits until the host has heard what was said. */
  async function heard(client, number) {
    client.send(`_ping,${number}`);
    await client.waitText(`pong,${number}`, 20_000);
  }

  /** One page's life: presses this and that, releases some of it, and goes in one way or another. Answers what it held. */
  async function session(number) {
    const roll = dice(number);
    const client = await WireClient.controller(host, { size: [320, 240], acks: false });
    await heard(client, 0);
    const held = new Set();
    let mask = 0;
    for (let steps = 1 + roll(12); steps > 0; steps -= 1) {
      const keysym = KEYSYMS[roll(KEYSYMS.length)];
      switch (roll(7)) {
        case 0:
        case 1:
        case 2:
          client.send(`kd,${keysym}`);
          held.add(keysym);
          break;
        case 3:
          client.send(`ku,${keysym}`);
          held.delete(keysym);
          break;
        case 4:
          mask ^= BUTTONS[roll(BUTTONS.length)];
          client.send(`m,${roll(320)},${roll(240)},${mask},0`);
          break;
        case 5:
          client.send(`kh,${[...held].join(",")}`);
          break;
        default:
          client.send("co,end,Aß漢/");
      }
    }
    if (roll(3) > 0) {
      await heard(client, 1);
    }
    if (roll(4) === 0) {
      client.socket.close();
      await client.waitClosed(20_000);
    } else {
      client.socket.terminate();
    }
    return held.size + (mask === 0 ? 0 : 1);
  }

  test("while a page holds something, it is down", { timeout: 60_000 }, async () => {
    const client = await WireClient.controller(host, { size: [320, 240] });
    await heard(client, 0);
    for (const text of ["kd,65505", "kd,97", "kd,16805666", "m,5,5,5,0"]) client.send(text);
    await until("keys and buttons are down", async () => {
      const held = await x.held();
      return held.keys.length >= 2 && held.buttons === 0b1010;
    });
    client.socket.terminate();
    await until("nothing is down", async () => {
      const held = await x.held();
      return held.keys.length === 0 && held.buttons === 0;
    });
  });

  test(`${SESSIONS} sessions leave nothing pressed`, { timeout: 330_000 }, async () => {
    let next = 0;
    let held = 0;
    const pages = Array.from({ length: CROWD }, async () => {
      while (next < SESSIONS) {
        const left = await session((next += 1));
        held += left;
      }
    });
    await Promise.all(pages);
    assert.ok(held > 2 * SESSIONS, `pages went with ${held} keys and buttons held`);
    await until("every page is gone", async () => (await host.status()).clients === 0);
    let left;
    await until(() => `nothing is down; down is ${JSON.stringify(left)}`, async () => {
      left = await x.held();
      return left.keys.length === 0 && left.buttons === 0;
    });
    const { messages, latency } = await host.status();
    assert.equal(messages.malformed + messages.unknown + messages.denied, 0);
    assert.ok(latency.input.total_count > SESSIONS, `${latency.input.total_count} messages became input`);
    assert.ok(await host.healthy());
  });
});
