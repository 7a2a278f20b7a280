// The files on the desktop that may be taken: what `/api/files/` answers.

/** A file or a folder of the host. */
export interface HostEntry {
  name: string;
  folder: boolean;
  size: number;
}

/** A folder of the host. */
export interface HostFolder {
  entries: HostEntry[];
  /** There is more than the host lists. */
  cut: boolean;
}

const MAX_LISTED = 5000;
const MAX_NAME = 255;

/** Reads an answer; null for what is none. */
export function folderOf(body: unknown): HostFolder | null {
  if (typeof body !== "object" || body === null) return null;
  const { entries, cut } = body as Record<string, unknown>;
  if (!Array.isArray(entries)) return null;
  const known: HostEntry[] = [];
  for (const entry of entries.slice(0, MAX_LISTED) as unknown[]) {
    if (typeof entry !== "object" || entry === null) continue;
    const { name, kind, size } = entry as Record<string, unknown>;
    if (typeof name !== "string" || name === "" || name.length > MAX_NAME || name.includes("/")) continue;
    if (name === "." || name === "..") continue;
    known.push({ name, folder: kind === "folder", size: typeof size === "number" && size >= 0 ? size : 0 });
  }
  return { entries: known, cut: cut === true };
}

/** The address of a file or, with `folder`, of a folder; `root` ends with a slash, and may carry a query. */
export function addressOf(root: string, names: readonly string[], folder: boolean): string {
  const [base = "", query] = root.split("?", 2);
  const path = names.map((name) => encodeURIComponent(name)).join("/");
  return base + path + (folder && path !== "" ? "/" : "") + (query === undefined ? "" : `?${query}`);
}

/** A size for people. */
export function sizeText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  let size = bytes;
  for (; size >= 1000 && unit < units.length - 1; unit += 1) size /= 1000;
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`;
}
