// The loudspeaker's side of the page: what the stream decodes, or WebRTC's track, with volume and choice of device.

import type { Mode } from "./modes";
import type { BufferFigures } from "./sound-buffer";
import type { SoundGates } from "./sound-wire";
import type { SourceMessage } from "./sound-worklet";
import workletUrl from "./sound-worklet?worker&url";

/** Called by a SoundPlayer; none of them may throw. */
export interface SoundEvents {
  /** Sound is wanted, or not; its samples go to `port` where the stream decodes it. */
  listen(on: boolean, port: MessagePort | null, channels: number): void;
  /** Something that is shown has changed. */
  changed(): void;
}

/** What the user chose; kept across visits. */
interface Choice {
  muted: boolean;
  /** 0 to 1. */
  volume: number;
  /** A device's id; empty for the browser's own choice. */
  speaker: string;
}

const KEY = "selkies-sound";
/** The browser's word for sound before the user has done anything in the page. */
const BLOCKED = "The browser plays sound after a click or a key.";
const UNTRUSTED = "Sound needs a page over https, or of this machine.";
const GESTURES = ["pointerdown", "keydown", "touchend"] as const;

/** Audio contexts and elements that can play on a device of choice. */
interface Routable {
  setSinkId?(id: string): Promise<void>;
}

/** Plays the sound of one stream after the other. */
export class SoundPlayer {
  /** What the buffer said last; null before it plays. */
  figures: BufferFigures | null = null;
  /** With `debug`: what is played, for tests. */
  analyser: AnalyserNode | null = null;
  private readonly element = new Audio();
  private choice: Choice = readChoice();
  private gates: SoundGates = { sound: false, microphone: false, panel: false, channels: 2 };
  private mode: Mode | null = null;
  private context: AudioContext | null = null;
  private node: AudioWorkletNode | null = null;
  private gain: GainNode | null = null;
  private listening = false;
  private blocked = false;
  private failure = "";
  private readonly onGesture = () => void this.unlock();

  constructor(
    private readonly events: SoundEvents,
    private readonly debug: boolean,
  ) {
    this.element.autoplay = true;
    this.applyVolume();
  }

  /** A stream begins: nothing of the one before is heard any more. */
  begin(mode: Mode): void {
    this.mode = mode;
    this.listening = false;
    this.failure = "";
    this.element.srcObject = null;
    this.sync();
  }

  /** What the server allows. */
  allow(gates: SoundGates): void {
    const again = gates.channels !== this.gates.channels;
    this.gates = gates;
    if (again && this.context) this.discard();
    this.sync();
  }

  /** WebRTC's sound. */
  play(track: MediaStreamTrack): void {
    this.element.srcObject = new MediaStream([track]);
    void this.unlock();
  }

  /** The stream has no sound, for this reason; empty where it has some. */
  fail(reason: string): void {
    this.failure = reason;
    this.events.changed();
  }

  /** What there is to say; empty where everything is well. */
  get note(): string {
    if (!this.gates.sound || this.choice.muted) return "";
    return this.failure !== "" ? this.failure : this.blocked ? BLOCKED : "";
  }

  get allowed(): boolean {
    return this.gates.sound;
  }

  get muted(): boolean {
    return this.choice.muted;
  }

  get volume(): number {
    return this.choice.volume;
  }

  get speaker(): string {
    return this.choice.speaker;
  }

  setMuted(muted: boolean): void {
    this.choose({ muted });
    this.sync();
  }

  setVolume(volume: number): void {
    this.choose({ volume: Math.min(1, Math.max(0, volume)) });
    this.applyVolume();
  }

  async setSpeaker(speaker: string): Promise<void> {
    this.choose({ speaker });
    await this.route();
  }

  /** The loudspeakers to choose from; empty where the browser does not let a page choose. */
  async speakers(): Promise<{ id: string; label: string }[]> {
    const target = (this.mode === "webrtc" ? this.element : this.context) as Routable | null;
    if (!navigator.mediaDevices || typeof target?.setSinkId !== "function") return [];
    const devices = await navigator.mediaDevices.enumerateDevices().catch(() => []);
    const outputs = devices.filter(({ kind, deviceId }) => kind === "audiooutput" && deviceId !== "");
    return outputs.map(({ deviceId, label }, i) => ({ id: deviceId, label: label === "" ? `Loudspeaker ${i + 1}` : label }));
  }

  /** Brings about what is wanted, as far as that is possible now. */
  private sync(): void {
    const wanted = this.mode !== null && this.gates.sound && !this.choice.muted;
    if (!wanted) {
      if (this.listening || this.choice.muted) this.events.listen(false, null, this.gates.channels);
      this.listening = false;
      this.element.muted = true;
      this.watchGestures(false);
      void this.context?.suspend();
      this.events.changed();
      return;
    }
    this.element.muted = false;
    void this.unlock();
  }

  /** Plays, or waits for the user to do something in the page. */
  private async unlock(): Promise<void> {
    if (this.mode === null || !this.gates.sound || this.choice.muted) return;
    if (this.mode === "webrtc") {
      this.listen(null);
      const refused = this.element.srcObject === null ? false : await this.element.play().then(() => false, isRefusal);
      this.watchGestures(refused);
    } else {
      await this.prepare();
      // Kept waiting until there is a gesture; what follows is done then.
      if (this.context) this.watchGestures(this.context.state !== "running");
      void this.context?.resume().catch(() => undefined);
    }
    this.events.changed();
  }

  private listen(port: MessagePort | null): void {
    if (this.listening) return;
    this.listening = true;
    this.events.listen(true, port, this.gates.channels);
    void this.route();
  }

  private async prepare(): Promise<void> {
    if (this.context || this.failure === UNTRUSTED) return;
    const context = new AudioContext({ latencyHint: "interactive", sampleRate: 48_000 });
    if (!context.audioWorklet) {
      void context.close();
      this.failure = UNTRUSTED;
      return;
    }
    this.context = context;
    context.onstatechange = () => {
      if (context === this.context && context.state === "running") this.start();
    };
    try {
      await context.audioWorklet.addModule(workletUrl);
    } catch {
      this.failure = "The page's part that plays sound did not load; reload the page.";
      return;
    }
    if (context !== this.context) return;
    const { channels } = this.gates;
    this.gain = context.createGain();
    this.node = new AudioWorkletNode(context, "selkies-sound", { numberOfInputs: 0, outputChannelCount: [channels] });
    this.node.port.onmessage = ({ data }: MessageEvent<BufferFigures>) => {
      this.figures = data;
    };
    // 0 where there is no device.
    const most = context.destination.maxChannelCount;
    if (most > 0) context.destination.channelCount = Math.min(Math.max(channels, 2), most);
    this.node.connect(this.gain).connect(context.destination);
    if (this.debug) {
      this.analyser = context.createAnalyser();
      this.analyser.fftSize = 8192;
      this.node.connect(this.analyser);
    }
    this.applyVolume();
    this.start();
  }

  /** Has the stream's samples sent to the worklet, once both are there. */
  private start(): void {
    if (this.context?.state !== "running" || !this.node || this.mode !== "websockets" || this.choice.muted) return;
    this.watchGestures(false);
    if (this.listening || !this.gates.sound) return;
    const { port1, port2 } = new MessageChannel();
    this.node.port.postMessage({ source: port1 } satisfies SourceMessage, [port1]);
    this.listen(port2);
    this.events.changed();
  }

  private watchGestures(on: boolean): void {
    this.blocked = on;
    for (const gesture of GESTURES) {
      if (on) window.addEventListener(gesture, this.onGesture, { capture: true });
      else window.removeEventListener(gesture, this.onGesture, { capture: true });
    }
  }

  private discard(): void {
    void this.context?.close();
    this.context = this.node = this.gain = this.analyser = null;
    this.listening = false;
  }

  /** The ear hears ratios. */
  private applyVolume(): void {
    const level = this.choice.volume ** 2;
    this.element.volume = level;
    if (this.gain && this.context) this.gain.gain.setTargetAtTime(level, this.context.currentTime, 0.01);
  }

  private async route(): Promise<void> {
    for (const target of [this.element, this.context] as (Routable | null)[]) {
      // A device that is gone leaves the browser's own choice.
      await target?.setSinkId?.(this.choice.speaker).catch(() => undefined);
    }
  }

  private choose(change: Partial<Choice>): void {
    this.choice = { ...this.choice, ...change };
    try {
      localStorage.setItem(KEY, JSON.stringify(this.choice));
    } catch {
      // Storage may be blocked; then the choice is this visit's.
    }
  }
}

function readChoice(): Choice {
  const plain: Choice = { muted: false, volume: 1, speaker: "" };
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Record<keyof Choice, unknown>>;
    const volume = typeof kept.volume === "number" && kept.volume >= 0 && kept.volume <= 1 ? kept.volume : plain.volume;
    return { muted: kept.muted === true, volume, speaker: typeof kept.speaker === "string" ? kept.speaker : "" };
  } catch {
    return plain;
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof DOMException && error.name === "NotAllowedError";
}
