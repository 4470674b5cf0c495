/** A backbone's manifest: what file the model is, what picture it wants, and which of its tensors become taps. */

import type { BackboneIdentity, Preprocessing, Resample, SameClassCosines } from '../backbone.ts';
import { ImprintError } from '../errors.ts';
import { FieldReader } from './field-reader.ts';
import { parseSameClass } from './parse-same-class.ts';
import { MOST_NUMBERS } from '../memory/codes.ts';

/** How a tap's vector comes from its tensor: the class token, the mean of the patch tokens, or the tensor as it is. */
export type Pooling = 'cls' | 'mean' | 'none';

/** One file of a model: another precision, or the only one. */
export interface ManifestFile {
  /** Path inside the manifest's folder, with `/`. */
  readonly file: string;
  readonly sizeBytes: number;
  /** 64 lower-case hex digits. */
  readonly sha256: string;
  readonly url?: string;
}

export interface TensorTap {
  readonly name: string;
  /** A tensor of the graph, batch x tokens x dim for `cls` and `mean`, batch x dim for `none`. */
  readonly tensor: string;
  readonly pooling: Pooling;
  /** Tokens before the first patch (class token, registers), which `mean` leaves out. Default 0. */
  readonly prefixTokens?: number;
}

/** One graph output holds all taps: batch x taps x dim, or batch x dim where there is one. */
export interface StackedOutput {
  readonly name: string;
  readonly taps: readonly { readonly name: string }[];
  readonly dim: number;
}

/** Each tap is pooled from a tensor of its own; several may share one. */
export interface TensorOutput {
  readonly name?: undefined;
  readonly taps: readonly TensorTap[];
  readonly dim: number;
}

export type ManifestOutput = StackedOutput | TensorOutput;

export interface ManifestInput extends Preprocessing {
  /** The graph's input, float32, batch x 3 x size x size. */
  readonly name: string;
}

export interface Manifest extends ManifestFile {
  readonly name: string;
  readonly version: 1;
  /** The commit that `url` stands for, where there is one. */
  readonly revision?: string;
  /** An SPDX expression, or a sentence. */
  readonly licence: string;
  readonly input: ManifestInput;
  readonly output: ManifestOutput;
  /** What the f32 model gives for the canary picture: taps x dim values. */
  readonly canary?: { readonly embedding: readonly number[] };
  /** How alike pictures of one class are to it: for novelty while examples are few. */
  readonly sameClass?: SameClassCosines;
  /** Further precisions of the same model, by name (`fp16`, `int8`); the top level is the default. */
  readonly variants?: Readonly<Record<string, ManifestFile>>;
}

/** A path that stays in its folder: relative, with `/`, no `..`, no drive, no empty part. */
function isInnerPath(value: unknown): boolean {
  if (
    typeof value !== 'string' ||
    value === '' ||
    value.includes('\\') ||
    value.includes('\0') ||
    /^[a-z]:/i.test(value)
  ) {
    return false;
  }
  return value.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

function parseFile(fields: FieldReader): ManifestFile {
  const url = fields.optionalText('url');
  return {
    file: fields.check('file', 'a path inside the folder', isInnerPath),
    sizeBytes: fields.positiveInteger('sizeBytes'),
    sha256: fields.check(
      'sha256',
      '64 lower-case hex digits',
      (v) => typeof v === 'string' && /^[0-9a-f]{64}$/.test(v),
    ),
    ...(url !== undefined && { url }),
  };
}

function parseChannels(fields: FieldReader, key: 'mean' | 'std'): readonly [number, number, number] {
  const low = key === 'mean' ? 'from 0 to 1' : 'above 0, at most 1';
  return fields.check(key, `three numbers ${low}`, (value) => {
    if (!Array.isArray(value) || value.length !== 3) return false;
    return value.every((x) => typeof x === 'number' && x <= 1 && (key === 'mean' ? x >= 0 : x > 0));
  });
}

/** Pixels a side that a model may take: its input is 200 MB then. */
const MOST_SIZE = 4096;

/** The manifest's `input` object. */
export function parseInput(fields: FieldReader): ManifestInput {
  const isSize = (v: unknown): boolean => Number.isSafeInteger(v) && (v as number) >= 1 && (v as number) <= MOST_SIZE;
  const size = fields.check<number>('size', `an integer from 1 to ${MOST_SIZE}`, isSize);
  return {
    name: fields.text('name'),
    size,
    resize: fields.check(
      'resize',
      `an integer from size (${size}) to ${MOST_SIZE}`,
      (v) => isSize(v) && (v as number) >= size,
    ),
    resample: fields.oneOf<Resample>('resample', ['bicubic', 'bilinear']),
    mean: parseChannels(fields, 'mean'),
    std: parseChannels(fields, 'std'),
  };
}

function parseOutput(fields: FieldReader): ManifestOutput {
  const name = fields.optionalText('name');
  const dim = fields.positiveInteger('dim');
  const entries = fields.list('taps', 'a list of at least one tap');
  const isNarrow = (v: unknown): boolean => (v as number) * entries.length <= MOST_NUMBERS;
  fields.check<number>('dim', `at most ${MOST_NUMBERS} numbers with all taps`, isNarrow);
  const readers = entries.map((entry, i) => new FieldReader(entry, `${fields.path}.taps[${i}]`, fields.where));
  const seen = new Set<string>();
  for (const reader of readers) {
    const tap = reader.text('name');
    if (seen.has(tap)) throw reader.error('name', 'a name that no earlier tap has', tap);
    seen.add(tap);
  }
  if (name !== undefined) return { name, taps: readers.map((reader) => ({ name: reader.text('name') })), dim };
  return {
    taps: readers.map((reader) => ({
      name: reader.text('name'),
      tensor: reader.text('tensor'),
      pooling: reader.oneOf<Pooling>('pooling', ['cls', 'mean', 'none']),
      ...(reader.has('prefixTokens') && {
        prefixTokens: reader.check<number>(
          'prefixTokens',
          'an integer of at least 0',
          (v) => Number.isSafeInteger(v) && (v as number) >= 0,
        ),
      }),
    })),
    dim,
  };
}

/**
 * Reads and checks a manifest.
 * @param text JSON
 * @param where the file, for error messages
 * @throws BACKBONE_INVALID naming the first field that does not fit
 */
export function parseManifest(text: string, where: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (cause) {
    throw new ImprintError(
      'BACKBONE_INVALID',
      `Expected JSON in ${where}, got text that is not: ${cause instanceof Error ? cause.message : cause}. Restore the manifest, or let \`imprint models inspect\` propose one.`,
      { cause },
    );
  }
  const fields = new FieldReader(json, '', where);
  fields.check('version', '1 (the version this release reads)', (value) => value === 1);
  const output = parseOutput(fields.child('output'));
  const values = output.taps.length * output.dim;
  const revision = fields.optionalText('revision');
  const isFinite = (value: unknown): boolean =>
    Array.isArray(value) && value.length === values && value.every((x) => typeof x === 'number' && Number.isFinite(x));
  const variants = fields.has('variants') ? fields.child('variants') : undefined;
  return {
    name: fields.text('name'),
    version: 1,
    ...parseFile(fields),
    ...(revision !== undefined && { revision }),
    licence: fields.text('licence'),
    input: parseInput(fields.child('input')),
    output,
    ...(fields.has('canary') && {
      canary: {
        embedding: fields
          .child('canary')
          .check<number[]>(
            'embedding',
            `${values} finite numbers (${output.taps.length} taps x ${output.dim})`,
            isFinite,
          ),
      },
    }),
    ...(fields.has('sameClass') && { sameClass: parseSameClass(fields.child('sameClass')) }),
    ...(variants !== undefined && {
      variants: Object.fromEntries(Object.keys(variants.object).map((key) => [key, parseFile(variants.child(key))])),
    }),
  };
}

/** The preprocessing that a manifest's input asks for, without the input's name. */
export function preprocessingOf(manifest: Manifest): Preprocessing {
  const { size, resize, resample, mean, std } = manifest.input;
  return { size, resize, resample, mean, std };
}

/** What a snapshot remembers of the manifest's backbone. @param sha256 the model file's digest, 64 hex digits */
export function identityOf(manifest: Manifest, sha256: string): BackboneIdentity {
  const { name, output } = manifest;
  const taps = output.taps.map((tap) => tap.name);
  return { name, sha256, dim: output.dim, taps, preprocessing: preprocessingOf(manifest) };
}
