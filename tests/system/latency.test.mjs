// Times per stage in /api/status, with a real page: each stage is measured, and together they are the age of the picture.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { WireClient } from "../support/client.mjs";
import { Session } from "../support/session.mjs";
import { ages, records, share, slowDecoders } from "../support/slow-page.mjs";
import { until } from "../support/tools.mjs";

const [WIDTH, HEIGHT] = [640, 360];
const PIPELINE = ["damage", "grab", "encode"];
const PAGE = ["queue", "wire", "decode", "present"];

const names = (stages) => Object.keys(stages).sort();

/** Waits until every one of these stages has this many values of the last minute; answers the medians in ms. */
async function medians(stages, wanted, least) {
  let found;
  await until(() => `${wanted} have ${least} values: ${JSON.stringify(found)}`, async () => {
    found = await stages();
    return wanted.every((name) => found?.[name]?.count >= least);
  }, 30_000, 300);
  for (const [name, { count, p50_us, p95_us, p99_us, max_us, total_count, total_us }] of Object.entries(found)) {
    assert.ok(0 <= p50_us && p50_us <= p95_us && p95_us <= p99_us && p99_us <= max_us, name);
    assert.ok(count <= total_count && total_us <= max_us * total_count + 1e7, name);
  }
  return Object.fromEntries(wanted.map((name) => [name, found[name].p50_us / 1000]));
}

describe("times per stage", { timeout: 180_000 }, () => {
  test("of JPEG, from damage to the canvas", { timeout: 90_000 }, async (context) => {
    const host = { args: ["--encoder", "jpeg", "--framerate", "60"] };
    const session = await Session.start({ host, page: { size: [WIDTH, HEIGHT], prepare: slowDecoders(0) } });
    context.after(() => session.close());
    await session.waitScreen(WIDTH, HEIGHT);
    const latency = async () => (await session.host.status()).latency;
    const page = async () => (await latency()).clients[0]?.stages;

    // So seldom that each picture is shown before the next: then its stages are all that its age is made of.
    await session.scene("clock", WIDTH, HEIGHT, 12);
    await medians(page, PAGE, 20);
    await records(session.desk);
    const before = (await page()).present.total_count;
    await until("a hundred more pictures", async () => (await page()).present.total_count > before + 100, 30_000, 300);
    const times = {
      ...(await medians(async () => (await latency()).pipeline.stages, PIPELINE, 100)),
      ...(await medians(page, PAGE, 100)),
    };
    const age = share(ages(await records(session.desk)), 0.5);
    const sum = Object.values(times).reduce((one, other) => one + other);
    console.log(`age ${age} ms; ${Object.entries(times).map(([name, ms]) => `${name} ${ms.toFixed(2)}`).join(", ")}; sum ${sum.toFixed(1)} ms`);
    // The age has the X server's part besides, is in whole ms, and the medians of stages need not be those of one frame.
    assert.ok(sum < age * 1.5 + 8, `${sum} ms in stages of a picture that is ${age} ms old`);
    assert.ok(sum > age * 0.4 - 4, `${sum} ms in stages of a picture that is ${age} ms old`);

    const { window_seconds, pipeline, clients } = await latency();
    assert.equal(window_seconds, 60);
    assert.deepEqual(names(pipeline.stages), [...PIPELINE].sort(), "JPEG converts while it encodes");
    assert.deepEqual(names(clients[0].stages), [...PAGE].sort());
    assert.deepEqual(session.desk.complaints, []);
  });

  test("of H.264, with the conversion by itself", { timeout: 60_000 }, async (context) => {
    const session = await Session.start({ host: { args: ["--encoder", "x264enc"] }, page: { size: [WIDTH, HEIGHT] } });
    context.after(() => session.close());
    await session.scene("motion", WIDTH, HEIGHT, 30);
    const { video, latency } = await session.host.status();
    assert.equal(video.encoder, "selkies.x264/x264enc");
    assert.equal(latency.clients.length, 1);
    const stages = async () => (await session.host.status()).latency.pipeline.stages;
    const { convert, encode } = await medians(stages, ["convert", ...PIPELINE], 40);
    console.log(`convert ${convert} ms, encode ${encode} ms`);
    // Colours of a small picture take less than coding it does.
    assert.ok(convert < encode, `${convert} ms of conversion, ${encode} ms of encoding`);
  });

  test("of clients that report nothing, or what cannot be", { timeout: 60_000 }, async (context) => {
    const session = await Session.start({ page: { size: [WIDTH, HEIGHT] } });
    context.after(() => session.close());
    const [silent, hostile] = [await WireClient.viewer(session.host), await WireClient.viewer(session.host)];
    context.after(() => [silent, hostile].forEach((client) => client.stop()));
    await session.scene("motion", WIDTH, HEIGHT, 30);
    const stages = async (index) => (await session.host.status()).latency.clients[index]?.stages;
    await medians(() => stages(1), ["queue"], 40);

    const { malformed } = (await session.host.status()).messages;
    // Its own frames longer than they were under way; then every id that there is, far more often than once a second.
    hostile.send(`_stages,${hostile.frames.slice(-100).map((id) => `${id}:4294967295:4294967295`)}`);
    for (let first = 0; first < 65536; first += 128) {
      hostile.send(`_stages,${Array.from({ length: 128 }, (_, at) => `${first + at}:9000000:1`)}`);
    }
    hostile.send("_stages,1:-1:0");
    hostile.send(`_stages${",1:1:1".repeat(10_000)}`);
    await until("what cannot be read is counted", async () => (await session.host.status()).messages.malformed === malformed + 2, 20_000, 100);
    const counted = (await stages(1)).queue.total_count;
    await until("it goes on", async () => (await stages(1)).queue.total_count > counted + 40, 20_000, 200);
    for (const index of [1, 2]) assert.deepEqual(names(await stages(index)), ["queue"]);
    assert.ok(await session.host.healthy());
  });
});
