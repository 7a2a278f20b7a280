// How long input takes in the host: from a client's message to XTEST's requests on their way to the X server.
//
//   node tests/bench/input.mjs [messages]      after ./run.sh --build-only

import { loadavg } from "node:os";
import { WireClient } from "../support/client.mjs";
import { Host } from "../support/host.mjs";
import { Stage } from "../support/processes.mjs";
import { sleep, until } from "../support/tools.mjs";
import { XServer } from "../support/xserver.mjs";

const COUNT = Number(process.argv[2] ?? 10_000);

/** Messages by what they ask for; each list is sent in turns. */
const KINDS = {
  "pointer moves": (i) => `m,${i % 300},${(i * 7) % 200},0,0`,
  "buttons": (i) => `m,100,100,${i % 2 === 0 ? 1 : 0},0`,
  "keys of the layout": (i) => `${i % 2 === 0 ? "kd" : "ku"},${97 + ((i >> 1) % 26)}`,
  "keys with other modifiers (AltGr, Shift)": (i) => `${i % 2 === 0 ? "kd" : "ku"},${[0x41, 0x21, 0x40, 0x7e][(i >> 1) % 4]}`,
  "keys that the layout lacks, known by now": (i) => `${i % 2 === 0 ? "kd" : "ku"},${0x0100_6f22 + ((i >> 1) % 8)}`,
};

const stage = new Stage();
try {
  const load = loadavg().map((value) => value.toFixed(1)).join(" ");
  console.log(`load before: ${load}; ${COUNT} messages of each kind, one a millisecond`);
  for (const [kind, message] of Object.entries(KINDS)) {
    // A host of its own: its figures are those of this kind alone.
    const x = stage.add(await XServer.start({ size: [320, 240] }));
    const host = stage.add(await Host.start({ x, args: ["--enable-resize=false"] }));
    const client = await WireClient.controller(host, { size: [320, 240] });
    client.send("_ping,1");
    await client.waitText("pong,1");
    for (let i = 0; i < COUNT; i += 1) {
      client.send(message(i));
      await sleep(1);
    }
    const input = await until("all messages became input", async () => {
      const { latency } = await host.status();
      return latency.input.total_count >= COUNT * 0.99 && latency.input;
    });
    console.log(`${kind}: p50 ${input.p50_us}, p95 ${input.p95_us}, p99 ${input.p99_us}, max ${input.max_us} us (${input.count})`);
    client.stop();
    await host.stop();
    await x.stop();
  }
  console.log(`load after: ${loadavg().map((value) => value.toFixed(1)).join(" ")}`);
} finally {
  WireClient.stopAll();
  await stage.close();
}
