/** Fetches a hub backbone into the cache: revision and digest pinned or locked, one download for all processes. */

import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FieldReader, ImprintError } from '@imprint/core';
import type { AbortSignalLike } from '@imprint/core';
import { downloadFile } from './download-file.ts';
import type { Progress } from './download-file.ts';
import { withLongFileLock } from '../file-lock.ts';
import { downloadFailed, HttpClient } from './http-client.ts';
import type { HttpOptions } from './http-client.ts';
import { hubFile } from './hub-manifest.ts';
import type { HubManifest } from './hub-manifest.ts';
import { cacheFolder, modelFolder, readLock, removeLock, writeLock } from './model-cache.ts';
import type { Environment, LockedFile } from './model-cache.ts';

const HUB_URL = 'https://huggingface.co';

export interface FetchOptions {
  /** Default: the first that the manifest lists. */
  readonly precision?: string;
  readonly signal?: AbortSignalLike;
  readonly onProgress?: (progress: Progress) => void;
  /** Default: by XDG rules and IMPRINT_CACHE. */
  readonly cache?: string;
  /** IMPRINT_CACHE, IMPRINT_OFFLINE, IMPRINT_HUB_URL, HF_ENDPOINT and proxies. Default: process.env. */
  readonly environment?: Environment;
  readonly http?: Omit<HttpOptions, 'environment'>;
}

export interface FetchedModel {
  readonly path: string;
  readonly precision: string;
  readonly locked: LockedFile;
  /** True where nothing had to be downloaded by this call. */
  readonly wasCached: boolean;
}

/** The hub, or its mirror: `IMPRINT_HUB_URL`, else `HF_ENDPOINT`. */
export function hubUrl(environment: Environment): string {
  return (environment['IMPRINT_HUB_URL'] || environment['HF_ENDPOINT'] || HUB_URL).replace(/\/+$/, '');
}

export function isOffline(environment: Environment): boolean {
  return ['1', 'true', 'yes', 'on'].includes((environment['IMPRINT_OFFLINE'] ?? '').toLowerCase());
}

async function hasSize(path: string, sizeBytes: number): Promise<boolean> {
  return stat(path).then(
    (found) => found.size === sizeBytes,
    () => false,
  );
}

const sha = (digits: number) => (value: unknown) =>
  typeof value === 'string' && new RegExp(`^[0-9a-f]{${digits}}$`).test(value);

/** Asks the hub for the commit of `main`, and for size and SHA-256 that it declares for `file` at a commit. */
async function askHub(
  client: HttpClient,
  base: string,
  manifest: HubManifest,
  file: string,
  signal: AbortSignalLike | undefined,
): Promise<LockedFile> {
  const api = `${base}/api/models/${manifest.repository}`;
  let { revision } = manifest;
  if (revision === null) {
    const url = `${api}/revision/main`;
    revision = new FieldReader(await client.json(url, signal), '', url).check<string>('sha', '40 hex digits', sha(40));
  }
  const url = `${api}/tree/${revision}/${dirname(file)}`;
  const entries = await client.json(url, signal);
  const found = Array.isArray(entries)
    ? (entries as unknown[]).find((entry) => (entry as { path?: unknown } | null)?.path === file)
    : undefined;
  if (found === undefined) {
    throw downloadFailed(
      url,
      `a list without ${file}`,
      'The repository has changed: choose another precision, or report this.',
    );
  }
  const fields = new FieldReader(found, file, url);
  if (!fields.has('lfs')) {
    throw downloadFailed(
      url,
      `no SHA-256 for ${file}`,
      'Without a digest the file cannot be trusted: download it by hand and pass its path.',
    );
  }
  const lfs = fields.child('lfs');
  return {
    repository: manifest.repository,
    revision,
    sizeBytes: lfs.positiveInteger('size'),
    sha256: lfs.check('oid', '64 hex digits', sha(64)),
  };
}

/** Holds a file, as locked in the cache or declared by the hub, against what the manifest pins. */
function checkPins(manifest: HubManifest, precision: string, found: LockedFile, isLocked: boolean): void {
  const { repository, revision } = manifest;
  const { file, sizeBytes, sha256 } = manifest.files[precision];
  const pins = { repository, revision, sizeBytes, sha256 };
  for (const name of Object.keys(pins) as (keyof typeof pins)[]) {
    const pinned = pins[name];
    if (pinned === null || pinned === found[name]) continue;
    const where = isLocked ? 'locked in the cache' : 'declared by the hub';
    const next = isLocked
      ? `Run \`imprint models remove ${manifest.name} --unlock\` and fetch again.`
      : 'The file was replaced: do not use it, and report this.';
    throw downloadFailed(
      `${repository}/${file}`,
      `${name} ${found[name]} ${where} where ${pinned} is pinned in the manifest`,
      next,
    );
  }
}

/** What the file must be: as locked before, as the manifest pins it, and else as the hub declares it. */
async function resolveFile(
  client: HttpClient,
  base: string,
  manifest: HubManifest,
  precision: string,
  locked: LockedFile | undefined,
  signal: AbortSignalLike | undefined,
): Promise<LockedFile> {
  if (locked) return locked;
  const { repository, revision } = manifest;
  const { file, sizeBytes, sha256 } = manifest.files[precision];
  if (revision !== null && sha256 !== null && sizeBytes !== null) return { repository, revision, sizeBytes, sha256 };
  const declared = await askHub(client, base, manifest, file, signal);
  checkPins(manifest, precision, declared, false);
  return declared;
}

/**
 * Fetches one precision of a hub backbone, or finds it in the cache.
 *
 * The first fetch locks commit, size and SHA-256 in the cache; every later one, also after `removeModel`, must match.
 * Several processes that fetch the same backbone share one download. What a break leaves is continued.
 * @throws DOWNLOAD_FAILED, FILE_UNWRITABLE, BACKBONE_NOT_FOUND (no such precision), or the signal's reason
 */
export async function fetchModel(manifest: HubManifest, options: FetchOptions = {}): Promise<FetchedModel> {
  const { environment = process.env, signal, onProgress } = options;
  const cache = options.cache ?? cacheFolder(environment);
  const { precision, file } = hubFile(manifest, options.precision);
  const folder = modelFolder(cache, manifest.name);
  const path = join(folder, ...file.file.split('/'));
  const known = (await readLock(cache, manifest.name)).get(file.file);
  if (known) {
    checkPins(manifest, precision, known, true);
    if (await hasSize(path, known.sizeBytes)) return { path, precision, locked: known, wasCached: true };
  }
  const base = hubUrl(environment);
  if (isOffline(environment)) {
    throw downloadFailed(
      `${manifest.repository}/${file.file}`,
      'IMPRINT_OFFLINE',
      `It is not in ${folder}: fetch it once with the network (\`imprint models fetch ${manifest.name}\`), or use imprint-tiny.`,
    );
  }
  try {
    await mkdir(dirname(path), { recursive: true });
  } catch (cause) {
    throw new ImprintError(
      'FILE_UNWRITABLE',
      `Expected to create ${dirname(path)}, got ${cause}. Set IMPRINT_CACHE to a folder that can be written.`,
      { cause },
    );
  }
  const client = new HttpClient({ ...options.http, environment });
  let wasCached = true;
  try {
    const isDone = async (): Promise<boolean> => {
      const locked = (await readLock(cache, manifest.name)).get(file.file);
      return locked !== undefined && (await hasSize(path, locked.sizeBytes));
    };
    const work = async (): Promise<void> => {
      const locked = await resolveFile(
        client,
        base,
        manifest,
        precision,
        (await readLock(cache, manifest.name)).get(file.file),
        signal,
      );
      const url = `${base}/${manifest.repository}/resolve/${locked.revision}/${file.file}`;
      const { sizeBytes, sha256 } = locked;
      await downloadFile(
        client,
        { url, path, sizeBytes, sha256 },
        { ...(signal && { signal }), ...(onProgress && { onProgress }) },
      );
      await writeLock(cache, manifest.name, file.file, locked);
      wasCached = false;
    };
    // One lock a backbone, not a file: its record of locked files has one writer at a time.
    await withLongFileLock(`${folder}.lock`, isDone, work, signal);
  } finally {
    await client.close();
  }
  const locked = (await readLock(cache, manifest.name)).get(file.file) as LockedFile;
  return { path, precision, locked, wasCached };
}

/** Which precisions of `manifest` lie whole in the cache, with what they are locked to. */
export async function cachedPrecisions(
  manifest: HubManifest,
  options: Pick<FetchOptions, 'cache' | 'environment'> = {},
): Promise<Map<string, LockedFile & { path: string }>> {
  const cache = options.cache ?? cacheFolder(options.environment);
  const lock = await readLock(cache, manifest.name);
  const cached = new Map<string, LockedFile & { path: string }>();
  for (const [precision, { file }] of Object.entries(manifest.files)) {
    const locked = lock.get(file);
    const path = join(modelFolder(cache, manifest.name), ...file.split('/'));
    if (locked && (await hasSize(path, locked.sizeBytes))) cached.set(precision, { ...locked, path });
  }
  return cached;
}

/** The same, or why it cannot be told: an unreadable cache keeps nobody from what else there is to say. */
export async function whatIsCached(
  manifest: HubManifest,
  options: Pick<FetchOptions, 'cache' | 'environment'> = {},
): Promise<{ readonly cached: Awaited<ReturnType<typeof cachedPrecisions>>; readonly error?: string }> {
  try {
    return { cached: await cachedPrecisions(manifest, options) };
  } catch (error) {
    if (!(error instanceof ImprintError)) throw error;
    return { cached: new Map(), error: error.message };
  }
}

/**
 * Removes a backbone's files from the cache; what they were locked to stays unless `unlock`.
 * @returns the bytes that were freed
 */
export async function removeModel(
  name: string,
  options: { unlock?: boolean; cache?: string; environment?: Environment } = {},
): Promise<number> {
  const cache = options.cache ?? cacheFolder(options.environment);
  const folder = modelFolder(cache, name);
  let freedBytes = 0;
  const remove = async (): Promise<void> => {
    const entries = await readdir(folder, { recursive: true }).catch(() => []);
    for (const entry of entries) {
      const found = await stat(join(folder, entry)).catch(() => undefined);
      if (found?.isFile()) freedBytes += found.size;
    }
    await rm(folder, { recursive: true, force: true });
    if (options.unlock) await removeLock(cache, name);
  };
  await mkdir(dirname(folder), { recursive: true });
  await withLongFileLock(`${folder}.lock`, () => Promise.resolve(false), remove);
  return freedBytes;
}
