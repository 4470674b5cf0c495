/** A worker thread that holds one ONNX Runtime session: `session.run` blocks its thread, so it must not be the main one. */

import { CANARY_COSINE, ImprintError } from '@imprint/core';
import type { Manifest } from '@imprint/core';
import { openSession, type BackboneSession, type SessionOptions } from './backbone-session.ts';
import type { ReadModelOptions } from './models/model-content.ts';
import { readModel } from './models/read-model.ts';
import { answerCalls } from './worker-calls.ts';

/** Where a worker reads the model itself, so that the main thread neither reads nor hashes it a second time. */
export interface ModelSource {
  readonly nameOrPath: string | undefined;
  readonly options: Omit<ReadModelOptions, 'signal' | 'onProgress'>;
  /** Of the file that was read first: another one by now is refused. */
  readonly sha256: string;
}

export interface LoadRequest extends SessionOptions {
  readonly kind: 'load';
  readonly manifest: Manifest;
  readonly model: Uint8Array<ArrayBuffer> | ModelSource;
}

export type BackboneRequest =
  LoadRequest | { readonly kind: 'run'; readonly pixels: readonly Float32Array<ArrayBuffer>[] };

export type BackboneReply =
  /** Smallest cosine over the taps between the canary's stored embedding and this device's. */
  | { readonly kind: 'loaded'; readonly canaryCosine: number }
  /** Float32Array, pictures x taps x dim. */
  | { readonly kind: 'embeddings'; readonly embeddings: Float32Array<ArrayBuffer> };

let session: BackboneSession | undefined;

async function readAgain({ nameOrPath, options, sha256 }: ModelSource, name: string): Promise<Uint8Array<ArrayBuffer>> {
  const { bytes, identity } = await readModel(nameOrPath, options);
  if (identity.sha256 === sha256) return bytes;
  const message = `Expected the model of ${name} to stay the same while in use, its file has changed. Load the backbone again.`;
  throw new ImprintError('BACKBONE_INVALID', message);
}

async function load({ model: given, manifest, device, numThreads, batchSize }: LoadRequest): Promise<BackboneReply> {
  await release();
  const model = given instanceof Uint8Array ? given : await readAgain(given, manifest.name);
  const opened = await openSession(model, manifest, { device, numThreads, batchSize });
  let canaryCosine: number;
  try {
    canaryCosine = await opened.canaryCosine(manifest.canary?.embedding ?? (await cpuCanary(model, manifest)));
  } catch (error) {
    await opened.release();
    throw error;
  }
  if (canaryCosine >= CANARY_COSINE) session = opened;
  else await opened.release();
  return { kind: 'loaded', canaryCosine };
}

/** Where the manifest stores no canary, the CPU's answer stands in for it: the CPU itself then passes by definition. */
async function cpuCanary(model: Uint8Array, manifest: Manifest): Promise<Float32Array> {
  const cpu = await openSession(model, manifest, { device: 'cpu', numThreads: 1, batchSize: 1 });
  try {
    return await cpu.canary();
  } finally {
    await cpu.release();
  }
}

async function release(): Promise<void> {
  const held = session;
  session = undefined;
  await held?.release();
}

async function handle(request: BackboneRequest): Promise<BackboneReply> {
  if (request.kind === 'load') return load(request);
  if (session === undefined) throw new ImprintError('DISPOSED', 'Expected a loaded backbone, got none. Load it again.');
  return { kind: 'embeddings', embeddings: await session.run(request.pixels) };
}

answerCalls(handle, (reply) => (reply.kind === 'embeddings' ? [reply.embeddings.buffer] : []));
