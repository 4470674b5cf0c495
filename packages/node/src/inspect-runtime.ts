/** What works on this machine and why the rest does not: the facts behind `imprint doctor`. */

import { availableParallelism, cpus } from 'node:os';
import { ImprintError } from '@imprint/core';
import type { AbortSignalLike } from '@imprint/core';
import { DEVICE_ORDER, type Device, type DeviceAttempt } from './device-report.ts';
import { loadBackbone } from './load-backbone.ts';
import { whatIsCached } from './models/fetch-model.ts';
import { listHubManifests } from './models/hub-manifest.ts';
import { cacheFolder } from './models/model-cache.ts';
import { readModel } from './models/read-model.ts';
import { loadSharp } from './native-modules.ts';
import { ownRequire } from './own-files.ts';

export interface RuntimeReport {
  readonly versions: {
    readonly imprint: string;
    /** Of Node, or of the Node that another runtime says it is. */
    readonly node: string;
    /** `Node 22.1.0`, `Bun 1.4.5`, `Deno 2.9.6` */
    readonly runtime: string;
    readonly onnxruntime: string;
    readonly sharp: string;
    readonly libvips: string;
  };
  /** `linux x64` */
  readonly platform: string;
  readonly cpu: { readonly model: string; readonly threads: number };
  /** The backbone that was tried, or why it could not be read. */
  readonly backbone:
    | { readonly name: string; readonly sha256: string; readonly sizeBytes: number }
    | { readonly name: string; readonly error: string };
  /** Each device with the backbone on it: whether its canary picture came out right. Empty where the backbone cannot be read. */
  readonly devices: readonly DeviceAttempt[];
  /** What `device: 'auto'` takes, or null where none works. */
  readonly chosenDevice: Device | null;
  readonly cache: {
    readonly folder: string;
    readonly models: readonly { readonly name: string; readonly precision: string; readonly sizeBytes: number }[];
    /** What keeps it, or the first backbone in it where that fails, from being read; `models` are then those that can. */
    readonly error?: string;
  };
}

/**
 * Tries the backbone on every device.
 * @param nameOrPath as for `loadBackbone`; default the embedded backbone
 */
export async function inspectRuntime(
  nameOrPath?: string,
  options: { readonly signal?: AbortSignalLike } = {},
): Promise<RuntimeReport> {
  const backbone = await inspectBackbone(nameOrPath, options);
  const { devices, chosenDevice } =
    'error' in backbone ? { devices: [], chosenDevice: null } : await inspectDevices(nameOrPath, options);
  return {
    versions: await installedVersions(),
    platform: `${process.platform} ${process.arch}`,
    cpu: { model: cpus()[0]?.model ?? 'unknown', threads: availableParallelism() },
    backbone,
    devices,
    chosenDevice,
    cache: await inspectCache(),
  };
}

async function inspectBackbone(
  nameOrPath: string | undefined,
  options: { readonly signal?: AbortSignalLike },
): Promise<RuntimeReport['backbone']> {
  try {
    const { identity, manifest } = await readModel(nameOrPath, options);
    return { name: identity.name, sha256: identity.sha256, sizeBytes: manifest.sizeBytes };
  } catch (error) {
    if (!(error instanceof ImprintError)) throw error;
    return { name: nameOrPath ?? 'imprint-tiny', error: error.message };
  }
}

async function inspectDevices(
  nameOrPath: string | undefined,
  options: { readonly signal?: AbortSignalLike },
): Promise<{ devices: DeviceAttempt[]; chosenDevice: Device | null }> {
  // `auto` says of the devices before the one it took why not; those after it are asked one by one.
  const automatic = await attempt(nameOrPath, 'auto', options);
  const devices = [...automatic];
  for (const device of DEVICE_ORDER) {
    if (!devices.some((known) => known.device === device))
      devices.push(...(await attempt(nameOrPath, device, options)));
  }
  return { devices, chosenDevice: automatic.find(({ state }) => state === 'taken')?.device ?? null };
}

async function attempt(
  nameOrPath: string | undefined,
  device: Device | 'auto',
  options: { readonly signal?: AbortSignalLike },
): Promise<readonly DeviceAttempt[]> {
  try {
    const backbone = await loadBackbone(nameOrPath, { ...options, device });
    const { attempts } = backbone.deviceReport;
    await backbone.dispose();
    return attempts;
  } catch (error) {
    if (!(error instanceof ImprintError)) throw error;
    const state = error.code === 'DEVICE_INACCURATE' ? 'inaccurate' : 'unavailable';
    return [{ device: device === 'auto' ? 'cpu' : device, state, reason: error.message }];
  }
}

function runtimeInWords({ node, bun, deno }: NodeJS.ProcessVersions): string {
  return bun !== undefined ? `Bun ${bun}` : deno !== undefined ? `Deno ${deno}` : `Node ${node}`;
}

async function installedVersions(): Promise<RuntimeReport['versions']> {
  const require = ownRequire();
  const versionOf = (name: string): string => (require(name) as { version: string }).version;
  const sharp = await loadSharp().catch(() => undefined);
  return {
    imprint: versionOf('../package.json'),
    node: process.versions.node,
    runtime: runtimeInWords(process.versions),
    onnxruntime: versionOf('onnxruntime-node/package.json'),
    sharp: sharp?.versions.sharp ?? 'unknown',
    libvips: sharp?.versions.vips ?? 'unknown',
  };
}

async function inspectCache(): Promise<RuntimeReport['cache']> {
  const models: { name: string; precision: string; sizeBytes: number }[] = [];
  let failure: string | undefined;
  for (const manifest of (await listHubManifests()).values()) {
    const { cached, error } = await whatIsCached(manifest);
    for (const [precision, { sizeBytes }] of cached) models.push({ name: manifest.name, precision, sizeBytes });
    failure ??= error;
  }
  return { folder: cacheFolder(), models, ...(failure !== undefined && { error: failure }) };
}
