// Where the stream lies in the page and which stream pixel a point of the page is. Pure.

/** A rectangle in CSS pixels. */
export interface Box {
  left: number;
  top: number;
  width: number;
  height: number;
}

/** Width and height in pixels. */
export interface Extent {
  width: number;
  height: number;
}

/** The stream's part of `box`: centred, as large as its aspect ratio allows (CSS `object-fit: contain`). */
export function fit(box: Box, stream: Extent): Box {
  const scale = Math.min(box.width / stream.width, box.height / stream.height);
  const width = stream.width * scale;
  const height = stream.height * scale;
  return { left: box.left + (box.width - width) / 2, top: box.top + (box.height - height) / 2, width, height };
}

/** The stream pixel under a point of the page; points beside the picture belong to its nearest edge. */
export function toStream(x: number, y: number, box: Box, stream: Extent): { x: number; y: number } {
  const shown = fit(box, stream);
  const along = (at: number, from: number, length: number, pixels: number) =>
    Math.min(pixels - 1, Math.max(0, Math.floor(((at - from) / length) * pixels)));
  return { x: along(x, shown.left, shown.width, stream.width), y: along(y, shown.top, shown.height, stream.height) };
}

/** Largest size that is asked for, in pixels. */
const MAX_VIEW: Extent = { width: 7680, height: 4320 };

/** The display size for a room of `css` pixels: device pixels, even (4:2:0 chroma), never absurd. */
export function viewSize(css: Extent, ratio: number): Extent {
  const side = (length: number, max: number) => Math.min(max, Math.max(64, Math.floor((length * ratio + 0.01) / 2) * 2));
  return { width: side(css.width, MAX_VIEW.width), height: side(css.height, MAX_VIEW.height) };
}

/** A view in CSS pixels, which the page stretches: fewer pixels to encode, and nothing for applications to scale. */
export function cssView(view: Extent, ratio: number): Extent & { dpi: number } {
  return { ...viewSize({ width: view.width / ratio, height: view.height / ratio }, 1), dpi: viewDpi(1) };
}

/**
 * Stream pixels of one CSS pixel where `stream` is shown in `box`: the screen's own `ratio`, unless the stream is stretched.
 * Rounding to even sizes and borders of a few pixels are no stretching.
 */
export function shownRatio(box: Box, stream: Extent, ratio: number): number {
  const shown = fit(box, stream).width;
  if (!(shown > 0)) return ratio;
  const own = stream.width / shown;
  return Math.abs(own / ratio - 1) < 0.05 ? ratio : own;
}

/** The DPI for a device pixel ratio, in the steps that desktops offer. */
export function viewDpi(ratio: number): number {
  return Math.min(288, Math.max(96, Math.round(ratio * 4) * 24));
}
