/** Block bidiagonal solves through ONNX Runtime: one run for all blocks, sliced by rows so that the event loop stays free. */

import { bidiagonalGraph, type BlockBidiagonal } from '@imprint/core';
import { Tensor, type InferenceSession } from 'onnxruntime-node';

type Output = 'squares' | 'solve';

/** A graph has as many nodes as there are blocks: of other sizes than the last few, sessions are left to the garbage collector. */
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

  /** `Gemm.bidiagonalSquares64` and `Gemm.bidiagonalSolve64`. */
  async run(
    output: Output,
    right: readonly Float64Array[],
    rows: number,
    { inverses, acrosses }: BlockBidiagonal,
  ): Promise<Float64Array> {
    const session = await this.#session(right.length, output);
    const widths = right.map(({ length }) => length / rows);
    const order = widths.reduce((sum, width) => sum + width, 0);
    const feeds: Feeds = {};
    let operations = 0;
    for (const [k, width] of widths.entries()) {
      feeds[`i${k}`] = new Tensor('float64', inverses[k], [width, width]);
      if (k > 0) feeds[`a${k}`] = new Tensor('float64', acrosses[k], [width, widths[k - 1]]);
      operations += (output === 'solve' ? 4 : 2) * (inverses[k].length + acrosses[k].length);
    }
    const columns = output === 'squares' ? 1 : order;
    const out = new Float64Array(rows * columns);
    const most = Math.max(16, Math.floor(this.#runner.sliceOperations / operations));
    for (let first = 0; first < rows; first += most) {
      const count = Math.min(most, rows - first);
      for (const [k, width] of widths.entries()) {
        const own = right[k].subarray(first * width, (first + count) * width);
        feeds[`r${k}`] = new Tensor('float64', own, [count, width]);
      }
      const part = out.subarray(first * columns, (first + count) * columns);
      await this.#runner.run(session, feeds, { out: new Tensor('float64', part, [count, columns]) });
    }
    return out;
  }

  /** Frees the sessions. */
  async dispose(): Promise<void> {
    const sessions = await Promise.allSettled(this.#sessions.values());
    this.#sessions.clear();
    for (const session of sessions) if (session.status === 'fulfilled') await session.value.release();
  }

  #session(blocks: number, output: Output): Promise<InferenceSession> {
    const key = `${output} ${blocks}`;
    let session = this.#sessions.get(key);
    if (session === undefined) {
      const [oldest] = this.#sessions.keys();
      if (this.#sessions.size >= MOST_SESSIONS) this.#sessions.delete(oldest);
      this.#sessions.set(key, (session = this.#runner.open(bidiagonalGraph(blocks, output))));
    }
    return session;
  }
}
