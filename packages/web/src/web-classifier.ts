/** The contract of a classifier on a page: the facade of core, with its work done in a worker. */

import type {
  AbortSignalLike,
  AddReport,
  BackboneIdentity,
  Classified,
  ClassifyOptions,
  AddOptions,
  EvaluateOptions,
  EvaluationResult,
  HeadReport,
  LabelledInput,
  MemoryMode,
  Prediction,
  ReviewReport,
  SuggestedInput,
} from '@imprint/core';

/** Anything on a page that shows a picture. A string or URL is fetched and must be of the page's own origin, or a blob: or data: URL. */
export type ImageSource =
  | Blob
  | ArrayBuffer
  | Uint8Array
  | string
  | URL
  | ImageData
  | ImageBitmap
  | HTMLImageElement
  | HTMLCanvasElement
  | HTMLVideoElement
  | OffscreenCanvas
  | VideoFrame;

/** A picture, or a picture with an id and a source of the caller's choosing. */
export type ImageInput = ImageSource | { readonly image: ImageSource; readonly id?: string; readonly source?: string };

export type Device = 'webgpu' | 'wasm';

/** What the classifier says of its own accord: a fallback, a restart, storage that is nearly full. Nothing was lost. */
export interface Notice {
  readonly kind: 'device' | 'worker' | 'storage' | 'model';
  /** One or two sentences for a person. */
  readonly message: string;
}

export interface DeviceReport {
  readonly device: Device;
  /** Threads of the WASM engine; 1 without cross-origin isolation. */
  readonly numThreads: number;
  /** In words, with why the better devices were not taken: `wasm, 2 threads (webgpu: no adapter)`. */
  readonly inWords: string;
}

export interface StorageReport {
  readonly kind: 'opfs' | 'indexeddb' | 'memory';
  /** Whether everything learned is in it. */
  readonly isSaved: boolean;
  /** Whether the browser promised not to evict it. */
  readonly persisted: boolean;
  /** Bytes of the whole origin, where the browser tells. */
  readonly usageBytes: number | undefined;
  readonly quotaBytes: number | undefined;
}

export interface WatchOptions extends ClassifyOptions {
  /** Answers a second, at most. Frames between are dropped, never queued. Default 5. */
  readonly fps?: number;
  readonly signal?: AbortSignal;
}

/** One look at a video. */
export interface Watched<Label extends string = string> {
  readonly prediction: Prediction<Label>;
  /** From taking the frame to its answer, in milliseconds. */
  readonly elapsedMs: number;
}

/**
 * A classifier that lives in a worker of its own. The verbs are those of core's `Classifier`; where core answers at once
 * (`removeClass`, `snapshot`, ...), this one answers with a promise, so code that awaits runs unchanged in Node and on a page.
 * All verbs are atomic: one that throws has changed nothing.
 *
 * With a `store`, a verb that changes something is answered when the change is on disk. Where it could not be written
 * (storage full, say) the change stands all the same, as long as the page does: a notice says so, and `flush` tries again.
 * Tabs that share a store see each other's changes, and a verb changes the newest content: none is lost.
 */
export interface WebClassifier<Label extends string = string> extends AsyncDisposable {
  readonly identity: BackboneIdentity;
  readonly head: string;
  readonly unknownBelow: number;
  readonly memory: MemoryMode;
  /** As of the last change that was answered. */
  readonly classes: readonly { readonly label: Label; readonly count: number }[];
  readonly numExamples: number;
  readonly device: DeviceReport;

  addClass(
    label: Label,
    examples: Iterable<ImageInput> | AsyncIterable<ImageInput>,
    options?: AddOptions,
  ): Promise<AddReport>;
  addExamples(
    label: Label,
    examples: Iterable<ImageInput> | AsyncIterable<ImageInput>,
    options?: AddOptions,
  ): Promise<AddReport>;
  /** Adds one picture to a class, made where it is new: what a record button calls while it is held. */
  addExample(label: Label, image: ImageInput): Promise<AddReport>;
  removeClass(label: Label): Promise<void>;
  removeExamples(label: Label, ids: readonly string[]): Promise<void>;
  /** Sets wrong labels right without the pictures. */
  moveExamples(from: Label, into: Label, ids: readonly string[]): Promise<void>;
  forgetExamples(
    label: Label,
    examples: Iterable<ImageInput> | AsyncIterable<ImageInput>,
    options?: AddOptions,
  ): Promise<void>;
  renameClass(from: Label, to: Label): Promise<void>;
  mergeClasses(from: Label, into: Label): Promise<void>;
  examples(label: Label): Promise<readonly { readonly id: string; readonly source: string | undefined }[]>;

  classify(input: ImageInput, options?: ClassifyOptions): Promise<Prediction<Label>>;
  classifyMany(
    inputs: Iterable<ImageInput> | AsyncIterable<ImageInput>,
    options?: ClassifyOptions,
  ): AsyncGenerator<Classified<Label>, void, undefined>;
  /**
   * Answers a video's newest frame again and again, until `signal` aborts, the loop is left, or a recorded video has ended.
   * Waits while the video is not ready, the tab is hidden, or no new frame has come.
   * @throws CAMERA_UNAVAILABLE where a camera stops; IMAGE_UNREADABLE where a video cannot be played; NO_CLASSES
   */
  watch(video: HTMLVideoElement, options?: WatchOptions): AsyncGenerator<Watched<Label>, void, undefined>;
  evaluate(
    examples: Iterable<LabelledInput<ImageInput, Label>> | AsyncIterable<LabelledInput<ImageInput, Label>>,
    options?: EvaluateOptions<ImageInput>,
  ): Promise<EvaluationResult>;
  review(options?: { readonly most?: number; readonly signal?: AbortSignalLike }): Promise<ReviewReport<Label>>;
  suggest(
    pool: Iterable<ImageInput> | AsyncIterable<ImageInput>,
    options?: { readonly count?: number; readonly signal?: AbortSignalLike },
  ): Promise<SuggestedInput[]>;
  report(options?: { readonly signal?: AbortSignalLike }): Promise<HeadReport>;

  snapshot(): Promise<Uint8Array<ArrayBuffer>>;
  hash(): Promise<string>;
  /** The snapshot as a file that Node, the command line and other pages open. */
  export(): Promise<Blob>;
  /** Replaces everything learned by what a file holds; `merge` takes it in beside what is there. Refused files change nothing. */
  import(file: Blob | ArrayBuffer | Uint8Array, options?: { readonly merge?: boolean }): Promise<void>;
  /** Where the content is kept, and how much room is left. */
  storage(): Promise<StorageReport>;

  /**
   * Resolves when everything learned is in the store.
   * @throws FILE_UNWRITABLE or FILE_BUSY, with the next step, where it cannot be written; UNSUPPORTED without a store
   */
  flush(): Promise<void>;

  /** Called on every change of `classes`, also by another tab that shares the store. Returns what ends it. */
  onChange(listener: () => void): () => void;
  onNotice(listener: (notice: Notice) => void): () => void;

  /** Ends the worker. Idempotent. What was learned stays in the store. */
  dispose(): Promise<void>;
}

export interface CreateClassifierOptions {
  readonly head?: string;
  readonly unknownBelow?: number;
  readonly memory?: MemoryMode;
  /** URL of a backbone's `manifest.json` (of this origin), its model beside it. Default: the embedded backbone. */
  readonly backbone?: string | URL;
  /** Default `auto`: webgpu, then wasm; each is checked against the stored canary embedding. */
  readonly device?: Device | 'auto';
  /**
   * Threads of the WASM engine, 1 where the page is not cross-origin isolated, and of large solves. Default: as many as there are
   * cores, up to 4.
   */
  readonly numThreads?: number;
  /** Largest picture that is decoded, in pixels. Default 64 million. */
  readonly maxPixels?: number;
  /** URL of the folder (of this origin) that `npx imprint-web-assets DIR` filled: worker, engine, embedded backbone. Default: what the bundler emitted. */
  readonly assets?: string | URL;
  /** URL of the worker's script (`worker.js` of that folder), where it lies elsewhere. */
  readonly workerUrl?: string | URL;
  /** Name of the place where everything learned is kept: OPFS, else IndexedDB, else memory with a notice. Absent: nothing outlives the page. */
  readonly store?: string;
  readonly signal?: AbortSignal;
  readonly onNotice?: (notice: Notice) => void;
}
