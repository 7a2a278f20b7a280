// What the page's address asks for. Pure.

import { type Mode, modeOf } from "./modes";

/** The part of Location that decides. */
export interface Address {
  protocol: string;
  host: string;
  pathname: string;
  search: string;
  hash: string;
}

/** What to connect to, and as what. */
export interface Target {
  url: string;
  /** Signaling of WebRTC, what asks for ICE servers, and what says which modes are served. */
  signaling: string;
  turn: string;
  status: string;
  /** Where files go, and where they are listed and taken from. */
  upload: string;
  files: string;
  token: string | null;
  /** The transport to use and no other. */
  mode: Mode | null;
  viewer: boolean;
  /** The only slot in which this page may play; null for all of them, and for none where it only watches. */
  slot: number | null;
  encoder: string | null;
  debug: boolean;
}

/**
 * `#shared` and `?role=viewer` only watch; `#player2` to `#player4`, or `&slot=`, play with a gamepad besides; `?token=` goes on to the server; `?mode=` names the transport; `?encoder=` and
 * `?debug` are for tests.
 */
export function targetOf({ protocol, host, pathname, search, hash }: Address): Target {
  const asked = new URLSearchParams(search);
  const player = /^#player([2-4])$/.exec(hash)?.[1];
  const viewer = hash === "#shared" || player !== undefined || asked.get("role") === "viewer";
  const seat = viewer ? (player ?? /^[2-4]$/.exec(asked.get("slot") ?? "")?.[0]) : undefined;
  const query = new URLSearchParams();
  const token = asked.get("token");
  if (token) query.set("token", token);
  if (viewer) query.set("role", "viewer");
  if (seat !== undefined) query.set("slot", seat);
  const secured = token ? `?${new URLSearchParams({ token })}` : "";
  const scheme = protocol === "https:" ? "wss:" : "ws:";
  const folder = pathname.slice(0, pathname.lastIndexOf("/") + 1) || "/";
  const text = query.toString() === "" ? "" : `?${query}`;
  const here = `${host}${folder}api`;
  return {
    url: `${scheme}//${here}/websockets${text}`,
    signaling: `${scheme}//${here}/webrtc/signaling${text}`,
    turn: `${protocol}//${here}/turn${secured}`,
    status: `${protocol}//${here}/status${secured}`,
    upload: `${protocol}//${here}/upload${secured}`,
    files: `${protocol}//${here}/files/${secured}`,
    token: token === null || token === "" ? null : token,
    mode: modeOf(asked.get("mode")),
    viewer,
    slot: seat === undefined ? null : Number(seat) - 1,
    encoder: asked.get("encoder"),
    debug: asked.has("debug"),
  };
}
