// Cuts the microphone's samples into messages, away from the page.

import { SpeechFramer } from "./speech";
import { worklet } from "./worklet-scope";

class SpeechProcessor extends worklet.AudioWorkletProcessor {
  private readonly framer = new SpeechFramer(worklet.sampleRate);

  process(inputs: Float32Array[][]): boolean {
    for (const frame of this.framer.take(inputs[0] ?? [])) {
      this.port.postMessage(frame, frame.message ? [frame.message] : []);
    }
    return true;
  }
}

worklet.registerProcessor("selkies-speech", SpeechProcessor);
