// The server's side of WebRTC for the check: another page of the same browser offers a canvas and two channels, and the
// mock's signaling socket is its wire to the page under test.

/** Answers offers' counterpart; one page under test at a time. */
export class MockPeer {
  /** Texts of the page under test, by channel, oldest first. */
  input = [];
  pointer = [];
  /** Signaling messages of the page under test, oldest first. */
  signals = [];
  /** Signaling sockets so far, and the newest one's HELLO. */
  connections = 0;
  hello = null;
  /** Whether sessions are offered anything. */
  offers = true;
  socket = null;

  constructor(page) {
    this.page = page;
  }

  static async start(context, origin, server) {
    const page = await context.newPage();
    const peer = new MockPeer(page);
    await page.goto(`${origin}/blank`);
    await page.exposeFunction("toClient", (json) => peer.socket?.send(`server-1 ${json}`));
    await page.exposeFunction("fromClient", (channel, text) => void peer[channel].push(text));
    await page.evaluate(prepare);
    server.onSignaling = (socket, target) => peer.#signaling(socket, target);
    return peer;
  }

  #signaling(socket, target) {
    this.connections += 1;
    this.target = target;
    this.socket = socket;
    socket.on("message", (data) => {
      const text = data.toString();
      if (text.startsWith("HELLO client ")) {
        this.hello = JSON.parse(text.slice(13));
        socket.send("HELLO");
      } else if (text === "SESSION server") {
        socket.send("SESSION_OK server-1");
        if (this.offers) void this.page.evaluate(() => window.offer());
      } else if (text.startsWith("server-1 ")) {
        const signal = JSON.parse(text.slice(9));
        this.signals.push(signal);
        if (signal.restart) void this.page.evaluate(() => window.offer());
        else void this.page.evaluate((message) => window.fromPeer(message), signal);
      }
    });
    socket.on("close", () => {
      if (this.socket === socket) void this.page.evaluate(() => window.hangUp()).catch(() => undefined);
    });
  }

  /** Paints the offered picture. */
  paint(colour) {
    return this.page.evaluate((value) => window.paint(value), colour);
  }

  say(text) {
    return this.page.evaluate((value) => window.say(value), text);
  }

  /** Closes the peer connection without a word by signaling. */
  hangUp() {
    return this.page.evaluate(() => window.hangUp());
  }
}

/** Runs in the page that offers. */
function prepare() {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [640, 360];
  const context = canvas.getContext("2d");
  let colour = "#000";
  let odd = false;
  // Encoders leave a picture out that is exactly the one before.
  setInterval(() => {
    context.fillStyle = colour;
    context.fillRect(0, 0, 640, 360);
    odd = !odd;
    context.fillStyle = odd ? "#fff" : "#000";
    context.fillRect(0, 0, 8, 8);
  }, 30);
  window.paint = (value) => void (colour = value);

  let pc = null;
  let input = null;
  let early = [];
  window.hangUp = () => {
    pc?.close();
    pc = null;
  };
  window.offer = async () => {
    window.hangUp();
    early = [];
    const made = (pc = new RTCPeerConnection());
    made.onicecandidate = ({ candidate }) => candidate?.candidate && window.toClient(JSON.stringify({ ice: candidate.toJSON() }));
    input = made.createDataChannel("input");
    const pointer = made.createDataChannel("pointer", { ordered: false, maxRetransmits: 0 });
    for (const channel of [input, pointer]) channel.onmessage = ({ data }) => window.fromClient(channel.label, data);
    input.onopen = () => {
      input.send("MODE webrtc");
      input.send(JSON.stringify({ type: "server_settings", settings: { enable_resize: { value: true }, encoder: { value: "vp8enc", allowed: ["vp8enc", "jpeg"] } } }));
      input.send(JSON.stringify({ type: "stream_resolution", width: 640, height: 360 }));
    };
    for (const track of canvas.captureStream().getTracks()) made.addTrack(track);
    await made.setLocalDescription();
    window.toClient(JSON.stringify({ sdp: made.localDescription }));
  };
  window.fromPeer = async ({ sdp, ice }) => {
    if (!pc) return;
    if (sdp) {
      await pc.setRemoteDescription(sdp);
      for (const candidate of early.splice(0)) await pc.addIceCandidate(candidate);
    } else if (ice && pc.remoteDescription) await pc.addIceCandidate(ice);
    else if (ice) early.push(ice);
  };
  window.say = (text) => input.send(text);
}
