/** The worker threads of one backbone: sessions side by side on the CPU, one session on a GPU; each restarts after a crash. */

import { availableParallelism } from 'node:os';
import { CANARY_COSINE, ImprintError } from '@imprint/core';
import type { Manifest } from '@imprint/core';
import type { SessionOptions } from './backbone-session.ts';
import type { BackboneReply, BackboneRequest, ModelSource } from './backbone-worker.ts';
import { DEVICE_ORDER, missingLibrary, unavailableDevice } from './device-report.ts';
import type { Device, DeviceAttempt, DeviceReport } from './device-report.ts';
import { ownFile } from './own-files.ts';
import { WorkerCalls } from './worker-calls.ts';

/** The model: its bytes for the first worker thread only, since the threads keep it, and where the others read it. */
export interface LaneModel {
  readonly manifest: Manifest;
  readonly source: ModelSource;
  /** Moved to the first thread. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface LaneOptions {
  readonly device: Device | 'auto';
  readonly numThreads?: number;
  readonly sessions?: number;
  readonly batchSize?: number;
}

export type Lane = WorkerCalls<BackboneRequest, BackboneReply>;

/** Weights of all sessions together that the default number of sessions may take. */
const SESSION_BUDGET_BYTES = 512 * 1024 ** 2;
/** Pictures a run on a GPU, which needs many at once to be busy. */
const GPU_BATCH = 16;

/**
 * Sessions and threads for a device. On the CPU several sessions of few threads beat one session of many: a run of
 * ONNX Runtime on two threads leaves part of the second idle (DeiT-Tiny, two cores: 14.3 ms a picture against 16.4).
 */
function planLanes(device: Device, sizeBytes: number, options: LaneOptions): SessionOptions & { lanes: number } {
  const threads = options.numThreads ?? availableParallelism();
  if (device !== 'cpu') return { device, lanes: 1, numThreads: threads, batchSize: options.batchSize ?? GPU_BATCH };
  const affordable = Math.max(1, Math.floor(SESSION_BUDGET_BYTES / sizeBytes));
  const lanes = options.sessions ?? Math.min(threads, affordable, 4);
  return { device, lanes, numThreads: Math.max(1, Math.floor(threads / lanes)), batchSize: options.batchSize ?? 1 };
}

function newLane(): Lane {
  return new WorkerCalls(ownFile('backbone-worker.js'), "the backbone's worker");
}

/** @returns the canary's smallest cosine */
async function loadLane(lane: Lane, { manifest, bytes, source }: LaneModel, session: SessionOptions): Promise<number> {
  const { device, numThreads, batchSize } = session;
  const first = bytes.length > 0; // moved bytes have length zero
  const request = { kind: 'load', manifest, model: first ? bytes : source, device, numThreads, batchSize } as const;
  const reply = await lane.call(request, first ? [bytes.buffer] : []);
  if (reply.kind !== 'loaded') throw new Error(`Expected the reply loaded, got ${reply.kind}.`);
  return reply.canaryCosine;
}

function inaccurate(device: Device, name: string, cosine: number): ImprintError {
  const next = device === 'cpu' ? 'Its file or its manifest is wrong: get it again.' : "Use another device, or 'auto'.";
  return new ImprintError(
    'DEVICE_INACCURATE',
    `Expected ${device} to answer ${name}'s canary picture with a cosine of at least ${CANARY_COSINE}, got ${cosine.toFixed(4)}. ${next}`,
  );
}

export class BackboneLanes {
  readonly report: DeviceReport;
  readonly plan: SessionOptions & { readonly lanes: number };
  readonly #model: LaneModel;
  /** No further sessions: one failed to start, and those that run do the work. */
  #complete = false;
  readonly #lanes: (Lane | undefined)[];
  readonly #starting: (Promise<Lane> | undefined)[];
  #disposed = false;

  private constructor(first: Lane, plan: SessionOptions & { lanes: number }, report: DeviceReport, model: LaneModel) {
    this.report = report;
    this.plan = plan;
    this.#model = model;
    this.#lanes = new Array<Lane | undefined>(plan.lanes).fill(undefined);
    this.#lanes[0] = first;
    this.#starting = new Array<Promise<Lane> | undefined>(plan.lanes).fill(undefined);
  }

  /**
   * Takes the first device that loads the model and answers the canary right; the other sessions start when needed.
   * @throws DEVICE_UNAVAILABLE or DEVICE_INACCURATE where the device asked for, or with `auto` the CPU, does not
   */
  static async open(model: LaneModel, options: LaneOptions): Promise<BackboneLanes> {
    const { manifest } = model;
    const attempts: DeviceAttempt[] = [];
    const automatic = options.device === 'auto';
    const lane = newLane();
    try {
      for (const device of options.device === 'auto' ? DEVICE_ORDER : [options.device]) {
        const mayGoOn = automatic && device !== 'cpu';
        // Who asks for WebGPU by name may have a driver that is not found so; a library of CUDA that is not there is not there.
        const missing = mayGoOn || device === 'cuda' ? await missingLibrary(device) : undefined;
        if (missing !== undefined) {
          if (!mayGoOn) throw unavailableDevice(device, missing);
          attempts.push({ device, state: 'unavailable', reason: missing });
          continue;
        }
        const plan = planLanes(device, manifest.sizeBytes, options);
        let canaryCosine: number;
        try {
          canaryCosine = await loadLane(lane, model, plan);
        } catch (error) {
          if (!mayGoOn || !(error instanceof ImprintError) || error.code !== 'DEVICE_UNAVAILABLE' || lane.closed)
            throw error;
          attempts.push({ device, state: 'unavailable', reason: shortReason(error.message) });
          continue;
        }
        if (canaryCosine >= CANARY_COSINE) {
          attempts.push({ device, state: 'taken', canaryCosine });
          return new BackboneLanes(lane, plan, { device, attempts }, model);
        }
        if (!mayGoOn) throw inaccurate(device, manifest.name, canaryCosine);
        const reason = `inaccurate (canary cosine ${canaryCosine.toFixed(4)})`;
        attempts.push({ device, state: 'inaccurate', reason, canaryCosine });
      }
      throw new ImprintError('DEVICE_UNAVAILABLE', 'Expected a device to try, got none.');
    } catch (error) {
      await lane.terminate(error as Error);
      throw error;
    }
  }

  /** Pictures, at most `plan.batchSize` of them, through the session with the least to do. */
  async run(pixels: Float32Array<ArrayBuffer>[], values: number): Promise<Float32Array[]> {
    const lane = await this.#leastBusy();
    const count = pixels.length;
    const reply = await lane.call(
      { kind: 'run', pixels },
      pixels.map((picture) => picture.buffer),
    );
    if (reply.kind !== 'embeddings') throw new Error(`Expected the reply embeddings, got ${reply.kind}.`);
    // Seen through an array of this realm: in a test runner's own (Jest), messages bring those of another.
    const { buffer, byteOffset, length } = reply.embeddings;
    const embeddings = new Float32Array(buffer, byteOffset, length);
    if (count === 1) return [embeddings];
    return Array.from({ length: count }, (_, i) => embeddings.slice(i * values, (i + 1) * values));
  }

  async #leastBusy(): Promise<Lane> {
    if (this.#disposed) throw disposedError();
    let best = -1;
    let fewest = Infinity;
    for (let i = 0; i < this.#lanes.length; i++) {
      const lane = this.#lanes[i];
      const open = lane !== undefined && !lane.closed;
      if (open && lane.pending < fewest) {
        best = i;
        fewest = lane.pending;
      }
    }
    // A further session is worth starting when every open one is busy; it joins when it is ready, nobody waits for it.
    const missing = this.#lanes.findIndex((lane, i) => (!lane || lane.closed) && !this.#starting[i]);
    if (best >= 0) {
      if (fewest > 0 && missing >= 0 && !this.#complete) {
        this.#start(missing).catch(() => {
          this.#complete = true;
        });
      }
      return this.#lanes[best]!;
    }
    const starting = this.#starting.find((promise) => promise !== undefined);
    return starting ?? this.#start(missing);
  }

  #start(index: number): Promise<Lane> {
    const lane = newLane();
    const start = loadLane(lane, this.#model, this.plan).then(
      (cosine) => {
        this.#starting[index] = undefined;
        if (this.#disposed || !(cosine >= CANARY_COSINE)) {
          const error = this.#disposed
            ? disposedError()
            : inaccurate(this.plan.device, this.#model.manifest.name, cosine);
          void lane.terminate(error);
          throw error;
        }
        this.#lanes[index] = lane;
        return lane;
      },
      (error: unknown) => {
        this.#starting[index] = undefined;
        void lane.terminate(error as Error);
        throw error;
      },
    );
    this.#starting[index] = start;
    return start;
  }

  async dispose(): Promise<void> {
    this.#disposed = true;
    const open = this.#lanes.filter((lane): lane is Lane => lane !== undefined && !lane.closed);
    await Promise.allSettled(this.#starting.filter((promise) => promise !== undefined));
    await Promise.all(open.map((lane) => lane.terminate(disposedError())));
  }
}

export function disposedError(): ImprintError {
  return new ImprintError('DISPOSED', 'Expected a backbone in use, got one after dispose(). Load it again.');
}

function shortReason(message: string): string {
  const reason = /got: (.*?)\. Run `imprint doctor`/s.exec(message)?.[1] ?? message;
  return reason.length > 120 ? `${reason.slice(0, 117)}...` : reason;
}
