// Comparison of pictures { width, height, data } with three bytes a pixel.

const C1 = (0.01 * 255) ** 2;
const C2 = (0.03 * 255) ** 2;
const WINDOW = 8;
const STEP = 4;

function luma({ width, height, data }) {
  const out = new Float64Array(width * height);
  for (let i = 0, from = 0; i < out.length; i += 1, from += 3) {
    out[i] = 0.299 * data[from] + 0.587 * data[from + 1] + 0.114 * data[from + 2];
  }
  return out;
}

/** Mean structural similarity of the luma (Wang et al. 2004, windows of 8x8 with a step of 4); 0 for other sizes. */
export function ssim(a, b) {
  if (a.width !== b.width || a.height !== b.height) return 0;
  const [x, y] = [luma(a), luma(b)];
  const { width, height } = a;
  const n = WINDOW * WINDOW;
  let sum = 0;
  let windows = 0;
  for (let top = 0; top + WINDOW <= height; top += STEP) {
    for (let left = 0; left + WINDOW <= width; left += STEP) {
      let [sx, sy, sxx, syy, sxy] = [0, 0, 0, 0, 0];
      for (let row = 0; row < WINDOW; row += 1) {
        for (let i = (top + row) * width + left, end = i + WINDOW; i < end; i += 1) {
          const [p, q] = [x[i], y[i]];
          sx += p;
          sy += q;
          sxx += p * p;
          syy += q * q;
          sxy += p * q;
        }
      }
      const [mx, my] = [sx / n, sy / n];
      const [vx, vy, cov] = [sxx / n - mx * mx, syy / n - my * my, sxy / n - mx * my];
      sum += ((2 * mx * my + C1) * (2 * cov + C2)) / ((mx * mx + my * my + C1) * (vx + vy + C2));
      windows += 1;
    }
  }
  return sum / windows;
}

/** Mean difference per channel, 0 to 255: what SSIM of the luma does not see, such as exchanged colours. */
export function colourError(a, b) {
  if (a.width !== b.width || a.height !== b.height) return 255;
  let sum = 0;
  for (let i = 0; i < a.data.length; i += 1) sum += Math.abs(a.data[i] - b.data[i]);
  return sum / a.data.length;
}

/** The colour at a point. */
export function pixel({ width, data }, x, y) {
  const at = (y * width + x) * 3;
  return [data[at], data[at + 1], data[at + 2]];
}

/** True where two colours look the same after JPEG. */
export function near(a, b, distance = 30) {
  return a.every((value, i) => Math.abs(value - b[i]) <= distance);
}
