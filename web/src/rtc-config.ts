// The ICE servers: what the host answers, checked, because a peer connection refuses a list with one bad entry whole.

/** Most servers, and addresses of one, that are used: browsers slow down with more. */
const MAX_SERVERS = 16;
const MAX_URLS = 16;
const MAX_TEXT = 64 << 10;
const MAX_FIELD = 2048;
/** The host may still be asking its own sources: so often, and with this pause in ms, it is asked again. */
const MAX_TRIES = 3;
const PAUSE = 1000;
/** How long one answer may take, in ms. */
const PATIENCE = 3000;

const ADDRESS = /^(?:stuns?|turns?):[^\s]+$/i;

/** The configuration out of an answer of the host (the W3C's RTCConfiguration); entries that are none are left out. */
export function parseRtcConfig(value: unknown): RTCConfiguration {
  if (typeof value !== "object" || value === null) return {};
  const { iceServers, iceTransportPolicy } = value as { iceServers?: unknown; iceTransportPolicy?: unknown };
  const servers = Array.isArray(iceServers) ? iceServers.map(parseServer).filter((server) => server !== null) : [];
  const config: RTCConfiguration = { iceServers: servers.slice(0, MAX_SERVERS) };
  if (iceTransportPolicy === "relay") config.iceTransportPolicy = "relay";
  return config;
}

function parseServer(value: unknown): RTCIceServer | null {
  if (typeof value !== "object" || value === null) return null;
  const { urls, username, credential } = value as Record<string, unknown>;
  const list = (Array.isArray(urls) ? urls : [urls]).filter(
    (url): url is string => typeof url === "string" && url.length <= MAX_FIELD && ADDRESS.test(url),
  );
  if (list.length === 0) return null;
  const server: RTCIceServer = { urls: list.slice(0, MAX_URLS) };
  if (isField(username) && isField(credential)) return { ...server, username, credential };
  // A relay without credentials makes the browser refuse the list.
  const open = server.urls as string[];
  const stun = open.filter((url) => /^stun/i.test(url));
  return stun.length > 0 ? { urls: stun } : null;
}

function isField(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= MAX_FIELD;
}

/** Asks the host; an empty configuration where it has none, or does not answer in time. Never rejects. */
export async function fetchRtcConfig(url: string): Promise<RTCConfiguration> {
  for (let tried = 1; ; tried += 1) {
    try {
      const answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
      if (answer.ok) {
        const text = await answer.text();
        return text.length <= MAX_TEXT ? parseRtcConfig(JSON.parse(text)) : {};
      }
      if (answer.status !== 503 || tried === MAX_TRIES) return {};
    } catch {
      return {};
    }
    await new Promise((done) => setTimeout(done, PAUSE));
  }
}
