// Command lines for the desktop: a field in the panel, and what the last one printed.

import { element } from "./overlay";

/** Longest line that the host takes, bytes of UTF-8. */
export const MAX_LINE = 4096;

/** What became of a line. */
export interface Ended {
  done: boolean;
  /** The line, or why it failed. */
  told: string;
  output: string;
}

/** The message that runs a line; null for what the host would refuse. */
export function commandMessage(line: string): string | null {
  const text = line.trim();
  return text === "" || text.includes("\0") || new TextEncoder().encode(text).length > MAX_LINE ? null : `cmd,${text}`;
}

/** Runs lines and shows what they print, which only ever becomes text. */
export class CommandPanel {
  private readonly form = element("command") as HTMLFormElement;
  private readonly line = element("command-line") as HTMLInputElement;
  private readonly note = element("command-note");
  private readonly output = element("command-output");

  constructor(send: (text: string) => void) {
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const message = commandMessage(this.line.value);
      this.show(message === null ? "There is nothing to run, or too much." : "It runs.", "");
      if (message !== null) send(message);
    });
  }

  /** Hidden where no line may be run. */
  allow(allowed: boolean): void {
    this.form.hidden = !allowed;
    if (!allowed) this.show("", "");
  }

  ended({ done, told, output }: Ended): void {
    this.show(done ? `Done: ${told}` : `Failed: ${told}`, output);
  }

  private show(note: string, output: string): void {
    this.note.textContent = note;
    this.output.textContent = output;
    this.output.hidden = output === "";
  }
}
