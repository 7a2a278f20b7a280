// Fingers, input methods and wheels of a page, by Chromium's own protocol.

import { sleep } from "./tools.mjs";

/** Drives one page's touch screen and input method. Places are stream pixels. */
export class Fingers {
  static async of(desk) {
    const cdp = await desk.page.context().newCDPSession(desk.page);
    await cdp.send("Emulation.setTouchEmulationEnabled", { enabled: true, maxTouchPoints: 5 });
    const { left, top, pixels } = await desk.geometry();
    return new Fingers(cdp, ([x, y], id) => ({ x: left + (x + 0.5) / pixels, y: top + (y + 0.5) / pixels, id }));
  }

  constructor(cdp, place) {
    this.cdp = cdp;
    this.place = place;
  }

  /** `touchStart`, `touchMove` with these fingers, `touchEnd` and `touchCancel` with those that stay. */
  async touch(type, ...places) {
    await this.cdp.send("Input.dispatchTouchEvent", { type, touchPoints: places.map(this.place) });
  }

  async tap(...places) {
    await this.touch("touchStart", ...places);
    await sleep(30);
    await this.touch("touchEnd");
  }

  /** Fingers go from places to as many others in steps. */
  async slide(from, to, steps = 8) {
    await this.touch("touchStart", ...from);
    for (let step = 1; step <= steps; step += 1) {
      await this.touch("touchMove", ...from.map(([x, y], i) => [x + ((to[i][0] - x) * step) / steps, y + ((to[i][1] - y) * step) / steps]));
      await sleep(16);
    }
    await this.touch("touchEnd");
  }

  /** An input method shows what is being composed, step by step, and then enters the text. */
  async compose(steps, text) {
    for (const step of steps) {
      await this.cdp.send("Input.imeSetComposition", { text: step, selectionStart: step.length, selectionEnd: step.length });
    }
    await this.cdp.send("Input.insertText", { text });
  }
}
