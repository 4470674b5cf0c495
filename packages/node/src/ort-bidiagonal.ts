/** Block bidiagonal solves through ONNX Runtime: one run for all blocks, sliced by rows so that the event loop stays free. */

import { bidiagonalGraph, type BidiagonalGraphOptions, type BlockBidiagonal } from '@imprint/core';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { onnxRuntime } from './native-modules.ts';

/** Blocks of one graph: opening it takes up to a millisecond for each, in one go. */
const MOST_BLOCKS = 64;
/** Sessions of other numbers of blocks than the last few are left to the garbage collector. */
const MOST_SESSIONS = 4;

/** What a solve asks of its engine. */
export interface SessionRunner {
  open(graph: Uint8Array): Promise<InferenceSession>;
  /** @throws DISPOSED */
  run(session: InferenceSession, feeds: Feeds, fetches: Feeds): Promise<unknown>;
  /** Operations of one run, which blocks the event loop. */
  readonly sliceOperations: number;
}

type Feeds = Record<string, Tensor>;

export class OrtBidiagonal {
  readonly #sessions = new Map<string, Promise<InferenceSession>>();
  readonly #runner: SessionRunner;

  constructor(runner: SessionRunner) {
    this.#runner = runner;
  }

  /** `Gemm.bidiagonalSquares64`. */
  async squares(
    right: readonly Float64Array[],
    rows: number,
    { inverses, acrosses }: BlockBidiagonal,
  ): Promise<Float64Array> {
    const squares = new Float64Array(rows);
    let before: Float64Array | undefined;
    for (let start = 0; start < right.length; start += MOST_BLOCKS) {
      const end = Math.min(right.length, start + MOST_BLOCKS);
      const session = await this.#session({ blocks: end - start, output: 'squares', follows: start > 0 });
      const factor = { inverses: inverses.slice(start, end), acrosses: acrosses.slice(start, end) };
      const last = new Float64Array(right[end - 1].length);
      const out = new Float64Array(rows);
      const moving = { ...named('r', right.slice(start, end)), ...(before && { 'z-1': before }) };
      await this.#run(session, factor, 2, moving, { out, last }, rows);
      for (let i = 0; i < rows; i++) squares[i] += out[i];
      before = last;
    }
    return squares;
  }

  /** `Gemm.bidiagonalSolve64`. */
  async solve(
    right: readonly Float64Array[],
    rows: number,
    factor: BlockBidiagonal,
  ): Promise<Float64Array | undefined> {
    if (right.length > MOST_BLOCKS) return undefined;
    const session = await this.#session({ blocks: right.length, output: 'solve' });
    const out = new Float64Array(right.reduce((sum, { length }) => sum + length, 0));
    await this.#run(session, factor, 4, named('r', right), { out }, rows);
    return out;
  }

  /** @param moving inputs, and `results` outputs, of `rows` rows: these are sliced */
  async #run(
    session: InferenceSession,
    { inverses, acrosses }: BlockBidiagonal,
    operationsPerEntry: number,
    moving: Readonly<Record<string, Float64Array>>,
    results: Readonly<Record<string, Float64Array>>,
    rows: number,
  ): Promise<void> {
    const feeds: Feeds = {};
    let entries = 0;
    for (const [k, inverse] of inverses.entries()) {
      const width = Math.sqrt(inverse.length);
      feeds[`i${k}`] = doubles(inverse, width, width);
      const across = acrosses[k];
      if (across.length > 0) feeds[`a${k}`] = doubles(across, width, across.length / width);
      entries += inverse.length + across.length;
    }
    const most = Math.max(16, Math.floor(this.#runner.sliceOperations / (operationsPerEntry * entries)));
    for (let first = 0; first < rows; first += most) {
      const count = Math.min(most, rows - first);
      const fetches: Feeds = {};
      for (const [name, values] of Object.entries(moving)) feeds[name] = rowsOf(values, rows, first, count);
      for (const [name, values] of Object.entries(results)) fetches[name] = rowsOf(values, rows, first, count);
      await this.#runner.run(session, feeds, fetches);
    }
  }

  /** Frees the sessions. */
  async dispose(): Promise<void> {
    const sessions = await Promise.allSettled(this.#sessions.values());
    this.#sessions.clear();
    for (const session of sessions) if (session.status === 'fulfilled') await session.value.release();
  }

  #session(options: BidiagonalGraphOptions): Promise<InferenceSession> {
    const key = JSON.stringify(options);
    let session = this.#sessions.get(key);
    if (session === undefined) {
      const [oldest] = this.#sessions.keys();
      if (this.#sessions.size >= MOST_SESSIONS) this.#sessions.delete(oldest);
      this.#sessions.set(key, (session = this.#runner.open(bidiagonalGraph(options))));
    }
    return session;
  }
}

function named(letter: string, values: readonly Float64Array[]): Record<string, Float64Array> {
  return Object.fromEntries(values.map((value, k) => [`${letter}${k}`, value]));
}

/** Rows `[first, first + count)` of a row-major matrix of `rows` rows. */
function rowsOf(matrix: Float64Array, rows: number, first: number, count: number): Tensor {
  const width = matrix.length / rows;
  return doubles(matrix.subarray(first * width, (first + count) * width), count, width);
}

function doubles(values: Float64Array, rows: number, columns: number): Tensor {
  return new (onnxRuntime().Tensor)('float64', values, [rows, columns]);
}
