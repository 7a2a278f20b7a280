// A thread that sends a large file to a host and takes it back: beside the thread that measures the picture.

import { createHash } from "node:crypto";
import { request } from "node:http";
import { parentPort, workerData } from "node:worker_threads";

const SLICE = 8 << 20;
const { port, path, size, cuts, way } = workerData;

/** The slice of the file that begins there: noise that no two slices share. */
const seed = Buffer.alloc(SLICE);
for (let at = 0, x = 88172645; at < SLICE; at += 4) {
  x ^= x << 13;
  x ^= x >>> 17;
  x ^= x << 5;
  seed.writeInt32LE(x | 0, at);
}
function slice(from, to) {
  const bytes = Buffer.from(seed);
  bytes.writeBigUInt64LE(BigInt(Math.floor(from / SLICE)), 16);
  return bytes.subarray(from % SLICE, (from % SLICE) + to - from);
}

/** One request; with `cut`, the connection is destroyed after so many bytes of the body, in either direction. */
function ask(method, target, headers, body, cut = Infinity) {
  return new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port, method, path: target, headers: { ...headers, ...(body ? { "Content-Length": body.length } : {}) } });
    asked.once("error", reject);
    asked.once("response", (answer) => {
      const parts = [];
      let got = 0;
      answer.on("data", (part) => {
        parts.push(part);
        got += part.length;
        if (got >= cut) asked.destroy();
      });
      answer.once("close", () => resolve({ status: answer.statusCode, body: Buffer.concat(parts) }));
      answer.once("error", () => undefined);
    });
    if (body && cut < body.length) asked.write(body.subarray(0, cut), () => setTimeout(() => asked.destroy(new Error("cut")), 20));
    else asked.end(body);
  });
}

const named = { "X-Upload-Path": encodeURIComponent(path), "X-Upload-Id": "large", "X-Upload-Total": String(size) };
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Where the host goes on, once the request that was cut has ended there. */
async function resumption() {
  for (let before = -1; ; await pause(50)) {
    const { offset } = JSON.parse((await ask("GET", "/api/upload", named)).body);
    if (offset === before) return offset;
    before = offset;
  }
}

async function upload() {
  const hash = createHash("sha256");
  for (let at = 0; at < size; at += SLICE) hash.update(slice(at, Math.min(at + SLICE, size)));
  let [offset, left] = [0, cuts];
  while (offset < size) {
    const end = Math.min(size, Math.floor(offset / SLICE) * SLICE + SLICE);
    const headers = { ...named, "X-Upload-Offset": String(offset), ...(end === size ? { "X-Upload-Final": "1" } : {}) };
    const isCut = left > 0 && offset > ((cuts - left + 1) * size) / (cuts + 1);
    if (isCut) left -= 1;
    const answer = await ask("POST", "/api/upload", headers, slice(offset, end), isCut ? 3_000_000 : Infinity).catch(() => null);
    if (answer?.status === 200) {
      offset = end;
      continue;
    }
    if (answer && answer.status !== 409) throw new Error(`${answer.status} ${answer.body}`);
    offset = await resumption();
  }
  if (left > 0) throw new Error(`${left} connections were not cut`);
  return hash.digest("hex");
}

async function download() {
  const hash = createHash("sha256");
  let [offset, left] = [0, cuts];
  while (offset < size) {
    // Ranges of 64 MB, so that no memory holds it all.
    const end = Math.min(size, offset + 64e6);
    const isCut = left > 0 && offset > ((cuts - left + 1) * size) / (cuts + 1);
    if (isCut) left -= 1;
    const headers = { Range: `bytes=${offset}-${end - 1}` };
    const answer = await ask("GET", `/api/files/${encodeURIComponent(path)}`, headers, null, isCut ? 10e6 : Infinity);
    if (answer.status !== 206) throw new Error(`${answer.status} ${answer.body.subarray(0, 200)}`);
    hash.update(answer.body);
    offset += answer.body.length;
  }
  if (left > 0) throw new Error(`${left} connections were not cut`);
  return hash.digest("hex");
}

const began = performance.now();
const hash = await (way === "up" ? upload() : download());
parentPort.postMessage({ hash, seconds: (performance.now() - began) / 1000 });
