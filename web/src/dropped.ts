// What is dropped onto the page: files, and folders with all that is in them.

/** A file and where it belongs, below the place that it is dropped onto. */
export interface Dropped {
  path: string;
  file: File;
}

/** Most files of one drop. */
export const MAX_FILES = 10_000;
/** Folders within each other; the host takes no more either. */
const MAX_DEPTH = 31;

/** The part of FileSystemEntry that is used; its directory API has callbacks only. */
export interface Entry {
  readonly name: string;
  readonly isFile: boolean;
  readonly isDirectory: boolean;
  file?(found: (file: File) => void, failed: (error: unknown) => void): void;
  createReader?(): { readEntries(found: (entries: Entry[]) => void, failed: (error: unknown) => void): void };
}

/** True while files are dragged over the page. */
export function carriesFiles(transfer: DataTransfer | null): boolean {
  return transfer !== null && Array.from(transfer.types).includes("Files");
}

/** The files of a drop. Called within the event: its items are gone afterwards. */
export function droppedFiles(transfer: DataTransfer): Promise<Dropped[]> {
  const entries: Entry[] = [];
  const files: Dropped[] = [];
  for (const item of Array.from(transfer.items)) {
    if (item.kind !== "file") continue;
    const entry = item.webkitGetAsEntry?.() as Entry | null;
    const file = entry ? null : item.getAsFile();
    if (entry) entries.push(entry);
    else if (file) files.push({ path: file.name, file });
  }
  return filesOf(entries, files);
}

/** The files of entries and of the folders among them; what cannot be read is left out. */
export async function filesOf(entries: Entry[], files: Dropped[] = []): Promise<Dropped[]> {
  for (const entry of entries) await collect(entry, "", 0, files);
  return files;
}

async function collect(entry: Entry, folder: string, depth: number, files: Dropped[]): Promise<void> {
  if (files.length >= MAX_FILES || depth > MAX_DEPTH) return;
  const path = folder + entry.name;
  if (entry.isFile) {
    const file = await new Promise<File | null>((done) => {
      if (entry.file) entry.file(done, () => done(null));
      else done(null);
    });
    if (file) files.push({ path, file });
    return;
  }
  const reader = entry.isDirectory ? entry.createReader?.() : undefined;
  if (!reader) return;
  // Chromium answers a hundred at a time, and nothing at the end.
  for (;;) {
    const some = await new Promise<Entry[]>((done) => reader.readEntries(done, () => done([])));
    if (some.length === 0) return;
    for (const inner of some) await collect(inner, `${path}/`, depth + 1, files);
  }
}
