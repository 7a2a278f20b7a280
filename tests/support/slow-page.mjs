// A page whose decoders are slow, and what it shows of the scene "clock".

/**
 * Makes every JPEG stripe take at least `ms` in each decoder, and records what the page gets, draws and acknowledges.
 * For Browser.open's `prepare`; the records are read with `records`.
 */
export function slowDecoders(ms) {
  const inWorker = (delay) => {
    const channel = new BroadcastChannel("slow-page");
    const tell = (record) => channel.postMessage({ ...record, at: performance.timeOrigin + performance.now() });
    const decode = globalThis.createImageBitmap;
    globalThis.createImageBitmap = async (...args) => {
      const [picture] = await Promise.all([decode(...args), new Promise((done) => setTimeout(done, delay))]);
      return picture;
    };
    const draw = OffscreenCanvasRenderingContext2D.prototype.drawImage;
    const pad = new OffscreenCanvas(18, 1).getContext("2d", { willReadFrequently: true });
    pad.imageSmoothingEnabled = false;
    OffscreenCanvasRenderingContext2D.prototype.drawImage = function (picture, ...place) {
      if (picture instanceof ImageBitmap) {
        const { width, height } = picture;
        for (let bar = 0; bar < 18; bar += 1) {
          draw.call(pad, picture, Math.floor(((bar + 0.5) * width) / 18), Math.floor(height / 2), 1, 1, bar, 0, 1, 1);
        }
        const { data } = pad.getImageData(0, 0, 18, 1);
        let time = 0;
        for (let bar = 2; bar < 18; bar += 1) time = time * 2 + (data[bar * 4] > 127 ? 1 : 0);
        if (data[0] > 127 && data[4] < 128) tell({ drawn: time, y: place[1], height });
      }
      return draw.call(this, picture, ...place);
    };
    const Socket = globalThis.WebSocket;
    globalThis.WebSocket = class extends Socket {
      constructor(...args) {
        super(...args);
        this.addEventListener("message", ({ data }) => {
          if (typeof data !== "string" && new Uint8Array(data)[0] === 3) tell({ got: new DataView(data).getUint16(2) });
        });
      }
      send(data) {
        const [verb, id] = String(data).split(" ");
        if (verb === "CLIENT_FRAME_ACK") tell({ acknowledged: Number(id) });
        super.send(data);
      }
    };
  };
  return [
    ([source, delay]) => {
      window.slowPage = [];
      new BroadcastChannel("slow-page").onmessage = ({ data }) => window.slowPage.push(data);
      window.Worker = new Proxy(window.Worker, {
        construct(target, [url, ...options]) {
          const request = new XMLHttpRequest();
          request.open("GET", url, false);
          request.send();
          const parts = [`(${source})(${delay});\n`, request.responseText];
          return new target(URL.createObjectURL(new Blob(parts, { type: "text/javascript" })), ...options);
        },
      });
    },
    [inWorker.toString(), ms],
  ];
}

/** What was recorded since the last call, oldest first. */
export async function records(desk) {
  const found = await desk.page.evaluate(() => window.slowPage.splice(0));
  return found.sort((a, b) => a.at - b.at);
}

/** Age in ms of what each drawn stripe shows. */
export function ages(found) {
  return found.filter(({ drawn }) => drawn !== undefined).map(({ drawn, at }) => (at - drawn) & 0xffff);
}

/** Stripes received and not acknowledged at each arrival, and stripes per acknowledgement. */
export function turns(found) {
  const waiting = [];
  const turn = [];
  let out = 0;
  for (const { got, acknowledged } of found) {
    if (got !== undefined) waiting.push((out += 1));
    if (acknowledged !== undefined && out > 0) {
      turn.push(out);
      out = 0;
    }
  }
  return { waiting, turn };
}

/** The value below which this share of a sample lies. */
export function share(sample, part) {
  const sorted = [...sample].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}
