// The canvas that the stream is drawn on, in a worker or in the page.

type Context = OffscreenCanvasRenderingContext2D | CanvasRenderingContext2D;

/** A decoded picture: a JPEG stripe or a video frame. */
export type Picture = ImageBitmap | VideoFrame;

/** Draws pictures at their place and frees them. */
export class Screen {
  private readonly context: Context;
  /** False until pictures or the server gave a size; until then pictures may shrink the canvas. */
  private sized = false;
  /** The server told the size: late pictures of an older size must not change it. */
  private told = false;

  constructor(
    private readonly canvas: OffscreenCanvas | HTMLCanvasElement,
    private readonly resized: (width: number, height: number) => void,
  ) {
    const context = canvas.getContext("2d", { alpha: false }) as Context | null;
    if (!context) throw new Error("the browser gives no 2D canvas");
    this.context = context;
  }

  get width(): number {
    return this.canvas.width;
  }

  get height(): number {
    return this.canvas.height;
  }

  /** True where a stripe down to `bottom` is the lowest one of the picture. */
  reaches(bottom: number): boolean {
    return this.sized && bottom >= this.height;
  }

  /** Sets the stream's size as the server tells it; what is on the canvas stays, where the browser can keep it. */
  setSize(width: number, height: number): void {
    this.told = true;
    this.resize(width, height);
  }

  private resize(width: number, height: number): void {
    this.sized = true;
    if (width === this.width && height === this.height) return;
    const kept = this.width > 1 && typeof OffscreenCanvas !== "undefined" ? new OffscreenCanvas(this.width, this.height) : null;
    kept?.getContext("2d")?.drawImage(this.canvas, 0, 0);
    this.canvas.width = width;
    this.canvas.height = height;
    if (kept) this.context.drawImage(kept, 0, 0);
    this.resized(width, height);
  }

  /** The next pictures tell the size anew, unless the server told one since the connection was made. */
  forgetSize(): void {
    if (!this.told) this.sized = false;
  }

  /** Another connection begins: nothing is known. */
  forgetAll(): void {
    this.told = false;
    this.sized = false;
  }

  /**
   * Draws all pictures at once, so that no part of a frame is shown alone, and frees them. One that a later one hides
   * is not drawn: it would only cost time.
   */
  draw(pictures: readonly { y: number; picture: Picture }[]): void {
    let width = 0;
    let height = 0;
    for (const { y, picture } of pictures) {
      width = Math.max(width, pictureWidth(picture));
      height = Math.max(height, y + pictureHeight(picture));
    }
    if (!this.sized) this.resize(width, height);
    else if (!this.told && (width > this.width || height > this.height)) {
      this.resize(Math.max(width, this.width), Math.max(height, this.height));
    }
    pictures.forEach(({ y, picture }, i) => {
      const covered = pictures.slice(i + 1).some((later) => covers(later, y, picture));
      if (!covered) this.context.drawImage(picture, 0, y);
      picture.close();
    });
  }
}

/** True where nothing of `picture` at `y` would be seen beneath `later`. */
function covers(later: { y: number; picture: Picture }, y: number, picture: Picture): boolean {
  const below = later.y <= y && later.y + pictureHeight(later.picture) >= y + pictureHeight(picture);
  return below && pictureWidth(later.picture) >= pictureWidth(picture);
}

function pictureWidth(picture: Picture): number {
  return picture instanceof ImageBitmap ? picture.width : picture.displayWidth;
}

function pictureHeight(picture: Picture): number {
  return picture instanceof ImageBitmap ? picture.height : picture.displayHeight;
}
