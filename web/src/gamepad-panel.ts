// Which gamepads take part, in the panel.

import { element } from "./overlay";

/** Lists gamepads by their players' numbers; hidden while there are none. */
export class GamepadPanel {
  private readonly list = element("gamepads");

  show(players: readonly { slot: number; name: string }[]): void {
    this.list.hidden = players.length === 0;
    const rows = players.map(({ slot, name }) => {
      const row = document.createElement("li");
      row.textContent = `Player ${slot + 1}: ${name}`;
      row.dataset.slot = String(slot);
      return row;
    });
    this.list.replaceChildren(...rows);
  }
}
