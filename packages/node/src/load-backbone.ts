/** Loads a backbone for Node: decoding, inference and the caller's event loop each on threads of their own. */

import { DEFAULT_MAX_PIXELS, expected, ImprintError, requireIterable, requireOptions } from '@imprint/core';
import type {
  AbortSignalLike,
  Backbone,
  BackboneIdentity,
  Embedded,
  EmbedOptions,
  SameClassCosines,
} from '@imprint/core';
import { BackboneLanes, disposedError } from './backbone-lanes.ts';
import { deviceInWords, type Device, type DeviceReport } from './device-report.ts';
import { embedInOrder } from './embedding-stream.ts';
import { sourceOf, type ImageInput } from './image-input.ts';
import type { ModelContent, ReadModelOptions } from './models/model-content.ts';
import { readModel } from './models/read-model.ts';
import { loadSharp } from './native-modules.ts';
import { PictureWorkers } from './picture-workers.ts';

export interface LoadBackboneOptions extends ReadModelOptions {
  /** Default `auto`: cuda, webgpu, cpu, the first that loads the model and answers its canary picture right. */
  readonly device?: Device | 'auto';
  /** Threads for inference on the CPU, at most 1024. Default: all cores. */
  readonly numThreads?: number;
  /**
   * Sessions side by side on the CPU, each with its own copy of the weights and its share of the threads. More of them
   * give more pictures a second, fewer a faster answer to a single one. At most 1024; default up to 4, up to one a thread, 512 MB in all.
   */
  readonly sessions?: number;
  /**
   * Pictures in one run. Each run has exactly this many rows (padded), so that an embedding's bits never depend on the
   * pictures beside it. Default: 1 on the CPU, where more gain nothing; 16 on a GPU.
   */
  readonly batchSize?: number;
  /** Largest picture that is decoded, in pixels. Default 64 million. */
  readonly maxPixels?: number;
}

/** A backbone in Node. Several classifiers may share one; whoever loaded it disposes it. */
export interface NodeBackbone extends Backbone<ImageInput> {
  readonly deviceReport: DeviceReport;
  /** What was assumed about the model, a sentence each. */
  readonly notes: readonly string[];
  [Symbol.asyncDispose](): Promise<void>;
}

/** More than the largest servers have; ONNX Runtime starts every thread that it is asked for. */
const MOST_THREADS = 1024;

const DEVICES: readonly unknown[] = ['auto', 'cpu', 'cuda', 'webgpu'];

function checkOptions(options: LoadBackboneOptions): void {
  const { device = 'auto' } = options;
  if (!DEVICES.includes(device)) throw expected('device', "'auto', 'cpu', 'cuda' or 'webgpu'", device);
  for (const name of ['numThreads', 'sessions', 'batchSize', 'maxPixels'] as const) {
    const value = options[name];
    if (value !== undefined && !(Number.isSafeInteger(value) && value > 0))
      throw expected(name, 'a positive integer', value);
    if ((name === 'numThreads' || name === 'sessions') && value !== undefined && value > MOST_THREADS)
      throw expected(name, `at most ${MOST_THREADS}`, value);
  }
}

class WorkerBackbone implements NodeBackbone {
  readonly identity: BackboneIdentity;
  readonly notes: readonly string[];
  readonly sameClass?: SameClassCosines;
  readonly #lanes: BackboneLanes;
  readonly #pictures: PictureWorkers;
  #disposed: Promise<void> | undefined;

  constructor({ identity, notes, manifest }: ModelContent, lanes: BackboneLanes, pictures: PictureWorkers) {
    this.identity = identity;
    this.notes = notes;
    if (manifest.sameClass) this.sameClass = manifest.sameClass;
    this.#lanes = lanes;
    this.#pictures = pictures;
  }

  get device(): string {
    return deviceInWords(this.#lanes.report);
  }

  get deviceReport(): DeviceReport {
    return this.#lanes.report;
  }

  embed(inputs: Iterable<ImageInput> | AsyncIterable<ImageInput>, options: EmbedOptions = {}): AsyncIterable<Embedded> {
    return this.#embed(requireIterable(inputs, 'inputs'), options.signal);
  }

  async *#embed(
    inputs: Iterable<ImageInput> | AsyncIterable<ImageInput>,
    signal: AbortSignalLike | undefined,
  ): AsyncGenerator<Embedded, void, undefined> {
    if (this.#disposed) throw disposedError();
    const { batchSize, lanes } = this.#lanes.plan;
    const values = this.identity.taps.length * this.identity.dim;
    const steps = {
      sourceOf,
      prepare: (input: ImageInput, isWanted: () => boolean) => this.#pictures.prepare(input, isWanted),
      infer: (pixels: Float32Array<ArrayBuffer>[]) => this.#lanes.run(pixels, values),
      batchSize,
      // One batch running and one waiting for each session.
      batchesAhead: 2 * lanes,
    };
    yield* embedInOrder(inputs, steps, signal);
  }

  dispose(): Promise<void> {
    this.#disposed ??= Promise.all([this.#lanes.dispose(), this.#pictures.dispose(disposedError())]).then(
      () => undefined,
    );
    return this.#disposed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

/**
 * Loads a backbone; its worker threads keep no process alive.
 * @param nameOrPath as for `readModel`: nothing for the embedded backbone, a name, a folder with manifest.json, an .onnx file
 * @throws BACKBONE_NOT_FOUND, BACKBONE_INVALID, DEVICE_UNAVAILABLE, DEVICE_INACCURATE, INVALID_ARGUMENT, UNSUPPORTED (bundled code),
 *   or the signal's reason
 */
export async function loadBackbone(nameOrPath?: string, options: LoadBackboneOptions = {}): Promise<NodeBackbone> {
  checkOptions(requireOptions(options));
  const first = await readModel(nameOrPath, options);
  const { identity, manifest } = first;
  if (identity.preprocessing === undefined) {
    const message = `Expected a model of pictures for ${identity.name}, its manifest names no preprocessing. Choose another.`;
    throw new ImprintError('BACKBONE_INVALID', message);
  }
  // What cannot go to another thread, or is not for reading, stays here.
  const { precision, taps, cache, environment } = options;
  const readOptions = {
    ...(precision !== undefined && { precision }),
    ...(taps !== undefined && { taps }),
    ...(cache !== undefined && { cache }),
    ...(environment !== undefined && { environment: { ...environment } }),
  };
  const source = { nameOrPath, options: readOptions, sha256: identity.sha256 };
  const model = { manifest, source, bytes: first.bytes };
  const opening = BackboneLanes.open(model, { ...options, device: options.device ?? 'auto' });
  // Where sharp does not load either, that is the error.
  opening.catch(() => undefined);
  const pictures = new PictureWorkers({
    preprocessing: identity.preprocessing,
    maxPixels: options.maxPixels ?? DEFAULT_MAX_PIXELS,
  });
  try {
    // sharp asks to be loaded in the main thread before a worker loads it: its shared libraries then stay for both.
    await loadSharp();
    pictures.start();
    return new WorkerBackbone(first, await opening, pictures);
  } catch (error) {
    await Promise.allSettled([opening.then((lanes) => lanes.dispose()), pictures.dispose(disposedError())]);
    throw error;
  }
}
