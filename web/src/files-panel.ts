// Files to the desktop and from it: buttons, a place to drop them on, progress, and the list of what can be taken.

import { carriesFiles, droppedFiles, type Dropped } from "./dropped";
import { addressOf, folderOf, type HostFolder, sizeText } from "./file-list";
import { element } from "./overlay";
import { isOver, type Upload, Uploads } from "./uploads";

/** Ended uploads that are still shown. */
const KEPT = 20;

/** What the server allows this page. */
export interface FileRights {
  upload: boolean;
  download: boolean;
}

/** The part of the overlay about files. */
export class FilesPanel {
  private readonly panel = element("files");
  private readonly chooser = element("files-input") as HTMLInputElement;
  private readonly folderChooser = element("files-folder-input") as HTMLInputElement;
  private readonly rows = new Map<number, UploadRow>();
  private readonly list = element("files-uploads");
  private readonly host: HostList;
  private readonly uploads: Uploads;
  private rights: FileRights = { upload: false, download: false };

  /** `upload` and `files` are addresses; `opened` is called when something is to be seen. */
  constructor(
    upload: string,
    files: string,
    private readonly opened: () => void,
  ) {
    this.host = new HostList(element("files-host"), files);
    this.uploads = new Uploads(upload, ownerId(), (changed) => this.show(changed));
    element("files-choose").addEventListener("click", () => this.chooser.click());
    element("files-choose-folder").addEventListener("click", () => this.folderChooser.click());
    element("files-browse").addEventListener("click", () => this.host.toggle());
    for (const input of [this.chooser, this.folderChooser]) {
      input.addEventListener("change", () => {
        this.send(Array.from(input.files ?? [], (file) => ({ path: file.webkitRelativePath || file.name, file })));
        // The same file may be chosen again.
        input.value = "";
      });
    }
    this.acceptDrops();
  }

  /** Shows what is allowed, and takes no more than that. */
  allow(rights: FileRights): void {
    this.rights = rights;
    this.panel.hidden = !rights.upload && !rights.download;
    element("files-choose").hidden = !rights.upload;
    element("files-choose-folder").hidden = !rights.upload;
    element("files-browse").hidden = !rights.download;
    if (!rights.download) this.host.close();
  }

  private acceptDrops(): void {
    const mark = (on: boolean) => document.body.toggleAttribute("data-drop", on);
    // Where files are not taken, a drop must not make the browser leave the page either.
    window.addEventListener("dragover", (event) => {
      if (!carriesFiles(event.dataTransfer)) return;
      event.preventDefault();
      if (event.dataTransfer) event.dataTransfer.dropEffect = this.rights.upload ? "copy" : "none";
      mark(this.rights.upload);
    });
    window.addEventListener("dragleave", (event) => event.relatedTarget === null && mark(false));
    window.addEventListener("drop", (event) => {
      mark(false);
      if (!event.dataTransfer || !carriesFiles(event.dataTransfer)) return;
      event.preventDefault();
      if (this.rights.upload) void droppedFiles(event.dataTransfer).then((found) => this.send(found));
    });
  }

  private send(files: Dropped[]): void {
    if (files.length === 0 || !this.rights.upload) return;
    this.opened();
    for (const { path, file } of files) this.uploads.add(path, file);
  }

  private show(upload: Upload): void {
    let row = this.rows.get(upload.id);
    if (!row) {
      row = new UploadRow(() => this.uploads.cancel(upload.id));
      this.rows.set(upload.id, row);
      this.list.append(row.node);
      this.forgetOld();
    }
    row.show(upload);
    if (upload.phase === "done") this.host.refresh();
  }

  private forgetOld(): void {
    const over = [...this.rows].filter(([, row]) => row.over);
    for (const [id, row] of over.slice(0, Math.max(0, over.length - KEPT))) {
      row.node.remove();
      this.rows.delete(id);
    }
  }
}

/** One upload's line. */
class UploadRow {
  readonly node = document.createElement("li");
  over = false;
  private readonly name = document.createElement("span");
  private readonly note = document.createElement("small");
  private readonly bar = document.createElement("progress");
  private readonly button = document.createElement("button");

  constructor(cancel: () => void) {
    this.button.type = "button";
    this.button.textContent = "×";
    this.button.addEventListener("click", cancel);
    this.node.append(this.name, this.button, this.bar, this.note);
  }

  show(upload: Upload): void {
    const { path, size, sent, phase, reason } = upload;
    this.over = isOver(upload);
    this.node.dataset.phase = phase;
    this.name.textContent = path;
    this.name.title = path;
    this.button.hidden = this.over;
    this.button.setAttribute("aria-label", `Cancel ${path}`);
    this.bar.hidden = this.over;
    this.bar.max = Math.max(size, 1);
    this.bar.value = sent;
    const parts = phase === "done" || size === 0 ? sizeText(size) : `${sizeText(sent)} of ${sizeText(size)}`;
    this.note.textContent = [parts, TITLES[phase], reason].filter((text) => text !== "").join(" · ");
  }
}

const TITLES: Readonly<Record<Upload["phase"], string>> = {
  waiting: "waiting",
  sending: "",
  stalled: "trying again",
  done: "sent",
  failed: "failed",
  cancelled: "cancelled",
};

/** What is on the desktop. */
class HostList {
  private names: string[] = [];
  private asked = 0;

  constructor(
    private readonly node: HTMLElement,
    private readonly root: string,
  ) {}

  toggle(): void {
    this.node.hidden = !this.node.hidden;
    this.refresh();
  }

  close(): void {
    this.node.hidden = true;
  }

  /** Asks anew, where the list is open. */
  refresh(): void {
    if (!this.node.hidden) void this.load();
  }

  private async load(): Promise<void> {
    const asked = ++this.asked;
    const headers = { Accept: "application/json" };
    const address = addressOf(this.root, this.names, true);
    const answer = await fetch(address, { headers }).catch(() => null);
    const folder = answer?.ok === true ? folderOf(await answer.json().catch(() => null)) : null;
    // A later question has been answered meanwhile, or will be.
    if (asked === this.asked) this.show(folder);
  }

  private show(folder: HostFolder | null): void {
    const rows: HTMLElement[] = [];
    if (this.names.length > 0) rows.push(this.row("..", this.step(this.names.slice(0, -1)), ""));
    for (const { name, folder: inner, size } of folder?.entries ?? []) {
      rows.push(inner ? this.row(`${name}/`, this.step([...this.names, name]), "") : this.row(name, this.link(name), sizeText(size)));
    }
    const note = folder === null ? "The list could not be read." : folder.cut ? "There is more than is listed." : "";
    if (note !== "" || rows.length === 0) rows.push(line(note || "There are no files."));
    this.node.replaceChildren(...rows);
  }

  private row(text: string, control: HTMLElement, note: string): HTMLElement {
    const row = document.createElement("li");
    control.textContent = text;
    control.title = text;
    const size = document.createElement("small");
    size.textContent = note;
    row.append(control, size);
    return row;
  }

  private step(names: string[]): HTMLElement {
    const button = document.createElement("button");
    button.type = "button";
    button.addEventListener("click", () => {
      this.names = names;
      this.refresh();
    });
    return button;
  }

  private link(name: string): HTMLElement {
    const link = document.createElement("a");
    link.href = addressOf(this.root, [...this.names, name], false);
    link.download = name;
    return link;
  }
}

function line(text: string): HTMLElement {
  const node = document.createElement("li");
  node.textContent = text;
  return node;
}

/** Names this browser, so that its transfers are its own across reloads. */
function ownerId(): string {
  const key = "selkies-files";
  try {
    const known = localStorage.getItem(key);
    if (known) return known;
    const id = crypto.getRandomValues(new Uint32Array(2)).join("-");
    localStorage.setItem(key, id);
    return id;
  } catch {
    // Storage may be blocked; then a reloaded page begins anew.
    return String(Math.random());
  }
}
