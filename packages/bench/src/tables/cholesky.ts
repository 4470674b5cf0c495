/** Cholesky factorisation in f64, and in f32 as the start of a refined solution, beside LAPACK's dpotrf on as many threads. */

import { createOrtGemm } from '@imprint/node';
import type { BenchContext } from '../bench-context.ts';
import { coreModule } from '../core-module.ts';
import { compare, interleave, type Case, type Contender } from '../measure.ts';

const TABLE = 'cholesky';
const CASES = [
  { order: 4096, rounds: 5 },
  { order: 10_000, rounds: 2 },
];

/** The same matrix as `entry` below. Both leave it as it was. */
const LAPACK = `
from scipy.linalg import lapack
def prepare(order):
    global matrix
    matrix = np.empty((order, order), order="F")
    rows = np.arange(order, dtype=np.int64)
    for j in range(order):
        matrix[:, j] = (rows * 7919 + j * 104729) % 1009 / 1009 - 0.5
    matrix[rows, rows] = order
def dpotrf():
    factor, info = lapack.dpotrf(matrix, lower=1, clean=0)
    assert info == 0
    last = len(factor) - 1
    return [factor[last, last], factor[last, 1], factor[last, last // 2], factor[last // 2, last // 3]]
`;

function entry(i: number, j: number, order: number): number {
  return i === j ? order : ((i * 7919 + j * 104729) % 1009) / 1009 - 0.5;
}

interface Panels<F extends Float64Array | Float32Array = Float64Array | Float32Array> {
  readonly order: number;
  readonly block: number;
  readonly panels: readonly F[];
}

function at({ order, block, panels }: Panels, i: number, j: number): number {
  const k = Math.floor(j / block);
  return panels[k][(i - k * block) * Math.min(block, order - k * block) + (j - k * block)];
}

function symmetricPanels(order: number, block: number): Panels<Float64Array> {
  const panels = Array.from({ length: Math.ceil(order / block) }, (_, k) => {
    const start = k * block;
    const width = Math.min(block, order - start);
    const panel = new Float64Array((order - start) * width);
    for (let i = start; i < order; i++) {
      for (let j = 0; j < width; j++) panel[(i - start) * width + j] = entry(i, start + j, order);
    }
    return panel;
  });
  return { order, block, panels };
}

/** The table `cholesky`. */
export async function cholesky(context: BenchContext): Promise<Case[]> {
  const { gemmF64, gemmF32 } = await context.peaks();
  const { panelColumns, choleskyFactor, choleskyFactor32 } = await coreModule('linalg/cholesky.js');
  const python = await context.python(LAPACK);
  const gemm = await createOrtGemm();
  const cases: Case[] = [];
  for (const { order, rounds } of CASES) {
    context.progress(`order ${order}`);
    const matrix = symmetricPanels(order, panelColumns(order));
    await python.run('prepare', order);
    const last = order - 1;
    const middle = Math.floor(last / 2);
    const spots = [
      [last, last],
      [last, 1],
      [last, middle],
      [middle, Math.floor(last / 3)],
    ] as const;
    const theirs = (await python.run<number[]>('dpotrf')).value;
    const check = (factor: Panels, tolerance: number): void => {
      for (const [s, [i, j]] of spots.entries()) {
        // Entries off the diagonal are small: rounding is relative to the diagonal's size.
        if (!(Math.abs(at(factor, i, j) - theirs[s]) < tolerance * Math.sqrt(order))) {
          throw new Error(`Expected LAPACK's ${theirs[s]} at (${i}, ${j}), got ${at(factor, i, j)}.`);
        }
      }
    };
    const times = await interleave(
      new Map<string, Contender>([
        ['f64', async () => check(await choleskyFactor(matrix, order, { gemm }), 1e-12)],
        ['dpotrf', python.contender('dpotrf')],
        ['f32', async () => check(await choleskyFactor32(matrix, order, { gemm }), 1e-4)],
      ]),
      rounds,
    );
    const peak = (gflops: number): Case['limit'] => ({
      what: 'its operations at the peak of Gemm',
      value: order ** 3 / 3 / gflops / 1e6,
    });
    const of = (key: string): number[] => times.get(key) as number[];
    const peer = 'LAPACK dpotrf f64 (OpenBLAS)';
    cases.push(
      compare(TABLE, `Cholesky f64, M = ${order}`, of('f64'), peer, of('dpotrf'), 'ms', 1, peak(gemmF64)),
      compare(TABLE, `Cholesky f32, M = ${order}`, of('f32'), peer, of('dpotrf'), 'ms', 1, peak(gemmF32)),
    );
  }
  await gemm.dispose();
  return cases;
}
