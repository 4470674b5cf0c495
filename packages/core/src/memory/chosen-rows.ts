/** Rows of a row-major matrix, copied side by side. */

type Matrix = Int8Array | Int32Array | Float64Array;

/** @returns rows.length x width, of the same kind of numbers; the caller owns it */
export function chosenRows<M extends Matrix>(matrix: M, width: number, rows: ArrayLike<number>): M {
  const chosen = new (matrix.constructor as new (length: number) => M)(rows.length * width);
  for (let r = 0; r < rows.length; r++) chosen.set(matrix.subarray(rows[r] * width, (rows[r] + 1) * width), r * width);
  return chosen;
}
