/** Another thread's part in a product: what it is sent, and how it answers. */

import type { GemmShape } from '../gemm.ts';
import { subtractProduct, writeProduct } from './products-in-place.ts';
import type { Floats } from './small-cholesky.ts';
import type { PortableGemm } from './typed-array-gemm.ts';

/** A task's arrays are views of one buffer that moves there and back: fresh memory would take as long as many a product. */
export type HelperTask =
  | {
      /** C is written; `subtract`: the product is taken off it. */
      readonly kind: 'product';
      readonly id: number;
      readonly a: Floats;
      readonly b: Floats;
      readonly c: Floats;
      readonly shape: GemmShape;
      readonly subtract: boolean;
    }
  | {
      /** `rows` of a panel, which are solved; the same rows of each panel before it; what each of those has in the rows of its diagonal block. */
      readonly kind: 'rows';
      readonly id: number;
      readonly rows: Float64Array;
      readonly width: number;
      readonly before: readonly Float64Array[];
      readonly across: readonly Float64Array[];
    }
  | {
      /** Of the diagonal block, for the rows of that number; undefined where it has none. */
      readonly kind: 'inverse';
      readonly id: number;
      readonly inverse: Float64Array | undefined;
    };

export interface HelperAnswer {
  readonly id: number;
  /** Whether the task was done. */
  readonly done: boolean;
  /** What was written. */
  readonly written: Floats;
}

/**
 * Serves tasks one after the other on `own`.
 * @returns what takes the tasks as they come
 */
export function helpWith(
  own: PortableGemm,
  answer: (message: HelperAnswer, transfer: ArrayBuffer[]) => void,
): (task: HelperTask) => void {
  const inverses = new Map<number, (inverse: Float64Array | undefined) => void>();
  let last: Promise<void> = Promise.resolve();
  const serve = (id: number, written: Floats, work: () => Promise<boolean>): void => {
    last = last.then(async () => {
      const done = await work().catch(() => false);
      answer({ id, done, written }, [written.buffer as ArrayBuffer]);
    });
  };
  return (task) => {
    const { id } = task;
    if (task.kind === 'inverse') {
      inverses.get(id)?.(task.inverse);
      inverses.delete(id);
    } else if (task.kind === 'product') {
      const { a, b, c, shape, subtract } = task;
      serve(id, c, async () => {
        await (subtract ? subtractProduct : writeProduct)(c, a, b, shape, { gemm: own });
        return true;
      });
    } else {
      const { rows, width, before, across } = task;
      const inverse = new Promise<Float64Array | undefined>((resolve) => inverses.set(id, resolve));
      serve(id, rows, async () => (await own.choleskyRows64?.(rows, width, before, across, inverse)) ?? false);
    }
  };
}
