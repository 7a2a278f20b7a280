// Which transport the page uses: what the server serves, what the address or the user wants, what the browser can.

/** Names of the transports, as Selkies has them. */
export type Mode = "websockets" | "webrtc";

/** What `/api/status` says about modes. */
export interface Served {
  current: Mode;
  modes: readonly Mode[];
}

/** A server that says nothing of modes has this one. */
export const PLAIN: Served = { current: "websockets", modes: ["websockets"] };

/** How long the server may take to say it, in ms. */
const PATIENCE = 3000;
const MAX_TEXT = 1 << 20;
const STORED = "selkies-mode";

/** A mode by its name; null for every other value. */
export function modeOf(value: unknown): Mode | null {
  return value === "websockets" || value === "webrtc" ? value : null;
}

/** Reads `/api/status`; without dual mode the current mode is the only one that is served. */
export function parseStatus(value: unknown): Served | null {
  if (typeof value !== "object" || value === null) return null;
  const { current_mode, available_modes, enable_dual_mode } = value as Record<string, unknown>;
  const current = modeOf(current_mode);
  if (!current) return null;
  const listed = Array.isArray(available_modes) ? available_modes.slice(0, 8).map(modeOf) : [];
  const others = enable_dual_mode === true ? listed.filter((mode) => mode !== null && mode !== current) : [];
  return { current, modes: [current, ...(others as Mode[])] };
}

/** Asks the server; null where it does not answer. Never rejects. */
export async function fetchServed(url: string): Promise<Served | null> {
  try {
    const answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    // Older servers have no such address.
    if (!answer.ok) return answer.status < 500 ? PLAIN : null;
    const text = await answer.text();
    return text.length <= MAX_TEXT ? parseStatus(JSON.parse(text)) : null;
  } catch {
    return null;
  }
}

/** What decides between the modes. */
export interface Preference {
  /** By the page's address: this one and no other. */
  forced: Mode | null;
  /** By the user's choice, where it is served. */
  chosen: Mode | null;
  /** This browser has no codec for WebRTC, or it did not come about a moment ago. */
  withoutRtc: boolean;
}

/** The mode to begin with. */
export function pickMode({ current, modes }: Served, { forced, chosen, withoutRtc }: Preference): Mode {
  if (forced) return forced;
  const wanted = chosen && modes.includes(chosen) ? chosen : current;
  return wanted === "webrtc" && withoutRtc && modes.includes("websockets") ? "websockets" : wanted;
}

/** The user's choice on this browser; null where it is the server's. */
export function storedMode(): Mode | null {
  try {
    return modeOf(localStorage.getItem(STORED));
  } catch {
    // Storage may be blocked; then nothing is kept.
    return null;
  }
}

/** Keeps the user's choice; null gives it back to the server. */
export function storeMode(mode: Mode | null): void {
  try {
    if (mode) localStorage.setItem(STORED, mode);
    else localStorage.removeItem(STORED);
  } catch {
    // As above.
  }
}
