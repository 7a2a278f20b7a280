// The page: ties the stream to the screen, the input devices and the overlay.

import { targetOf } from "./address";
import type { ConnectionState } from "./connection";
import { ChoicePanel } from "./choices";
import { cursorStyle } from "./cursor";
import { Keyboard } from "./keyboard";
import type { StreamEvent } from "./messages";
import { Mouse } from "./mouse";
import { element, Overlay, StateBadge } from "./overlay";
import { viewOf, watchView } from "./resize";
import type { StreamStats } from "./stats";
import { startStream } from "./stream-host";

declare global {
  interface Window {
    /** With `?debug`: what tests read. */
    __selkies?: { state: ConnectionState; input: boolean; stats: StreamStats | null };
  }
}

const target = targetOf(location);
const stage = element("stage");
const canvas = element("screen") as HTMLCanvasElement;
const badge = new StateBadge(element("state"));
const seen: NonNullable<Window["__selkies"]> = { state: "connecting", input: !target.viewer, stats: null };
if (target.debug) window.__selkies = seen;

const command = startStream(
  canvas,
  {
    url: target.url,
    tabId: tabId(),
    viewer: target.viewer,
    encoder: target.encoder,
    view: viewOf(stage),
    visible: !document.hidden,
  },
  onEvent,
);
const input = (text: string, droppable = false) => {
  if (seen.input) command({ type: "send", text, droppable });
};

const overlay = new Overlay({
  lockPointer: () => void mouse.lock(),
  softKeyboard: () => keyboard.focus(true),
  closed: () => keyboard.focus(),
});
const choices = new ChoicePanel((wishes) => command({ type: "wish", wishes }));
const keyboard = new Keyboard(
  element("keys") as HTMLTextAreaElement,
  { KeyS: () => overlay.toggle(), KeyL: () => void mouse.lock() },
  () => seen.input && seen.state === "connected",
  (node) => overlay.owns(node),
  input,
);
const mouse = new Mouse(canvas, input, () => keyboard.focus());

watchView(stage, (view) => command({ type: "view", view }));
document.addEventListener("visibilitychange", () => command({ type: "visible", visible: !document.hidden }));
window.addEventListener("pagehide", (event) => {
  if (!event.persisted) command({ type: "stop" });
});
keyboard.focus();

function onEvent(event: StreamEvent): void {
  switch (event.type) {
    case "state":
      seen.state = event.state;
      badge.show(event.state, event.detail);
      break;
    case "size":
      mouse.setStream(event);
      break;
    case "cursor":
      canvas.style.cursor = cursorStyle(event.cursor, window.devicePixelRatio || 1);
      break;
    case "picture":
      badge.picture(event.missing, event.notice);
      break;
    case "input":
      seen.input = event.allowed;
      break;
    case "choices":
      choices.show(event.choices);
      break;
    case "stats":
      seen.stats = event.stats;
      overlay.show(event.stats);
      break;
  }
}

/** Names this tab across reloads, so that the server can tell its return from a second page. */
function tabId(): string {
  const key = "selkies-tab";
  try {
    const known = sessionStorage.getItem(key);
    if (known) return known;
  } catch {
    // Storage may be blocked; then every load is a page of its own.
  }
  const id = [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  try {
    sessionStorage.setItem(key, id);
  } catch {
    // As above.
  }
  return id;
}
