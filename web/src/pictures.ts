// The two elements that can show the stream, of which one is seen: a canvas for WebSocket, a video for WebRTC.

/** Gives a stream its element. */
export class Pictures {
  private used = false;

  constructor(
    private screen: HTMLCanvasElement,
    private readonly player: HTMLVideoElement,
  ) {}

  /** A canvas that nothing was drawn on: one that was handed to a worker is that worker's for good. */
  canvas(): HTMLCanvasElement {
    if (this.used) {
      const fresh = this.screen.cloneNode() as HTMLCanvasElement;
      [fresh.width, fresh.height] = [1, 1];
      this.screen.replaceWith(fresh);
      this.screen = fresh;
    }
    this.used = true;
    this.screen.hidden = false;
    this.player.hidden = true;
    this.player.srcObject = null;
    return this.screen;
  }

  /** The video element, without a picture. */
  video(): HTMLVideoElement {
    this.player.srcObject = null;
    this.player.hidden = false;
    this.screen.hidden = true;
    return this.player;
  }
}
