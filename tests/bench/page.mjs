// What a page draws of each encoder, and how old it is then: Chromium without a GPU, on the machine it runs on.
//
//   node tests/bench/page.mjs [SECONDS [WIDTHxHEIGHT [ENCODER...]]]
//
// Needs dist/ (./run.sh --build-only). Two scenes at 60/s: all of the screen moves, and the upper half of it. The age is the
// sum of the medians of /api/status, from damage to the canvas; it leaves out the X server's part.

import { Session } from "../support/session.mjs";
import { sleep } from "../support/tools.mjs";

const [seconds = "8", size = "1920x1080", ...named] = process.argv.slice(2);
const [width, height] = size.split("x").map(Number);
const encoders = named.length > 0 ? named : ["jpeg", "x264enc", "x264enc-striped"];
const median = (stage) => (stage ? stage.p50_us / 1000 : 0);

console.log("moving encoder | frames/s | made/s | packets a frame | decode ms | present ms | age ms | errors");
for (const [name, rows] of [["all", height], ["half", Math.floor(height / 2)]]) {
  for (const encoder of encoders) {
    const session = await Session.start({
      x: { size: [width, height] },
      host: { args: ["--encoder", encoder, "--framerate", "60", "--enable-resize=false"] },
      page: { size: [width, height] },
      path: "?debug",
    });
    try {
      const look = async () => {
        const { video, latency } = await (await fetch(new URL("api/status", session.host.url))).json();
        return { video, latency, page: await session.desk.page.evaluate(() => window.__selkies.stats), at: performance.now() };
      };
      await session.scene("motion", width, rows, 60);
      await sleep(3000);
      const before = await look();
      await sleep(Number(seconds) * 1000);
      const after = await look();
      const rate = (of) => ((of(after) - of(before)) * 1000) / (after.at - before.at);
      const made = after.video.frames - before.video.frames;
      const { damage, grab, convert, encode } = after.latency.pipeline.stages;
      const { queue, wire, decode, present } = after.latency.clients[0].stages;
      const age = [damage, grab, convert, encode, queue, wire, decode, present].reduce((sum, stage) => sum + median(stage), 0);
      const figures = [
        rate(({ page }) => page.framesDrawn),
        rate(({ video }) => video.frames),
        (after.video.packets - before.video.packets) / made,
        median(decode),
        median(present),
        age,
        after.page.decodeErrors - before.page.decodeErrors,
      ];
      console.log(`${name} ${encoder} | ${figures.map((value) => value.toFixed(1)).join(" | ")}`);
    } finally {
      await session.close();
    }
  }
}
