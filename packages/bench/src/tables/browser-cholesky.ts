/** Cholesky of order 2,048 in f64 in a page of Chromium: core's on its WebAssembly products, alone and with a helper, and ml-matrix's. */

import path from 'node:path';
import type { BenchContext } from '../bench-context.ts';
import { openChromiumPage, root } from '../chromium-page.ts';
import { compare, type Case } from '../measure.ts';

/** The helper's scripts. */
const WORKER = path.join(root, 'packages/web/dist/assets');
const ORDER = 2048;
const PAGES = 3;
/** Rounds in the last page, and how many of them warm up: ml-matrix takes five calls until it is at its fastest. */
const ROUNDS = 10;
const WARM_UPS = 7;

/** The page: `measure(order, rounds)` takes turns from a page's first call on, and compares the two by what they solve. */
const PAGE = `
import { createWasmGemm, wasmGemm } from '@imprint/core';
import { gemmWithHelpers } from ${JSON.stringify(path.join(root, 'packages/web/dist/worker/helpers.js'))};
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
  const times = { ours: [], helped: [], theirs: [] };
  let ours, theirs, helped;
  const place = (file) => new URL('/imprint/' + file, location.href).href;
  const withHelper = gemmWithHelpers(createWasmGemm(), place('worker-seldom.js'), 1, place('worker.js'));
  const clock = async (name, solve) => {
    // What the one before left behind is collected by other threads.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const start = performance.now();
    const found = await solve();
    times[name].push(performance.now() - start);
    return found;
  };
  for (let round = 0; round < rounds; round++) {
    ours = await clock('ours', () => choleskyFactor(values, order, { gemm: wasmGemm }));
    helped = await clock('helped', () => choleskyFactor(values, order, { gemm: withHelper }));
    theirs = await clock('theirs', () => new CholeskyDecomposition(matrix));
  }
  const same = helped.panels.every((panel, k) => panel.every((x, i) => x === ours.panels[k][i]));
  if (!same) throw new Error('Expected a helper to change no bit.');
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
  /** With a helper, that is there from the second call on. */
  readonly helped: number[];
  readonly theirs: number[];
  readonly worst: number;
  readonly gemm: string;
}

async function measurePage(rounds: number): Promise<Measured> {
  await using opened = await openChromiumPage(PAGE, { folders: { '/imprint': WORKER } });
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
 * Three rows: a page's first call, over several fresh pages, a page that has called often, and the same with a helper. Fails where the page has no
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
    compare(
      table,
      `${name}, after ${WARM_UPS} calls, with a helper worker`,
      last.helped.slice(WARM_UPS),
      peer,
      last.theirs.slice(WARM_UPS),
      'ms',
    ),
  ];
}
