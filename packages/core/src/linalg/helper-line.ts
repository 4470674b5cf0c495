/** The way to another thread: tasks go there with the memory of their numbers, and both come back. */

import type { HelperAnswer, HelperTask } from './gemm-helper.ts';
import type { Floats } from './small-cholesky.ts';

/** Another thread, as far as products need it; `helpWith` answers there. */
export interface Helper {
  send(task: HelperTask, transfer: ArrayBuffer[]): void;
  /** Is called once. `onGone`: no answer will come any more. */
  listen(onAnswer: (answer: HelperAnswer) => void, onGone: () => void): void;
}

/** Memory is made larger than its task, for the next, and kept up to this size. */
const ROOM = 1.25;
const MOST_SPARE = 2 ** 25;

export class HelperLine {
  /** It is asked no more. */
  gone = false;
  readonly #helper: Helper;
  readonly #waiting = new Map<number, (answer: HelperAnswer | undefined) => void>();
  #tasks = 0;
  #spare: ArrayBuffer | undefined;

  constructor(helper: Helper) {
    this.#helper = helper;
    const onGone = (): void => {
      this.gone = true;
      for (const id of [...this.#waiting.keys()]) this.#settle(id, undefined);
    };
    helper.listen((answer) => this.#settle(answer.id, answer), onGone);
  }

  /**
   * Sends the task that `make` makes of its number and of copies that move there: of `output`, whose numbers count only where
   * `filled`, and of the inputs.
   * @returns whether it was done, and is in `output`
   */
  async ask<F extends Floats>(
    output: F,
    filled: boolean,
    inputs: readonly F[],
    make: (id: number, output: F, inputs: F[]) => HelperTask,
  ): Promise<boolean> {
    const id = this.#tasks++;
    const answered = new Promise<HelperAnswer | undefined>((resolve) => this.#waiting.set(id, resolve));
    try {
      const buffer = this.#bufferOf([output, ...inputs].reduce((bytes, { byteLength }) => bytes + byteLength, 0));
      let at = 0;
      const copy = (values: F): F => {
        const Kind = values.constructor as new (memory: ArrayBuffer, at: number, length: number) => F;
        const view = new Kind(buffer, at, values.length);
        at += view.byteLength;
        if (filled || values !== output) view.set(values);
        return view;
      };
      this.#helper.send(make(id, copy(output), inputs.map(copy)), [buffer]);
    } catch {
      // No memory.
      this.#settle(id, undefined);
    }
    const answer = await answered;
    if (answer === undefined) return false;
    if (answer.done) output.set(answer.written);
    const buffer = answer.written.buffer as ArrayBuffer;
    if (buffer.byteLength <= MOST_SPARE) this.#spare = buffer;
    return answer.done;
  }

  /** The inverse that task `id` waits for. */
  tell(id: number, inverse: Float64Array | undefined): void {
    if (this.#waiting.has(id)) this.#helper.send({ kind: 'inverse', id, inverse }, []);
  }

  #bufferOf(bytes: number): ArrayBuffer {
    const spare = this.#spare;
    this.#spare = undefined;
    return spare !== undefined && spare.byteLength >= bytes
      ? spare
      : new ArrayBuffer(Math.ceil((bytes * ROOM) / 8) * 8);
  }

  #settle(id: number, answer: HelperAnswer | undefined): void {
    this.#waiting.get(id)?.(answer);
    this.#waiting.delete(id);
  }
}
