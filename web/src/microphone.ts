// The user's voice, from a click until the next one.

import type { SpeechFrame } from "./speech";
import workletUrl from "./speech-worklet?worker&url";

/** Called by a Microphone; none of them may throw. */
export interface MicrophoneEvents {
  /** 20 ms to send. */
  speech(message: ArrayBuffer): void;
  /** How loud it is, 0 to 1; about fifty times a second. */
  level(level: number): void;
  /** It is on, or off for this reason, which is empty where the user wanted it so. */
  changed(on: boolean, reason: string): void;
}

/** Browsers let a page have a microphone only over https, or of this machine. */
export const canSpeak = (): boolean => typeof navigator.mediaDevices?.getUserMedia === "function";

/** Takes the microphone only after a click, and gives it back. */
export class Microphone {
  private stream: MediaStream | null = null;
  private context: AudioContext | null = null;
  /** Counts starts: what comes of an older one is given back. */
  private starts = 0;

  constructor(private readonly events: MicrophoneEvents) {}

  get on(): boolean {
    return this.stream !== null;
  }

  /** Asks for the user's consent, which the browser remembers or not. */
  async start(): Promise<void> {
    this.starts += 1;
    const { starts } = this;
    let stream: MediaStream;
    try {
      const audio = { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true };
      stream = await navigator.mediaDevices.getUserMedia({ audio });
    } catch (error) {
      this.stop(refusal(error));
      return;
    }
    const context = new AudioContext({ latencyHint: "interactive" });
    const giveBack = () => {
      stream.getTracks().forEach((track) => track.stop());
      void context.close();
    };
    try {
      await context.audioWorklet.addModule(workletUrl);
    } catch {
      giveBack();
      this.stop("The page's part that hears you did not load; reload the page.");
      return;
    }
    if (this.starts !== starts) {
      giveBack();
      return;
    }
    [this.stream, this.context] = [stream, context];
    const node = new AudioWorkletNode(context, "selkies-speech", { numberOfOutputs: 1 });
    node.port.onmessage = ({ data: { message, level } }: MessageEvent<SpeechFrame>) => {
      if (this.stream !== stream) return;
      this.events.level(level);
      if (message) this.events.speech(message);
    };
    // Connected to the end because some browsers run nothing else; it gives silence.
    context.createMediaStreamSource(stream).connect(node).connect(context.destination);
    void context.resume().catch(() => undefined);
    stream.getAudioTracks()[0]?.addEventListener("ended", () => {
      if (this.stream === stream) this.stop("The microphone is gone.");
    });
    this.events.changed(true, "");
  }

  /** Gives it back; `reason` where the user did not want that. */
  stop(reason = ""): void {
    this.starts += 1;
    this.stream?.getTracks().forEach((track) => track.stop());
    void this.context?.close();
    this.stream = this.context = null;
    this.events.level(0);
    this.events.changed(false, reason);
  }
}

function refusal(error: unknown): string {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError") return "The browser does not let this page hear you.";
  return name === "NotFoundError" ? "There is no microphone here." : "The microphone cannot be used.";
}
