// How long the picture stands still when an encoder fails: 20 runs of each fault in Chromium, as a table in Markdown.
//
//   ./run.sh --build-only && npm --prefix tests ci && node tests/bench/faults.mjs [RUNS] [NAME...]

import { XServer } from "../support/xserver.mjs";
import { Browser } from "../support/browser.mjs";
import { FAULTS, faultyPlugins, liveThrough } from "../support/faults.mjs";
import { Stage } from "../support/processes.mjs";
import { until } from "../support/tools.mjs";

const [runs = "20", ...names] = process.argv.slice(2);
const quantile = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * part) - 1)];

const stage = new Stage();
try {
  await faultyPlugins(...Object.keys(FAULTS));
  const x = stage.add(await XServer.start({ size: [1280, 720] }));
  const browser = stage.add(await Browser.start());
  const scene = x.scene("motion", "640", "480", "60");
  await until("the scene is drawn", () => scene.out.includes("ready"));
  console.log("| Encoder's fault | Longest gap p50 | p95 | max | frames/s after | What the host says |");
  console.log("|---|---|---|---|---|---|");
  for (const name of names.length > 0 ? names : Object.keys(FAULTS)) {
    const [seen, rates] = [[], []];
    let message = "";
    for (let i = 0; i < Number(runs); i++) {
      const { longest, fps, fault } = await liveThrough({ x, browser }, name);
      seen.push(longest);
      rates.push(fps);
      message = fault?.message ?? "(no fault: the session goes on with the same encoder, or without it from the start)";
    }
    seen.sort((a, b) => a - b);
    rates.sort((a, b) => a - b);
    const ms = (value) => `${Math.round(value)} ms`;
    console.log(`| ${name} | ${ms(quantile(seen, 0.5))} | ${ms(quantile(seen, 0.95))} | ${ms(seen.at(-1))} | ${quantile(rates, 0.5)} | ${message.replaceAll("|", "/")} |`);
  }
} finally {
  await stage.close();
}
