// The stock web client of Selkies 2.1.0, out of its wheel on PyPI, kept below target/, and sessions with it.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { EventWindow } from "./applications.mjs";
import { Browser } from "./browser.mjs";
import { Host } from "./host.mjs";
import { Session } from "./session.mjs";
import { must, ROOT, tool, until } from "./tools.mjs";
import { XServer } from "./xserver.mjs";

const VERSION = "2.1.0";
const STOCK = join(ROOT, "target", "stock");
const WEB = join(STOCK, "web");

/** Answers the folder of the stock client, which it fetches once. */
export async function stockClient() {
  if (existsSync(join(WEB, "index.html"))) return WEB;
  const work = join(STOCK, "unpacked");
  rmSync(STOCK, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const python = tool("python3");
  await must(python, ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", `selkies==${VERSION}`, "-d", STOCK]).catch(
    (error) => {
      throw new Error(`the stock client cannot be fetched (Debian package: python3-pip): ${error.message}`);
    },
  );
  const wheel = readdirSync(STOCK).find((name) => name.endsWith(".whl"));
  await must(python, ["-m", "zipfile", "-e", join(STOCK, wheel), work]);
  const pages = readdirSync(work, { recursive: true }).filter((name) => name.endsWith("index.html"));
  const page = pages.sort((a, b) => a.split("/").length - b.split("/").length)[0];
  if (!page) throw new Error(`selkies ${VERSION} has no index.html`);
  renameSync(dirname(join(work, page)), WEB);
  return WEB;
}

/** X server, host and browser with the stock client's page in place of the host's. */
export class StockSession extends Session {
  /** All but the page. `host`: further options of Host.start. */
  static async prepare(host = {}) {
    const session = new StockSession();
    try {
      session.x = session.stage.add(await XServer.start());
      await session.startHost(host);
      session.browser = session.stage.add(await Browser.start());
    } catch (error) {
      await session.close();
      throw error;
    }
    return session;
  }

  /** Starts the host; `host` as of `prepare`. */
  async startHost(host = {}) {
    const web = await stockClient();
    this.host = this.stage.add(await Host.start({ x: this.x, args: ["--web-root", web], ...host }));
  }

  /** Opens the page, of which `selector` is what shows the picture. */
  async openStock(selector, options = {}) {
    this.desk = await this.browser.open(this.host.url, { size: [1280, 720], selector, ...options });
    return this.desk;
  }

  /** The page shows what is on the display, which has taken its size. */
  async showsPicture(limit) {
    await this.waitScreen(1280, 720, 20_000);
    const scene = await this.scene("text");
    await this.desk.waitEqual(this.x, { limit });
    await scene.stop();
  }

  /** Clicks arrive where they were made. */
  async clicks() {
    const xev = await EventWindow.start(this.x);
    for (const [x, y] of [[640, 360], [1201, 699]]) {
      xev.clear();
      const at = await this.desk.click(x, y);
      const press = await xev.wait("the click", (seen) => seen.find(({ type }) => type === "ButtonPress"));
      assert.deepEqual([press.button, press.x, press.y], [1, at.x, at.y]);
      await xev.wait("the release", (seen) => seen.find(({ type }) => type === "ButtonRelease"));
    }
    await xev.stop();
  }

  /** The page shows the cursor of the window below it, with its hotspot. */
  async showsCursor() {
    const scene = await this.scene("cursor", 3, 11, 500, 200, 300, 300);
    await this.desk.moveTo(650, 350);
    let css;
    await until(() => `the cursor's hotspot; it is ${css?.slice(0, 40)}…${css?.slice(-30)}`, async () => {
      // The page shows it on the element that takes the input.
      css = await this.desk.page.evaluate(() => getComputedStyle(document.getElementById("overlayInput")).cursor);
      return /^(url|image-set)\(.* 3 11, /.test(css);
    });
    await scene.stop();
  }
}
