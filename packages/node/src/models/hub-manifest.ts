/** Backbones of the hub by name: what repository and file each is, and how its picture and its taps are made. */

import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { FieldReader, ImprintError, parseInput } from '@imprint/core';
import type { ManifestInput } from '@imprint/core';
import { ownFile } from '../own-files.ts';

/** One precision of a hub backbone. What is null is asked of the hub at the first fetch and locked then. */
export interface HubFile {
  /** Path in the repository. */
  readonly file: string;
  readonly sizeBytes: number | null;
  readonly sha256: string | null;
}

/** Which of the last layer's vectors make the best single embedding. */
export type HubPooling = 'cls' | 'mean' | 'cls+mean' | 'none';

export interface HubManifest {
  readonly name: string;
  readonly version: 1;
  /** `owner/name` at the hub. */
  readonly repository: string;
  /** The commit, 40 hex digits; null where it is resolved at the first fetch. */
  readonly revision: string | null;
  readonly licence: string;
  readonly files: Readonly<Record<string, HubFile>>;
  readonly input: ManifestInput;
  readonly output: {
    readonly pooling: HubPooling;
    /** The output to take as it is, where `pooling` is `none`. */
    readonly tensor?: string;
    readonly dim: number;
  };
}

const isHex = (digits: number, value: unknown): boolean =>
  typeof value === 'string' && new RegExp(`^[0-9a-f]{${digits}}$`).test(value);

/** Reads and checks a hub manifest. Throws BACKBONE_INVALID naming the first field that does not fit. */
export function parseHubManifest(text: string, where: string): HubManifest {
  const fields = new FieldReader(JSON.parse(text), '', where);
  fields.check('version', '1 (the version this release reads)', (value) => value === 1);
  const files = fields.child('files');
  const output = fields.child('output');
  const pooling = output.oneOf<HubPooling>('pooling', ['cls', 'mean', 'cls+mean', 'none']);
  return {
    name: fields.check(
      'name',
      'lower-case letters, digits and hyphens',
      (v) => typeof v === 'string' && /^[a-z0-9][a-z0-9-]*$/.test(v),
    ),
    version: 1,
    repository: fields.check('repository', 'owner/name', (v) => typeof v === 'string' && /^[\w.-]+\/[\w.-]+$/.test(v)),
    revision: fields.check('revision', '40 hex digits or null', (v) => v === null || isHex(40, v)),
    licence: fields.text('licence'),
    files: Object.fromEntries(
      Object.keys(files.object).map((precision) => {
        const file = files.child(precision);
        return [
          precision,
          {
            file: file.check<string>(
              'file',
              'an .onnx file under onnx/',
              (v) => typeof v === 'string' && /^onnx\/[\w.-]+\.onnx$/.test(v),
            ),
            sizeBytes: file.check<number | null>(
              'sizeBytes',
              'a positive integer or null',
              (v) => v === null || (Number.isSafeInteger(v) && (v as number) > 0),
            ),
            sha256: file.check<string | null>('sha256', '64 hex digits or null', (v) => v === null || isHex(64, v)),
          },
        ];
      }),
    ),
    input: parseInput(fields.child('input')),
    output: {
      pooling,
      ...(pooling === 'none' && { tensor: output.text('tensor') }),
      dim: output.positiveInteger('dim'),
    },
  };
}

/** The build copies the manifests beside this file; from source they are read where they are kept. */
function manifestPaths(): { folder: string; fileOf: (name: string) => string } {
  const built = ownFile('models/manifests');
  if (existsSync(built)) return { folder: built, fileOf: (name) => join(built, name) };
  const source = ownFile('../../../models');
  return { folder: source, fileOf: (name) => join(source, name, 'manifest.json') };
}

/** The hub backbones that Imprint knows, by name, in alphabetical order. */
export async function listHubManifests(): Promise<Map<string, HubManifest>> {
  const { folder, fileOf } = manifestPaths();
  const manifests = new Map<string, HubManifest>();
  for (const entry of (await readdir(folder)).sort()) {
    const path = fileOf(entry);
    if (!existsSync(path)) continue;
    const text = await readFile(path, 'utf8');
    // The embedded backbone's manifest, in the source tree's same folder, names no repository.
    if (!('repository' in (JSON.parse(text) as object))) continue;
    const manifest = parseHubManifest(text, path);
    manifests.set(manifest.name, manifest);
  }
  return manifests;
}

/** The file of `manifest` in `precision`, by default the first it lists. */
export function hubFile(manifest: HubManifest, precision: string | undefined): { precision: string; file: HubFile } {
  const wanted = precision ?? Object.keys(manifest.files)[0];
  const file = Object.hasOwn(manifest.files, wanted) ? manifest.files[wanted] : undefined;
  if (file === undefined) {
    throw new ImprintError(
      'BACKBONE_NOT_FOUND',
      `Expected a precision that ${manifest.name} comes in, got "${wanted}". It comes in ${Object.keys(manifest.files).join(', ')}.`,
    );
  }
  return { precision: wanted, file };
}
