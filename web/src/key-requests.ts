// Requests for key frames, one in a while.

/** Shortest time between two requests, in ms. */
const PAUSE = 500;

/** Asks for a key frame at once, or when the pause since the last request is over. */
export class KeyRequests {
  private askedAt = -Infinity;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly send: () => void) {}

  /** A key frame is needed. */
  ask(): void {
    if (this.timer !== undefined) return;
    const now = performance.now();
    const pause = this.askedAt + PAUSE - now;
    if (pause > 0) {
      this.timer = setTimeout(() => {
        this.timer = undefined;
        this.ask();
      }, pause);
      return;
    }
    this.askedAt = now;
    this.send();
  }

  /** What was to be asked for has come, or comes anyway. */
  came(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }
}
