// The page: ties the stream to the screen, the input devices and the overlay.

import { targetOf } from "./address";
import type { ConnectionState } from "./connection";
import { ChoicePanel } from "./choices";
import { browserClipboard, Clipboard } from "./clipboard";
import { ClipboardPanel } from "./clipboard-panel";
import { CommandPanel } from "./command-panel";
import { cursorStyle } from "./cursor";
import { GamepadPanel } from "./gamepad-panel";
import { browserPads, Gamepads } from "./gamepads";
import { FilesPanel } from "./files-panel";
import { type Extent, shownRatio } from "./geometry";
import { Keyboard } from "./keyboard";
import { chooseCommand, commandIsControl, isMac, MacKeys } from "./mac";
import type { StreamCommand, StreamEvent } from "./messages";
import { fetchServed, type Mode, type Served, storedMode, storeMode } from "./modes";
import { Mouse } from "./mouse";
import { element, Overlay, StateBadge } from "./overlay";
import { Pictures } from "./pictures";
import { type Command, Player } from "./player";
import { viewOf, watchView } from "./resize";
import { rtcCodecs } from "./rtc-codecs";
import { RtcStream } from "./rtc-stream";
import { SoundPanel } from "./sound-panel";
import type { StreamStats } from "./stats";
import type { SoundPlayer } from "./sound-player";
import { startStream } from "./stream-host";
import { TouchInput } from "./touch";
import { TouchPad } from "./touch-pad";
import { TouchTools } from "./touch-tools";
import { TITLES, TransportPanel } from "./transport-panel";
import type { CursorShape } from "./wire";

declare global {
  interface Window {
    /** With `?debug`: what tests read. */
    __selkies?: { state: ConnectionState; mode: Mode | null; input: boolean; stats: StreamStats | null; sound?: SoundPlayer };
  }
}

const target = targetOf(location);
const stage = element("stage");
const badge = new StateBadge(element("state"));
const seen: NonNullable<Window["__selkies"]> = { state: "connecting", mode: null, input: !target.viewer, stats: null };
if (target.debug) window.__selkies = seen;

const pictures = new Pictures(element("screen") as HTMLCanvasElement, element("video") as HTMLVideoElement);
let chosen = storedMode();
let cursor: CursorShape | null = null;
let size: Extent | null = null;
const player = new Player(
  target.mode,
  chosen,
  { served: () => fetchServed(target.status), rtcCodecs, start: startMode },
  { event: onEvent, mode: onMode },
);
const command = (order: StreamCommand) => player.send(order);
const input = (text: string, droppable = false) => {
  if (seen.input) command({ type: "send", text, droppable });
};

const overlay = new Overlay({
  lockPointer: () => void mouse.lock(),
  softKeyboard: () => element("keyboard-tool").click(),
  closed: () => keyboard.focus(),
});
const choices = new ChoicePanel((wishes) => command({ type: "wish", wishes }));
const transports = new TransportPanel((mode) => {
  chosen = mode;
  storeMode(mode);
  player.choose(mode);
});
const sound = new SoundPanel(command, target.debug);
// Not enumerable: tests copy what they read.
Object.defineProperty(seen, "sound", { value: sound.player });
const clipboard = new Clipboard(browserClipboard(), {
  send: (content) => command({ type: "copied", content }),
  show: (content, written) => clipboardPanel.show(content, written),
});
const clipboardPanel = new ClipboardPanel(clipboard, (pictures) => command({ type: "wish", wishes: { enable_binary_clipboard: pictures } }));
const gamepadPanel = new GamepadPanel();
const gamepads = new Gamepads(
  {
    send: (text) => command({ type: "send", text, droppable: false }),
    show: (players) => gamepadPanel.show(players),
    pads: browserPads,
    now: () => performance.now(),
  },
  target.slot,
);
const touchPad = new TouchPad((controls) => gamepads.touch(controls));
for (const type of ["gamepadconnected", "gamepaddisconnected"]) window.addEventListener(type, () => gamepads.wake());
element("touch-pad-toggle").addEventListener("click", () => touchPad.toggle());
const commands = new CommandPanel((text) => command({ type: "send", text, droppable: false }));
const files = new FilesPanel(target.upload, target.files, () => overlay.open());
const commandBox = element("command-is-control") as HTMLInputElement;
element("keyboard-choices").hidden = !isMac();
commandBox.checked = commandIsControl();
commandBox.addEventListener("change", () => chooseCommand(commandBox.checked));
const keyboard = new Keyboard(
  element("keys") as HTMLTextAreaElement,
  { KeyS: () => overlay.toggle(), KeyL: () => void mouse.lock(), KeyG: () => touchPad.toggle() },
  () => seen.input && seen.state === "connected",
  (node) => overlay.owns(node) || touchTools.owns(node),
  input,
  () => (clipboard.pastes ? (data) => clipboard.paste(data) : null),
  isMac() ? new MacKeys(() => commandBox.checked) : null,
);
const turnToPicture = () => {
  keyboard.focus();
  keyboard.settle();
};
const mouse = new Mouse(stage, input, { focus: turnToPicture, pen: () => (element("pen-note").hidden = false) });
const touch = new TouchInput(stage, mouse, turnToPicture);
const touchTools = new TouchTools({
  keyboard: () => {
    keyboard.focus(!keyboard.onScreen);
    return keyboard.onScreen;
  },
  trackpad: () => {
    touch.trackpad = !touch.trackpad;
    // Where the pointer is, the page cannot show.
    mouse.drawRemotely(touch.trackpad);
    return touch.trackpad;
  },
});

watchView(stage, (view) => {
  showCursor();
  command({ type: "view", view });
});
document.addEventListener("visibilitychange", () => command({ type: "visible", visible: !document.hidden }));
window.addEventListener("pagehide", (event) => {
  if (!event.persisted) command({ type: "stop" });
});
window.addEventListener("focus", () => void clipboard.look());
for (const gesture of ["keydown", "keyup", "pointerdown", "pointerup"]) window.addEventListener(gesture, () => clipboard.retry());
keyboard.focus();
void player.start();

function startMode(mode: Mode, onStreamEvent: (event: StreamEvent) => void): Command {
  // Once the player has the stream, which begins to listen by a command.
  queueMicrotask(() => sound.begin(mode));
  const { viewer, encoder } = target;
  const options = { tabId: tabId(), viewer, encoder, view: viewOf(stage), visible: !document.hidden };
  if (mode === "websockets") return startStream(pictures.canvas(), { ...options, url: target.url }, onStreamEvent);
  const { signaling: url, turn, token, slot } = target;
  const stream = new RtcStream(pictures.video(), { ...options, url, turn, token, slot, codecs: rtcCodecs() }, onStreamEvent);
  return (order) => stream.command(order);
}

function onMode(mode: Mode, served: Served, reason: string): void {
  seen.mode = mode;
  overlay.transport(TITLES[mode], reason);
  if (target.mode === null) transports.show(served, chosen);
}

function onEvent(event: StreamEvent): void {
  sound.hear(event);
  switch (event.type) {
    case "state":
      seen.state = event.state;
      badge.show(event.state, event.detail);
      break;
    case "size":
      mouse.setStream(event);
      size = event;
      showCursor();
      break;
    case "cursor":
      cursor = event.cursor;
      showCursor();
      break;
    case "picture":
      badge.picture(event.missing, event.notice);
      break;
    case "input":
      seen.input = event.allowed;
      break;
    case "clipboard-rules":
      clipboard.allow(event.rules);
      clipboardPanel.allow(event.rules);
      void clipboard.look();
      break;
    case "clipboard":
      void clipboard.receive(event.content);
      break;
    case "tools":
      touchTools.offer(event.keyboard, event.trackpad);
      break;
    case "files":
      files.allow(event);
      break;
    case "commands":
      commands.allow(event.allowed);
      break;
    case "command":
      commands.ended(event);
      break;
    case "choices":
      choices.show(event.choices);
      break;
    case "gamepads":
      // Who only watches has none.
      gamepads.admit(event.allowed && (!target.viewer || target.slot !== null));
      break;
    case "rumble":
      gamepads.rumble(event.slot, event.strong, event.weak, event.ms);
      break;
    case "stats":
      seen.stats = event.stats;
      overlay.show(event.stats);
      break;
  }
}

/** The pointer's image is in the stream's pixels, as large as the picture around it. */
function showCursor(): void {
  if (!cursor) return;
  const ratio = window.devicePixelRatio || 1;
  stage.style.cursor = cursorStyle(cursor, size ? shownRatio(stage.getBoundingClientRect(), size, ratio) : ratio);
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
