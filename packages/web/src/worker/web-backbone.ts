/** The backbone in the worker: decodes a few pictures ahead of inference, and goes on with WASM where a GPU is lost. */

import { DEFAULT_MAX_PIXELS, ImprintError } from '@imprint/core';
import type {
  AbortSignalLike,
  Backbone,
  BackboneIdentity,
  Embedded,
  EmbedOptions,
  ReadyModel,
  SameClassCosines,
} from '@imprint/core';
import type { AssetUrls, WireInput } from '../protocol.ts';
import type { Device, DeviceReport, Notice } from '../web-classifier.ts';
import { fromWireError } from '../wire-error.ts';
import type { BackboneSession } from './backbone-session.ts';
import { chooseDevice, deviceReport, openOn, shortReason } from './choose-device.ts';
import { loadModel } from './load-model.ts';
import { prepareImage, type PreparedImage } from './open-image.ts';

export interface WebBackboneOptions {
  readonly assets: AssetUrls;
  readonly device: Device | 'auto';
  readonly numThreads: number | undefined;
  readonly maxPixels: number | undefined;
  readonly onNotice: (notice: Notice) => void;
}

/** Pictures that are fetched and decoded while one is in the model. */
const AHEAD = 3;

/** Pictures that a GPU has at a time: answers are read back while the next is encoded. */
const IN_FLIGHT = 3;

type Prepared = PreparedImage | { readonly error: ImprintError };

interface Pulled {
  readonly source: string | undefined;
  readonly prepared: Prepared;
  /** The answer of a GPU, which may yet be lost. */
  attempt?: Promise<Float32Array>;
}

export class WebBackbone implements Backbone<WireInput> {
  readonly identity: BackboneIdentity;
  readonly sameClass?: SameClassCosines;
  readonly #model: ReadyModel;
  readonly #options: WebBackboneOptions;
  #session: BackboneSession;
  #report: DeviceReport;
  #fallback: Promise<void> | undefined;
  #disposed = false;

  private constructor(model: ReadyModel, options: WebBackboneOptions, session: BackboneSession, report: DeviceReport) {
    this.identity = model.identity;
    const { sameClass } = model.manifest;
    if (sameClass) this.sameClass = sameClass;
    // The file is read again only where a GPU may be lost.
    this.#model = session.device === 'wasm' ? { ...model, bytes: new Uint8Array() } : model;
    this.#options = options;
    this.#session = session;
    this.#report = report;
  }

  /** @throws BACKBONE_NOT_FOUND, BACKBONE_INVALID, DEVICE_UNAVAILABLE, DEVICE_INACCURATE, UNSUPPORTED */
  static async load(options: WebBackboneOptions): Promise<WebBackbone> {
    const { assets, device, numThreads } = options;
    const model = loadModel(assets);
    // Where the device is told first, that is the error; this one is told to nobody.
    model.catch(() => undefined);
    const { session, report } = await chooseDevice(device, model, assets, numThreads);
    return new WebBackbone(await model, options, session, report);
  }

  get device(): string {
    return this.#report.inWords;
  }

  get deviceReport(): DeviceReport {
    return this.#report;
  }

  async *embed(
    inputs: Iterable<WireInput> | AsyncIterable<WireInput>,
    { signal }: EmbedOptions = {},
  ): AsyncGenerator<Embedded, void, undefined> {
    const iterator = Symbol.asyncIterator in inputs ? inputs[Symbol.asyncIterator]() : inputs[Symbol.iterator]();
    const waiting: Promise<Pulled | undefined>[] = [];
    let index = 0;
    let isOver = false;
    const begin = (next: Pulled | undefined): void => {
      if (!next || 'error' in next.prepared || this.#session.device === 'wasm' || isOver) return;
      (next.attempt ??= this.#session.run(next.prepared.pixels)).catch(() => undefined);
    };
    try {
      for (;;) {
        // Asked for, not awaited: several are on their way at once, and arrive in order.
        while (waiting.length <= AHEAD) waiting.push(this.#pull(iterator));
        for (const near of waiting.slice(0, IN_FLIGHT)) near.then(begin, () => undefined);
        signal?.throwIfAborted();
        const next = await waiting.shift();
        signal?.throwIfAborted();
        if (next === undefined) return;
        const { source, prepared, attempt } = next;
        const answer =
          'error' in prepared
            ? prepared
            : { id: prepared.id, embedding: await this.#infer(prepared.pixels, attempt, signal) };
        yield { index: index++, source, ...answer };
      }
    } finally {
      isOver = true;
      for (const rest of waiting) rest.catch(() => undefined);
      await iterator.return?.();
    }
  }

  async #pull(iterator: Iterator<WireInput> | AsyncIterator<WireInput>): Promise<Pulled | undefined> {
    const { done, value } = await iterator.next();
    if (done === true) return undefined;
    return { source: value.source, prepared: await this.#prepare(value) };
  }

  async #prepare(input: WireInput): Promise<Prepared> {
    try {
      if ('fault' in input) throw fromWireError(input.fault);
      return await prepareImage(input, this.identity.preprocessing!, this.#options.maxPixels ?? DEFAULT_MAX_PIXELS);
    } catch (error) {
      if (error instanceof ImprintError) return { error };
      throw error;
    }
  }

  async #infer(
    pixels: Float32Array,
    attempt: Promise<Float32Array> | undefined,
    signal: AbortSignalLike | undefined,
  ): Promise<Float32Array> {
    try {
      if (attempt) return await attempt;
    } catch (error) {
      if (!this.#disposed) await this.#fallBack(error);
      signal?.throwIfAborted();
    }
    if (this.#disposed) throw disposedError();
    return this.#session.run(pixels);
  }

  /** Every picture that fails on a lost GPU comes here; the first one makes the change. */
  async #fallBack(error: unknown): Promise<void> {
    if (this.#session.device === 'wasm') return;
    this.#fallback ??= this.#toWasm(error).finally(() => (this.#fallback = undefined));
    await this.#fallback;
  }

  async #toWasm(error: unknown): Promise<void> {
    const lost = this.#session;
    const { assets, numThreads, onNotice } = this.#options;
    const reason = shortReason(error);
    this.#session = await openOn('wasm', this.#model, assets, numThreads);
    this.#report = deviceReport(this.#session, [{ device: 'webgpu', reason }]);
    void lost.release();
    const { inWords } = deviceReport(this.#session, []);
    const message = `WebGPU gave up: ${reason}. The classifier goes on with ${inWords}; nothing was lost.`;
    onNotice({ kind: 'device', message });
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await this.#session.release();
  }
}

function disposedError(): ImprintError {
  return new ImprintError('DISPOSED', 'Expected a backbone in use, got one after dispose(). Make a new classifier.');
}
