/// <reference lib="esnext.disposable" preserve="true" />
/** The whole public API of @imprint/node. */

export { listClassFolders, listImages } from './class-folders.ts';
export type { ClassFolders, IgnoredFile, ImageList, LabelledImage } from './class-folders.ts';
export { DEFAULT_MAX_PIXELS, type DecodedPicture } from '@imprint/core';
export { decodePicture } from './decode-picture.ts';
export { deviceInWords, type Device, type DeviceAttempt, type DeviceReport } from './device-report.ts';
export { fileStore, type FileStoreOptions } from './file-store.ts';
export type { ImageInput, ImageSource } from './image-input.ts';
export { loadBackbone, type LoadBackboneOptions, type NodeBackbone } from './load-backbone.ts';
export { createOrtGemm, type OrtGemmOptions } from './ort-gemm.ts';
export { readModel } from './models/read-model.ts';
export { fetchNamedModel, listModels, removeNamedModel } from './models/list-models.ts';
export type { ListOptions, ModelEntry, ModelFileEntry } from './models/list-models.ts';
export type { FetchedModel, FetchOptions } from './models/fetch-model.ts';
export { inspectModel, type ModelInspection } from './models/inspect-model.ts';
export type { Manifest } from '@imprint/core';
export { cacheFolder } from './models/model-cache.ts';
export { verifyModel, type VerifiedPrecision } from './models/verify-model.ts';
export type { ModelContent, ReadModelOptions } from './models/model-content.ts';
export { createClassifier } from './create-classifier.ts';
export type { CreateClassifierOptions, NodeClassifierOptions, OtherInputs } from './create-classifier.ts';
export { openClassifier, saveClassifier, updateClassifier, type OpenClassifierOptions } from './open-classifier.ts';
export { inspectRuntime, type RuntimeReport } from './inspect-runtime.ts';

// What the verbs give and take, so that a program imports one package.
export { Classifier, ImprintError, type ImprintErrorCode } from '@imprint/core';
export type {
  AddOptions,
  AddReport,
  Backbone,
  Classified,
  ClassifyOptions,
  EvaluateOptions,
  EvaluationResult,
  HeadReport,
  LabelledInput,
  MemoryMode,
  NearestExample,
  Prediction,
  RankedLabel,
  ReviewReport,
  SuggestedInput,
} from '@imprint/core';
