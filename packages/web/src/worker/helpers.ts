/** Workers of this worker, that compute parts of large products. They share no memory, so every page can have them. */

import {
  loadSeldom,
  wasmGemm,
  type Gemm,
  type GemmShape,
  type Helper,
  type HelperAnswer,
  type HelperTask,
  type PortableGemm,
} from '@imprint/core';
import type { FromWorker, ToWorker } from '../protocol.ts';
import { placeSeldomScript } from './seldom-script.ts';
import type { WorkerScope } from './serve.ts';

/** Multiplications of one product for which helpers are started: some 15 ms alone. Small classifiers never have one. */
const LEAST_WORK = 2 ** 27;

/**
 * `own`, shared with up to `count` helpers from the first large product on, once they have started: nothing waits for them. Where
 * none starts, `own` does everything.
 * @param seldom where the worker's second script lies
 * @param script where the first lies
 */
export function gemmWithHelpers(own: PortableGemm, seldom: string, count: number, script = location.href): Gemm {
  let gemm = own;
  let asked = count < 1;
  const askFor = (work: number): PortableGemm => {
    if (!asked && work >= LEAST_WORK) {
      asked = true;
      void share().then(
        (shared) => (gemm = shared),
        () => undefined,
      );
    }
    return gemm;
  };
  const share = async (): Promise<PortableGemm> => {
    const helpers = Array.from({ length: count }, () => startHelper(seldom, script));
    const started = (await Promise.allSettled(helpers)).flatMap((h) => (h.status === 'fulfilled' ? [h.value] : []));
    return (await loadSeldom()).shareGemm(own, started);
  };
  const of = ({ m, n, k }: GemmShape): PortableGemm => askFor(m * n * k);
  return {
    get name() {
      return own.name;
    },
    f32: (a, b, shape, out) => of(shape).f32(a, b, shape, out),
    f64: (a, b, shape, out) => of(shape).f64(a, b, shape, out),
    subtract32: (c, a, b, shape) => of(shape).subtract32(c, a, b, shape),
    subtract64: (c, a, b, shape) => of(shape).subtract64(c, a, b, shape),
    async choleskyPanel64(panel, width, before, ...rest) {
      const work = width * before.reduce((sum, { length }) => sum + length, 0);
      return askFor(work).choleskyPanel64?.(panel, width, before, ...rest);
    },
  };
}

type FromHelper = HelperAnswer | Extract<FromWorker, { type: 'hello' }> | { readonly type: 'ready' };

/** Starts the worker's script once more and tells it to help. @throws where it does not start */
function startHelper(seldom: string, script: string): Promise<Helper> {
  const worker = new Worker(script, { type: 'module', name: 'imprint-helper' });
  const send = (message: ToWorker | HelperTask, transfer: Transferable[] = []) => worker.postMessage(message, transfer);
  return new Promise((resolve, reject) => {
    let onAnswer: (answer: HelperAnswer) => void = () => undefined;
    let onGone: () => void = reject;
    const end = (event?: unknown) => {
      (event as Partial<Event> | null)?.preventDefault?.();
      worker.terminate();
      onGone();
    };
    worker.onerror = end;
    worker.onmessageerror = end;
    worker.onmessage = ({ data }: MessageEvent<FromHelper>) => {
      if (!('type' in data)) onAnswer(data);
      else if (data.type === 'ready') {
        resolve({ send, listen: (answered, left) => ([onAnswer, onGone] = [answered, left]) });
      } else {
        // It holds this lock while it lives: a browser that is out of memory ends workers without a word.
        if (data.lock !== undefined) navigator.locks.request(data.lock, () => end()).catch(() => undefined);
        send({ type: 'help', seldom });
      }
    };
  });
}

/** A helper's own side: serves its tasks until its parent ends. */
export async function help(seldom: string, scope: WorkerScope): Promise<void> {
  placeSeldomScript(seldom);
  const { helpWith } = await loadSeldom();
  const post = scope.postMessage.bind(scope) as unknown as (message: FromHelper, transfer?: Transferable[]) => void;
  const receive = helpWith(wasmGemm, post);
  scope.addEventListener('message', ({ data }) => receive(data as unknown as HelperTask));
  post({ type: 'ready' });
}
