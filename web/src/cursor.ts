// The remote pointer image as a CSS cursor.

import type { CursorShape } from "./wire";

/** Browsers ignore larger cursors. */
const MAX_SIDE = 128;

/** The CSS `cursor` value of a shape; `ratio` device pixels are one CSS pixel, and cursors are meant in device pixels. */
export function cursorStyle({ png, width, height, hotX, hotY }: CursorShape, ratio: number): string {
  if (png === "") return "none";
  if (width > MAX_SIDE * ratio || height > MAX_SIDE * ratio) return "default";
  const url = `url("data:image/png;base64,${png}")`;
  const image = ratio === 1 ? url : `image-set(${url} ${ratio}x)`;
  return `${image} ${Math.round(hotX / ratio)} ${Math.round(hotY / ratio)}, default`;
}
