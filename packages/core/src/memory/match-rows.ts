/** Which rows of a new state of the examples were there before: by their codes alone, so that names do not matter. */

/** FNV-1a over `width` integers. */
export function rowHash(codes: ArrayLike<number>, from: number, width: number): number {
  let hash = 0x811c9dc5;
  for (let j = from; j < from + width; j++) hash = Math.imul(hash ^ codes[j], 0x01000193);
  return hash;
}

function equalRows(a: Int8Array, fromA: number, b: Int8Array, fromB: number, width: number): boolean {
  for (let j = 0; j < width; j++) if (a[fromA + j] !== b[fromB + j]) return false;
  return true;
}

/**
 * For every row of `after` an equal row of `before` that no other row was given, or -1. Rows in the same order are found
 * in one walk; only the others are looked up.
 * @param before Int8Array, rows x width
 * @param after Int8Array, rows x width
 * @returns Int32Array, rows of `after`; the caller owns it
 */
export function matchRows(before: Int8Array, after: Int8Array, width: number): Int32Array {
  const numBefore = before.length / width;
  const numAfter = after.length / width;
  const sources = new Int32Array(numAfter).fill(-1);
  const walked = walkInOrder(before, after, width, sources);
  if (walked) return sources;

  sources.fill(-1);
  const first = new Map<number, number>();
  const next = new Int32Array(numBefore).fill(-1);
  for (let i = numBefore - 1; i >= 0; i--) {
    const hash = rowHash(before, i * width, width);
    next[i] = first.get(hash) ?? -1;
    first.set(hash, i);
  }
  for (let i = 0; i < numAfter; i++) {
    const hash = rowHash(after, i * width, width);
    let previous = -1;
    for (let j = first.get(hash) ?? -1; j >= 0; previous = j, j = next[j]) {
      if (!equalRows(before, j * width, after, i * width, width)) continue;
      sources[i] = j;
      if (previous >= 0) next[previous] = next[j];
      else if (next[j] >= 0) first.set(hash, next[j]);
      else first.delete(hash);
      break;
    }
  }
  return sources;
}

/** One run of rows that came or went explains the difference: the common case. @returns whether it does */
function walkInOrder(before: Int8Array, after: Int8Array, width: number, sources: Int32Array): boolean {
  const numBefore = before.length / width;
  const numAfter = after.length / width;
  const most = Math.min(numBefore, numAfter);
  let head = 0;
  while (head < most && equalRows(before, head * width, after, head * width, width)) head++;
  let tail = 0;
  while (
    tail < most - head &&
    equalRows(before, (numBefore - 1 - tail) * width, after, (numAfter - 1 - tail) * width, width)
  ) {
    tail++;
  }
  if (head + tail < most) return false;
  for (let i = 0; i < head; i++) sources[i] = i;
  for (let i = 1; i <= tail; i++) sources[numAfter - i] = numBefore - i;
  return true;
}
