// Files to the desktop and from it, and commands: through requests while the picture moves, and with the page's own panel.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createReadStream, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Worker } from "node:worker_threads";
import { Browser } from "../support/browser.mjs";
import { WireClient } from "../support/client.mjs";
import { Firefox } from "../support/firefox.mjs";
import { folder, Host } from "../support/host.mjs";
import { Stage } from "../support/processes.mjs";
import { until } from "../support/tools.mjs";
import { XServer } from "../support/xserver.mjs";

const GIGABYTE = 1e9;
/** Longest time without a new frame that a transfer may cause, ms. */
const LONGEST_GAP = 100;

function transfer(workerData) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("../support/transfer.mjs", import.meta.url), { workerData });
    worker.once("message", resolve).once("error", reject);
  });
}

function hashOf(path) {
  const hash = createHash("sha256");
  return new Promise((resolve, reject) => {
    createReadStream(path).on("data", (part) => hash.update(part)).once("error", reject).once("end", () => resolve(hash.digest("hex")));
  });
}

/** The largest gap between two frames of a client while `work` is done, ms. */
async function gapDuring(client, work) {
  let [last, largest] = [performance.now(), 0];
  client.onFrame = () => {
    const now = performance.now();
    largest = Math.max(largest, now - last);
    last = now;
  };
  const answer = await work;
  // Also the one that has not ended.
  largest = Math.max(largest, performance.now() - last);
  client.onFrame = () => undefined;
  return { largest, ...answer };
}

describe("files", { timeout: 400_000 }, () => {
  const stage = new Stage();
  const desktop = join(folder("files"), "Desktop");
  let x, host;

  before(async () => {
    x = stage.add(await XServer.start());
    const args = ["--encoder", "jpeg", "--framerate", "30", "--file-manager-path", desktop];
    host = stage.add(await Host.start({ x, args }));
  }, { timeout: 60_000 });
  after(async () => {
    WireClient.stopAll();
    await stage.close();
  });

  test("a gigabyte up and down, interrupted, while the picture moves", async (t) => {
    const client = await WireClient.controller(host, { size: [640, 360] });
    await client.waitFrames(1);
    const scene = x.scene("motion", 320, 180, 30);
    await until(() => `the scene is drawn: ${scene.err}`, () => scene.out.includes("ready"));
    await client.waitFrames(30, 20_000);
    const quiet = await gapDuring(client, new Promise((done) => setTimeout(done, 5000)));
    t.diagnostic(`largest gap without a transfer: ${quiet.largest.toFixed(0)} ms`);

    const what = { port: host.port, path: "large.bin", size: GIGABYTE, cuts: 3 };
    const up = await gapDuring(client, transfer({ ...what, way: "up" }));
    t.diagnostic(`up: ${up.seconds.toFixed(1)} s, largest gap ${up.largest.toFixed(0)} ms`);
    assert.equal(await hashOf(join(desktop, "large.bin")), up.hash);
    const down = await gapDuring(client, transfer({ ...what, way: "down" }));
    t.diagnostic(`down: ${down.seconds.toFixed(1)} s, largest gap ${down.largest.toFixed(0)} ms`);
    assert.equal(down.hash, up.hash);
    await scene.stop();
    client.stop();
    // What the machine alone causes is not the transfer's.
    const allowed = LONGEST_GAP + Math.max(0, quiet.largest - 1000 / 30);
    assert.ok(up.largest <= allowed && down.largest <= allowed, `gaps of ${up.largest} and ${down.largest} ms, ${quiet.largest} ms without`);
  });

  for (const [name, browser] of [["Chromium", Browser], ["Firefox", Firefox]]) {
    test(`the page's panel sends and gets files in ${name}`, async () => {
      const [local, content] = [new Stage(), "Grüße\n".repeat(1000)];
      try {
        const desk = await local.add(await browser.start()).open(host.url);
        await desk.waitState("connected");
        await until("files may be sent", () => desk.page.evaluate(() => !document.getElementById("files").hidden));
        // Chosen, and dropped.
        await desk.page.evaluate(([text, prefix]) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([text], `${prefix} chosen.txt`));
          const input = document.getElementById("files-input");
          input.files = transfer.files;
          input.dispatchEvent(new Event("change"));
        }, [content, name]);
        await desk.page.evaluate(([text, prefix]) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([text], `${prefix} dropped.txt`));
          for (const type of ["dragover", "drop"]) {
            window.dispatchEvent(new DragEvent(type, { dataTransfer: transfer, bubbles: true, cancelable: true }));
          }
        }, [content, name]);
        for (const way of ["chosen", "dropped"]) {
          const at = join(desktop, `${name} ${way}.txt`);
          await until(`${at} is there`, () => existsSync(at) && readFileSync(at, "utf8") === content, 20_000);
        }
        await until("the panel says so", () => desk.page.evaluate(() => document.querySelectorAll('#files-uploads [data-phase="done"]').length === 2));

        mkdirSync(join(desktop, `${name} folder`), { recursive: true });
        writeFileSync(join(desktop, `${name} folder`, "a <b>.txt"), content);
        await desk.page.evaluate(() => document.getElementById("files-browse").click());
        const press = (text) => desk.page.evaluate((wanted) => {
          const found = [...document.querySelectorAll("#files-host button")].find((node) => node.textContent === wanted);
          found?.click();
          return found !== undefined;
        }, text);
        await until("the folder is listed", () => press(`${name} folder/`));
        const got = await until("the file is listed", () => desk.page.evaluate(async () => {
          const link = [...document.querySelectorAll("#files-host a")].find((node) => node.textContent === "a <b>.txt");
          return link ? (await fetch(link.href)).text() : null;
        }));
        assert.equal(got, content);
        assert.deepEqual(desk.complaints, []);
      } finally {
        await local.close();
      }
    });
  }

  test("a viewer's page offers no files", async () => {
    const local = new Stage();
    try {
      const desk = await local.add(await Browser.start()).open(`${host.url}#shared`);
      await desk.waitState("connected");
      await until("the picture is there", async () => (await desk.size()).width > 1);
      assert.equal(await desk.page.evaluate(() => document.getElementById("files").hidden), true);
    } finally {
      await local.close();
    }
  });

  test("commands run on the streamed display, without the host's secrets", async () => {
    const env = { SELKIES_TURN_SHARED_SECRET: "canary-7f3a", HOME: folder("home") };
    const other = stage.add(await Host.start({ x, env }));
    const client = await WireClient.controller(other);
    client.send('cmd,echo "$DISPLAY"; env; cat /nothing; exit 4');
    const text = await until("the command's end is told", () => client.texts.find((line) => line.startsWith('system,{"action":"command_')), 20_000);
    const { action, status, output } = JSON.parse(text.slice("system,".length));
    assert.match(action, /^command_error,echo .*exit status 4$/);
    assert.equal(status, 4);
    assert.equal(output.split("\n")[0], x.display);
    assert.match(output, /No such file/);
    assert.doesNotMatch(output, /canary/);
  });
});
