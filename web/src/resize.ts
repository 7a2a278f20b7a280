// Watches the room that the page has for the stream.

import { viewDpi, viewSize } from "./geometry";
import type { View } from "./messages";

const DEBOUNCE = 150;

/** The display size that fits `element` exactly on this screen. */
export function viewOf(element: Element): View {
  const ratio = window.devicePixelRatio || 1;
  const { width, height } = element.getBoundingClientRect();
  return { ...viewSize({ width, height }, ratio), dpi: viewDpi(ratio), ratio };
}

/** Calls `changed` when the room of `element` has been another for 150 ms; a change of zoom or screen counts. */
export function watchView(element: Element, changed: (view: View) => void): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let last = JSON.stringify(viewOf(element));
  const settle = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const view = viewOf(element);
      const text = JSON.stringify(view);
      if (text === last) return;
      last = text;
      changed(view);
    }, DEBOUNCE);
  };
  new ResizeObserver(settle).observe(element);
  const watchRatio = () => {
    const query = window.matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
    query.addEventListener("change", () => (settle(), watchRatio()), { once: true });
  };
  watchRatio();
}
