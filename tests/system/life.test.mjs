// What ends and comes back: the host, the X server.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { WireClient } from "../support/client.mjs";
import { Host } from "../support/host.mjs";
import { Session } from "../support/session.mjs";
import { run, sleep, tool, until } from "../support/tools.mjs";
import { XServer } from "../support/xserver.mjs";

describe("a killed host", { timeout: 90_000 }, () => {
  let session;
  before(async () => (session = await Session.start()), { timeout: 60_000 });
  after(() => session?.close());

  test("the page says so and shows the picture again when it is back", { timeout: 60_000 }, async () => {
    const { desk, host, x } = session;
    await session.scene("text");
    await desk.waitEqual(x);
    await host.process.kill();
    await desk.waitState("reconnecting", 3000);
    await until("the state is shown", () => shown(desk, /lost/i), 2000);
    await x.solid("#553311");
    session.stage.add(await Host.start({ x, port: host.port }));
    await desk.waitState("connected", 12_000);
    await session.scene("gradient");
    await desk.waitEqual(x);
    assert.deepEqual(desk.complaints, []);
  });
});

describe("SIGTERM", { timeout: 120_000 }, () => {
  for (const signal of ["SIGTERM", "SIGINT"]) {
    test(`${signal}: clients are told, keys are released, the code is 0`, { timeout: 60_000 }, async () => {
      const session = await Session.start();
      try {
        const { desk, host, x } = session;
        const viewer = session.stage.add(await WireClient.viewer(host));
        await desk.moveTo(400, 300);
        await desk.page.keyboard.down("Control");
        await desk.page.keyboard.down("w");
        await desk.page.mouse.down();
        await until("keys and a button are held", async () => {
          const held = await x.held();
          return held.keys.length === 2 && held.buttons === 2;
        });
        const start = performance.now();
        host.process.signal(signal);
        const { code, signal: by } = await Promise.race([host.process.exit, sleep(5000, { code: "late" }, { ref: false })]);
        assert.equal(code, 0, `ended by ${by ?? code} after ${Math.round(performance.now() - start)} ms: ${host.log.slice(-2000)}`);
        await session.waitHeld(false, 1000);
        // Going away, or a restart.
        assert.ok([1001, 1012].includes((await viewer.waitClosed()).code), `closed with ${viewer.closed.code}`);
        await desk.waitState("reconnecting", 3000);
      } finally {
        await session.close();
      }
    });
  }
});

describe("a killed X server", { timeout: 120_000 }, () => {
  let session;
  // A number that no other program is given while the server is away.
  const display = `:${3000 + Math.floor(Math.random() * 3000)}`;
  before(async () => (session = await Session.start({ x: { display } })), { timeout: 60_000 });
  after(() => session?.close());

  test("the host lives, the page says so, and the picture comes back with the server", { timeout: 80_000 }, async () => {
    const { desk, host, x } = session;
    await session.scene("text");
    await desk.waitEqual(x);
    await x.process.kill();
    await until("the page says that there is no picture", () => shown(desk, /no picture|lost/i), 8000);
    await sleep(1500);
    assert.ok(await host.healthy());
    session.x = session.stage.add(await XServer.start({ display: x.display }));
    await session.scene("gradient");
    await desk.waitState("connected", 15_000);
    await desk.waitEqual(session.x, { limit: 25_000 });
    assert.ok(!(await shown(desk, /./)), "nothing is said over a picture");
    await session.waitScreen(1280, 720);
    await desk.waitSize(1280, 720);
    const at = await desk.moveTo(321, 123);
    await until("the new server gets the pointer", async () => {
      const { x: left, y: top } = await session.x.held();
      return left === at.x && top === at.y;
    });
  });
});

describe("a display that is not there yet", { timeout: 60_000 }, () => {
  test("the host serves, says what it waits for, and shows the display once it is there", { timeout: 50_000 }, async () => {
    const session = new Session();
    try {
      const display = `:${6000 + Math.floor(Math.random() * 3000)}`;
      const host = session.stage.add(await Host.start({ x: { display } }));
      const client = session.stage.add(await WireClient.controller(host, { size: [800, 600] }));
      const status = JSON.parse(await client.waitText('{"type":"pipeline_status"'));
      assert.equal(status.video, false);
      assert.ok(status.reason.includes(display), status.reason);
      session.x = session.stage.add(await XServer.start({ display }));
      await client.waitFrames(1, 12_000);
      await session.waitScreen(800, 600);
    } finally {
      await session.close();
    }
  });
});

describe("without a DISPLAY", { timeout: 60_000 }, () => {
  test("the host starts an X server of its own, and ends it however it ends itself", { timeout: 50_000 }, async () => {
    for (const end of ["SIGTERM", "SIGKILL"]) {
      const host = await Host.start({ args: ["--desktop", "xsetroot -solid '#336699'"] });
      try {
        const client = await WireClient.controller(host, { size: [800, 600] });
        await until("the desktop's colour arrives", () => {
          if (client.stripes.size === 0) return false;
          const { data } = client.picture();
          return Math.abs(data[0] - 0x33) < 12 && Math.abs(data[1] - 0x66) < 12 && Math.abs(data[2] - 0x99) < 12;
        }, 15_000, 100);
        const servers = await xvfbsOf(host.process.pid);
        assert.equal(servers.length, 1);
        client.stop();
        if (end === "SIGTERM") host.process.signal(end);
        else process.kill(host.process.pid, end);
        await host.process.exit;
        await until("its X server is gone", async () => !(await alive(servers[0])), 5000);
      } finally {
        await host.stop();
      }
    }
  });
});

/** True where the page's badge can be seen and its text fits. */
function shown(desk, text) {
  return desk.page.evaluate(
    ([source, flags]) => {
      const badge = document.getElementById("state");
      return Number(getComputedStyle(badge).opacity) > 0.9 && new RegExp(source, flags).test(badge.innerText);
    },
    [text.source, text.flags],
  );
}

/** Process ids of the Xvfbs below a process. */
async function xvfbsOf(pid) {
  const { stdout } = await run(tool("ps"), ["-eo", "pid=,ppid=,comm="]);
  const rows = stdout.trim().split("\n").map((row) => row.trim().split(/\s+/));
  const below = new Set([String(pid)]);
  for (let grew = true; grew; ) {
    const more = rows.filter(([child, parent]) => below.has(parent) && !below.has(child));
    more.forEach(([child]) => below.add(child));
    grew = more.length > 0;
  }
  return rows.filter(([child, , name]) => below.has(child) && name === "Xvfb").map(([child]) => Number(child));
}

async function alive(pid) {
  const { stdout } = await run(tool("ps"), ["-o", "stat=", "-p", String(pid)]);
  return stdout.trim() !== "" && !stdout.startsWith("Z");
}
