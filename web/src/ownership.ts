// Whether the display is this page's to size and to set up. A controller that joins beside the owner shares its input
// only: the host heeds none of its settings.

import { DISPLAY } from "./wire";

/** Follows what the server says of the display's owner on one connection. */
export class Ownership {
  /** This page owns the display, or will with its settings. */
  owned = true;

  private asked = false;
  private begun = false;

  /** This page has sent its settings. */
  settingsSent(): void {
    this.asked = true;
  }

  /**
   * The displays that have an owner. Before this page's settings they say whether there is somebody to join. After them
   * they come to the one that takes the display, and before its stream begins; later ones are about others.
   */
  displays(names: readonly string[]): void {
    const taken = names.includes(DISPLAY);
    if (!this.asked) this.owned = !taken;
    else if (!this.begun && taken) this.owned = true;
  }

  /** The stream begins, or begins anew. */
  reset(): void {
    this.begun ||= this.asked;
  }

  /** The owner has left the display to this page. */
  inherited(): void {
    this.owned = true;
  }
}
