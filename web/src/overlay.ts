// The panel with figures and controls, and the state badge. Text of the server only ever becomes textContent.

import type { ConnectionState } from "./connection";
import type { RtcFigures } from "./rtc-stats";
import type { StreamStats } from "./stats";

const TITLES: Readonly<Record<ConnectionState, string>> = {
  connecting: "Connecting",
  connected: "Connected",
  reconnecting: "Connection lost",
  ended: "Session ended",
  error: "Cannot connect",
};

/** How long a notice stays. */
const NOTICE_MS = 8000;

/** Shows the connection's state; tests and style sheets read `data-state`. */
export class StateBadge {
  private readonly title = element("state-title");
  private readonly detail = element("state-detail");

  private state: ConnectionState = "connecting";
  private stateDetail = "";
  private missing: string | null = null;
  private notice = "";
  private noticeEnds: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly badge: HTMLElement) {}

  show(state: ConnectionState, detail: string): void {
    this.state = state;
    this.stateDetail = detail;
    this.render();
  }

  /** Says why the server has no picture; null where it has one, then `notice` is shown for a while. */
  picture(missing: string | null, notice: string): void {
    this.missing = missing;
    this.notice = notice;
    clearTimeout(this.noticeEnds);
    if (notice !== "") this.noticeEnds = setTimeout(() => this.picture(this.missing, ""), NOTICE_MS);
    this.render();
  }

  private render(): void {
    const blind = this.state === "connected" && this.missing !== null;
    this.badge.dataset.state = this.state;
    this.badge.toggleAttribute("data-no-picture", blind);
    const noted = this.state === "connected" && !blind && this.notice !== "";
    this.badge.toggleAttribute("data-notice", noted);
    this.title.textContent = blind ? "No picture" : noted ? "Still streaming" : TITLES[this.state];
    this.detail.textContent = blind ? this.missing : noted ? this.notice : this.stateDetail;
  }
}

/** What the overlay's buttons do. */
export interface OverlayActions {
  lockPointer(): void;
  softKeyboard(): void;
  /** The overlay was closed; keys belong to the stream again. */
  closed(): void;
}

/** Opens and closes the panel and fills in the figures. */
export class Overlay {
  private readonly toggleButton = element("overlay-toggle");
  private readonly panel = element("overlay");
  private readonly values = new Map<string, HTMLElement>();
  private readonly list = element("stats");

  constructor(private readonly actions: OverlayActions) {
    this.toggleButton.addEventListener("click", () => this.toggle());
    this.toggleButton.addEventListener("dblclick", () => actions.lockPointer());
    element("lock-pointer").addEventListener("click", () => (this.close(), actions.lockPointer()));
    element("soft-keyboard").addEventListener("click", () => (this.close(), actions.softKeyboard()));
    element("fullscreen").addEventListener("click", () => void toggleFullscreen());
    this.panel.addEventListener("keydown", (event) => event.key === "Escape" && this.close());
  }

  /** True for elements that use the keyboard themselves. */
  owns(target: EventTarget | null): boolean {
    return target instanceof Node && (this.panel.contains(target) || this.toggleButton.contains(target));
  }

  toggle(): void {
    if (!this.panel.hidden) {
      this.close();
      return;
    }
    this.open();
    element("lock-pointer").focus();
  }

  /** Shows the panel, and leaves the keys where they go. */
  open(): void {
    this.panel.hidden = false;
    this.toggleButton.setAttribute("aria-expanded", "true");
  }

  /** Names the transport in use, and why it is not another one. */
  transport(name: string, reason: string): void {
    this.list.replaceChildren();
    this.values.clear();
    this.value("Transport", reason === "" ? name : `${name}. ${reason}`);
  }

  show(stats: StreamStats): void {
    this.value("Picture", `${stats.width} × ${stats.height}`);
    this.value("Frames drawn", `${stats.fps.toFixed(1)} /s`);
    this.value("Received", bytes(stats.bytesPerSecond));
    this.value("Round trip", stats.roundTrip === null ? "–" : `${stats.roundTrip.toFixed(1)} ms`);
    this.value("Arrival to picture", `${stats.held.toFixed(1)} ms`);
    this.value("Decoding + drawing", `${stats.decode.toFixed(1)} + ${stats.present.toFixed(1)} ms`);
    if (stats.rtc) {
      this.path(stats.rtc);
      return;
    }
    this.value("Stripes skipped", String(stats.superseded));
    this.value("Decode errors", String(stats.decodeErrors));
  }

  /** What only WebRTC knows. */
  private path({ codec, route, jitter, loss, buffered, framesDropped, freezes }: RtcFigures): void {
    this.value("Codec", codec === "" ? "–" : codec);
    this.value("Path", route === "" ? "–" : route);
    this.value("Jitter + buffer", `${jitter.toFixed(1)} + ${buffered.toFixed(1)} ms`);
    this.value("Packets lost", `${(loss * 100).toFixed(1)} %`);
    this.value("Frames dropped", String(framesDropped));
    this.value("Freezes", String(freezes));
  }

  private close(): void {
    if (this.panel.hidden) return;
    this.panel.hidden = true;
    this.toggleButton.setAttribute("aria-expanded", "false");
    this.actions.closed();
  }

  private value(name: string, text: string): void {
    let value = this.values.get(name);
    if (!value) {
      const term = document.createElement("dt");
      term.textContent = name;
      value = document.createElement("dd");
      this.list.append(term, value);
      this.values.set(name, value);
    }
    value.textContent = text;
  }
}

/** An element of this page's own HTML. */
export function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element #${id}`);
  return found;
}

function bytes(perSecond: number): string {
  return perSecond < 1e6 ? `${(perSecond / 1e3).toFixed(1)} kB/s` : `${(perSecond / 1e6).toFixed(2)} MB/s`;
}

async function toggleFullscreen(): Promise<void> {
  try {
    if (document.fullscreenElement) {
      await document.exitFullscreen();
      return;
    }
    await document.documentElement.requestFullscreen();
    // Lets Escape, Alt+Tab and the like reach the stream, where the browser can.
    const { keyboard } = navigator as Navigator & { keyboard?: { lock?(): Promise<void> } };
    await keyboard?.lock?.();
  } catch {
    // Refused by the user or by the embedding page: the page stays as it is.
  }
}
