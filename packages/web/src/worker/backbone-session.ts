/** One ONNX Runtime session of a backbone in the worker: pixels in, taps out, one run at a time, always of one picture. */

import { canaryPixels, CANARY_COSINE, ImprintError, readTaps, smallestCosine, tapOutputs } from '@imprint/core';
import type { OutputTensor, ReadyModel } from '@imprint/core';
import type { InferenceSession } from 'onnxruntime-web';
import type { Device } from '../web-classifier.ts';
import { firstLine, outOfMemory } from './engine-errors.ts';
import type { Engine } from './engine.ts';

const GPU_ERROR_MS = 100;

export class BackboneSession {
  readonly device: Device;
  readonly engine: Engine;
  readonly #session: InferenceSession;
  readonly #manifest: ReadyModel['manifest'];
  /** Rejects when the GPU fails; a run may then wait for ever. */
  readonly #failed: Promise<never> | undefined;
  #lastRun: Promise<InferenceSession.OnnxValueMapType> | undefined;
  /** Settles when every picture's answer has. */
  #answers: Promise<unknown> = Promise.resolve();

  private constructor(
    session: InferenceSession,
    manifest: ReadyModel['manifest'],
    device: Device,
    engine: Engine,
    failed: Promise<never> | undefined,
  ) {
    this.#session = session;
    this.#manifest = manifest;
    this.device = device;
    this.engine = engine;
    this.#failed = failed;
  }

  /**
   * Loads the model on a device and checks its answer to the canary picture.
   * @throws DEVICE_UNAVAILABLE, DEVICE_INACCURATE, BACKBONE_INVALID
   */
  static async open(model: ReadyModel, device: Device, engine: Engine): Promise<BackboneSession> {
    const { manifest } = model;
    let session: InferenceSession;
    try {
      session = await engine.exclusively(() =>
        engine.ort.InferenceSession.create(model.bytes, {
          executionProviders: [device],
          executionMode: 'sequential',
          preferredOutputLocation: device === 'webgpu' ? 'gpu-buffer' : 'cpu',
          logSeverityLevel: 4,
        }),
      );
    } catch (cause) {
      throw openError(cause, manifest.name, device);
    }
    const failed = device === 'webgpu' ? gpuFailure(engine) : undefined;
    const opened = new BackboneSession(session, manifest, device, engine, failed);
    try {
      opened.#requireNames();
      const { canary } = manifest;
      const embedding = await opened.run(canaryPixels(manifest.input));
      const cosine = canary === undefined ? 1 : smallestCosine(embedding, canary.embedding, manifest.output.dim);
      if (!(cosine >= CANARY_COSINE)) throw inaccurate(device, manifest.name, cosine);
      return opened;
    } catch (error) {
      await opened.release();
      throw error;
    }
  }

  /**
   * @param pixels Float32Array, 3 x size x size; not changed
   * @returns Float32Array, taps x dim; the caller owns it
   * @throws DEVICE_UNAVAILABLE where the engine fails
   */
  async run(pixels: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    const { input, output, name } = this.#manifest;
    const outputs: Record<string, OutputTensor> = {};
    const before = this.#answers;
    const results = this.engine.exclusively(async () => {
      const tensor = new this.engine.ort.Tensor('float32', pixels, [1, 3, input.size, input.size]);
      // Where a run with outputs on a GPU fails, its picture stays bound, and the next run would be of that one.
      if (this.#failed) await this.#lastRun;
      return (this.#lastRun = this.#session.run({ [input.name]: tensor }, tapOutputs(output)));
    });
    // On a GPU the next run begins while this one's outputs are read.
    const answer = results.then(async (tensors) => {
      const reads = Object.entries(tensors).map(async ([key, result]) => {
        try {
          const data = await result.getData();
          outputs[key] = { ...result, data };
        } finally {
          // Reading calls no WASM; letting go does, and must not while a run is suspended there.
          void this.engine.exclusively(async () => result.dispose());
        }
      });
      await Promise.all(reads);
    });
    this.#answers = answer.catch(() => undefined).then(() => before);
    try {
      // Of no value: the promise of a failure would keep every one.
      await Promise.race([answer, this.#failed ?? answer]);
    } catch (error) {
      // A run may fail before the GPU has said why.
      const patience = new Promise<void>((resolve) => setTimeout(resolve, GPU_ERROR_MS));
      const told = Promise.race([this.#failed, patience]).catch((reason: unknown) => reason);
      const cause = (await told) ?? error;
      const message = `Expected ${name} to run on ${this.device}, got: ${firstLine(cause)}. Use another device, or a smaller model.`;
      throw new ImprintError('DEVICE_UNAVAILABLE', message, { cause });
    }
    return readTaps(outputs, output, 1, 1);
  }

  /** Ends when every run has and every output is let go, or at once where the GPU has failed. */
  async release(): Promise<void> {
    const released = this.#answers.then(() => this.engine.exclusively(() => this.#session.release()));
    await Promise.race([released, this.#failed ?? released]).catch(() => undefined);
  }

  #requireNames(): void {
    const { input, output, name } = this.#manifest;
    const { inputNames, outputNames } = this.#session;
    const missing = [input.name].filter((item) => !inputNames.includes(item));
    missing.push(...tapOutputs(output).filter((item) => !outputNames.includes(item)));
    if (missing.length === 0) return;
    const message = `Expected the model of ${name} to have ${missing.join(', ')}, got inputs ${inputNames.join(', ')} and outputs ${outputNames.slice(0, 8).join(', ')}. Correct its manifest.`;
    throw new ImprintError('BACKBONE_INVALID', message);
  }
}

/** What this module needs of WebGPU's types. */
interface GpuDevice extends EventTarget {
  readonly lost: Promise<{ readonly message: string }>;
}

/**
 * Rejects when the engine's GPU is lost (its process crashed, its driver was reset, a laptop changed cards), or had an error
 * that ONNX Runtime does not notice, such as no memory: what it answers from then on cannot be trusted.
 */
function gpuFailure({ ort }: Engine): Promise<never> {
  const { device } = ort.env.webgpu as unknown as { readonly device: GpuDevice };
  const failure = new Promise<never>((_, reject) => {
    void device.lost.then(({ message }) => reject(new Error(`the GPU was lost (${message})`)));
    device.addEventListener('uncapturederror', (event) => {
      const { error } = event as Event & { readonly error: { readonly message: string } };
      const what = error.constructor.name === 'GPUOutOfMemoryError' ? 'out of memory' : 'a GPU error';
      reject(new Error(`${what} (${firstLine(error.message)})`));
    });
  });
  failure.catch(() => undefined);
  return failure;
}

function openError(cause: unknown, name: string, device: Device): ImprintError {
  const line = firstLine(cause);
  if (device === 'webgpu') {
    const message = `Expected webgpu to load ${name}, got: ${line}. Use device 'auto' or 'wasm'.`;
    return new ImprintError('DEVICE_UNAVAILABLE', message, { cause });
  }
  const memory = outOfMemory(cause, name);
  if (memory !== undefined) return memory;
  const message = `Expected an ONNX model that this version of ONNX Runtime loads for ${name}, got: ${line}. Download or export it again.`;
  return new ImprintError('BACKBONE_INVALID', message, { cause });
}

function inaccurate(device: Device, name: string, cosine: number): ImprintError {
  const next = device === 'wasm' ? 'Its file or its manifest is wrong: get it again.' : "Use device 'auto' or 'wasm'.";
  const message = `Expected ${device} to answer ${name}'s canary picture with a cosine of at least ${CANARY_COSINE}, got ${cosine.toFixed(4)}. ${next}`;
  return new ImprintError('DEVICE_INACCURATE', message);
}
