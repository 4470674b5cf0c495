/**
 * Kernels of two embeddings, from their inner product and squared lengths.
 * Arc-cosine, order 1: Cho and Saul, Kernel Methods for Deep Learning (NIPS 2009), equation 6; the limit of RanPAC's ReLU
 * features (McDonnell et al., NeurIPS 2023) as their number grows.
 */

export interface Kernel {
  readonly name: string;
  /** What it was set up with, for the report. */
  readonly parameters: Readonly<Record<string, number>>;
  /**
   * Turns inner products into kernel values in place.
   * @param products Float64Array, rows x columns
   * @param rowSquares squared lengths of the rows' embeddings, from `firstRow` on
   */
  applyInto(
    products: Float64Array,
    rows: number,
    columns: number,
    rowSquares: Float64Array,
    firstRow: number,
    columnSquares: Float64Array,
  ): void;
}

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

/** `k(x, y) = <x, y>`. */
export const linearKernel: Kernel = {
  name: 'linear',
  parameters: {},
  applyInto() {},
};

/** `k(x, y) = exp(-gamma |x - y|^2)`. */
export function rbfKernel(gamma: number): Kernel {
  return {
    name: 'rbf',
    parameters: { gamma },
    applyInto(products, rows, columns, rowSquares, firstRow, columnSquares) {
      for (let i = 0; i < rows; i++) {
        const square = rowSquares[firstRow + i];
        for (let j = 0, at = i * columns; j < columns; j++, at++) {
          products[at] = Math.exp(-gamma * Math.max(0, square + columnSquares[j] - 2 * products[at]));
        }
      }
    },
  };
}
