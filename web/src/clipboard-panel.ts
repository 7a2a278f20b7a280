// The clipboard in the panel: a text box for what the browser does not let pass by itself, and what the user may choose.

import type { Clipboard } from "./clipboard";
import { type ClipboardContent, textContent, textOf } from "./clipboard-wire";
import type { ClipboardRules } from "./messages";
import { element } from "./overlay";

/** Longest text that the box shows; more is carried and not shown. */
const MAX_SHOWN = 200_000;

/** Shows what the desktop copied, takes what is to go there. Text of the desktop only ever becomes a value. */
export class ClipboardPanel {
  private readonly form = element("clipboard") as HTMLFormElement;
  private readonly box = element("clipboard-text") as HTMLTextAreaElement;
  private readonly send = element("clipboard-send") as HTMLButtonElement;
  private readonly copy = element("clipboard-copy") as HTMLButtonElement;
  private readonly pictures = element("clipboard-pictures") as HTMLInputElement;
  private readonly note = element("clipboard-note");
  /** The box shows all of what the desktop copied last. */
  private whole = true;

  constructor(
    private readonly clipboard: Clipboard,
    wish: (pictures: boolean) => void,
  ) {
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const given = clipboard.give(textContent(this.box.value));
      this.note.textContent = given ? "The desktop has it." : "There is nothing to send, or too much.";
    });
    this.copy.addEventListener("click", () => void this.onCopy());
    this.box.addEventListener("input", () => (this.whole = true));
    this.pictures.addEventListener("change", () => wish(this.pictures.checked));
  }

  /** Hidden where nothing may be exchanged. */
  allow(rules: ClipboardRules | null): void {
    this.form.hidden = rules === null || !(rules.inward || rules.outward);
    if (!rules) {
      this.box.value = this.note.textContent = "";
      return;
    }
    this.send.hidden = !rules.inward;
    this.copy.hidden = !rules.outward;
    [this.pictures.checked, this.pictures.disabled] = [rules.binary, rules.binaryLocked];
  }

  /** What the desktop copied. */
  show(content: ClipboardContent, written: boolean): void {
    const text = content.secret ? null : textOf(content);
    if (!written) {
      this.box.value = text?.slice(0, MAX_SHOWN) ?? "";
      this.whole = text !== null && text.length <= MAX_SHOWN;
    }
    const picture = `A picture (${content.mime}, ${content.bytes.length} bytes)`;
    const what = content.secret ? "A secret" : text === null ? picture : `${content.bytes.length} bytes of text`;
    this.note.textContent = `${what} from the desktop${written ? ", copied." : "."}`;
  }

  private async onCopy(): Promise<void> {
    if (await this.clipboard.copy()) return;
    // Insecure pages have nothing but this.
    this.box.focus();
    this.box.select();
    const copied = this.whole && document.execCommand("copy");
    this.note.textContent = copied ? "Copied." : "This browser does not let the page copy it.";
  }
}
