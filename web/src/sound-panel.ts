// Sound and microphone in the panel. Text of the server only ever becomes textContent.

import { canSpeak, Microphone } from "./microphone";
import type { StreamCommand, StreamEvent } from "./messages";
import type { Mode } from "./modes";
import { element } from "./overlay";
import { SoundPlayer } from "./sound-player";
import type { SoundGates } from "./sound-wire";

/** Plays the stream's sound, sends the user's voice, and shows what there is to set. */
export class SoundPanel {
  readonly player: SoundPlayer;
  private readonly microphone: Microphone;
  private readonly form = element("sound") as HTMLFormElement;
  private readonly volume = element("volume") as HTMLInputElement;
  private readonly speaker = element("speaker") as HTMLSelectElement;
  private readonly mute = element("mute") as HTMLButtonElement;
  private readonly speak = element("microphone") as HTMLButtonElement;
  private readonly level = element("voice") as HTMLMeterElement;
  private readonly note = element("sound-note");
  private gates: SoundGates = { sound: false, microphone: false, panel: false, channels: 2 };
  /** Only who controls the desktop is heard there. */
  private mayDrive = false;
  /** The server did not take what was said; until it grants the desktop anew. */
  private refused = false;
  private reason = "";

  constructor(command: (command: StreamCommand) => void, debug: boolean) {
    this.player = new SoundPlayer(
      {
        listen: (on, port, channels) => command({ type: "listen", on, port, channels }),
        changed: () => this.render(),
      },
      debug,
    );
    this.microphone = new Microphone({
      speech: (message) => command({ type: "speech", message }),
      level: (level) => (this.level.value = level),
      changed: (_, reason) => {
        this.reason = reason;
        this.render();
      },
    });
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.volume.addEventListener("input", () => this.player.setVolume(Number(this.volume.value) / 100));
    this.speaker.addEventListener("change", () => void this.player.setSpeaker(this.speaker.value));
    this.mute.addEventListener("click", () => this.player.setMuted(!this.player.muted));
    this.speak.addEventListener("click", () => {
      if (this.microphone.on) this.microphone.stop();
      else void this.microphone.start();
    });
    navigator.mediaDevices?.addEventListener?.("devicechange", () => void this.listSpeakers());
  }

  /** A stream begins. */
  begin(mode: Mode): void {
    this.refused = false;
    this.player.begin(mode);
    void this.listSpeakers();
  }

  /** Takes what the stream says of sound. */
  hear(event: StreamEvent): void {
    switch (event.type) {
      case "sound-gates":
        this.gates = event.gates;
        this.player.allow(event.gates);
        if (!event.gates.microphone && this.microphone.on) this.microphone.stop();
        break;
      case "sound-missing":
        this.player.fail(event.reason);
        break;
      case "speech-refused":
        this.refused = true;
        if (this.microphone.on) this.microphone.stop("The server takes no microphone from this page.");
        break;
      case "track":
        this.player.play(event.track);
        break;
      case "input":
        if (event.allowed && !this.mayDrive) this.refused = false;
        this.mayDrive = event.allowed;
        if (!event.allowed && this.microphone.on) this.microphone.stop();
        break;
      case "state":
        // What is said while nobody hears it must not be heard later either.
        if ((event.state === "ended" || event.state === "error") && this.microphone.on) this.microphone.stop();
        break;
      default:
        return;
    }
    this.render();
  }

  private get speaks(): boolean {
    return this.gates.microphone && this.mayDrive && !this.refused && canSpeak();
  }

  private render(): void {
    const { player, microphone } = this;
    this.form.hidden = !this.gates.panel || !(player.allowed || this.speaks);
    element("volume-row").hidden = !player.allowed;
    this.mute.hidden = !player.allowed;
    this.mute.textContent = player.muted ? "Unmute" : "Mute";
    this.mute.setAttribute("aria-pressed", String(player.muted));
    this.volume.value = String(Math.round(player.volume * 100));
    this.speak.hidden = !this.speaks;
    this.speak.textContent = microphone.on ? "Stop microphone" : "Microphone";
    this.speak.setAttribute("aria-pressed", String(microphone.on));
    this.level.hidden = !microphone.on;
    const note = [player.note, this.reason].filter((text) => text !== "").join(" ");
    this.note.textContent = note;
    this.note.hidden = note === "";
  }

  private async listSpeakers(): Promise<void> {
    const speakers = await this.player.speakers();
    element("speaker-row").hidden = speakers.length < 2;
    this.speaker.replaceChildren(...speakers.map(({ id, label }) => new Option(label, id)));
    this.speaker.value = this.player.speaker;
    if (this.speaker.selectedIndex < 0) this.speaker.value = speakers[0]?.id ?? "";
  }
}
