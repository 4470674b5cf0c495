/** The sums of `resample.ts` and `shrink-boxes.ts` in under 1 KB of WebAssembly SIMD: the same bytes, several times faster. */

import { compiled, growTo, instantiated, type WasmMemory } from '../linalg/machine-code.ts';
import type { ResampleWeights } from './resample-weights.ts';

interface ResampleModule {
  readonly memory: WasmMemory;
  rows(
    input: number,
    rowBytes: number,
    rowCount: number,
    outputs: number,
    starts: number,
    weights: number,
    pairs: number,
    out: number,
  ): void;
  columns(
    input: number,
    rowBytes: number,
    outputs: number,
    starts: number,
    counts: number,
    weights: number,
    stride: number,
    out: number,
  ): void;
  addRows(input: number, pitch: number, rowCount: number, out: number): void;
}

/** Compiled from `packages/core/wasm/resample.as.ts`, which says how. */
const CODE =
  '0061736d0100000001130260087f7f7f7f7f7f7f7f0060047f7f7f7f00030403000001050301000007250404726f7773000007636f6c756d' +
  '6e73000107616464526f77730002066d656d6f727902000ab70603ad0202067f037b03402002200a4a044020002001200a6c6a210c200521' +
  '08410021090340200320094a0440200c200420094102746a28020041036c6a210b200820064103746a210dfd0c0000000000000000000000' +
  '0000000000210efd0c00000000000000000000000000000000210f03402008200d490440200e200bfd5d0300fd0c00000000000000000000' +
  '000000000000fd0d0010031001100410021005101010101022102008fd090200fdba01fdae01210e200f20102008fd090204fdba01fdae01' +
  '210f200b41066a210b200841086a21080c010b0b2007200e4108fdab01200ffdae01fd0c00000100000001000000010000000100fdae0141' +
  '11fdac01220e200efd8501200efd66fd5a020000200741036a2107200941016a21090c010b0b200a41016a210a0c010b0b0be60202077f07' +
  '7b03402002200b4a04402000200b410274220820036a28020020016c6a210d20052006200b6c4102746a2209200420086a2802004102746a' +
  '210e4100210a03402001200a4a0440fd0c000001000000010000000100000001002110fd0c000001000000010000000100000001002111fd' +
  '0c000001000000010000000100000001002112fd0c000001000000010000000100000001002113200a200d6a210c2009210803402008200e' +
  '4904402010200cfd000400220ffd89012215fda9012008fd0902002214fdb501fdae01211020112015fdaa012014fdb501fdae0121112012' +
  '200ffd8a01220ffda9012014fdb501fdae0121122013200ffdaa012014fdb501fdae0121132001200c6a210c200841046a21080c010b0b20' +
  '07200a6a20104111fdac0120114111fdac01fd850120124111fdac0120134111fdac01fd8501fd66fd0b0400200a41106a210a0c010b0b20' +
  '0120076a2107200b41016a210b0c010b0b0b9d0102037f037b0340200120044a0440fd0c000000000000000000000000000000002107fd0c' +
  '000000000000000000000000000000002108200020046a2105410021060340200220064a044020072005fd0004002209fd8901fd8e012107' +
  '20082009fd8a01fd8e012108200120056a2105200641016a21060c010b0b20032007fd0b040020032008fd0b0410200341206a2103200441' +
  '106a21040c010b0b0b';

/** Vector loads and stores reach this far beyond a block. */
const SPARE_BYTES = 16;

let loaded: ResampleModule | false | undefined;

/** False where the engine has no WebAssembly SIMD, or a page's policy forbids compiling. */
function load(): ResampleModule | false {
  try {
    return instantiated(compiled(CODE)) as ResampleModule;
  } catch {
    return false;
  }
}

/** Hands out blocks of the module's memory, each with spare bytes after it. */
class Blocks {
  #end = 0;

  take(bytes: number): number {
    const start = this.#end;
    this.#end = Math.ceil((start + bytes + SPARE_BYTES) / 16) * 16;
    return start;
  }

  /** Makes the module's memory as large as what was taken; views of it are made after this. */
  reserve({ memory }: ResampleModule): void {
    growTo(memory, this.#end);
  }
}

/** Two weights to 8 bytes: their upper parts (w >> 8), then their lower parts (w & 255), as 16-bit integers. */
function pairWeights({ weights, starts, stride }: ResampleWeights, pairs: number): Int16Array<ArrayBuffer> {
  const paired = new Int16Array(starts.length * pairs * 4);
  for (let i = 0; i < starts.length; i++) {
    for (let t = 0; t < stride; t++) {
      const at = (i * pairs + (t >> 1)) * 4 + (t & 1);
      paired[at] = weights[i * stride + t] >> 8;
      paired[at + 2] = weights[i * stride + t] & 255;
    }
  }
  return paired;
}

/**
 * Rows, then columns, as `resampleRowsInto` and `resampleColumnsInto` one after the other.
 * @param rgb Uint8Array, rows x width x 3, of which `rowCount` rows from `firstRow` are read
 * @param down its starts count from the picture's first row
 * @param out Uint8ClampedArray, outputs down x outputs across x 3
 * @returns false, with nothing written, where this engine cannot
 */
export function resampleWithSimd(
  rgb: Uint8Array,
  width: number,
  firstRow: number,
  rowCount: number,
  across: ResampleWeights,
  down: ResampleWeights,
  out: Uint8ClampedArray,
): boolean {
  loaded ??= load();
  if (loaded === false) return false;
  const outputs = across.starts.length;
  const left = across.starts[0];
  const rowBytes = (across.starts[outputs - 1] + across.counts[outputs - 1] - left) * 3;
  const pairs = (across.stride + 1) >> 1;
  const blocks = new Blocks();
  const starts = blocks.take(outputs * 4);
  const weights = blocks.take(outputs * pairs * 8);
  const downStarts = blocks.take(down.starts.length * 4);
  const downCounts = blocks.take(down.counts.length * 4);
  const downWeights = blocks.take(down.weights.length * 4);
  // The zero weights after an output's last reach beyond the last row's end.
  const input = blocks.take(rowBytes * rowCount + pairs * 6);
  const narrow = blocks.take(rowCount * outputs * 3);
  const square = blocks.take(out.length);
  blocks.reserve(loaded);

  const bytes = new Uint8Array(loaded.memory.buffer);
  const integers = new Int32Array(loaded.memory.buffer);
  integers.set(
    across.starts.map((start) => start - left),
    starts / 4,
  );
  bytes.set(new Uint8Array(pairWeights(across, pairs).buffer), weights);
  integers.set(
    down.starts.map((start) => start - firstRow),
    downStarts / 4,
  );
  integers.set(down.counts, downCounts / 4);
  integers.set(down.weights, downWeights / 4);
  for (let y = 0; y < rowCount; y++) {
    const start = ((firstRow + y) * width + left) * 3;
    bytes.set(rgb.subarray(start, start + rowBytes), input + y * rowBytes);
  }
  loaded.rows(input, rowBytes, rowCount, outputs, starts, weights, pairs, narrow);
  loaded.columns(narrow, outputs * 3, down.starts.length, downStarts, downCounts, downWeights, down.stride, square);
  out.set(bytes.subarray(square, square + out.length));
  return true;
}

/**
 * Adds rows of bytes column by column: `sums[x] = sum over y of bytes[start + y * pitch + x]`.
 * @param rowCount at most 257, so that a sum fits 16 bits
 * @returns Uint16Array of `rowBytes` sums, valid until the next call; undefined where this engine cannot
 */
export function addRowsWithSimd(
  bytes: Uint8Array,
  start: number,
  pitch: number,
  rowBytes: number,
  rowCount: number,
): Uint16Array | undefined {
  loaded ??= load();
  if (loaded === false) return undefined;
  const padded = Math.ceil(rowBytes / 16) * 16;
  const blocks = new Blocks();
  const input = blocks.take(padded * rowCount);
  const sums = blocks.take(padded * 2);
  blocks.reserve(loaded);
  const memory = new Uint8Array(loaded.memory.buffer);
  for (let y = 0; y < rowCount; y++) {
    const from = start + y * pitch;
    memory.set(bytes.subarray(from, from + rowBytes), input + y * padded);
  }
  loaded.addRows(input, padded, rowCount, sums);
  return new Uint16Array(loaded.memory.buffer, sums, rowBytes);
}
