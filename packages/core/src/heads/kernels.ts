/** Kernels of two embeddings, from their inner product and squared lengths; the arc-cosine kernel has a file of its own. */

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
