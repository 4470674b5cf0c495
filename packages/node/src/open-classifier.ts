/** The door to a saved classifier: open it, save it, or change its file without losing another process's change. */

import { Classifier, expected, ImprintError, requireOptions, snapshotIdentity } from '@imprint/core';
import type { Backbone, BackboneIdentity, Store } from '@imprint/core';
import { coreOptions, type NodeClassifierOptions, type OtherInputs } from './create-classifier.ts';
import { fileStore } from './file-store.ts';
import type { ImageInput } from './image-input.ts';
import { loadBackbone, type LoadBackboneOptions, type NodeBackbone } from './load-backbone.ts';

export interface OpenClassifierOptions extends Omit<NodeClassifierOptions, 'memory'>, LoadBackboneOptions {
  /**
   * As for `createClassifier`; default the backbone that the file names. `null` opens the file without one: classes can be
   * listed, removed, renamed and merged, and the head reports, but no picture can be learned or classified.
   */
  readonly backbone?: string | Backbone<ImageInput> | null;
}

/** A name that a file may ask for. Paths are the caller's to give, never a file's. */
const PLAIN_NAME = /^[\w][\w.-]*$/;

/**
 * The classifier saved at `path`. Options given here win over the saved ones.
 *
 *     await using classifier = await openClassifier('pets.imprint');
 *     const { label, confidence } = await classifier.classify('who-is-this.jpg');
 *
 * @throws FILE_NOT_FOUND where there is none, FILE_UNREADABLE, SNAPSHOT_INVALID, SNAPSHOT_VERSION, BACKBONE_MISMATCH, BACKBONE_NOT_FOUND
 *   where the named backbone is not here; what `loadBackbone` throws
 */
export async function openClassifier<Label extends string = string>(
  path: string,
  options?: OpenClassifierOptions,
): Promise<Classifier<ImageInput, Label>>;
/** The same on a backbone of other inputs than pictures, such as `readyEmbeddings`. */
export async function openClassifier<Input, Label extends string = string>(
  path: string,
  options: OtherInputs<OpenClassifierOptions, Input>,
): Promise<Classifier<Input, Label>>;
export async function openClassifier(
  path: string,
  options: OpenClassifierOptions = {},
): Promise<Classifier<ImageInput>> {
  return restore(fileStore(path), options);
}

/** Saves a classifier at `path`: a crash leaves the old file or the new one. @throws FILE_UNWRITABLE, FILE_BUSY */
export async function saveClassifier(classifier: { save(store: Store): Promise<void> }, path: string): Promise<void> {
  const isClassifier = typeof (classifier as Partial<typeof classifier> | null)?.save === 'function';
  if (!isClassifier) throw expected('classifier', 'a Classifier', classifier);
  const store = fileStore(path);
  await store.exclusively(() => classifier.save(store));
}

/**
 * Opens the file, changes the classifier and saves it, while no other process writes that file: of two that add to one
 * file at once, neither loses what the other added. Where `change` throws, the file stays as it was.
 *
 *     await updateClassifier('pets.imprint', {}, (classifier) => classifier.addClass('owl', owlPhotos));
 *
 * @param change gets the classifier, which is disposed afterwards; what it returns is returned
 * @throws FILE_BUSY where another process keeps the file too long; what `openClassifier` throws
 */
export async function updateClassifier<Result, Label extends string = string>(
  path: string,
  options: OpenClassifierOptions,
  change: (classifier: Classifier<ImageInput, Label>) => Result | Promise<Result>,
): Promise<Result>;
/** The same on a backbone of other inputs than pictures. */
export async function updateClassifier<Result, Input, Label extends string = string>(
  path: string,
  options: OtherInputs<OpenClassifierOptions, Input>,
  change: (classifier: Classifier<Input, Label>) => Result | Promise<Result>,
): Promise<Result>;
export async function updateClassifier<Result>(
  path: string,
  options: OpenClassifierOptions,
  change: (classifier: Classifier<ImageInput>) => Result | Promise<Result>,
): Promise<Result> {
  if (typeof change !== 'function') throw expected('change', 'a function that changes the classifier', change);
  const store = fileStore(path);
  return store.exclusively(async () => {
    await using classifier = await restore(store, options);
    const result = await change(classifier);
    await classifier.save(store);
    return result;
  });
}

async function restore(store: Store, options: OpenClassifierOptions): Promise<Classifier<ImageInput>> {
  const bytes = await store.read();
  if (bytes === undefined) {
    throw new ImprintError(
      'FILE_NOT_FOUND',
      `Expected a classifier at ${store.location}, found no file. Check the path, or learn one first.`,
    );
  }
  const { backbone: wanted, ...rest } = requireOptions(options);
  const identity = (): BackboneIdentity => ofFile(store.location, () => snapshotIdentity(bytes));
  const owns = wanted === undefined || typeof wanted === 'string';
  // Side by side with the backbone, which is told first where neither loads.
  const core = coreOptions(rest, owns);
  core.catch(() => undefined);
  const backbone: Backbone<ImageInput> = owns
    ? await loadFor(identity(), wanted, store.location, rest)
    : (wanted ?? absentBackbone(identity()));
  try {
    const ready = await core;
    return ofFile(store.location, () => Classifier.restore<ImageInput>(bytes, backbone, ready));
  } catch (error) {
    if (owns) await backbone.dispose();
    throw error;
  }
}

/** What `read` says of the bytes is said of the file. */
function ofFile<T>(location: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof ImprintError && cause.code === 'SNAPSHOT_INVALID')) throw cause;
    const message = cause.message.replace('got a file that is', `got ${location}, which is`);
    throw new ImprintError('SNAPSHOT_INVALID', message, { cause });
  }
}

async function loadFor(
  identity: BackboneIdentity,
  wanted: string | undefined,
  location: string,
  options: LoadBackboneOptions,
): Promise<NodeBackbone> {
  if (wanted !== undefined) return loadBackbone(wanted, options);
  const missing = (cause?: unknown) =>
    new ImprintError(
      'BACKBONE_NOT_FOUND',
      `Expected the backbone ${JSON.stringify(identity.name)} that ${location} was learned with, found none of that name. Give its folder or file (on the command line: --backbone).`,
      { cause },
    );
  if (!PLAIN_NAME.test(identity.name)) throw missing();
  try {
    return await loadBackbone(identity.name, options);
  } catch (error) {
    throw error instanceof ImprintError && error.code === 'BACKBONE_NOT_FOUND' ? missing(error) : error;
  }
}

/** Stands for a backbone that is not loaded: it has the file's identity and embeds nothing. */
function absentBackbone(identity: BackboneIdentity): Backbone<ImageInput> {
  return {
    identity,
    device: 'none (opened without a backbone)',
    embed() {
      throw new ImprintError(
        'UNSUPPORTED',
        `Expected the backbone ${JSON.stringify(identity.name)} to look at pictures, got a classifier opened without one. Open it with its backbone.`,
      );
    },
    dispose: () => Promise.resolve(),
  };
}
