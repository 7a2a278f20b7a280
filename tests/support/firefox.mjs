// Firefox by WebDriver BiDi (https://w3c.github.io/webdriver-bidi/), with the part of Playwright's page that the tests use.
// Playwright's own driver asks Firefox ESR for commands that it does not know.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import WebSocket from "ws";
import { Desk, SCREEN_FINDER } from "./browser.mjs";
import { folder } from "./host.mjs";
import { Process } from "./processes.mjs";
import { tool, until } from "./tools.mjs";

/** Candidates of loopback and by address, no start-up traffic. */
const PREFERENCES = {
  "media.peerconnection.ice.loopback": true,
  "media.peerconnection.ice.obfuscate_host_addresses": false,
  "media.autoplay.default": 0,
  "app.update.disabledForTesting": true,
  "browser.shell.checkDefaultBrowser": false,
  "browser.startup.homepage": "about:blank",
  "datareporting.policy.dataSubmissionEnabled": false,
  "media.gmp-manager.url": "",
  "media.gmp-provider.enabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "toolkit.telemetry.reportingpolicy.firstRun": false,
};

/** W3C key values of named keys. */
const KEYS = {
  Enter: "\uE007", Tab: "\uE004", Backspace: "\uE003", Escape: "\uE00C", Shift: "\uE008", Control: "\uE009", Alt: "\uE00A",
  ArrowLeft: "\uE012", ArrowUp: "\uE013", ArrowRight: "\uE014", ArrowDown: "\uE015",
};
const BUTTONS = { left: 0, middle: 1, right: 2 };

/** A Firefox without a window. */
export class Firefox {
  #answers = new Map();
  #listeners = [];
  #last = 0;

  /** What starts Firefox with more variables in its environment. */
  static with(env) {
    return { start: () => Firefox.start(env) };
  }

  static async start(env = {}) {
    const profile = folder("firefox");
    const lines = Object.entries(PREFERENCES).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`);
    mkdirSync(profile, { recursive: true });
    writeFileSync(join(profile, "user.js"), `${lines.join("\n")}\n`);
    const program = process.env.FIREFOX ?? tool("firefox-esr");
    const started = new Process(program, ["--headless", "--no-remote", "--remote-debugging-port=0", "--profile", profile], {
      env: { ...process.env, ...env, MOZ_CRASHREPORTER_DISABLE: "1", HOME: profile },
    });
    const address = await until(
      () => `Firefox listens: ${started.err}`,
      () => /WebDriver BiDi listening on (ws:\S+)/.exec(started.err)?.[1],
      60_000,
    );
    const socket = new WebSocket(`${address}/session`, { perMessageDeflate: false });
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    const firefox = new Firefox(started, socket);
    await firefox.send("session.new", { capabilities: {} });
    await firefox.send("session.subscribe", { events: ["log.entryAdded"] });
    return firefox;
  }

  constructor(process, socket) {
    this.process = process;
    this.socket = socket;
    socket.on("error", () => undefined);
    socket.on("message", (data) => {
      const message = JSON.parse(data);
      if (message.type === "event") for (const listener of this.#listeners) listener(message);
      else this.#answers.get(message.id)?.(message);
      this.#answers.delete(message.id);
    });
  }

  /** Sends a command and answers its result. */
  async send(method, params) {
    const id = (this.#last += 1);
    const answer = await new Promise((resolve) => {
      this.#answers.set(id, resolve);
      this.socket.send(JSON.stringify({ id, method, params }));
    });
    if (answer.type === "error") throw new Error(`${method}: ${answer.error}: ${answer.message}`);
    return answer.result;
  }

  /** Calls `listener` with each event. */
  listen(listener) {
    this.#listeners.push(listener);
  }

  /** Opens a page as Browser.open does, with storage of its own. */
  async open(url, { size = [1280, 720], selector = "#screen, #video", prepare = null } = {}) {
    const { userContext } = await this.send("browser.createUserContext", {});
    // A tab would hide the page before it.
    const { context } = await this.send("browsingContext.create", { type: "window", userContext });
    const page = new FirefoxPage(this, context, userContext);
    const desk = new Desk(page);
    await page.setViewportSize({ width: size[0], height: size[1] });
    for (const [script, argument] of [[SCREEN_FINDER, selector], ...(prepare ? [prepare] : [])]) {
      const functionDeclaration = `() => (${script})(${JSON.stringify(argument ?? null)})`;
      await this.send("script.addPreloadScript", { functionDeclaration, contexts: [context] });
    }
    await page.goto(url);
    return desk;
  }

  async stop() {
    this.socket.terminate();
    await this.process.stop(5000);
  }
}

/** The part of Playwright's Page that a Desk and the tests use. */
class FirefoxPage {
  #at = { x: 0, y: 0 };

  constructor(firefox, context, userContext) {
    this.firefox = firefox;
    this.id = context;
    this.userContext = userContext;
    this.mouse = {
      move: (x, y) => this.#pointer([{ type: "pointerMove", ...(this.#at = { x: Math.round(x), y: Math.round(y) }) }]),
      down: ({ button = "left" } = {}) => this.#pointer([{ type: "pointerDown", button: BUTTONS[button] }]),
      up: ({ button = "left" } = {}) => this.#pointer([{ type: "pointerUp", button: BUTTONS[button] }]),
      wheel: (deltaX, deltaY) => this.#wheel(deltaX, deltaY),
    };
    this.keyboard = {
      type: (text) => this.#keys([...text].flatMap((key) => [["keyDown", key], ["keyUp", key]])),
      press: (combination) => {
        const keys = combination.split("+");
        return this.#keys([...keys.map((key) => ["keyDown", key]), ...keys.reverse().map((key) => ["keyUp", key])]);
      },
      down: (key) => this.#keys([["keyDown", key]]),
      up: (key) => this.#keys([["keyUp", key]]),
    };
  }

  /** Only errors that no script caught; Firefox tells what a refused socket is in the same way. */
  on(name, listener) {
    if (name !== "pageerror") throw new Error(`no event ${name} here`);
    this.firefox.listen(({ method, params }) => {
      if (method !== "log.entryAdded" || params.source.context !== this.id || /^Firefox can.t establish a connection/.test(params.text)) return;
      if (params.type === "javascript" && params.level === "error") listener(params.text);
    });
  }

  goto(url) {
    return this.firefox.send("browsingContext.navigate", { context: this.id, url, wait: "interactive" });
  }

  setViewportSize(viewport) {
    return this.firefox.send("browsingContext.setViewport", { context: this.id, viewport });
  }

  /** Runs a function in the page; argument and answer are JSON. */
  async evaluate(script, argument) {
    const body = `async (json) => JSON.stringify(await (${script})(JSON.parse(json)))`;
    const answer = await this.firefox.send("script.callFunction", {
      functionDeclaration: body,
      arguments: [{ type: "string", value: JSON.stringify(argument ?? null) }],
      target: { context: this.id },
      awaitPromise: true,
    });
    if (answer.type === "exception") throw new Error(answer.exceptionDetails.text);
    return answer.result.type === "string" ? JSON.parse(answer.result.value) : undefined;
  }

  getAttribute(selector, name) {
    return this.evaluate(([pattern, attribute]) => document.querySelector(pattern)?.getAttribute(attribute) ?? null, [selector, name]);
  }

  context() {
    return { close: () => this.firefox.send("browser.removeUserContext", { userContext: this.userContext }) };
  }

  #perform(source) {
    return this.firefox.send("input.performActions", { context: this.id, actions: [source] });
  }

  #pointer(actions) {
    return this.#perform({ type: "pointer", id: "mouse", parameters: { pointerType: "mouse" }, actions });
  }

  #wheel(deltaX, deltaY) {
    return this.#perform({ type: "wheel", id: "wheel", actions: [{ type: "scroll", ...this.#at, deltaX, deltaY }] });
  }

  #keys(actions) {
    const value = (key) => KEYS[key] ?? (key === "\n" ? KEYS.Enter : key);
    return this.#perform({ type: "key", id: "keyboard", actions: actions.map(([type, key]) => ({ type, value: value(key) })) });
  }
}
