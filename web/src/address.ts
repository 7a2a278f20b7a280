// What the page's address asks for. Pure.

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
  viewer: boolean;
  encoder: string | null;
  debug: boolean;
}

/** `#shared` and `?role=viewer` only watch; `?token=` goes on to the server; `?encoder=` and `?debug` are for tests. */
export function targetOf({ protocol, host, pathname, search, hash }: Address): Target {
  const asked = new URLSearchParams(search);
  const viewer = hash === "#shared" || asked.get("role") === "viewer";
  const query = new URLSearchParams();
  const token = asked.get("token");
  if (token) query.set("token", token);
  if (viewer) query.set("role", "viewer");
  const scheme = protocol === "https:" ? "wss:" : "ws:";
  const folder = pathname.slice(0, pathname.lastIndexOf("/") + 1) || "/";
  const text = query.toString();
  return {
    url: `${scheme}//${host}${folder}api/websockets${text === "" ? "" : `?${text}`}`,
    viewer,
    encoder: asked.get("encoder"),
    debug: asked.has("debug"),
  };
}
