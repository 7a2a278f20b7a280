// A page that decodes slowly is given what it can draw in time, and nothing waits behind that.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Session } from "../support/session.mjs";
import { ages, records, share, slowDecoders, turns } from "../support/slow-page.mjs";
import { sleep, until } from "../support/tools.mjs";

const [WIDTH, HEIGHT] = [1280, 720];

describe("slow pages", { timeout: 180_000 }, () => {
  let session;
  before(async () => {
    session = await Session.start({ page: { size: [WIDTH, HEIGHT] }, host: { args: ["--encoder", "jpeg", "--framerate", "60"] } });
    await session.waitScreen(WIDTH, HEIGHT);
    await session.scene("clock", WIDTH, HEIGHT, 60);
    await session.desk.close();
  }, { timeout: 60_000 });
  after(() => session?.close());

  // Milliseconds for each stripe in each decoder.
  for (const delay of [10, 30, 60]) {
    test(`${delay} ms for each stripe`, { timeout: 60_000 }, async () => {
      const desk = await session.open("", { size: [WIDTH, HEIGHT], prepare: slowDecoders(delay) });
      const drawn = [];
      await until("the page draws", async () => {
        drawn.push(...(await records(desk)));
        return ages(drawn).length > 40;
      }, 20_000);
      // The size of a turn is found out within the first seconds.
      await sleep(4000);
      await records(desk);
      await sleep(6000);
      const found = await records(desk);
      const { waiting, turn } = turns(found);
      const decoders = await desk.page.evaluate(() => Math.min(4, navigator.hardwareConcurrency || 2));
      const young = ages(found);
      const [stripes, queue] = [share(turn, 0.5), share(waiting, 0.95)];
      const whole = new Set(found.filter(({ y }) => y !== undefined).map(({ y }) => y)).size;
      console.log(
        `${delay} ms x ${whole} stripes / ${decoders} decoders: age p50 ${share(young, 0.5).toFixed(0)}, p95 ${share(young, 0.95).toFixed(0)} ms; ` +
          `stripes a turn ${stripes}, waiting ${queue}; ${(turn.length / 6).toFixed(1)} turns/s, ${(young.length / whole / 6).toFixed(1)} pictures/s`,
      );
      assert.ok(whole >= 8 && turn.length > 12, `the page draws: ${whole} stripes, ${turn.length} turns`);
      // One turn is being drawn, and the next arrives before its end; the limit has room for a loaded machine.
      assert.ok(queue <= Math.max(4 * whole * Math.min(1, 80 / (delay * (whole / decoders))), 6 * decoders), `${queue} stripes wait`);
      if (delay * Math.ceil(whole / decoders) > 120) {
        assert.ok(stripes < whole, `a turn is a part of the picture: ${stripes} of ${whole} stripes`);
      }
      // Everything has its turn: 720 rows in stripes of 64.
      assert.equal(whole, 12);
      assert.ok(share(young, 0.5) < 1000, "nothing is queued for seconds");
      await desk.close();
    });
  }
});
