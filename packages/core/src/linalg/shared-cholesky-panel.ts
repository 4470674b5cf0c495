/** A panel of a Cholesky factorisation that several threads share: one factors the diagonal block, all solve some rows below it. */

import type { CholeskyPanel } from '../gemm.ts';
import type { HelperLine } from './helper-line.ts';
import { pays, split, wholeGroups } from './shares.ts';
import type { PortableGemm } from './typed-array-gemm.ts';
import { COLUMNS } from './wasm-cholesky-panel.ts';

/** `Gemm.choleskyPanel64` of `own`, helped where that pays. */
export async function sharedPanel(
  { choleskyPanel64, choleskyRows64 }: PortableGemm,
  lines: readonly HelperLine[],
  panel: Float64Array,
  width: number,
  before: readonly Float64Array[],
  least: Float64Array,
  onInverse?: (inverse: Float64Array) => void,
): Promise<CholeskyPanel | undefined> {
  const height = panel.length / width;
  const h = lines.length;
  const mine = width + wholeGroups((height - width) / (h + 1));
  const theirs = height - mine;
  const columns = before.reduce((sum, { length }) => sum + length / height, width);
  const moved = (theirs + h * width) * columns + theirs * width;
  if (h === 0 || choleskyRows64 === undefined || width > COLUMNS || !pays(theirs * width * columns, moved, h)) {
    return choleskyPanel64?.(panel, width, before, least, onInverse);
  }
  const rowsOf = (first: number, end: number): Float64Array[] =>
    before.map((values) => values.subarray((values.length / height) * first, (values.length / height) * end));
  const across = rowsOf(0, width);
  const shares = split(mine, height, lines).map(({ line, first, end }) => {
    const rows = panel.subarray(first * width, end * width);
    const beside = rowsOf(first, end);
    let asked = -1;
    const done = line.ask(rows, true, [...beside, ...across], (id, there, inputs) => {
      asked = id;
      const [before, across] = [inputs.slice(0, beside.length), inputs.slice(beside.length)];
      return { kind: 'rows', id, rows: there, width, before, across };
    });
    return { done, tell: (inverse: Float64Array | undefined) => line.tell(asked, inverse), rows, beside };
  });
  let told = false;
  const tellAll = (inverse: Float64Array | undefined): void => {
    if (!told) for (const { tell } of shares) tell(inverse);
    told = true;
  };
  let top;
  try {
    top = await choleskyPanel64?.(panel.subarray(0, mine * width), width, rowsOf(0, mine), least, (inverse) => {
      tellAll(inverse);
      onInverse?.(inverse);
    });
  } finally {
    // Those who still wait for it shall not for ever.
    tellAll(undefined);
  }
  if (top === undefined || top.failed >= 0) return top;
  const inverse = Promise.resolve(top.inverse);
  for (const { done, rows, beside } of shares) {
    if (!(await done)) await choleskyRows64(rows, width, beside, across, inverse);
  }
  return top;
}
