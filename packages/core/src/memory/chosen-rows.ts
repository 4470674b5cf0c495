/** Rows of a matrix of codes, copied side by side. */

/** @returns Int8Array, rows.length x width; the caller owns it */
export function chosenRows(codes: Int8Array, width: number, rows: ArrayLike<number>): Int8Array {
  const chosen = new Int8Array(rows.length * width);
  for (let r = 0; r < rows.length; r++) chosen.set(codes.subarray(rows[r] * width, (rows[r] + 1) * width), r * width);
  return chosen;
}
