import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { CONNECT_LIMIT, DISCONNECT_GRACE, RESTART_LIMIT, RESUME_LIMIT, RtcConnection } from "../src/rtc-connection";
import { FakeGround, offer } from "./rtc-fakes";

const HELLO = { viewer: false, slot: null, tabId: "tab", token: null, width: 800, height: 600, codecs: ["h264", "vp8"] };

let ground: FakeGround;
let log: string[];
let connection: RtcConnection;
const socket = () => ground.sockets.at(-1)!;
const peer = () => ground.peers.at(-1)!;
/** Lets promises be kept that wait for nothing. */
const settle = () => vi.advanceTimersByTimeAsync(0);
const candidate = (name: string) => `server-1 ${JSON.stringify({ ice: { candidate: name, sdpMLineIndex: 0 } })}`;

beforeEach(() => {
  vi.useFakeTimers();
  ground = new FakeGround();
  log = [];
  connection = new RtcConnection({ signaling: "ws://host/signaling", turn: "http://host/turn" }, () => HELLO, {
    state: (state, detail) => log.push(detail === "" ? state : `${state}: ${detail}`),
    opened: () => log.push("opened"),
    text: (text) => log.push(`text ${text}`),
    track: ({ kind }) => log.push(`track ${kind}`),
    unreachable: (reason) => log.push(`unreachable: ${reason}`),
  }, ground);
  connection.start();
});

afterEach(() => {
  connection.end("ended", "");
  vi.useRealTimers();
});

/** A session that works. */
async function connect(session = "7"): Promise<void> {
  socket().pair();
  socket().say(offer(session));
  await settle();
  peer().connect();
  peer().input.say("MODE webrtc");
}

test("the page registers, is paired, answers the offer and is connected from the first text on", async () => {
  expect(socket().url).toBe("ws://host/signaling");
  socket().accept();
  const hello = socket().sent[0]!;
  expect(hello).toMatch(/^HELLO client \{/);
  expect(JSON.parse(hello.slice(13))).toMatchObject({
    client_type: "controller", client_slot: -1, client_strict_viewer: false, display_id: "primary", client_tab_id: "tab",
    page_size: [800, 600], selkies_host: 1, rtc_codecs: ["h264", "vp8"],
  });
  expect(JSON.parse(hello.slice(13)).resume_key).toMatch(/^[0-9a-f]{32}$/);
  expect(socket().sent.slice(1)).toEqual(["SESSION server"]);
  socket().say("HELLO");
  socket().say("SESSION_OK server-1");
  socket().say(offer("7"));
  await settle();
  expect(peer().config.iceServers).toEqual([{ urls: ["stun:stun.test"] }]);
  expect(ground.asked).toEqual(["http://host/turn"]);
  expect(socket().signals).toEqual([{ sdp: { type: "answer", sdp: "answer 1" } }]);
  expect(connection.send("early")).toBe(false);
  peer().connect();
  expect(log).toEqual(["connecting", "opened"]);
  peer().input.say("MODE webrtc");
  expect(log).toEqual(["connecting", "opened", "connected", "text MODE webrtc"]);
  expect(connection.send("kd,97")).toBe(true);
  expect(peer().input.sent).toEqual(["kd,97"]);
});

test("a server without a session for this page is asked again", async () => {
  socket().accept();
  socket().say("HELLO");
  socket().say("ERROR peer server not found");
  await vi.advanceTimersByTimeAsync(999);
  expect(socket().sent.length).toBe(2);
  await vi.advanceTimersByTimeAsync(1);
  expect(socket().sent[2]).toBe("SESSION server");
});

test("candidates go both ways, in order, and one that is bad leaves the others", async () => {
  socket().pair();
  socket().say(offer("7"));
  for (const name of ["early", "bad", "late"]) socket().say(candidate(name));
  await settle();
  expect(peer().calls).toEqual(["offer 7", "candidate early", "candidate bad", "candidate late"]);
  peer().onicecandidate?.({ candidate: { candidate: "mine", sdpMLineIndex: 0, sdpMid: "video0" } });
  peer().onicecandidate?.({ candidate: { candidate: "", sdpMLineIndex: 0, sdpMid: "video0" } });
  peer().onicecandidate?.({ candidate: null });
  expect(socket().signals.slice(1)).toEqual([{ ice: { candidate: "mine", sdpMLineIndex: 0, sdpMid: "video0" } }]);
});

test("of a flood of candidates only some are taken", async () => {
  socket().pair();
  for (let i = 0; i < 500; i += 1) socket().say(candidate(`before ${i}`));
  socket().say(offer("7"));
  await settle();
  for (let i = 0; i < 500; i += 1) socket().say(candidate(`after ${i}`));
  await settle();
  expect(peer().calls.length).toBe(201);
});

test("messages without a sender's name are those of the server, too, and others' are none", async () => {
  socket().pair();
  socket().say(offer("7").replace("server-1", "client-9"));
  socket().say("server-1 {broken");
  await settle();
  expect(ground.peers.length).toBe(0);
  socket().say(offer("7").slice("server-1 ".length));
  await settle();
  expect(ground.peers.length).toBe(1);
});

test("another offer of the same session is answered by the same peer connection, one of another session by a new one", async () => {
  await connect("7");
  socket().say(offer("7"));
  await settle();
  expect(ground.peers.length).toBe(1);
  expect(peer().calls).toEqual(["offer 7", "offer 7"]);
  socket().say(offer("8"));
  await settle();
  expect(ground.peers.length).toBe(2);
  expect(ground.peers[0]!.closed).toBe(true);
  expect(peer().calls).toEqual(["offer 8"]);
  peer().connect();
  peer().input.say("pong,1");
  // The session went on.
  expect(log.filter((entry) => entry === "opened").length).toBe(1);
  expect(log.at(-1)).toBe("text pong,1");
  expect(connection.send("kd,97")).toBe(true);
  expect(peer().input.sent).toEqual(["kd,97"]);
});

test("a server that greets after a restart has begun a new session", async () => {
  await connect();
  socket().say(offer("8"));
  await settle();
  peer().connect();
  peer().input.say("MODE webrtc");
  expect(log.slice(-3)).toEqual(["opened", "connected", "text MODE webrtc"]);
});

test("what was said before the greeting after a restart may arrive first", async () => {
  await connect();
  socket().say(offer("8"));
  await settle();
  peer().connect();
  peer().input.say("pong,1");
  peer().input.say("MODE webrtc");
  expect(log.slice(-4)).toEqual(["connected", "text pong,1", "opened", "text MODE webrtc"]);
  peer().input.say("MODE webrtc");
  expect(log.at(-2)).toBe("text MODE webrtc");
});

test("of two offers at once the newer one counts", async () => {
  let answer = (_: RTCConfiguration) => undefined as void;
  ground.config = () => new Promise((resolve) => (answer = resolve));
  connection.end("ended", "");
  log = [];
  connection = new RtcConnection({ signaling: "ws://host/", turn: "" }, () => HELLO, {
    state: () => undefined, opened: () => undefined, text: () => undefined, track: () => undefined, unreachable: () => undefined,
  }, ground);
  connection.start();
  socket().pair();
  socket().say(offer("7"));
  socket().say(offer("8"));
  answer({});
  await settle();
  expect(ground.peers.map(({ calls }) => calls)).toEqual([["offer 8"]]);
});

test("what arrives is shown at once", async () => {
  socket().pair();
  socket().say(offer("7"));
  await settle();
  peer().ontrack?.({ track: { kind: "video" }, receiver: peer().receiver });
  expect(log.at(-1)).toBe("track video");
  expect(peer().receiver).toEqual({ jitterBufferTarget: 0, playoutDelayHint: 0 });
});

test("a path that comes back within two seconds changes nothing", async () => {
  await connect();
  peer().state("disconnected");
  await vi.advanceTimersByTimeAsync(DISCONNECT_GRACE - 1);
  peer().state("connected");
  await vi.advanceTimersByTimeAsync(60_000);
  expect(log.at(-1)).toBe("text MODE webrtc");
  expect(socket().signals.length).toBe(1);
});

test.each(["disconnected", "failed"] as const)("a path that is %s is replaced through signaling", async (state) => {
  await connect();
  peer().state(state);
  await vi.advanceTimersByTimeAsync(state === "failed" ? 0 : DISCONNECT_GRACE);
  expect(socket().signals.at(-1)).toEqual({ restart: true });
  expect(log.at(-1)).toMatch(/^reconnecting: /);
  expect(ground.asked.length).toBe(2); // credentials may have expired
  peer().state("failed"); // the old one's end is no second reason
  expect(socket().signals.filter((signal) => signal.restart).length).toBe(1);
  socket().say(offer("8"));
  await settle();
  peer().connect();
  expect(log.at(-1)).toBe("connected");
  expect(ground.sockets.length).toBe(1);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(log.at(-1)).toBe("connected");
});

test("a restart that leads to nothing is followed by a new session", async () => {
  await connect();
  peer().state("failed");
  await vi.advanceTimersByTimeAsync(RESTART_LIMIT);
  expect(log.at(-1)).toBe("reconnecting: Next attempt in 0.5 s");
  expect([peer().closed, socket().closed]).toEqual([true, true]);
  await vi.advanceTimersByTimeAsync(500);
  expect(ground.sockets.length).toBe(2);
  await connect("9");
  expect(log.slice(-3)).toEqual(["opened", "connected", "text MODE webrtc"]);
});

test("channels that the server closes are asked for again", async () => {
  await connect();
  peer().input.close();
  expect(connection.send("kd,97")).toBe(false);
  await vi.advanceTimersByTimeAsync(DISCONNECT_GRACE);
  expect(socket().signals.at(-1)).toEqual({ restart: true });
});

test("without signaling there is no restart but a new session, later each time until the server talks", async () => {
  await connect();
  socket().lose(1001);
  expect([log.at(-1), peer().closed]).toEqual(["reconnecting: Next attempt in 0.5 s", true]);
  await vi.advanceTimersByTimeAsync(500);
  socket().lose(1006);
  expect(log.at(-1)).toBe("reconnecting: Next attempt in 1.0 s");
  await vi.advanceTimersByTimeAsync(1000);
  await connect();
  socket().lose(1001);
  expect(log.at(-1)).toBe("reconnecting: Next attempt in 0.5 s");
});

test("where the server is there and no way leads to it, another transport may do", async () => {
  socket().pair();
  socket().say(offer("7"));
  await vi.advanceTimersByTimeAsync(CONNECT_LIMIT);
  expect(log.at(-1)).toBe("unreachable: WebRTC found no way to the server.");
  await vi.advanceTimersByTimeAsync(500);
  expect(ground.sockets.length).toBe(2);
});

test("a first path that fails is no reason to wait any longer", async () => {
  socket().pair();
  socket().say(offer("7"));
  await settle();
  peer().state("failed");
  expect(log.at(-1)).toMatch(/^unreachable: /);
});

test("where the server ends two sessions that had not begun, another transport may do", async () => {
  socket().pair();
  socket().lose(1011, "does not read");
  expect(log.at(-1)).toBe("reconnecting: Next attempt in 0.5 s");
  await vi.advanceTimersByTimeAsync(500);
  socket().lose(1006); // it is being started again
  await vi.advanceTimersByTimeAsync(1000);
  socket().pair();
  socket().lose(1001, "the connection failed");
  expect(log.slice(-2)).toEqual(["reconnecting: Next attempt in 2.0 s", "unreachable: the connection failed"]);
  expect(log.filter((entry) => entry.startsWith("unreachable")).length).toBe(1);
});

test("what the server ends after it had begun counts for nothing", async () => {
  socket().pair();
  socket().lose(1001, "the connection failed");
  await vi.advanceTimersByTimeAsync(500);
  await connect();
  socket().lose(1001);
  await vi.advanceTimersByTimeAsync(500);
  socket().pair();
  socket().lose(1001, "the connection failed");
  expect(log.filter((entry) => entry.startsWith("unreachable"))).toEqual([]);
});

test("a server that cannot be reached at all is none that another transport would reach", async () => {
  await vi.advanceTimersByTimeAsync(CONNECT_LIMIT);
  expect(log).toEqual(["connecting", "reconnecting: Next attempt in 0.5 s"]);
});

test("an offer that the browser does not take", async () => {
  socket().pair();
  ground.peer = ((make) => (config: RTCConfiguration) => {
    const made = make(config);
    ground.peers.at(-1)!.refuses = true;
    return made;
  })(ground.peer);
  socket().say(offer("7"));
  await settle();
  expect(log.at(-1)).toBe("unreachable: The browser refused the server's offer: Error: no codec");
});

test("ICE servers that the browser does not take are left out", async () => {
  const make = ground.peer;
  ground.peer = (config) => {
    if (config.iceServers) throw new Error("bad server");
    return make(config);
  };
  socket().pair();
  socket().say(offer("7"));
  await settle();
  expect(ground.peers.length).toBe(1);
});

test("pushed ICE servers are used at once, and by the next peer connection", async () => {
  await connect();
  const servers = [{ urls: ["turn:relay.test"], username: "u", credential: "c" }];
  socket().say(`server-1 ${JSON.stringify({ rtc_config: { iceServers: servers } })}`);
  expect(peer().calls.at(-1)).toBe(`servers ${JSON.stringify(servers)}`);
  socket().say(offer("8"));
  await settle();
  expect(peer().config.iceServers).toEqual(servers);
});

test.each([
  [1008, "", "error: The server refused this page."],
  [4001, "Invalid authentication token", "error: Invalid authentication token"],
  [1002, "", "error: The server did not understand this page."],
])("close code %i is final", async (code, reason, shown) => {
  socket().accept();
  socket().lose(code, reason);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(ground.sockets.length).toBe(1);
  expect(log.at(-1)).toBe(shown);
});

test("close code 4000 is the server's word that it serves no such session", () => {
  socket().accept();
  socket().lose(4000, "no codec in common");
  expect(log.slice(-2)).toEqual(["unreachable: no codec in common", "error: no codec in common"]);
});

const keyOf = (text: string) => JSON.parse(text.slice(13)).resume_key as string;

test("signaling that was cut is resumed while the picture goes on", async () => {
  await connect();
  const [before] = socket().sent;
  socket().lose(1006);
  expect([ground.sockets.length, log.at(-1)]).toEqual([2, "text MODE webrtc"]);
  socket().accept();
  expect(socket().sent.map(keyOf)).toEqual([keyOf(before!)]);
  socket().say("RESUMED server-1");
  await vi.advanceTimersByTimeAsync(60_000);
  expect([peer().closed, log.at(-1)]).toEqual([false, "text MODE webrtc"]);
  peer().state("failed");
  expect(socket().signals).toEqual([{ restart: true }]);
});

test("a server that has forgotten the session is given another one", async () => {
  await connect();
  const [before] = socket().sent;
  socket().lose(1006);
  socket().accept();
  socket().say("HELLO");
  expect([log.at(-1), peer().closed]).toEqual(["reconnecting: Next attempt in 0.5 s", true]);
  await vi.advanceTimersByTimeAsync(500);
  socket().accept();
  expect(keyOf(socket().sent[0]!)).not.toBe(keyOf(before!));
});

test.each(["silent", "gone"])("signaling that cannot be resumed because the server is %s", async (how) => {
  await connect();
  socket().lose(1006);
  if (how === "gone") socket().lose(1006);
  else await vi.advanceTimersByTimeAsync(RESUME_LIMIT);
  expect([log.at(-1), peer().closed, ground.sockets.length]).toEqual(["reconnecting: Next attempt in 0.5 s", true, 2]);
});

test("after an end nothing is tried again", async () => {
  await connect();
  connection.end("ended", "Superseded");
  peer().state("failed");
  await vi.advanceTimersByTimeAsync(60_000);
  expect([ground.sockets.length, ground.peers.length, peer().closed, socket().closed]).toEqual([1, 1, true, true]);
  expect(log.at(-1)).toBe("ended: Superseded");
});

test("an end while ICE servers are asked for makes no peer connection", async () => {
  socket().pair();
  socket().say(offer("7"));
  connection.end("ended", "");
  await settle();
  expect(ground.peers.length).toBe(0);
});
