/// <reference lib="esnext.disposable" preserve="true" />
/** The whole public API of @imprint/core on one screen. */

export { Classifier, type ClassifierOptions, type ClassifyOptions } from './classifier.ts';
export type { AddOptions } from './embed-examples.ts';
export type { MemoryMode } from './content.ts';
export type { NamedExample, ReviewReport, SuggestedInput } from './review-examples.ts';
export type { EvaluateOptions, LabelledInput } from './evaluate-classifier.ts';
export type { AddReport, Classified, NearestExample, Prediction, RankedLabel, Unreadable } from './prediction.ts';
export {
  fromTransformersPipeline,
  type FeatureExtractor,
  type TensorLike,
  type TransformersOptions,
} from './from-transformers-pipeline.ts';
export { readyEmbeddings, type ReadyEmbedding, type ReadyEmbeddingsOptions } from './ready-embeddings.ts';

export type {
  Backbone,
  BackboneIdentity,
  Embedded,
  EmbedOptions,
  Preprocessing,
  Resample,
  SameClassCosines,
} from './backbone.ts';
export type { FitContext, FittedHead, Head, HeadReport, Memory, StatisticsMemory } from './head.ts';
export type { BlockBidiagonal, Gemm, GemmShape } from './gemm.ts';
export type { Store } from './store.ts';
export { isTagged, type AbortSignalLike } from './platform.ts';
export {
  describe,
  expected,
  ImprintError,
  requireIterable,
  requireOptions,
  requireText,
  type ImprintErrorCode,
} from './errors.ts';

export { codeScale, encodeCodes } from './memory/codes.ts';
export { canonicalLabel, MAX_LABEL_LENGTH } from './memory/label.ts';
export { contentHash, decodeSnapshot, encodeSnapshot, snapshotIdentity } from './snapshot/snapshot.ts';
export { SNAPSHOT_VERSION, type Snapshot } from './snapshot/snapshot.ts';
export { requireSameBackbone } from './snapshot/identity.ts';

export { headNamed } from './heads/head-named.ts';
export { HEAD_NAMES, requireStatisticsHeadName } from './heads/head-names.ts';
export { classCovariance, type ClassCovarianceOptions } from './heads/class-covariance.ts';
export { discriminant, type DiscriminantOptions } from './heads/discriminant.ts';
export { kernelRidge, type KernelRidgeOptions } from './heads/kernel-ridge.ts';
export { nearestClassMean, type NearestClassMeanOptions } from './heads/nearest-class-mean.ts';
export { nearestExamples, type NearestExamplesOptions } from './heads/nearest-examples.ts';
export { projectedRidge, type ProjectedRidgeOptions } from './heads/projected-ridge.ts';
export { memoryFromCodes } from './memory/from-codes.ts';
export { noveltyScores } from './scores/novelty-scores.ts';
export type { FittedNovelty, NoveltyScore } from './scores/novelty.ts';

export { evaluatePredictions, type EvaluationInput, type EvaluationResult } from './evaluation/evaluate.ts';
export { auroc, fpr95 } from './evaluation/unknown-detection.ts';
export { classIncremental, domainIncremental, onlineStream, taskIncremental } from './evaluation/protocols.ts';
export type { ContinualTask, Protocol } from './evaluation/protocols.ts';
export { orderSpread, runProtocol } from './evaluation/run-protocol.ts';
export type { LabelledCodes, OrderSpread, ProtocolResult } from './evaluation/run-protocol.ts';

// What runtimes are built from: pixels, model graphs, matrix kernels.
export { canaryPixels } from './image/canary-pixels.ts';
export {
  DEFAULT_MAX_PIXELS,
  pictureTooLarge,
  pictureUnreadable,
  type DecodedPicture,
} from './image/decoded-picture.ts';
export { flattenOnWhite } from './image/flatten-on-white.ts';
export { imageId } from './image/image-id.ts';
export { sha256Hex } from './sha256.ts';
export { isCutOff } from './image/picture-end.ts';
export { pictureHeader, tiffEntries, type PictureFormat, type PictureHeader } from './image/picture-header.ts';
export { preprocessInto } from './image/preprocess.ts';
export { FieldReader } from './backbones/field-reader.ts';
export {
  identityOf,
  parseInput,
  parseManifest,
  preprocessingOf,
  type Manifest,
  type ManifestFile,
  type ManifestInput,
  type ManifestOutput,
  type Pooling,
  type StackedOutput,
  type TensorOutput,
  type TensorTap,
} from './backbones/manifest.ts';
export { exposeTaps, type ReadyModel } from './backbones/expose-taps.ts';
export { CANARY_COSINE, readTaps, smallestCosine, tapOutputs, type OutputTensor } from './backbones/read-taps.ts';
export { loadSeldom } from './load-seldom.ts';
export type { HelperAnswer, HelperTask } from './linalg/gemm-helper.ts';
export type { Helper } from './linalg/helper-line.ts';
export { typedArrayGemm, type PortableGemm } from './linalg/typed-array-gemm.ts';
export { createWasmGemm, wasmGemm } from './linalg/wasm-gemm.ts';
export { addGraphOutputs } from './onnx/add-graph-outputs.ts';
export { bidiagonalGraph, type BidiagonalGraphOptions } from './onnx/bidiagonal-graph.ts';
export { bytesMatmulGraph, matmulGraph } from './onnx/matmul-graph.ts';
export {
  readModelGraph,
  type OnnxGraph,
  type OnnxInitializer,
  type OnnxNode,
  type OnnxValue,
} from './onnx/read-model-graph.ts';
export { findResidualStream, pictureInput, type ResidualStream } from './onnx/residual-stream.ts';
export { concatBytes } from './concat-bytes.ts';
export {
  BENCH_HEADS,
  benchHeads,
  type BenchOptions,
  type BenchResult,
  type FewShotSplit,
  type LabelledFeatures,
} from './evaluation/bench-heads.ts';
export { embeddingMap, type EmbeddingMap } from './evaluation/embedding-map.ts';
