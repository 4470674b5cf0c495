/** Matrix products through ONNX Runtime: generated Gemm graphs, run in slices so that the event loop stays free. */

import { bytesMatmulGraph, expected, ImprintError, isTagged, matmulGraph } from '@imprint/core';
import type { BlockBidiagonal, Gemm, GemmShape } from '@imprint/core';
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { onnxRuntime } from './native-modules.ts';
import { openProductSession } from './open-product-session.ts';
import { OrtBidiagonal } from './ort-bidiagonal.ts';

export interface OrtGemmOptions {
  /** Default `cpu`. f64 products stay on the CPU: the other devices have no kernel for them. */
  readonly device?: 'cpu' | 'cuda' | 'webgpu';
  /** Threads of a product. Default: one a physical core. */
  readonly numThreads?: number;
}

/**
 * Operations in one run, by kind, which blocks the event loop: `session.run` of onnxruntime-node is synchronous. On two cores
 * some 8 to 15 ms; shorter slices cost packing, longer ones latency. Fixed, because a product's last bits can depend on its
 * slices: equal input must give equal bits on a slow day too.
 */
const SLICE_OPERATIONS = { f32: 1.2e9, f64: 6e8, int8: 4e9 };

/** Fewer rows a slice than this, and packing the right-hand side anew for each slice outweighs the product. */
const MIN_ROWS = 256;

type Floats = Float32Array | Float64Array;
type Kind = 'f32' | 'f64';

/** Rows `[first, first + count)` of a row-major matrix that is `width` wide: a view, no copy. */
function rowsOf<T extends Floats>(matrix: T, first: number, count: number, width: number): T {
  return matrix.subarray(first * width, (first + count) * width) as T;
}

/** Columns `[first, first + count)` of a row-major matrix `height` x `width`, packed to `height` x `count`. */
function columnsOf<T extends Floats>(matrix: T, first: number, count: number, height: number, width: number): T {
  if (count === width) return matrix;
  const packed = (
    matrix instanceof Float64Array ? new Float64Array(height * count) : new Float32Array(height * count)
  ) as T;
  for (let row = 0; row < height; row++) {
    const start = row * width + first;
    packed.set(matrix.subarray(start, start + count), row * count);
  }
  return packed;
}

/** ONNX Runtime takes no shared memory ("Invalid argument"). */
function isShared({ buffer }: Floats | Int8Array): boolean {
  return buffer instanceof SharedArrayBuffer;
}

/** A matrix in shared memory is copied, any other is passed as it is. */
function unshared<T extends Floats | Int8Array>(matrix: T): T {
  return isShared(matrix) ? (matrix.slice() as T) : matrix;
}

/**
 * Products by ONNX Runtime (design 1). Row-major inputs are passed without a copy; products that take longer than
 * about 15 ms run in slices with a turn of the event loop between them. Integer products are exact within 2^24 (f32) and
 * 2^53 (f64), which is checked once on devices other than the CPU.
 *
 * @throws DEVICE_UNAVAILABLE where ONNX Runtime does not offer the device, DEVICE_INACCURATE where it miscounts, UNSUPPORTED in a
 *   realm with typed arrays of its own
 */
export async function createOrtGemm(options: OrtGemmOptions = {}): Promise<Gemm & { dispose(): Promise<void> }> {
  const gemm = new OrtGemm(options);
  try {
    await gemm.check();
  } catch (error) {
    await gemm.dispose();
    throw error;
  }
  return gemm;
}

/** ONNX Runtime was loaded, but in a realm whose typed arrays are not its own. */
export class ForeignRealmError extends ImprintError {}

class OrtGemm implements Gemm {
  readonly name: string;
  private readonly options: OrtGemmOptions;
  private readonly sessions = new Map<string, Promise<InferenceSession>>();
  private readonly bidiagonal = new OrtBidiagonal({
    open: (graph) => this.create(graph, 'cpu'),
    run: (session, feeds, fetches) => this.start(session, feeds, fetches),
    sliceOperations: SLICE_OPERATIONS.f64,
  });
  private disposed = false;

  constructor(options: OrtGemmOptions) {
    const { device = 'cpu', numThreads } = options;
    if (!['cpu', 'cuda', 'webgpu'].includes(device)) throw expected('device', "'cpu', 'cuda' or 'webgpu'", device);
    if (numThreads !== undefined && !(Number.isInteger(numThreads) && numThreads > 0)) {
      throw expected('numThreads', 'a positive integer', numThreads);
    }
    this.options = options;
    this.name = `onnxruntime-node ${device}`;
  }

  /** Products of bytes; absent until `check` has proven them exact. */
  int8?: (a: Int8Array, b: Int8Array, shape: GemmShape) => Promise<Int32Array>;

  /** Opens the first session, so that a missing device is told at once, and counts integers on foreign devices. */
  async check(): Promise<void> {
    await this.session('f32', false, false);
    await this.checkRealm();
    if ((this.options.device ?? 'cpu') === 'cpu') return this.proveBytes();
    const size = 32;
    const a = Float32Array.from({ length: size * size }, (_, i) => ((i * 89) % 255) - 127);
    const c = await this.f32(a, a, { m: size, n: size, k: size, transposeB: true });
    for (let i = 0; i < c.length; i++) {
      let sum = 0;
      for (let p = 0; p < size; p++) sum += a[Math.floor(i / size) * size + p] * a[(i % size) * size + p];
      if (c[i] !== sum) {
        throw new ImprintError(
          'DEVICE_INACCURATE',
          `Expected exact integer products on ${this.options.device}, got ${c[i]} instead of ${sum}. Use device 'cpu' for the linear algebra.`,
        );
      }
    }
  }

  f32(a: Float32Array, b: Float32Array, shape: GemmShape, out?: Float32Array): Promise<Float32Array> {
    return this.product('f32', a, b, shape, out);
  }

  f64(a: Float64Array, b: Float64Array, shape: GemmShape, out?: Float64Array): Promise<Float64Array> {
    return this.product('f64', a, b, shape, out);
  }

  async subtract32(c: Float32Array, a: Float32Array, b: Float32Array, shape: GemmShape): Promise<void> {
    await this.product('f32', a, b, shape, c, true);
  }

  async subtract64(c: Float64Array, a: Float64Array, b: Float64Array, shape: GemmShape): Promise<void> {
    await this.product('f64', a, b, shape, c, true);
  }

  bidiagonalSquares64(right: readonly Float64Array[], rows: number, factor: BlockBidiagonal): Promise<Float64Array> {
    return this.bidiagonal.squares(right, rows, factor);
  }

  bidiagonalSolve64(
    right: readonly Float64Array[],
    rows: number,
    factor: BlockBidiagonal,
  ): Promise<Float64Array | undefined> {
    return this.bidiagonal.solve(right, rows, factor);
  }

  /** ONNX Runtime's arrays are of Node's own realm; where a test runner has another (Jest, `vm`), it refuses them itself. */
  private async checkRealm(): Promise<void> {
    const one = Float32Array.of(1);
    try {
      await this.f32(one, one, { m: 1, n: 1, k: 1 });
    } catch (cause) {
      if (!isTagged(cause, 'Error') || !/data must be type of/.test((cause as Error).message)) throw cause;
      const next = "Run the tests outside of it (Vitest: pool 'forks'), or use core's createWasmGemm.";
      const message = `Expected ONNX Runtime in Node's own realm, got a realm with typed arrays of its own (Jest, vm). ${next}`;
      throw new ForeignRealmError('UNSUPPORTED', message, { cause });
    }
  }

  /** Some processors add products of bytes in 16 bits that saturate: the largest sums of every sign show it. */
  private async proveBytes(): Promise<void> {
    const [m, n, k] = [37, 50, 260];
    const a = new Int8Array(m * k).fill(127);
    const b = Int8Array.from({ length: k * n }, (_, at) => [127, -127, (at * 89) % 128][(at % n) % 3]);
    for (let p = 0; p < k; p++) a[p] = (p * 37) % 128;
    let product: Int32Array;
    try {
      product = await this.bytesProduct(a, b, { m, n, k });
    } catch {
      return; // A build of ONNX Runtime without this kernel: f32 does the same.
    }
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let p = 0; p < k; p++) sum += a[i * k + p] * b[p * n + j];
        if (product[i * n + j] !== sum) return;
      }
    }
    this.int8 = (left, right, shape) => this.bytesProduct(left, right, shape);
  }

  private async bytesProduct(a: Int8Array, b: Int8Array, { m, n, k }: GemmShape): Promise<Int32Array> {
    if (a.length !== m * k) throw expected('a', `${m * k} values (m = ${m}, k = ${k})`, a);
    if (b.length !== k * n) throw expected('b', `${k * n} values (k = ${k}, n = ${n})`, b);
    const out = new Int32Array(m * n);
    if (out.length === 0 || k === 0) return out;
    if (this.disposed) throw disposed();
    let opened = this.sessions.get('int8');
    if (opened === undefined) this.sessions.set('int8', (opened = this.create(bytesMatmulGraph(), 'cpu')));
    const session = await opened;
    const { Tensor } = onnxRuntime();
    const [left, right] = [unshared(a), unshared(b)];
    const unsigned = new Uint8Array(left.buffer, left.byteOffset, left.length);
    for (let row = 0; row < m;) {
      const rows = Math.min(m - row, Math.max(16, Math.floor(SLICE_OPERATIONS.int8 / (2 * k * n))));
      const feeds = {
        a: new Tensor('uint8', unsigned.subarray(row * k, (row + rows) * k), [rows, k]),
        b: new Tensor('int8', right, [k, n]),
      };
      const c = new Tensor('int32', out.subarray(row * n, (row + rows) * n), [rows, n]);
      await this.start(session, feeds, { c });
      row += rows;
    }
    return out;
  }

  /** Frees the sessions. Idempotent; a product under way ends with DISPOSED. */
  async dispose(): Promise<void> {
    if (this.disposed) return;
    this.disposed = true;
    const sessions = await Promise.allSettled(this.sessions.values());
    this.sessions.clear();
    await this.bidiagonal.dispose();
    for (const session of sessions) if (session.status === 'fulfilled') await session.value.release();
  }

  /** The product, in `c` where there is one, or `c` with the product subtracted. */
  private async product<T extends Floats>(
    kind: Kind,
    a: T,
    b: T,
    shape: GemmShape,
    c?: T,
    subtract = false,
  ): Promise<T> {
    const { m, n, k, transposeA = false, transposeB = false } = shape;
    for (const [name, value] of Object.entries({ m, n, k })) {
      if (!(Number.isSafeInteger(value) && value >= 0)) throw expected(name, 'an integer of at least 0', value);
    }
    if (a.length !== m * k) throw expected('a', `${m * k} values (m = ${m}, k = ${k})`, a);
    if (b.length !== k * n) throw expected('b', `${k * n} values (k = ${k}, n = ${n})`, b);
    if (c && c.length !== m * n) throw expected('c', `${m * n} values (m = ${m}, n = ${n})`, c);
    const given = c !== undefined && (subtract || !isShared(c)) ? c : undefined;
    const out = given ?? ((kind === 'f64' ? new Float64Array(m * n) : new Float32Array(m * n)) as T);
    if (k === 0 && !subtract) out.fill(0);
    if (out.length === 0 || k === 0) return out;
    const session = await this.session(kind, transposeA, transposeB, subtract);
    const [first, second] = [unshared(a), unshared(b)];

    // A slice is a tile of the result with the whole inner dimension, so slicing changes no sum.
    const affordable = SLICE_OPERATIONS[kind] / (2 * k);
    const wide = n * Math.min(m, MIN_ROWS) <= affordable;
    const tileColumns = wide ? n : Math.min(n, Math.max(16, Math.floor(Math.sqrt(affordable))));
    for (let column = 0; column < n; column += tileColumns) {
      const columns = Math.min(tileColumns, n - column);
      const right = transposeB ? rowsOf(second, column, columns, k) : columnsOf(second, column, columns, k, n);
      for (let row = 0; row < m;) {
        const most = Math.max(16, Math.floor(SLICE_OPERATIONS[kind] / (2 * k * columns)));
        const rows = Math.min(most, m - row);
        const left = transposeA ? columnsOf(first, row, rows, k, m) : rowsOf(first, row, rows, k);
        if (columns === n) {
          await this.run(kind, session, left, right, rowsOf(out, row, rows, n), shape, rows, columns, subtract);
        } else {
          const tile = (kind === 'f64' ? new Float64Array(rows * columns) : new Float32Array(rows * columns)) as T;
          if (subtract) {
            for (let i = 0; i < rows; i++) {
              const at = (row + i) * n + column;
              tile.set(out.subarray(at, at + columns), i * columns);
            }
          }
          await this.run(kind, session, left, right, tile, shape, rows, columns, subtract);
          for (let i = 0; i < rows; i++) out.set(rowsOf(tile, i, 1, columns), (row + i) * n + column);
        }
        row += rows;
      }
    }
    return out;
  }

  /** One run, written into `out`. onnxruntime-node starts it with setImmediate: that is the turn of the event loop. */
  private async run<T extends Floats>(
    kind: Kind,
    session: InferenceSession,
    left: T,
    right: T,
    out: T,
    shape: GemmShape,
    rows: number,
    columns: number,
    subtract: boolean,
  ): Promise<void> {
    const { Tensor } = onnxRuntime();
    const tensor = (data: T, height: number, width: number): OrtTensor =>
      kind === 'f64'
        ? new Tensor('float64', data as Float64Array, [height, width])
        : new Tensor('float32', data as Float32Array, [height, width]);
    const feeds = {
      a: shape.transposeA ? tensor(left, shape.k, rows) : tensor(left, rows, shape.k),
      b: shape.transposeB ? tensor(right, columns, shape.k) : tensor(right, shape.k, columns),
    };
    const result = tensor(out, rows, columns);
    // Gemm copies `c` to its output and adds there: both may be the same memory.
    if (subtract) await this.start(session, { ...feeds, c: result }, { d: result });
    else await this.start(session, feeds, { c: result });
  }

  private async start(
    session: InferenceSession,
    feeds: Record<string, OrtTensor>,
    fetches: Record<string, OrtTensor>,
  ): Promise<void> {
    if (this.disposed) throw disposed();
    await session.run(feeds, fetches);
  }

  private session(kind: Kind, transposeA: boolean, transposeB: boolean, subtract = false): Promise<InferenceSession> {
    if (this.disposed) throw disposed();
    const key = `${kind} ${transposeA} ${transposeB} ${subtract}`;
    let session = this.sessions.get(key);
    if (session === undefined) {
      const graph = matmulGraph({ type: kind, transposeA, transposeB, subtract });
      session = this.create(graph, kind === 'f64' ? 'cpu' : (this.options.device ?? 'cpu'));
      this.sessions.set(key, session);
    }
    return session;
  }

  private create(graph: Uint8Array, provider: string): Promise<InferenceSession> {
    if (this.disposed) throw disposed();
    return openProductSession(graph, provider, this.options.numThreads);
  }
}

function disposed(): ImprintError {
  return new ImprintError(
    'DISPOSED',
    'Expected a live Gemm, got one that was disposed. Create another with createOrtGemm.',
  );
}
