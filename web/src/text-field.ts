// The transparent text field that has the focus: composed text, and what on-screen keyboards do instead of sending keys.

import { KEYSYM, keysymOfCharacter } from "./keysym";

/** Longest text of one composition. */
const MAX_TYPED = 4096;
/** Before the caret while an on-screen keyboard is shown: many tell of no Backspace where there is nothing to delete. */
const LEAD = " ";

/** Where typed text goes. */
export interface Typist {
  /** A key goes down and up. */
  tap(keysym: number): void;
  /** Text that no key stands for. */
  text(text: string): void;
}

/** Reads the field and keeps it empty. */
export class TextField {
  private onScreen = false;

  constructor(
    private readonly field: HTMLTextAreaElement,
    private readonly typist: Typist,
  ) {
    field.addEventListener("compositionend", ({ data }) => {
      this.type(data);
      this.clear();
    });
    field.addEventListener("input", (event) => this.onInput(event as InputEvent));
  }

  /** Whether the device's keyboard is wanted. */
  get keyboardShown(): boolean {
    return this.onScreen;
  }

  /** Takes the focus; on touch devices `onScreen` also shows the device's keyboard, or hides it. */
  focus(onScreen: boolean): void {
    if (onScreen !== this.onScreen) {
      // A focused field keeps its keyboard, whatever its mode becomes.
      this.field.blur();
      this.onScreen = onScreen;
      this.field.inputMode = onScreen ? "text" : "none";
      this.clear();
    }
    this.field.focus({ preventScroll: true });
  }

  private onInput(event: InputEvent): void {
    if (event.isComposing) return;
    const { typist } = this;
    if (event.inputType === "deleteContentBackward") typist.tap(KEYSYM.BackSpace);
    else if (event.inputType === "deleteContentForward") typist.tap(KEYSYM.Delete);
    else if (event.inputType === "insertLineBreak" || event.inputType === "insertParagraph") typist.tap(KEYSYM.Return);
    else if (event.inputType === "insertText" && event.data) this.type(event.data);
    this.clear();
  }

  private type(text: string): void {
    const characters = [...text.slice(0, MAX_TYPED)];
    if (characters.length === 1) this.typist.tap(keysymOfCharacter(characters[0]!));
    else if (characters.length > 1) this.typist.text(characters.join(""));
  }

  private clear(): void {
    const lead = this.onScreen ? LEAD : "";
    this.field.value = lead;
    this.field.setSelectionRange(lead.length, lead.length);
  }
}
