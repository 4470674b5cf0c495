/** What the page and its worker say to each other. Every message is a plain object that structured clone takes. */

import type { BackboneIdentity, MemoryMode } from '@imprint/core';
import type { Device, DeviceReport, Notice, StorageReport } from './web-classifier.ts';
import type { WireError } from './wire-error.ts';
import type { Seen } from './worker/recording-backbone.ts';

/** Raised with every change of these messages: a page and a worker script of different releases must not meet. */
export const PROTOCOL_VERSION = 1;

/** A picture on its way to the worker; what it holds is the worker's from then on. */
export type WirePicture =
  | { readonly kind: 'blob'; readonly blob: Blob }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array | ArrayBuffer }
  /** Absolute; the worker fetches it. */
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'pixels'; readonly pixels: ImageData }
  | { readonly kind: 'bitmap'; readonly bitmap: ImageBitmap }
  | { readonly kind: 'frame'; readonly frame: VideoFrame };

export interface WireImage {
  readonly picture: WirePicture;
  readonly id: string | undefined;
  readonly source: string | undefined;
}

/** An input that could not be made ready on the page; the worker treats it as an unreadable one. */
export interface WireFault {
  readonly fault: WireError;
  readonly source: string | undefined;
}

export type WireInput = WireImage | WireFault;

/** Absolute URLs of everything that the worker loads. */
export interface AssetUrls {
  /** ONNX Runtime's script, the script beside its WASM, and the WASM itself, gzipped or not. */
  readonly engines: Readonly<Record<EngineName, EngineUrls>>;
  /** The worker's second script: see `worker/seldom-script.ts`. */
  readonly seldom: string;
  readonly manifest: string;
  /** The embedded backbone's model; absent where `manifest` names its file itself. */
  readonly model?: string;
}

/** `wasm` is the plain build; the other two have WebGPU: `jspi` for browsers with JavaScript Promise Integration, `asyncify` for the rest. */
export type EngineName = 'wasm' | 'jspi' | 'asyncify';

export interface EngineUrls {
  readonly script: string;
  readonly glue: string;
  readonly wasm: string;
}

export interface WorkerOptions {
  readonly assets: AssetUrls;
  readonly device: Device | 'auto';
  readonly numThreads: number | undefined;
  readonly maxPixels: number | undefined;
  readonly head: string | undefined;
  readonly unknownBelow: number | undefined;
  readonly memory: MemoryMode | undefined;
  readonly store: string | undefined;
}

/** What the page knows of the classifier without asking. */
export interface WireState {
  readonly head: string;
  readonly unknownBelow: number;
  readonly memory: MemoryMode;
  readonly classes: readonly { readonly label: string; readonly count: number }[];
  readonly numExamples: number;
  readonly device: DeviceReport;
  readonly storage: StorageReport['kind'];
}

/**
 * One change, as the page keeps it to rebuild a worker that crashed: a whole snapshot, a snapshot of what was added, or a verb
 * with its arguments. Its size is that of the change.
 */
export type JournalEntry =
  | { readonly kind: 'whole'; readonly bytes: Uint8Array }
  | { readonly kind: 'added'; readonly bytes: Uint8Array }
  /** Statistics cannot tell their examples apart: what is subtracted is shown again. */
  | { readonly kind: 'forgotten'; readonly label: string; readonly seen: readonly Seen[] }
  | { readonly kind: 'verb'; readonly verb: ReplayedVerb; readonly args: readonly unknown[] };

export type ReplayedVerb = 'removeClass' | 'removeExamples' | 'moveExamples' | 'renameClass' | 'mergeClasses';

export type Verb =
  | ReplayedVerb
  | 'addClass'
  | 'addExamples'
  | 'addExample'
  | 'forgetExamples'
  | 'examples'
  | 'classify'
  | 'classifyMany'
  | 'evaluate'
  | 'review'
  | 'suggest'
  | 'report'
  | 'snapshot'
  | 'hash'
  | 'import'
  | 'storage'
  | 'flush'
  | 'whole';

export type ToWorker =
  | { readonly type: 'open'; readonly options: WorkerOptions; readonly journal: readonly JournalEntry[] }
  | { readonly type: 'call'; readonly call: number; readonly verb: Verb; readonly args: readonly unknown[] }
  /** The consumer of a call that yields asks for one more value. */
  | { readonly type: 'next'; readonly call: number }
  /** Ends a call: its signal aborted, or its consumer left. */
  | { readonly type: 'abort'; readonly call: number }
  | { readonly type: 'item'; readonly stream: number; readonly value: unknown }
  | { readonly type: 'end'; readonly stream: number; readonly error?: WireError }
  | { readonly type: 'dispose' }
  /** To a worker of a worker: it opens no classifier, and computes. */
  | { readonly type: 'help'; readonly seldom: string };

export type FromWorker =
  /** First of all: the script has loaded. */
  | { readonly type: 'hello'; readonly version: number; readonly lock: string | undefined }
  | { readonly type: 'opened'; readonly identity: BackboneIdentity; readonly state: WireState }
  | { readonly type: 'openFailed'; readonly error: WireError }
  | {
      readonly type: 'reply';
      readonly call: number;
      readonly value: unknown;
      readonly state?: WireState;
      /** Absent where the store has the change. */
      readonly journal?: JournalEntry;
    }
  | { readonly type: 'failed'; readonly call: number; readonly error: WireError }
  | { readonly type: 'yield'; readonly call: number; readonly value: unknown }
  | {
      readonly type: 'event';
      readonly call: number;
      readonly event: 'progress' | 'unreadable';
      readonly value: unknown;
    }
  /** The worker wants one more item of a stream, or no more. */
  | { readonly type: 'pull'; readonly stream: number }
  | { readonly type: 'stop'; readonly stream: number }
  | { readonly type: 'state'; readonly state: WireState }
  /** The store has every change that was answered until now. */
  | { readonly type: 'saved' }
  | { readonly type: 'notice'; readonly notice: Notice }
  /** The engine broke beyond repair in this worker: start another. */
  | { readonly type: 'broken'; readonly error: WireError };
