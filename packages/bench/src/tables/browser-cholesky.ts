/** Cholesky of order 2,048 in f64 in a page of Chromium: core's on its WebAssembly products, and ml-matrix's. */

import path from 'node:path';
import type { BenchContext } from '../bench-context.ts';
import { openChromiumPage, root } from '../chromium-page.ts';
import { compare, type Case } from '../measure.ts';

const ORDER = 2048;
const PAGES = 3;
/** Rounds in the last page, and how many of them warm up: ml-matrix takes five calls until it is at its fastest. */
const ROUNDS = 10;
const WARM_UPS = 7;

/** The page: `measure(order, rounds)` takes turns from a page's first call on, and compares the two by what they solve. */
const PAGE = `
import { wasmGemm } from '@imprint/core';
import { choleskyFactor } from ${JSON.stringify(path.join(root, 'packages/core/dist/linalg/cholesky.js'))};
import { solveSymmetric } from ${JSON.stringify(path.join(root, 'packages/core/dist/linalg/cholesky-solve.js'))};
import { CholeskyDecomposition, Matrix } from 'ml-matrix';

function positiveDefinite(order) {
  let state = 7;
  const noise = Float64Array.from({ length: order * order }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
  return wasmGemm.f64(noise, noise, { m: order, n: order, k: order, transposeB: true }).then((product) => {
    for (let i = 0; i < order; i++) product[i * order + i] += order / 10;
    return product;
  });
}

globalThis.measure = async (order, rounds) => {
  const values = await positiveDefinite(order);
  // A matrix of its own: rows as ml-matrix keeps them, made outside its clock.
  const matrix = new Matrix(order, order);
  for (let i = 0; i < order; i++) for (let j = 0; j < order; j++) matrix.set(i, j, values[i * order + j]);
  const times = { ours: [], theirs: [] };
  let ours, theirs;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    ours = await choleskyFactor(values, order, { gemm: wasmGemm });
    const middle = performance.now();
    theirs = new CholeskyDecomposition(matrix);
    times.ours.push(middle - start);
    times.theirs.push(performance.now() - middle);
  }
  // The same answer: one right-hand side solved with each.
  const right = values.slice(0, order);
  const solved = await solveSymmetric(ours, right, 1, { gemm: wasmGemm });
  const reference = theirs.solve(Matrix.columnVector(right)).to1DArray();
  const largest = reference.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const worst = reference.reduce((most, x, i) => Math.max(most, Math.abs(x - solved[i])), 0) / largest;
  return { ...times, worst, gemm: wasmGemm.name };
};
`;

interface Measured {
  readonly ours: number[];
  readonly theirs: number[];
  readonly worst: number;
  readonly gemm: string;
}

async function measurePage(rounds: number): Promise<Measured> {
  await using opened = await openChromiumPage(PAGE);
  const measured = (await opened.page.evaluate(
    ([order, count]) =>
      (globalThis as unknown as { measure(order: number, rounds: number): Promise<Measured> }).measure(order, count),
    [ORDER, rounds],
  )) as Measured;
  if (!measured.gemm.startsWith('wasm'))
    throw new Error(`Expected WebAssembly SIMD in Chromium, got ${measured.gemm}.`);
  if (!(measured.worst < 1e-9)) throw new Error(`Expected equal solutions, got a difference of ${measured.worst}.`);
  return measured;
}

/**
 * Two rows: a page's first call, over several fresh pages, and a page that has called often. Fails where the page has no
 * WebAssembly SIMD, or where the two solve differently.
 */
export async function browserCholesky(table: string, context: BenchContext): Promise<Case[]> {
  const firsts: Measured[] = [];
  for (let page = 1; page < PAGES; page++) {
    context.progress(`Cholesky, page ${page} of ${PAGES}`);
    firsts.push(await measurePage(1));
  }
  context.progress(`Cholesky, page ${PAGES} of ${PAGES}: ${ROUNDS} rounds`);
  const last = await measurePage(ROUNDS);
  firsts.push(last);
  const name = `Cholesky ${ORDER} f64 in Chromium against ml-matrix`;
  const peer = 'ml-matrix, the same page';
  return [
    compare(
      table,
      `${name}, a page's first call`,
      firsts.flatMap((page) => page.ours[0]),
      peer,
      firsts.flatMap((page) => page.theirs[0]),
      'ms',
    ),
    compare(
      table,
      `${name}, after ${WARM_UPS} calls`,
      last.ours.slice(WARM_UPS),
      peer,
      last.theirs.slice(WARM_UPS),
      'ms',
    ),
  ];
}
