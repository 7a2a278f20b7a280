// A mock of the server: the built page over HTTP with the real Content-Security-Policy, and the WebSocket wire.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { WebSocketServer } from "ws";

const CSP =
  "default-src 'self'; worker-src blob: 'self'; connect-src 'self' ws: wss: blob:; img-src 'self' data: blob:; style-src 'self'";
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css" };

/** Serves `root` and records what clients say. */
export class MockServer {
  /** Text messages of the newest client, oldest first. */
  received = [];
  /** Request targets of the WebSockets, oldest first. */
  targets = [];
  /** Settings that the next client is told. */
  settings = { enable_resize: { value: true, locked: false }, encoder: { value: "jpeg", allowed: ["jpeg", "h264enc"] } };
  answersPing = true;
  client = null;
  /** What `api/status` answers. */
  status = { current_mode: "websockets", available_modes: ["websockets"], enable_dual_mode: false };
  /** Called with each socket of signaling. */
  onSignaling = (socket) => socket.close(1013);

  constructor(root) {
    this.http = createServer(async ({ url }, response) => {
      if (url === "/blank") {
        response.writeHead(200, { "Content-Type": TYPES[".html"] }).end();
        return;
      }
      const path = normalize(new URL(url, "http://mock/").pathname).replace(/^\/desk\//, "/");
      if (path === "/api/status") {
        response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(this.status));
        return;
      }
      try {
        const body = await readFile(join(root, path === "/" ? "index.html" : path));
        response.writeHead(200, { "Content-Type": TYPES[extname(path === "/" ? ".html" : path)] ?? TYPES[".html"], "Content-Security-Policy": CSP });
        response.end(body);
      } catch {
        response.writeHead(404).end();
      }
    });
    this.sockets = new WebSocketServer({ noServer: true });
    this.http.on("upgrade", (request, socket, head) => {
      this.sockets.handleUpgrade(request, socket, head, (client) => {
        if (request.url.includes("/api/webrtc/signaling")) this.onSignaling(client, request.url);
        else this.#welcome(client, request.url);
      });
    });
  }

  async listen(port = 0) {
    await new Promise((done) => this.http.listen(port, "127.0.0.1", done));
    return this.http.address().port;
  }

  close() {
    this.client?.terminate();
    this.http.closeAllConnections();
    return new Promise((done) => this.http.close(done));
  }

  say(text) {
    this.client.send(text);
  }

  /** Sends stripes `[y, jpeg]` of one frame. */
  frame(id, ...stripes) {
    for (const [y, jpeg] of stripes) {
      const head = Buffer.from([3, 0, id >> 8, id & 255, y >> 8, y & 255]);
      this.client.send(Buffer.concat([head, jpeg]));
    }
  }

  /** Sends one whole video picture in Annex-B H.264. */
  video(id, key, width, height, data) {
    const head = Buffer.from([4, 0x10 | (key ? 1 : 0), id >> 8, id & 255, 0, 0, width >> 8, width & 255, height >> 8, height & 255, 0, 0]);
    this.client.send(Buffer.concat([head, data]));
  }

  #welcome(client, target) {
    this.client = client;
    this.targets.push(target);
    this.received = [];
    client.on("message", (data, binary) => {
      const text = binary ? `binary ${data.length}` : data.toString();
      this.received.push(text);
      if (this.answersPing && text.startsWith("_ping,")) client.send(`pong,${text.slice(6)}`);
    });
    client.send("MODE websockets");
    client.send(JSON.stringify({ type: "server_settings", settings: this.settings }));
    client.send(JSON.stringify({ type: "stream_resolution", width: 640, height: 360 }));
  }
}
