/**
 * Reduces a symmetric matrix to a band by orthogonal transformations, `A = Q B Q^T`, nearly all of it in the Gemm.
 * Bischof, Lang, Sun, A framework for symmetric band reduction (ACM TOMS 26, 2000), the first of its stages: a band serves
 * shifted solves for every shift as well as eigenvalues would. Updates are put off as in Dongarra, Hammarling, Sorensen, Block
 * reduction of matrices to condensed forms (1989).
 */

import type { FitContext } from '../head.ts';
import { householderPanel, type BlockReflector } from './householder-panel.ts';
import { padded, reflectorProduct } from './reflector-product.ts';
import { subtractProduct } from './products-in-place.ts';
import { transpose } from './transpose.ts';

/** Block tridiagonal: block k holds rows and columns `[band k, band (k + 1))`. */
export interface BandReduction {
  readonly order: number;
  /** Width of a block, the last one's may be less. */
  readonly band: number;
  /** Blocks on the diagonal, each width x width, row-major. */
  readonly diagonal: readonly Float64Array[];
  /** Blocks below it: block k couples rows of block k + 1 to columns of block k. */
  readonly below: readonly Float64Array[];
  /** Float64Array, order x order, row-major: Q. */
  readonly rotation: Float64Array;
}

/** Columns of panels whose updates are put off: a product of twice as many as its inner dimension waits less for memory. */
const GROUP_COLUMNS = 128;
/** Entries that are copied between two turns of the host. */
const TURN_ENTRIES = 2 ** 21;

/**
 * In `10/3 order^3` operations.
 * @param matrix Float64Array, order x order, row-major, symmetric; not changed
 * @param band width of the band, from 1
 */
export async function reduceToBand(
  matrix: Float64Array,
  order: number,
  context: FitContext,
  band: number,
): Promise<BandReduction> {
  const diagonal: Float64Array[] = [];
  const below: Float64Array[] = [];
  const reflectors: BlockReflector[] = [];
  const square = new Float64Array(order * order);
  for (let at = 0; at < square.length; at += TURN_ENTRIES) {
    square.set(matrix.subarray(at, at + TURN_ENTRIES), at);
    await context.yieldToHost?.();
  }
  const trailing = new TrailingSquare(square, order, Math.max(1, Math.floor(GROUP_COLUMNS / band)) * band);
  for (let start = 0; start < order; start += band) {
    context.signal?.throwIfAborted();
    const width = Math.min(band, order - start);
    const rest = order - start - width;
    // By symmetry the panel's columns stand right of the diagonal block as rows.
    const [block, columns] = await trailing.rows(rest + width, width, context);
    diagonal.push(block);
    if (rest === 0) break;
    if (rest <= band) {
      below.push(transpose(columns, width, rest));
      continue;
    }
    const reflector = await householderPanel(columns, width, rest, context);
    below.push(reflector.triangle);
    reflectors.push(reflector);
    await trailing.reflect(reflector, context);
    await context.yieldToHost?.();
  }
  return { order, band, diagonal, below, rotation: await reflectorProduct(reflectors, order, context) };
}

/** The part of the matrix that is still to be reduced, as `S - U^T D`: the last rows and columns of a square of `side`. */
class TrailingSquare {
  #square: Float64Array;
  #side: number;
  /** Rows of U and D that count, of those there is room for. */
  #pending = 0;
  readonly #most: number;
  /** `[V_1^T; X_1^T; V_2^T; ...]`, pending x side. */
  #ups: Float64Array;
  /** `[X_1^T; V_1^T; X_2^T; ...]`. */
  #downs: Float64Array;

  /** @param square overwritten @param columns of reflectors whose updates are put off, at most */
  constructor(square: Float64Array, order: number, columns: number) {
    this.#square = square;
    this.#side = order;
    this.#most = 2 * columns;
    this.#ups = new Float64Array(this.#most * order);
    this.#downs = new Float64Array(this.#most * order);
  }

  /** The first `width` of the last `height` rows: their diagonal block, and what is right of it. */
  async rows(height: number, width: number, context: FitContext): Promise<[Float64Array, Float64Array<ArrayBuffer>]> {
    const side = this.#side;
    const first = side - height;
    const strip = this.#square.slice(first * side, (first + width) * side);
    const k = this.#pending;
    if (k > 0) {
      const left = lastColumns(this.#ups, k, side, height, width);
      const shape = { m: width, n: side, k, transposeA: true };
      await subtractProduct(strip, left, this.#downs.subarray(0, k * side), shape, context);
    }
    const rest = height - width;
    return [lastColumns(strip, width, side, height, width), lastColumns(strip, width, side, rest, rest)];
  }

  /** `S <- H^T S H` with `H = I - V T V^T`: `S - V X^T - X V^T`, where `W = S V T` and `X = W - V T^T (V^T W) / 2`. */
  async reflect({ vectors, factor, height, count }: BlockReflector, context: FitContext): Promise<void> {
    const { gemm } = context;
    const side = this.#side;
    const k = this.#pending;
    const v = padded(vectors, count, height, side);
    const live = this.#square.subarray((side - height) * side);
    const product = await gemm.f64(live, transpose(v, count, side), { m: height, n: count, k: side });
    const projected = padded(transpose(product, height, count), count, height, side);
    const [ups, downs] = [this.#ups.subarray(0, k * side), this.#downs.subarray(0, k * side)];
    if (k > 0) {
      const inner = await gemm.f64(downs, v, { m: k, n: count, k: side, transposeB: true });
      await subtractProduct(projected, inner, ups, { m: count, n: side, k, transposeA: true }, context);
    }
    const x = await gemm.f64(factor, projected, { m: count, n: side, k: count, transposeA: true });
    const inner = await gemm.f64(x, v, { m: count, n: count, k: side, transposeB: true });
    const half = await gemm.f64(inner, factor, { m: count, n: count, k: count });
    for (let i = 0; i < half.length; i++) half[i] /= 2;
    await subtractProduct(x, half, v, { m: count, n: side, k: count }, context);
    this.#ups.set(v, k * side);
    this.#ups.set(x, (k + count) * side);
    this.#downs.set(x, k * side);
    this.#downs.set(v, (k + count) * side);
    this.#pending += 2 * count;
    if (this.#pending === this.#most) await this.#settle(height, context);
  }

  /** Makes up for what was put off, on the last `height` rows and columns: the others are done. */
  async #settle(height: number, context: FitContext): Promise<void> {
    const side = this.#side;
    const k = this.#pending;
    const turnRows = Math.ceil(TURN_ENTRIES / height);
    for (let i = 0; i < height; i++) {
      const from = (side - height + i + 1) * side - height;
      this.#square.copyWithin(i * height, from, from + height);
      if (i % turnRows === 0) await context.yieldToHost?.();
    }
    this.#square = this.#square.subarray(0, height * height);
    const left = transpose(lastColumns(this.#ups, k, side, height, height), k, height);
    const right = lastColumns(this.#downs, k, side, height, height);
    await subtractProduct(this.#square, left, right, { m: height, n: height, k }, context);
    this.#side = height;
    this.#pending = 0;
  }
}

/** Of each of `count` rows of `side`, the first `width` of its last `height` entries. */
function lastColumns(
  rows: Float64Array,
  count: number,
  side: number,
  height: number,
  width: number,
): Float64Array<ArrayBuffer> {
  const out = new Float64Array(count * width);
  for (let i = 0; i < count; i++) {
    const from = (i + 1) * side - height;
    out.set(rows.subarray(from, from + width), i * width);
  }
  return out;
}
