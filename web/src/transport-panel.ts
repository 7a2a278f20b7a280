// The choice of the transport, in the panel.

import { modeOf, type Mode, type Served } from "./modes";
import { element } from "./overlay";

/** The transports' names for people. */
export const TITLES: Readonly<Record<Mode, string>> = { websockets: "WebSocket", webrtc: "WebRTC" };

/** Shows which transports there are, and tells what the user chooses; null is the server's choice. */
export class TransportPanel {
  private readonly form = element("transport") as HTMLFormElement;
  private readonly select = element("mode") as HTMLSelectElement;

  constructor(choose: (mode: Mode | null) => void) {
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.select.addEventListener("change", () => choose(modeOf(this.select.value)));
  }

  /** Hidden where there is nothing to choose from. */
  show({ current, modes }: Served, chosen: Mode | null): void {
    this.form.hidden = modes.length < 2;
    const automatic = option("", `Automatic (${TITLES[current]})`);
    this.select.replaceChildren(automatic, ...modes.map((mode) => option(mode, TITLES[mode])));
    this.select.value = chosen !== null && modes.includes(chosen) ? chosen : "";
  }
}

function option(value: string, text: string): HTMLOptionElement {
  const node = document.createElement("option");
  [node.value, node.textContent] = [value, text];
  return node;
}
