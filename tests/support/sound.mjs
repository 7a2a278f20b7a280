// What a page plays, heard inside the browser.

import { sleep, until } from "./tools.mjs";

/** Runs in the page: the strongest frequency of what it plays in Hz, and how strong it is in dB; null while nothing is played. */
async function strongest() {
  const { sound } = window.__selkies;
  let { analyser } = sound;
  if (window.__selkies.mode === "webrtc") {
    const stream = sound.element.srcObject;
    if (!stream) return null;
    // One for each track: another one comes with each connection.
    if (window.testStream !== stream) {
      window.testContext ??= new AudioContext();
      window.testAnalyser = window.testContext.createAnalyser();
      window.testAnalyser.fftSize = 8192;
      window.testContext.createMediaStreamSource(stream).connect(window.testAnalyser);
      window.testStream = stream;
    }
    analyser = window.testAnalyser;
  }
  if (!analyser || analyser.context.state !== "running") return null;
  const bins = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(bins);
  const best = bins.reduce((at, level, i) => (level > bins[at] ? i : at), 0);
  return { hertz: (best * analyser.context.sampleRate) / analyser.fftSize, level: bins[best] };
}

/** What the page plays now. */
export const heard = (desk) => desk.page.evaluate(strongest);

/** What stands in the panel about sound. */
export const soundNote = (desk) => desk.page.evaluate(() => window.__selkies.sound.note);

/** Waits until the page plays a tone of this frequency. */
export async function waitTone(desk, hertz, limit = 15_000) {
  let seen;
  await until(() => `the page plays ${hertz} Hz; it plays ${JSON.stringify(seen)}`, async () => {
    seen = await heard(desk);
    return seen !== null && seen.level > -60 && Math.abs(seen.hertz - hertz) < 12;
  }, limit, 50);
}

/** Waits until the page plays nothing. */
export async function waitSilence(desk, limit = 10_000) {
  let seen;
  await until(() => `the page is silent; it plays ${JSON.stringify(seen)}`, async () => {
    seen = await heard(desk);
    return seen === null || seen.level < -90;
  }, limit, 50);
}

/** Runs in the page for some seconds: when the window at the upper left turned white, and when a beep began, in ms. */
async function watchPairs(seconds) {
  const { analyser } = window.__selkies.sound;
  const rate = analyser.context.sampleRate;
  const samples = new Float32Array(analyser.fftSize);
  const pixel = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const seen = { flashes: [], beeps: [] };
  let [white, loudAt] = [true, performance.now()];
  for (const end = performance.now() + seconds * 1000; performance.now() < end; ) {
    await new Promise(requestAnimationFrame);
    pixel.drawImage(window.testScreen(), 40, 40, 1, 1, 0, 0, 1, 1);
    const now = performance.now();
    const isWhite = pixel.getImageData(0, 0, 1, 1).data[1] > 128;
    if (isWhite && !white) seen.flashes.push(now);
    white = isWhite;
    analyser.getFloatTimeDomainData(samples);
    for (let i = 0; i < samples.length; i += 1) {
      if (Math.abs(samples[i]) < 0.05) continue;
      const at = now - ((samples.length - i) * 1000) / rate;
      if (at - loudAt > 300) seen.beeps.push(at);
      loudAt = Math.max(loudAt, at);
    }
  }
  return seen;
}

/** How much later than its flash each beep was there, in ms, in rising order. */
export async function offsets(desk, seconds) {
  const { flashes, beeps } = await desk.page.evaluate(watchPairs, seconds);
  const late = (flash) => beeps.map((beep) => beep - flash).sort((a, b) => Math.abs(a) - Math.abs(b))[0];
  return flashes.map(late).filter((offset) => Math.abs(offset) < 450).sort((a, b) => a - b);
}

/** What the page's buffer says about `seconds` of sound. */
export async function bufferOver(desk, seconds) {
  const figures = () => desk.page.evaluate(() => window.__selkies.sound.figures);
  const before = await figures();
  await sleep(seconds * 1000);
  const after = await figures();
  return { ...after, underruns: after.underruns - before.underruns, skipped: after.skipped - before.skipped };
}
