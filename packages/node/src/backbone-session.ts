/** One ONNX Runtime session of a backbone: pixels in, taps out, always in batches of the same size. */

import { availableParallelism } from 'node:os';
import { canaryPixels, ImprintError, readTaps, smallestCosine, tapOutputs } from '@imprint/core';
import type { Manifest } from '@imprint/core';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { unavailableDevice, type Device } from './device-report.ts';
import { throughGate } from './native-gate.ts';
import { onnxRuntime } from './native-modules.ts';

export interface SessionOptions {
  readonly device: Device;
  /** Threads of one run on the CPU. */
  readonly numThreads: number;
  /**
   * Rows of every run; a shorter batch is padded with zeros. ONNX Runtime sums in another order for another number of
   * rows (measured: 1.9e-6 between batch 1 and 8), and an embedding must not depend on its company.
   */
  readonly batchSize: number;
}

export class BackboneSession {
  readonly #session: InferenceSession;
  readonly #manifest: Manifest;
  readonly #batchSize: number;

  constructor(session: InferenceSession, manifest: Manifest, batchSize: number) {
    this.#session = session;
    this.#manifest = manifest;
    this.#batchSize = batchSize;
  }

  /**
   * Runs up to `batchSize` pictures.
   * @param pixels one Float32Array a picture, 3 x size x size
   * @returns Float32Array, pictures x taps x dim; the caller owns it
   * @throws DEVICE_UNAVAILABLE where ONNX Runtime fails; BACKBONE_INVALID where the outputs do not fit the manifest
   */
  async run(pixels: readonly Float32Array[]): Promise<Float32Array<ArrayBuffer>> {
    const { input, output } = this.#manifest;
    const values = 3 * input.size * input.size;
    const rows = this.#batchSize;
    let data = pixels[0];
    if (rows > 1) {
      data = new Float32Array(rows * values);
      pixels.forEach((picture, i) => data.set(picture, i * values));
    }
    const tensor = new (onnxRuntime().Tensor)('float32', data, [rows, 3, input.size, input.size]);
    const names = tapOutputs(output);
    let results: InferenceSession.OnnxValueMapType;
    try {
      results = await throughGate(() => this.#session.run({ [input.name]: tensor }, names));
    } catch (cause) {
      const [line] = String(cause instanceof Error ? cause.message : cause).split('\n');
      const next = 'Lower batchSize or sessions if memory is short, or use another device.';
      const message = `Expected ${this.#manifest.name} to run on ${rows} x 3 x ${input.size} x ${input.size} pixels, got: ${line}. ${next}`;
      throw new ImprintError('DEVICE_UNAVAILABLE', message, { cause });
    }
    const embeddings = readTaps(results as Record<string, Tensor>, output, rows, pixels.length);
    for (const name of names) results[name].dispose();
    return embeddings;
  }

  /**
   * The smallest cosine, over the taps, between this session's canary embedding and `expectedEmbedding`.
   * @returns a number from -1 to 1; NaN where the device gave NaN
   */
  async canaryCosine(expectedEmbedding: ArrayLike<number>): Promise<number> {
    return smallestCosine(await this.canary(), expectedEmbedding, this.#manifest.output.dim);
  }

  canary(): Promise<Float32Array> {
    return this.run([canaryPixels(this.#manifest.input)]);
  }

  release(): Promise<void> {
    return throughGate(() => this.#session.release());
  }
}

/** @throws DEVICE_UNAVAILABLE where the provider is missing; BACKBONE_INVALID where the model does not load or fit its manifest */
export async function openSession(
  model: Uint8Array,
  manifest: Manifest,
  options: SessionOptions,
): Promise<BackboneSession> {
  const { device, numThreads, batchSize } = options;
  const runtime = await throughGate(() => Promise.resolve(onnxRuntime()));
  let session: InferenceSession;
  try {
    session = await throughGate(() =>
      runtime.InferenceSession.create(model, {
        executionProviders: [device],
        intraOpNumThreads: numThreads,
        interOpNumThreads: 1,
        executionMode: 'sequential',
        logSeverityLevel: 4,
        // Threads wait awake for each other: more of them than cores keep those with work from it (256 on two cores: 7 s to open).
        ...(numThreads > availableParallelism() && { extra: { session: { intra_op: { allow_spinning: '0' } } } }),
      }),
    );
  } catch (error) {
    throw sessionError(error, manifest, device);
  }
  const { input, output } = manifest;
  const outputs = tapOutputs(output);
  for (const [kind, name, names] of [
    ['input', input.name, session.inputNames],
    ...outputs.map((name) => ['output', name, session.outputNames] as const),
  ] as const) {
    if (!names.includes(name)) {
      await throughGate(() => session.release());
      const found = names.slice(0, 8).join(', ');
      const message = `Expected the model of ${manifest.name} to have an ${kind} named ${name}, got ${found}. Correct its manifest.`;
      throw new ImprintError('BACKBONE_INVALID', message);
    }
  }
  return new BackboneSession(session, manifest, batchSize);
}

function sessionError(error: unknown, manifest: Manifest, device: Device): ImprintError {
  // Without the C++ source position and condition that ONNX Runtime puts first.
  const [line] = (error instanceof Error ? error.message : String(error)).split('\n');
  const message = line.replace(/^.* was false\. /, '').slice(0, 300);
  if (device !== 'cpu') return unavailableDevice(device, message, error);
  const text = `Expected an ONNX model that this version of ONNX Runtime loads for ${manifest.name}, got: ${message}. Download or export it again.`;
  return new ImprintError('BACKBONE_INVALID', text, { cause: error });
}
