/// <reference lib="esnext.disposable" preserve="true" />
/** The whole public API of @imprint/web. */

export { createClassifier } from './create-classifier.ts';
export { openCamera, type Camera, type CameraOptions } from './open-camera.ts';
export type {
  CreateClassifierOptions,
  Device,
  DeviceReport,
  ImageInput,
  ImageSource,
  Notice,
  StorageReport,
  Watched,
  WatchOptions,
  WebClassifier,
} from './web-classifier.ts';

// What the verbs give and take, so that a page imports one package.
export { ImprintError, type ImprintErrorCode } from '@imprint/core';
export type {
  AddOptions,
  AddReport,
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
