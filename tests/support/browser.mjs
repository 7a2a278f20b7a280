// Chromium and the page in it: our client, or another with its own selectors.

import { chromium } from "playwright-core";
import { colourError, ssim } from "./picture.mjs";
import { sleep, tool, until } from "./tools.mjs";

/** The last two let WebRTC use loopback, by address. */
const ARGUMENTS = [
  "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--autoplay-policy=no-user-gesture-required",
  "--allow-loopback-in-peer-connection", "--disable-features=WebRtcHideLocalIpsWithMdns",
];

/** Runs in the page before its scripts: finds what shows the desktop, and its size in pixels. */
export function SCREEN_FINDER(pattern) {
  // A page may have several elements for it, of which one is shown.
  window.testScreen = () => {
    const all = [...document.querySelectorAll(pattern)];
    return all.find((node) => node.offsetWidth > 0) ?? all[0];
  };
  window.testSize = () => {
    const screen = window.testScreen();
    const isVideo = screen instanceof HTMLVideoElement;
    return isVideo ? { width: screen.videoWidth, height: screen.videoHeight } : { width: screen.width, height: screen.height };
  };
}

/** A browser without a window. */
export class Browser {
  /** What starts browsers with more arguments. */
  static with(...more) {
    return { start: () => Browser.start(more) };
  }

  static async start(more = []) {
    const args = [...ARGUMENTS, ...more];
    const server = await chromium.launchServer({ executablePath: process.env.CHROMIUM ?? tool("chromium"), args });
    return new Browser(server, await chromium.connect(server.wsEndpoint()));
  }

  constructor(server, browser) {
    this.server = server;
    this.browser = browser;
  }

  /**
   * Opens a page in a context of its own. `storage` fills its sessionStorage before any script runs; `prepare` is a
   * function that runs in the page before that, and its argument.
   */
  async open(url, { size = [1280, 720], storage = {}, selector = "#screen, #video", prepare = null } = {}) {
    const context = await this.browser.newContext({ viewport: { width: size[0], height: size[1] } });
    await context.addInitScript(SCREEN_FINDER, selector);
    if (Object.keys(storage).length > 0) {
      await context.addInitScript((items) => {
        for (const [name, value] of Object.entries(items)) sessionStorage.setItem(name, value);
      }, storage);
    }
    if (prepare) await context.addInitScript(...prepare);
    const page = await context.newPage();
    const desk = new Desk(page);
    await page.goto(url, { waitUntil: "domcontentloaded", timeout: 20_000 });
    return desk;
  }

  /** Ends it as a crash would. */
  async kill() {
    await this.server.kill();
  }

  async stop() {
    await this.browser.close().catch(() => undefined);
    await this.server.close().catch(() => undefined);
  }
}

/** One page that shows a desktop. */
export class Desk {
  complaints = [];

  constructor(page) {
    this.page = page;
    page.on("pageerror", (error) => this.complaints.push(String(error)));
  }

  /** What `#state` says. */
  state() {
    return this.page.getAttribute("#state", "data-state");
  }

  async waitState(name, limit = 10_000) {
    let seen;
    await until(() => `the page's state is ${name}; it is ${seen}`, async () => (seen = await this.state()) === name, limit);
  }

  /** Width and height of the picture in pixels. */
  size() {
    return this.page.evaluate(() => window.testSize());
  }

  async waitSize(width, height, limit = 10_000) {
    let seen;
    await until(() => `the canvas is ${width}x${height}; it is ${JSON.stringify(seen)}`, async () => {
      seen = await this.size();
      return seen.width === width && seen.height === height;
    }, limit);
  }

  /** What is shown, as a picture. */
  async picture() {
    const { width, height, rgba } = await this.page.evaluate(async () => {
      const { width, height } = window.testSize();
      const copy = new OffscreenCanvas(Math.max(1, width), Math.max(1, height)).getContext("2d");
      copy.drawImage(window.testScreen(), 0, 0);
      const reader = new FileReader();
      const loaded = new Promise((done) => (reader.onload = done));
      reader.readAsDataURL(new Blob([copy.getImageData(0, 0, Math.max(1, width), Math.max(1, height)).data]));
      await loaded;
      return { width, height, rgba: reader.result.slice(reader.result.indexOf(",") + 1) };
    });
    const from = Buffer.from(rgba, "base64");
    const data = new Uint8Array(width * height * 3);
    for (let i = 0, j = 0; j < data.length; i += 4, j += 3) {
      data[j] = from[i];
      data[j + 1] = from[i + 1];
      data[j + 2] = from[i + 2];
    }
    return { width, height, data };
  }

  /**
   * Waits until the canvas equals the X display: SSIM of the luma and the mean error per colour channel, which JPEG of
   * quality 90 and 4:2:0 keeps on the tests' scenes. Answers the canvas's picture.
   */
  async waitEqual(x, { least = 0.97, colour = 8, limit = 12_000 } = {}) {
    let seen;
    let page;
    await until(() => `the canvas equals the display: ${seen}`, async () => {
      page = await this.picture();
      const display = await x.screenshot();
      const [alike, error] = [ssim(page, display), colourError(page, display)];
      seen = `canvas ${page.width}x${page.height}, display ${display.width}x${display.height}, SSIM ${alike}, colours differ by ${error}`;
      return alike >= least && error <= colour;
    }, limit, 100);
    return page;
  }

  /** The canvas's CSS cursor. */
  cursor() {
    return this.page.evaluate(() => getComputedStyle(window.testScreen()).cursor);
  }

  /** The statistics that the page shows, by name. */
  statistics() {
    return this.page.evaluate(() => {
      const names = [...document.querySelectorAll("#stats dt")].map((node) => node.textContent);
      const values = [...document.querySelectorAll("#stats dd")].map((node) => node.textContent);
      return Object.fromEntries(names.map((name, i) => [name, values[i]]));
    });
  }

  /** Where the picture lies in the page, and how many stream pixels a CSS pixel is. */
  geometry() {
    return this.page.evaluate(() => {
      const { width, height } = window.testSize();
      const box = window.testScreen().getBoundingClientRect();
      const scale = Math.min(box.width / width, box.height / height);
      const left = box.left + (box.width - width * scale) / 2;
      const top = box.top + (box.height - height * scale) / 2;
      return { left, top, pixels: 1 / scale, width, height };
    });
  }

  /** Moves the pointer to a whole point of the page over this stream pixel, and answers the stream pixel it is on. */
  async moveTo(x, y) {
    const { left, top, pixels } = await this.geometry();
    const [px, py] = [Math.round(left + (x + 0.5) / pixels - 0.5), Math.round(top + (y + 0.5) / pixels - 0.5)];
    await this.page.mouse.move(px, py);
    return { x: Math.max(0, Math.floor((px - left) * pixels)), y: Math.max(0, Math.floor((py - top) * pixels)) };
  }

  /** Clicks there, and answers as `moveTo`. */
  async click(x, y, button = "left") {
    const at = await this.moveTo(x, y);
    await this.page.mouse.down({ button });
    await sleep(30);
    await this.page.mouse.up({ button });
    return at;
  }

  /** A key as a keyboard with that character on it sends it, which the driver's own layout need not have. */
  async pressCharacter(key, code) {
    const cdp = await this.page.context().newCDPSession(this.page);
    await cdp.send("Input.dispatchKeyEvent", { type: "keyDown", key, code, text: key });
    await cdp.send("Input.dispatchKeyEvent", { type: "keyUp", key, code });
    await cdp.detach();
  }

  async close() {
    await this.page.context().close();
  }
}
