/** One ONNX Runtime session of a backbone in the worker: pixels in, taps out, one run at a time, always of one picture. */

import { canaryPixels, CANARY_COSINE, ImprintError, readTaps, smallestCosine, tapOutputs } from '@imprint/core';
import type { OutputTensor, ReadyModel } from '@imprint/core';
import type { InferenceSession } from 'onnxruntime-web';
import type { Device } from '../web-classifier.ts';
import type { Engine } from './engine.ts';

export class BackboneSession {
  readonly device: Device;
  readonly engine: Engine;
  readonly #session: InferenceSession;
  readonly #model: ReadyModel;
  /** Rejects when the GPU is lost; a run may then wait for ever. */
  readonly #lost: Promise<never> | undefined;

  private constructor(
    session: InferenceSession,
    model: ReadyModel,
    device: Device,
    engine: Engine,
    lost: Promise<never> | undefined,
  ) {
    this.#session = session;
    this.#model = model;
    this.device = device;
    this.engine = engine;
    this.#lost = lost;
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
          logSeverityLevel: 4,
        }),
      );
    } catch (cause) {
      throw openError(cause, manifest.name, device);
    }
    const lost = device === 'webgpu' ? gpuLoss(engine) : undefined;
    const opened = new BackboneSession(session, model, device, engine, lost);
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
  run(pixels: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    return this.engine.exclusively(() => this.#run(pixels));
  }

  release(): Promise<void> {
    return this.engine.exclusively(() => this.#session.release());
  }

  async #run(pixels: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    const { input, output } = this.#model.manifest;
    const tensor = new this.engine.ort.Tensor('float32', pixels, [1, 3, input.size, input.size]);
    let results: InferenceSession.OnnxValueMapType;
    try {
      const run = this.#session.run({ [input.name]: tensor }, tapOutputs(output));
      results = await (this.#lost === undefined ? run : Promise.race([run, this.#lost]));
    } catch (cause) {
      const message = `Expected ${this.#model.manifest.name} to run on ${this.device}, got: ${firstLine(cause)}. Use another device, or a smaller model.`;
      throw new ImprintError('DEVICE_UNAVAILABLE', message, { cause });
    }
    const embedding = readTaps(results as unknown as Record<string, OutputTensor>, output, 1, 1);
    for (const result of Object.values(results)) result.dispose();
    return embedding;
  }

  #requireNames(): void {
    const { input, output, name } = this.#model.manifest;
    const { inputNames, outputNames } = this.#session;
    const missing = [input.name].filter((item) => !inputNames.includes(item));
    missing.push(...tapOutputs(output).filter((item) => !outputNames.includes(item)));
    if (missing.length === 0) return;
    const message = `Expected the model of ${name} to have ${missing.join(', ')}, got inputs ${inputNames.join(', ')} and outputs ${outputNames.slice(0, 8).join(', ')}. Correct its manifest.`;
    throw new ImprintError('BACKBONE_INVALID', message);
  }
}

/** Rejects when the engine's GPU is lost: its process crashed, its driver was reset, a laptop changed cards. */
function gpuLoss({ ort }: Engine): Promise<never> {
  const { device } = ort.env.webgpu as unknown as { readonly device: { readonly lost: Promise<{ message: string }> } };
  const loss = device.lost.then(({ message }) => {
    throw new Error(`the GPU was lost (${message})`);
  });
  loss.catch(() => undefined);
  return loss;
}

function openError(cause: unknown, name: string, device: Device): ImprintError {
  const line = firstLine(cause);
  if (device === 'webgpu') {
    const message = `Expected webgpu to load ${name}, got: ${line}. Use device 'auto' or 'wasm'.`;
    return new ImprintError('DEVICE_UNAVAILABLE', message, { cause });
  }
  if (isOutOfMemory(cause)) {
    const message = `Expected memory for ${name}, got: ${line}. Close other pages, or use a smaller model.`;
    return new ImprintError('DEVICE_UNAVAILABLE', message, { cause });
  }
  const message = `Expected an ONNX model that this version of ONNX Runtime loads for ${name}, got: ${line}. Download or export it again.`;
  return new ImprintError('BACKBONE_INVALID', message, { cause });
}

function inaccurate(device: Device, name: string, cosine: number): ImprintError {
  const next = device === 'wasm' ? 'Its file or its manifest is wrong: get it again.' : "Use device 'auto' or 'wasm'.";
  const message = `Expected ${device} to answer ${name}'s canary picture with a cosine of at least ${CANARY_COSINE}, got ${cosine.toFixed(4)}. ${next}`;
  return new ImprintError('DEVICE_INACCURATE', message);
}

/** Without the C++ source position and condition that ONNX Runtime puts first. */
export function firstLine(error: unknown): string {
  const [line] = (error instanceof Error ? error.message : String(error)).split('\n');
  return line.replace(/^.* was false\. /, '').slice(0, 300);
}

export function isOutOfMemory(error: unknown): boolean {
  return (
    error instanceof RangeError ||
    /out of memory|bad_alloc|memory allocation|failed to allocate/i.test(firstLine(error))
  );
}
