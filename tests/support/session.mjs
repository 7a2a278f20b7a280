// What most tests start with: an X server, a host that shows it, and a browser with the host's page.

import { Browser } from "./browser.mjs";
import { Host } from "./host.mjs";
import { Stage } from "./processes.mjs";
import { sleep, until } from "./tools.mjs";
import { XServer } from "./xserver.mjs";

/** X server, host, browser and page; `close` ends them all. */
export class Session {
  stage = new Stage();

  /** `x`, `host`, `page`: options of XServer.start, Host.start and `browser`'s open. */
  static async start({ x = {}, host = {}, page = {}, path = "", browser = Browser } = {}) {
    const session = new Session();
    try {
      session.x = session.stage.add(await XServer.start(x));
      session.host = session.stage.add(await Host.start({ x: session.x, ...host }));
      session.browser = session.stage.add(await browser.start());
      session.desk = await session.open(path, page);
    } catch (error) {
      await session.close();
      throw error;
    }
    return session;
  }

  /** Opens one more page and waits until it shows a picture. */
  async open(path = "", options = {}) {
    const desk = await this.browser.open(this.host.url + path, options);
    try {
      await desk.waitState("connected");
      await until("the canvas has a size", async () => (await desk.size()).width > 1);
    } catch (error) {
      throw new Error(`${error.message}\npage: ${desk.complaints.join("; ")}\nhost: ${this.host.log.slice(-3000)}`);
    }
    return desk;
  }

  /** Starts support/scene.c and waits for its first picture. */
  async scene(...args) {
    const scene = this.x.scene(...args);
    await until(() => `the scene is drawn: ${scene.err}`, () => scene.out.includes("ready"));
    return scene;
  }

  /** A viewer that comes while the display rests shows what is on it. */
  async showsLatecomer() {
    const scene = await this.scene("gradient");
    const other = await this.open("?role=viewer");
    await other.waitEqual(this.x, { limit: 20_000 });
    await other.page.close();
    await scene.stop();
  }

  /** The page gets a window of another size, which the display follows, and shows what is on it. */
  async showsResized(width, height, limit = 20_000) {
    const scene = await this.scene("text");
    await this.desk.page.setViewportSize({ width, height });
    await this.waitScreen(width, height, limit);
    await this.desk.waitEqual(this.x, { limit });
    await scene.stop();
  }

  /** Waits until the X screen has this size. */
  async waitScreen(width, height, limit = 8000) {
    let seen;
    await until(() => `the X screen is ${width}x${height}; it is ${JSON.stringify(seen)}`, async () => {
      seen = await this.x.size();
      return seen.width === width && seen.height === height;
    }, limit, 100);
  }

  /** Waits until something is held on the display, or, with `false`, until nothing is. */
  async waitHeld(something, limit = 5000) {
    let held;
    await until(() => `${something ? "a key or button" : "nothing"} is held; held is ${JSON.stringify(held)}`, async () => {
      held = await this.x.held();
      return (held.keys.length > 0 || held.buttons !== 0) === something;
    }, limit, 60);
    return held;
  }

  /** True when the X screen keeps this size for `ms`. */
  async staysAt(width, height, ms = 1200) {
    for (const end = Date.now() + ms; Date.now() < end; await sleep(150)) {
      const size = await this.x.size();
      if (size.width !== width || size.height !== height) return false;
    }
    return true;
  }

  close() {
    return this.stage.close();
  }
}
