/** Squared lengths of a matrix's columns. */

/** @returns Float64Array, `columns`; the caller owns it */
export function columnSquares(matrix: Float32Array | Float64Array, columns: number): Float64Array {
  const squares = new Float64Array(columns);
  for (let at = 0; at < matrix.length;) for (let c = 0; c < columns; c++, at++) squares[c] += matrix[at] * matrix[at];
  return squares;
}
