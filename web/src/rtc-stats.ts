// Figures of a peer connection out of the browser's report (W3C webrtc-stats). Pure.

/** A snapshot; rates and shares are of the time since the snapshot before. */
export interface RtcFigures {
  /** Name of the codec as in the offer, such as `H264`; empty where the browser does not tell. */
  codec: string;
  /** Variation of the packets' transit, in ms. */
  jitter: number;
  /** Share of the packets that were lost and not repaired in time, 0 to 1. */
  loss: number;
  /** Round trip of the path in ms; null where it is not measured yet. */
  roundTrip: number | null;
  /** Mean time that a frame waited in the jitter buffer, in ms. */
  buffered: number;
  /** Mean time that decoding a frame took, in ms. */
  decode: number;
  /** Pictures that the browser froze for want of packets, since the beginning. */
  freezes: number;
  framesReceived: number;
  framesDecoded: number;
  framesDropped: number;
  packets: number;
  bytes: number;
  /** Key frames that the browser asked for, and packets that it asked for again. */
  keyRequests: number;
  repeats: number;
  /** Whether the path goes through a relay, and over what. */
  route: string;
}

/** The part of a statistics object that may be read: browsers leave members out. */
type Entry = Readonly<Record<string, unknown>>;

const number = (entry: Entry | undefined, name: string): number => {
  const value = entry?.[name];
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
};
const text = (entry: Entry | undefined, name: string): string => {
  const value = entry?.[name];
  return typeof value === "string" ? value : "";
};

const NOTHING = { packets: 0, lost: 0, delay: 0, emitted: 0, decoding: 0, decoded: 0 };

/** Turns reports into figures, of one peer connection after the other. */
export class RtcMeter {
  private last = NOTHING;

  /** Everything is 0 where there is no video yet. */
  read(report: Iterable<unknown>): RtcFigures {
    const entries = new Map<string, Entry>();
    for (const entry of report) if (isEntry(entry)) entries.set(text(entry, "id"), entry);
    const all = [...entries.values()];
    const video = all.find((entry) => entry.type === "inbound-rtp" && entry.kind === "video");
    const pair = selectedPair(entries, all);
    const now = {
      packets: number(video, "packetsReceived"),
      lost: Math.max(0, number(video, "packetsLost")),
      delay: number(video, "jitterBufferDelay"),
      emitted: number(video, "jitterBufferEmittedCount"),
      decoding: number(video, "totalDecodeTime"),
      decoded: number(video, "framesDecoded"),
    };
    // Another peer connection counts from nothing.
    const before = now.packets < this.last.packets ? NOTHING : this.last;
    this.last = now;
    const lost = Math.max(0, now.lost - before.lost);
    const roundTrip = pair?.currentRoundTripTime;
    return {
      codec: text(entries.get(text(video, "codecId")), "mimeType").replace(/^video\//i, ""),
      jitter: number(video, "jitter") * 1000,
      loss: share(lost, lost + now.packets - before.packets),
      roundTrip: typeof roundTrip === "number" ? roundTrip * 1000 : null,
      buffered: share(now.delay - before.delay, now.emitted - before.emitted) * 1000,
      decode: share(now.decoding - before.decoding, now.decoded - before.decoded) * 1000,
      freezes: number(video, "freezeCount"),
      framesReceived: number(video, "framesReceived"),
      framesDecoded: now.decoded,
      framesDropped: number(video, "framesDropped"),
      packets: now.packets,
      bytes: number(video, "bytesReceived") + number(video, "headerBytesReceived"),
      keyRequests: number(video, "pliCount") + number(video, "firCount"),
      repeats: number(video, "nackCount"),
      route: routeOf(entries, pair),
    };
  }
}

function isEntry(value: unknown): value is Entry {
  return typeof value === "object" && value !== null;
}

function share(part: number, whole: number): number {
  return whole > 0 ? Math.max(0, part) / whole : 0;
}

/** The pair of candidates in use; browsers name it in one of three ways. */
function selectedPair(entries: ReadonlyMap<string, Entry>, all: readonly Entry[]): Entry | undefined {
  const transport = all.find(({ type, selectedCandidatePairId }) => type === "transport" && selectedCandidatePairId);
  const named = entries.get(text(transport, "selectedCandidatePairId"));
  if (named) return named;
  const pairs = all.filter(({ type }) => type === "candidate-pair");
  return pairs.find(({ selected }) => selected === true) ?? pairs.find(({ nominated, state }) => nominated === true && state === "succeeded");
}

function routeOf(entries: ReadonlyMap<string, Entry>, pair: Entry | undefined): string {
  const local = entries.get(text(pair, "localCandidateId"));
  const remote = entries.get(text(pair, "remoteCandidateId"));
  if (!local || !remote) return "";
  const relayed = [local, remote].some(({ candidateType }) => candidateType === "relay");
  const protocol = (relayed && text(local, "relayProtocol")) || text(local, "protocol");
  return `${relayed ? "relay" : "direct"} ${protocol}`.trim();
}
