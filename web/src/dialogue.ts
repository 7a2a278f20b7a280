// What page and server say to each other about the session, whatever carries it: settings, codecs, size, role, encoder.

import { type ClipboardContent, ClipboardInbox, clipboardMessages, parseClipboard } from "./clipboard-wire";
import { cssView } from "./geometry";
import type { ClipboardRules, StreamCommand, StreamEvent, StreamOptions } from "./messages";
import { Outbox } from "./outbox";
import { Ownership } from "./ownership";
import { gatesOf } from "./sound-wire";
import { PingProbe } from "./stats";
import * as wire from "./wire";

/** A viewer's stream is restarted this long after it was stopped, in ms: what servers of this protocol expect. */
const VIEWER_RESTART = 250;

/** The stream that a dialogue belongs to. */
export interface DialogueStream {
  /** What the server's greeting may call this stream's mode. */
  readonly modes: readonly string[];
  /** Most bytes of a clipboard's content that go in one message, and at all. */
  readonly clipboard: { part: number; most: number };
  /** Kept when `codecs` is settled. */
  readonly known: Promise<void>;
  /** What this page can be sent. */
  codecs(): string[];
  /** Sends now or not at all. */
  send(text: string): boolean;
  /** Bytes that wait in the browser to be sent. */
  backlog(): number;
  emit(event: StreamEvent): void;
  /** The server told the picture's size. */
  sized(width: number, height: number): void;
  /** The picture starts over; `told` where the server said so, else because this page is hidden. */
  reset(told: boolean): void;
  /** Nothing follows, and nothing is tried again. */
  over(state: "ended" | "error", reason: string): void;
}

/** One page's part of the session; lives on across connections. */
export class Dialogue {
  private ping = new PingProbe();
  private viewer: boolean;
  private ownership = new Ownership();
  private settings: wire.Settings | null = null;
  /** The host knows what this page decodes and wants. */
  private introduced = false;
  private connections = 0;
  /** Sound is wanted; null before that was said. */
  private listening: boolean | null = null;
  /** What the user changed. */
  private wishes: wire.Wishes = {};
  /** The encoder in use, as the server calls it. */
  private encoder = "";
  private requested = { size: "", dpi: 0 };
  private readonly inbox = new ClipboardInbox();
  /** What is given to the server once this page introduced itself. */
  private early: ClipboardContent | null = null;
  /** Contents given to the server; names them. */
  private transfers = 0;
  /** Contents that are given to the server, and what waits for them. */
  private readonly outbox: Outbox;

  constructor(
    private readonly options: StreamOptions,
    private readonly stream: DialogueStream,
  ) {
    this.viewer = options.viewer;
    this.outbox = new Outbox(stream);
  }

  /** Sends what an input device did; keys after the contents that were given before. */
  input(text: string): void {
    this.outbox.send(text);
  }

  /** The newest round trip in ms; null where the server answers no pings. */
  get roundTrip(): number | null {
    return this.ping.roundTrip;
  }

  /** Takes the page's commands about the session. */
  command(command: StreamCommand): void {
    switch (command.type) {
      case "copied":
        this.give(command.content);
        break;
      case "wish":
        // Also what a new connection begins with.
        this.wishes = { ...this.wishes, ...command.wishes };
        if (!this.introduced || !this.decides) return;
        this.stream.send(wire.wishesMessage(command.wishes));
        this.offerChoices();
        this.tellRules();
        break;
      case "view":
        this.options.view = command.view;
        this.requestSize();
        break;
      case "visible":
        this.options.visible = command.visible;
        if (!this.introduced) return;
        this.stream.send(command.visible ? "START_VIDEO" : "STOP_VIDEO");
        if (!command.visible) this.stream.reset(false);
        break;
      case "listen":
        if (this.listening === command.on && !command.on) return;
        this.listening = command.on;
        if (this.introduced) this.tellListening();
        break;
      default:
        break;
    }
  }

  /** A new connection: everything known of the old one is void. */
  opened(): void {
    this.settings = null;
    this.introduced = false;
    this.connections += 1;
    this.encoder = "";
    this.requested = { size: "", dpi: 0 };
    this.ping = new PingProbe();
    this.viewer = this.options.viewer;
    this.ownership = new Ownership();
    this.inbox.forget();
    this.outbox.clear();
    this.early = null;
    this.stream.emit({ type: "input", allowed: !this.viewer });
    this.stream.emit({ type: "clipboard-rules", rules: null });
    this.stream.emit({ type: "choices", choices: null });
    this.stream.emit({ type: "gamepads", allowed: false });
    this.stream.emit({ type: "commands", allowed: false });
    this.stream.emit({ type: "picture", missing: null, notice: "" });
  }

  /** Takes a text of the server. */
  hear(text: string): void {
    if (text.startsWith("clipboard")) {
      this.hearClipboard(text);
      return;
    }
    const message = wire.parseText(text);
    const { stream } = this;
    switch (message?.kind) {
      case "mode":
        if (!stream.modes.includes(message.mode)) stream.over("error", `This page does not speak the server's mode, ${message.mode}.`);
        break;
      case "role":
        this.viewer = this.options.viewer || message.role === "viewer";
        stream.emit({ type: "input", allowed: !this.viewer });
        if (this.settings) this.tellRules();
        this.tellCommands();
        break;
      case "input-access":
        stream.emit({ type: "input", allowed: message.allowed });
        break;
      case "settings":
        this.onSettings(message.settings);
        break;
      case "resolution":
        stream.sized(message.width, message.height);
        break;
      case "encoder":
        this.encoder = message.name;
        this.offerChoices();
        break;
      case "cursor":
        stream.emit({ type: "cursor", cursor: message.cursor });
        break;
      case "displays":
        this.ownership.displays(message.names);
        this.requestSize();
        if (this.introduced) this.offerChoices();
        break;
      case "owner":
        this.ownership.inherited();
        if (this.introduced && !this.viewer) this.inherit();
        break;
      case "reset":
        this.ownership.reset();
        stream.reset(true);
        break;
      case "pipeline":
        stream.emit({ type: "picture", missing: message.missing, notice: message.notice });
        break;
      case "sound":
        stream.emit({ type: "sound-missing", reason: message.missing });
        break;
      case "speech-refused":
        stream.emit({ type: "speech-refused" });
        break;
      case "rumble": {
        const { slot, strong, weak, ms } = message;
        stream.emit({ type: "rumble", slot, strong, weak, ms });
        break;
      }
      case "command": {
        const { done, told, output } = message;
        stream.emit({ type: "command", done, told, output });
        break;
      }
      case "pong":
        this.ping.answered(message.time, performance.now());
        break;
      case "reload":
        stream.emit({ type: "reload" });
        break;
      case "kill":
        stream.over("ended", message.reason);
        break;
    }
  }

  /** Measures the round trip, about once a second. `now` in ms. */
  tick(now: number): void {
    const ping = this.settings ? this.ping.next(now) : null;
    if (ping) this.stream.send(ping);
  }

  /** Says what this page can be sent; nothing before it introduced itself. */
  tellCodecs(): void {
    if (!this.introduced) return;
    this.stream.send(wire.codecsMessage(this.stream.codecs()));
    this.offerChoices();
  }

  private hearClipboard(text: string): void {
    const message = text.length <= wire.MAX_TEXT ? parseClipboard(text) : null;
    const content = message && this.inbox.take(message);
    if (content) this.stream.emit({ type: "clipboard", content });
  }

  private give(content: ClipboardContent): void {
    const { part, most } = this.stream.clipboard;
    if (this.viewer || content.bytes.length > most) return;
    if (!this.introduced) {
      this.early = content;
      return;
    }
    this.transfers += 1;
    this.outbox.give(clipboardMessages(content, part, this.transfers));
  }

  /** What may be exchanged by the clipboard. */
  private get rules(): ClipboardRules | null {
    if (!this.settings || this.viewer) return null;
    return wire.clipboardRules(this.settings, this.wishes.enable_binary_clipboard);
  }

  private tellRules(): void {
    this.stream.emit({ type: "clipboard-rules", rules: this.rules });
  }

  private tellCommands(): void {
    const allowed = !this.viewer && this.settings !== null && wire.runsCommands(this.settings);
    this.stream.emit({ type: "commands", allowed });
  }

  private onSettings(settings: wire.Settings): void {
    const first = this.settings === null;
    this.settings = settings;
    this.stream.emit({ type: "sound-gates", gates: gatesOf(settings) });
    const shown = (name: string) => !this.viewer && settings.get(name)?.value !== false;
    const [keyboard, trackpad] = [shown("ui_sidebar_show_keyboard_button"), shown("ui_sidebar_show_trackpad")];
    this.stream.emit({ type: "tools", keyboard, trackpad });
    const none = { upload: false, download: false };
    this.stream.emit({ type: "files", ...(this.viewer ? none : wire.fileRights(settings)) });
    if (this.introduced) this.offerChoices();
    this.tellRules();
    this.tellCommands();
    const { connections } = this;
    if (first) void this.stream.known.then(() => this.connections === connections && this.introduce());
  }

  /** Says what this page decodes, and what it wants: the stream starts with that. */
  private introduce(): void {
    this.introduced = true;
    this.tellCodecs();
    this.tellListening();
    const gamepads = this.settings?.get("gamepad_enabled")?.value !== false;
    if (this.viewer) {
      this.stream.emit({ type: "gamepads", allowed: gamepads });
      this.stream.send("STOP_VIDEO");
      setTimeout(() => this.options.visible && this.stream.send("START_VIDEO"), VIEWER_RESTART);
      return;
    }
    this.sendSettings();
    // What is on the clipboard already.
    if (this.rules?.outward) this.stream.send("cr");
    if (this.early && this.rules?.inward) this.give(this.early);
    this.early = null;
    // Those of a controller count once the display has one.
    this.stream.emit({ type: "gamepads", allowed: gamepads });
    if (!this.options.visible) this.stream.send("STOP_VIDEO");
  }

  private tellListening(): void {
    if (this.listening !== null) this.stream.send(this.listening ? "START_AUDIO" : "STOP_AUDIO");
  }

  private sendSettings(): void {
    const { tabId } = this.options;
    const { view } = this;
    const wishes = { ...(this.options.encoder === null ? {} : { encoder: this.options.encoder }), ...this.wishes };
    this.stream.send(wire.settingsMessage({ tabId, ...view }, wishes));
    this.requested = { size: wire.resizeMessage(view.width, view.height), dpi: view.dpi };
    this.ownership.settingsSent();
  }

  /** The host heeds what this page wants from now on; the size in settings counts only where they begin a stream. */
  private inherit(): void {
    this.sendSettings();
    this.requested.size = "";
    this.requestSize();
    this.offerChoices();
  }

  /** What the display is to be: in the screen's pixels, or in CSS pixels where the operator wants it stretched. */
  private get view(): { width: number; height: number; dpi: number } {
    const { width, height, dpi, ratio = 1 } = this.options.view;
    const stretched = this.settings?.get("use_css_scaling")?.value === true;
    return stretched ? cssView({ width, height }, ratio) : { width, height, dpi };
  }

  /** The display is this page's to size and to set up. */
  private get decides(): boolean {
    return !this.viewer && this.ownership.owned;
  }

  /** Tells the page what its user may change. */
  private offerChoices(): void {
    const { settings, encoder, wishes } = this;
    if (!settings || !this.decides) {
      this.stream.emit({ type: "choices", choices: null });
      return;
    }
    const decoded = this.stream.codecs();
    const encoders = wire.encodersOf(settings).map((name) => {
      const codec = wire.codecOf(name);
      return { name, decoded: codec === null || decoded.includes(codec) };
    });
    const range = (name: "video_crf" | "jpeg_quality") => {
      const limits = wire.rangeOf(settings, name);
      return limits && { ...limits, value: wishes[name] ?? limits.value };
    };
    this.stream.emit({ type: "choices", choices: { encoders, encoder, crf: range("video_crf"), jpeg: range("jpeg_quality") } });
  }

  private requestSize(): void {
    const allowed = (name: string) => this.settings?.get(name)?.value;
    if (!this.settings || !this.introduced || !this.decides || allowed("enable_resize") === false) return;
    if (allowed("manual_resolution") === true || allowed("is_manual_resolution_mode") === true) return;
    const { width, height, dpi } = this.view;
    const { requested } = this;
    const size = wire.resizeMessage(width, height);
    this.requested = { size, dpi };
    if (size !== requested.size) this.stream.send(size);
    if (dpi !== requested.dpi) this.stream.send(`s,${dpi}`);
  }
}
