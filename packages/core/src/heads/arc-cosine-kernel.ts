/**
 * The arc-cosine kernel of order 1: Cho and Saul, Kernel Methods for Deep Learning (NIPS 2009), equation 6; the limit of RanPAC's
 * ReLU features (McDonnell et al., NeurIPS 2023) as their number grows.
 */

import type { Kernel } from './kernels.ts';

/** `k(x, y) = |x| |y| (sin t + (pi - t) cos t) / 2 pi`, t the angle between them. */
export const arcCosineKernel: Kernel = {
  name: 'arc-cosine',
  parameters: {},
  applyInto(products, rows, columns, rowSquares, firstRow, columnSquares) {
    for (let i = 0; i < rows; i++) {
      const square = rowSquares[firstRow + i];
      for (let j = 0, at = i * columns; j < columns; j++, at++) {
        const lengths = Math.sqrt(square * columnSquares[j]);
        // Rounding may push the cosine of equal vectors just past one.
        const cosine = lengths > 0 ? Math.max(-1, Math.min(1, products[at] / lengths)) : 0;
        const sine = Math.sqrt(1 - cosine * cosine);
        products[at] = (lengths * (sine + (Math.PI - Math.acos(cosine)) * cosine)) / (2 * Math.PI);
      }
    }
  },
};
