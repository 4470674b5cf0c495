/**
 * Kernel ridge regression on one-hot targets; with the arc-cosine kernel it is RanPAC at infinite width.
 * `(K + lambda W^-1) a = Y`, W the class-balancing weights; score(x) = k(x, X) a. Leave-one-out, exact for every lambda:
 * `e_i = a_i / [(K + lambda W^-1)^-1]_ii`. Held, each as of all examples: the kernel with its scale, the weights `n / (C n_c)`, the unit
 * of lambda (mean diagonal of `W^1/2 K W^1/2`) and the lambda chosen. So it is the solution of the other n - 1 rows of this system; a fit
 * without the example would count `n_c - 1` in its class. A class that is emptied scores about 0: its column of Y is.
 * RanPAC: McDonnell et al., NeurIPS 2023, equation 6 (there the primal, unweighted). Leave-one-out: Rifkin and Lippert,
 * Notes on Regularized Least Squares (2007), equation 6.
 * We differ: balanced classes, lambda by leave-one-out squared error.
 */

import { expected } from '../errors.ts';
import type { FitContext, FittedHead, Memory } from '../head.ts';
import { mirrorLower } from '../linalg/mirror-lower.ts';
import { RowDots } from '../linalg/row-dots.ts';
import { carriedProducts, MOST_CARRIED } from './carried-products.ts';
import { codeProducts, codeProductsInto, codeSquares, lowerCodeProducts } from './code-products.ts';
import type { DualKernel } from './dual-base.ts';
import { dualRidge, type DualMethods } from './dual-ridge.ts';
import type { Kernel } from './kernels.ts';
import { choiceInWords } from './lambda-search.ts';
import { tapGroups, tapWeights, type TapChoice, type TapGroup } from './tap-weights.ts';

export interface RidgeOnKernelOptions {
  /** Which taps, default `all`. */
  readonly taps?: TapChoice;
  /** Relative to the mean diagonal of the balanced kernel matrix, above 0. Default: a search from 0.1 within 10^-4 to 10^2. */
  readonly lambda?: number;
}

/** Queries that share one Gemm in `scores`. */
const QUERY_BLOCK = 256;

/**
 * @param kernelOf the kernel for examples of these squared lengths
 */
export async function fitRidgeOnKernel(
  kernelOf: (squares: Float64Array, memory: Memory, groups: readonly TapGroup[]) => Kernel,
  memory: Memory,
  options: RidgeOnKernelOptions,
  context: FitContext,
  methods: DualMethods,
): Promise<FittedHead> {
  const { lambda: given } = options;
  if (given !== undefined && !(given > 0)) throw expected('lambda', 'a number above 0 or a list of them', given);
  const { codes, width, numExamples, numClasses } = memory;
  const groups = tapGroups(memory.taps, memory.dim, tapWeights(memory.taps, options.taps ?? 'all'));
  const squares = squaresOf(codes, numExamples, width, groups);
  const kernel = kernelOf(squares, memory, groups);
  const amongAll = async (): Promise<Float64Array> => {
    const products =
      numExamples > MOST_CARRIED
        ? await lowerCodeProducts(codes, numExamples, width, groups, context)
        : (await carriedProducts(memory, groups, context)).slice();
    await applyToLower(kernel, products, squares, context);
    await mirrorLower(products, numExamples, context);
    return products;
  };
  const between: DualKernel['between'] = async (a, rowsA, b, rowsB) => {
    if (a === codes && b === codes) return amongAll();
    const products = await codeProducts(a, rowsA, b, rowsB, width, groups, context);
    await applyByRows(
      kernel,
      products,
      squaresOf(a, rowsA, width, groups),
      squaresOf(b, rowsB, width, groups),
      context,
    );
    return products;
  };
  const diagonal = squares.slice();
  for (let i = 0; i < numExamples; i++) {
    kernel.applyInto(diagonal.subarray(i, i + 1), 1, 1, squares, i, squares.subarray(i, i + 1));
  }
  const parameters = JSON.stringify([kernel.name, kernel.parameters, groups]);
  const ridge = await dualRidge({ parameters, between, diagonal }, memory, context, given, methods);
  const { coefficients, leftOut, rows, lambda, tried, accuracy } = ridge;
  return {
    report: {
      head: kernel.name === 'arc-cosine' ? 'kernel-ridge' : `kernel-ridge-${kernel.name}`,
      parameters: { kernel: kernel.name, ...kernel.parameters, lambda, solver: ridge.method, examples: numExamples },
      ...(accuracy !== undefined && { leaveOneOutAccuracy: accuracy }),
      reason: `Kernel ridge with the ${kernel.name} kernel, ${choiceInWords({ lambda, tried }, 'squared leave-one-out error')}.`,
    },
    numClasses,
    leaveOneOutRows: rows,
    leaveOneOut: () => leftOut,
    ...(await kernelScores({ codes, numExamples, numClasses, width, groups, squares, kernel, coefficients, context })),
  };
}

/** Squares by the codes they are of, as long as those live. */
const knownSquares = new WeakMap<Int8Array, { readonly parameters: string; readonly squares: Float64Array }>();

/** `codeSquares`, worked out once. @returns read them, they are kept */
function squaresOf(codes: Int8Array, rows: number, width: number, groups: readonly TapGroup[]): Float64Array {
  const parameters = JSON.stringify(groups);
  const known = knownSquares.get(codes);
  if (known?.parameters === parameters) return known.squares;
  const squares = codeSquares(codes, rows, width, groups);
  knownSquares.set(codes, { parameters, squares });
  return squares;
}

/** Kernel values between two turns of the host: an arc cosine takes some 20 nanoseconds. */
const TURN_VALUES = 2 ** 19;

/** Turns products into kernel values, with turns for the host. */
async function applyByRows(
  kernel: Kernel,
  products: Float64Array,
  rowSquares: Float64Array,
  columnSquares: Float64Array,
  { yieldToHost, signal }: FitContext,
): Promise<void> {
  const [height, width] = [rowSquares.length, columnSquares.length];
  const rows = Math.max(1, Math.floor(TURN_VALUES / width));
  for (let first = 0; first < height; first += rows) {
    signal?.throwIfAborted();
    const count = Math.min(rows, height - first);
    kernel.applyInto(
      products.subarray(first * width, (first + count) * width),
      count,
      width,
      rowSquares,
      first,
      columnSquares,
    );
    await yieldToHost?.();
  }
}

/** The same of examples among themselves, on and below the diagonal. */
async function applyToLower(
  kernel: Kernel,
  products: Float64Array,
  squares: Float64Array,
  { yieldToHost, signal }: FitContext,
): Promise<void> {
  const n = squares.length;
  for (let i = 0, values = 0; i < n; i++) {
    kernel.applyInto(products.subarray(i * n, i * n + i + 1), 1, i + 1, squares, i, squares);
    values += i + 1;
    if (values < TURN_VALUES) continue;
    values = 0;
    signal?.throwIfAborted();
    await yieldToHost?.();
  }
}

interface KernelModel {
  readonly codes: Int8Array;
  readonly numExamples: number;
  readonly numClasses: number;
  readonly width: number;
  readonly groups: readonly TapGroup[];
  readonly squares: Float64Array;
  readonly kernel: Kernel;
  /** Float64Array, numExamples x numClasses. */
  readonly coefficients: Float64Array;
  readonly context: FitContext;
}

/** `k(x, X) a` for queries: one by one, or their integer products through the Gemm; the same bits either way. */
async function kernelScores(model: KernelModel): Promise<Pick<Required<FittedHead>, 'scoresInto' | 'scores'>> {
  const { codes, numExamples, numClasses, width, groups, squares, kernel, context } = model;
  // Scores need no signal of the fit that made them.
  const { gemm, yieldToHost } = context;
  const fresh: FitContext = { gemm, ...(yieldToHost && { yieldToHost }) };
  const combine = await coefficientRows(model);
  const values = combine.x.subarray(0, numExamples);
  const combineInto = (out: Float64Array, at: number): void => {
    combine.multiply();
    out.set(combine.out, at);
  };
  return {
    scoresInto(queries, numQueries, out) {
      const querySquares = codeSquares(queries, numQueries, width, groups);
      for (let q = 0; q < numQueries; q++) {
        codeProductsInto(queries, q, codes, numExamples, width, groups, values);
        kernel.applyInto(values, 1, numExamples, querySquares, q, squares);
        combineInto(out, q * numClasses);
      }
    },
    async scores(queries, numQueries) {
      const out = new Float64Array(numQueries * numClasses);
      const querySquares = codeSquares(queries, numQueries, width, groups);
      for (let first = 0; first < numQueries; first += QUERY_BLOCK) {
        const rows = Math.min(QUERY_BLOCK, numQueries - first);
        const block = queries.subarray(first * width, (first + rows) * width);
        const products = await codeProducts(block, rows, codes, numExamples, width, groups, fresh);
        kernel.applyInto(products, rows, numExamples, querySquares, first, squares);
        for (let q = 0; q < rows; q++) {
          values.set(products.subarray(q * numExamples, (q + 1) * numExamples));
          combineInto(out, (first + q) * numClasses);
        }
      }
      return out;
    },
  };
}

/** The coefficients by class, numClasses x numExamples, at the speed of memory. */
async function coefficientRows(model: KernelModel): Promise<RowDots> {
  const { coefficients, numExamples, numClasses, context } = model;
  const dots = new RowDots(numClasses, numExamples);
  const turnRows = Math.max(1, Math.floor(TURN_VALUES / numClasses));
  for (let j = 0; j < numExamples; j++) {
    for (let c = 0; c < numClasses; c++) dots.rows[c * dots.stride + j] = coefficients[j * numClasses + c];
    if ((j + 1) % turnRows === 0) await context.yieldToHost?.();
  }
  return dots;
}
