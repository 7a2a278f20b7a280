// Encoder and quality of the running stream, in the panel. Names of the server only ever become textContent and values.

import type { Choices, Range } from "./messages";
import { element } from "./overlay";
import { codecOf, type Wishes } from "./wire";

/** Shows what may be changed, and tells what the user changes. */
export class ChoicePanel {
  private readonly form = element("choices") as HTMLFormElement;
  private readonly encoder = element("encoder") as HTMLSelectElement;
  private readonly quality = element("quality") as HTMLInputElement;
  private shown: Choices | null = null;

  constructor(private readonly wish: (wishes: Wishes) => void) {
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.encoder.addEventListener("change", () => wish({ encoder: this.encoder.value }));
    this.quality.addEventListener("change", () => this.changeQuality(Number(this.quality.value)));
  }

  /** Null where nothing may be changed. */
  show(choices: Choices | null): void {
    this.shown = choices;
    this.form.hidden = choices === null;
    if (!choices) return;
    const { encoders, encoder } = choices;
    // What is in use may be none of the menu: it went on after a fault.
    const names = encoders.some(({ name }) => name === encoder) ? encoders : [...encoders, { name: encoder, decoded: true }];
    this.encoder.replaceChildren(...names.map(({ name, decoded }) => option(name, decoded)));
    this.encoder.value = encoder;
    const range = this.range;
    this.quality.disabled = range === null;
    if (!range) return;
    [this.quality.min, this.quality.max] = [String(range.min), String(range.max)];
    this.quality.value = String(this.isJpeg ? range.value : reversed(range, range.value));
  }

  /** The better, the further to the right, where CRF counts the other way. */
  private changeQuality(value: number): void {
    const range = this.range;
    if (!range) return;
    this.wish(this.isJpeg ? { jpeg_quality: value } : { video_crf: reversed(range, value) });
  }

  private get isJpeg(): boolean {
    return codecOf(this.shown?.encoder ?? "") === "jpeg";
  }

  private get range(): Range | null {
    return (this.isJpeg ? this.shown?.jpeg : this.shown?.crf) ?? null;
  }
}

function reversed({ min, max }: Range, value: number): number {
  return min + max - value;
}

function option(name: string, decoded: boolean): HTMLOptionElement {
  const node = document.createElement("option");
  [node.value, node.disabled] = [name, !decoded];
  node.textContent = decoded ? name : `${name} (not in this browser)`;
  return node;
}
