/** The door for Node: a classifier of pictures with its backbone, its matrix engine and a free event loop. */

import {
  Classifier,
  createWasmGemm,
  requireOptions,
  type Backbone,
  type ClassifierOptions,
  type Gemm,
} from '@imprint/core';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ImageInput } from './image-input.ts';
import { loadBackbone, type LoadBackboneOptions } from './load-backbone.ts';
import { createOrtGemm, ForeignRealmError } from './ort-gemm.ts';

/** Options of the classifier itself; Node brings the matrix engine and the event loop's turns. */
export type NodeClassifierOptions = Pick<ClassifierOptions, 'head' | 'unknownBelow' | 'memory' | 'gemm'>;

export interface CreateClassifierOptions extends NodeClassifierOptions, LoadBackboneOptions {
  /**
   * What sees the pictures: a name or path as for `loadBackbone`, or a backbone that is loaded already. A classifier
   * disposes the backbone that it loaded by name; one passed in can serve several classifiers and stays its owner's.
   * Default: the embedded backbone.
   */
  readonly backbone?: string | Backbone<ImageInput>;
}

/** Options with a backbone of other inputs than pictures. */
export type OtherInputs<Options, Input> = Omit<Options, 'backbone'> & { readonly backbone: Backbone<Input> };

let sharedGemm: Promise<Gemm> | undefined;

/** One matrix engine for the process: its sessions are small, on the CPU, and keep no process alive. */
function processGemm(): Promise<Gemm> {
  sharedGemm ??= createOrtGemm().catch((error: unknown) => {
    if (error instanceof ForeignRealmError) return inForeignRealm();
    sharedGemm = undefined;
    throw error;
  });
  return sharedGemm;
}

function inForeignRealm(): Gemm {
  const what = 'ONNX Runtime cannot multiply in a test runner with typed arrays of its own (Jest, vm)';
  process.emitWarning(`${what}: WebAssembly does, as exactly, several times slower.`, {
    code: 'IMPRINT_FOREIGN_REALM',
  });
  return createWasmGemm(() => nextTurn());
}

/** What core takes from Node. Options that are absent stay absent, so that those saved in a file hold. */
export async function coreOptions(options: NodeClassifierOptions, ownsBackbone: boolean): Promise<ClassifierOptions> {
  return {
    ...(options.head === undefined ? {} : { head: options.head }),
    ...(options.memory === undefined ? {} : { memory: options.memory }),
    ...(options.unknownBelow === undefined ? {} : { unknownBelow: options.unknownBelow }),
    gemm: options.gemm ?? (await processGemm()),
    yieldToHost: () => nextTurn(),
    ownsBackbone,
  };
}

/**
 * A new classifier that knows no class yet.
 *
 *     await using classifier = await createClassifier();
 *     await classifier.addClass('cat', ['cat1.jpg', 'cat2.jpg', 'cat3.jpg']);
 *     await classifier.addClass('dog', ['dog1.jpg', 'dog2.jpg', 'dog3.jpg']);
 *     const { label, confidence } = await classifier.classify('who-is-this.jpg');
 *
 * @throws INVALID_ARGUMENT for an unknown head or device; what `loadBackbone` throws
 */
export async function createClassifier<Label extends string = string>(
  options?: CreateClassifierOptions,
): Promise<Classifier<ImageInput, Label>>;
/** The same on a backbone of other inputs than pictures, such as `readyEmbeddings` or `fromTransformersPipeline`. */
export async function createClassifier<Input, Label extends string = string>(
  options: OtherInputs<CreateClassifierOptions, Input>,
): Promise<Classifier<Input, Label>>;
export async function createClassifier(options: CreateClassifierOptions = {}): Promise<Classifier<ImageInput>> {
  const { backbone: wanted, ...rest } = requireOptions(options);
  const owns = wanted === undefined || typeof wanted === 'string';
  // Side by side with the backbone, which is told first where neither loads.
  const core = coreOptions(rest, owns);
  core.catch(() => undefined);
  const backbone = owns ? await loadBackbone(wanted, rest) : wanted;
  try {
    return new Classifier<ImageInput>(backbone, await core);
  } catch (error) {
    if (owns) await backbone.dispose();
    throw error;
  }
}
