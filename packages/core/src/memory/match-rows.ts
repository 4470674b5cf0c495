/** Which rows of a new state of the examples were there before: by their codes alone, so that names do not matter. */

/** FNV-1a over `width` integers. */
export function rowHash(codes: ArrayLike<number>, from: number, width: number): number {
  let hash = 0x811c9dc5;
  for (let j = from; j < from + width; j++) hash = Math.imul(hash ^ codes[j], 0x01000193);
  return hash;
}

/** Characters that are made by one call: engines bound its arguments. */
const KEY_PART = 4096;

/** Codes of one example as text: equal codes, equal text. */
export function rowKey(codes: Int8Array, width: number, row: number): string {
  const bytes = new Uint8Array(codes.buffer, codes.byteOffset + row * width, width);
  let key = '';
  for (let at = 0; at < width; at += KEY_PART) {
    key += String.fromCharCode.apply(undefined, bytes.subarray(at, at + KEY_PART) as unknown as number[]);
  }
  return key;
}

type Integers = Int8Array | Int32Array;

function equalRows(a: Integers, fromA: number, b: Integers, fromB: number, width: number): boolean {
  for (let j = 0; j < width; j++) if (a[fromA + j] !== b[fromB + j]) return false;
  return true;
}

/** The same bytes four at a time; undefined where rows do not begin at multiples of four. */
function asWords(codes: Int8Array, width: number): Int32Array | undefined {
  if (width % 4 !== 0 || codes.byteOffset % 4 !== 0) return undefined;
  return new Int32Array(codes.buffer, codes.byteOffset, codes.length / 4);
}

/** Rows that may have come or gone in one place and are stepped over. */
const LONGEST_RUN = 256;
/** Places where that does not help before the walk is given up. */
const MOST_FAILURES = 16;

/**
 * For every row of `after` an equal row of `before` that no other row was given, or -1. Rows in the same order, but for runs that
 * came or went, are found in one walk; only the others are looked up.
 * @param before Int8Array, rows x width
 * @param after Int8Array, rows x width
 * @returns Int32Array, rows of `after`; the caller owns it
 */
export function matchRows(before: Int8Array, after: Int8Array, width: number): Int32Array {
  const numBefore = before.length / width;
  const numAfter = after.length / width;
  const sources = new Int32Array(numAfter).fill(-1);
  const [wordsBefore, wordsAfter] = [asWords(before, width), asWords(after, width)];
  const byWords = wordsBefore !== undefined && wordsAfter !== undefined;
  const [a, b, step] = byWords ? [wordsBefore, wordsAfter, width / 4] : [before, after, width];
  const equal = (j: number, i: number): boolean =>
    j < numBefore && i < numAfter && equalRows(a, j * step, b, i * step, step);
  const lost: number[] = [];
  const found: number[] = [];
  for (let j = 0, i = 0, failures = 0; j < numBefore || i < numAfter;) {
    if (equal(j, i)) {
      sources[i++] = j++;
      continue;
    }
    const longest = failures < MOST_FAILURES ? LONGEST_RUN : 0;
    let run = 1;
    while (run <= longest && !equal(j + run, i) && !equal(j, i + run)) run++;
    const failed = run > longest;
    if (failed) failures++;
    // Where neither ends a run, both go on by one.
    const went = failed ? 1 : equal(j + run, i) ? run : 0;
    const came = failed ? 1 : went === 0 ? run : 0;
    for (const end = Math.min(numBefore, j + went); j < end; j++) lost.push(j);
    for (const end = Math.min(numAfter, i + came); i < end; i++) found.push(i);
  }
  if (lost.length > 0 && found.length > 0) lookUp(before, after, width, lost, found, sources);
  return sources;
}

/** Gives rows `found` of `after` equal ones among the rows `lost` of `before`. */
function lookUp(
  before: Int8Array,
  after: Int8Array,
  width: number,
  lost: readonly number[],
  found: readonly number[],
  sources: Int32Array,
): void {
  const byHash = new Map<number, number[]>();
  for (const j of lost) {
    const hash = rowHash(before, j * width, width);
    const rows = byHash.get(hash);
    if (rows) rows.push(j);
    else byHash.set(hash, [j]);
  }
  for (const i of found) {
    const rows = byHash.get(rowHash(after, i * width, width)) ?? [];
    const at = rows.findIndex((j) => equalRows(before, j * width, after, i * width, width));
    if (at < 0) continue;
    sources[i] = rows[at];
    rows.splice(at, 1);
  }
}
