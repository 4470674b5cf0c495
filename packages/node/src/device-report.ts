/** Which device a backbone runs on and why not the others: as data, and in words. */

import { constants } from 'node:fs';
import { access, readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ImprintError } from '@imprint/core';
import { ownRequire } from './own-files.ts';

export type Device = 'cpu' | 'cuda' | 'webgpu';

export interface DeviceAttempt {
  readonly device: Device;
  readonly state: 'taken' | 'unavailable' | 'inaccurate';
  /** Why it was not taken, in words. */
  readonly reason?: string;
  /** Smallest cosine over the taps between the canary's stored embedding and this device's, where it ran. */
  readonly canaryCosine?: number;
}

export interface DeviceReport {
  readonly device: Device;
  /** In the order they were tried; those after the one that was taken were not tried. */
  readonly attempts: readonly DeviceAttempt[];
}

/** The order that `auto` tries. */
export const DEVICE_ORDER: readonly Device[] = ['cuda', 'webgpu', 'cpu'];

/** `cpu (cuda: not installed; webgpu: no Vulkan driver)` */
export function deviceInWords({ device, attempts }: DeviceReport): string {
  const others = attempts
    .filter((attempt) => attempt.state !== 'taken')
    .map(({ device, reason }) => `${device}: ${reason}`);
  return others.length === 0 ? device : `${device} (${others.join('; ')})`;
}

/** DEVICE_UNAVAILABLE. `found` is what keeps it from working, in words. */
export function unavailableDevice(device: Device, found: string, cause?: unknown): ImprintError {
  const message = `Expected ${device} to be available, got: ${found}. Run \`imprint doctor\`, or use device 'auto'.`;
  return new ImprintError('DEVICE_UNAVAILABLE', message, { cause });
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * Why a device cannot work here, told from files alone; undefined where only trying tells.
 * ONNX Runtime tells it too, but writes to standard error on its way, which `auto` has no business doing.
 */
export async function missingLibrary(device: Device): Promise<string | undefined> {
  if (device === 'cuda') {
    if (process.platform === 'darwin') return 'not on macOS';
    const runtime = dirname(dirname(ownRequire().resolve('onnxruntime-node')));
    const folder = join(runtime, 'bin', 'napi-v6', process.platform, process.arch);
    const library =
      process.platform === 'win32' ? 'onnxruntime_providers_cuda.dll' : 'libonnxruntime_providers_cuda.so';
    // Another layout of the package: let ONNX Runtime find out.
    if (!(await exists(folder)) || (await exists(join(folder, library)))) return undefined;
    return 'its libraries are not installed (npm rebuild onnxruntime-node --onnxruntime-node-install=true)';
  }
  if (device === 'webgpu' && process.platform === 'linux') return missingVulkan();
  return undefined;
}

async function missingVulkan(): Promise<string | undefined> {
  let known: Buffer;
  try {
    known = await readFile('/etc/ld.so.cache');
  } catch {
    return undefined;
  }
  if (!known.includes('libvulkan.so.1')) {
    const folders = listOf(process.env['LD_LIBRARY_PATH']);
    const found = await Promise.all(folders.map((folder) => exists(join(folder, 'libvulkan.so.1'))));
    if (!found.includes(true)) return 'no Vulkan loader (libvulkan.so.1)';
  }
  if (!(await hasVulkanDriver())) return 'no Vulkan driver';
  return (await hasGpu()) ? undefined : 'no GPU';
}

/** Graphics processors as Linux shows them in /dev: NVIDIA's own driver, WSL, phones and boards; others are render nodes in /dev/dri. */
const GPU_NODE = /^(nvidia(ctl|\d+)|nvmap|nvhost-gpu|dxg|mali\d*|kgsl-3d\d+)$/;

/** Without one there are only drivers that compute on the CPU, slower than ONNX Runtime does; whoever names a driver means it. */
async function hasGpu(): Promise<boolean> {
  const { env } = process;
  if (env['VK_DRIVER_FILES'] ?? env['VK_ICD_FILENAMES'] ?? env['VK_ADD_DRIVER_FILES']) return true;
  const [nodes, cards] = await Promise.all(['/dev', '/dev/dri'].map((folder) => readdir(folder).catch(() => [])));
  return (
    nodes.length === 0 || nodes.some((name) => GPU_NODE.test(name)) || cards.some((name) => name.startsWith('renderD'))
  );
}

/** Whether the loader would find a driver's manifest where it looks (Khronos, Vulkan-Loader, LoaderDriverInterface). */
async function hasVulkanDriver(): Promise<boolean> {
  const { env } = process;
  const named = env['VK_DRIVER_FILES'] ?? env['VK_ICD_FILENAMES'];
  if (named) return (await Promise.all(listOf(named).map(exists))).includes(true);
  const added = await Promise.all(listOf(env['VK_ADD_DRIVER_FILES']).map(exists));
  if (added.includes(true)) return true;
  const home = env['HOME'] ?? '/';
  const roots = [
    env['XDG_CONFIG_HOME'] || join(home, '.config'),
    env['XDG_DATA_HOME'] || join(home, '.local/share'),
    ...listOf(env['XDG_CONFIG_DIRS'] || '/etc/xdg'),
    '/etc',
    '/usr/local/etc',
    ...listOf(env['XDG_DATA_DIRS'] || '/usr/local/share:/usr/share'),
  ];
  const manifests = await Promise.all(roots.map((root) => readdir(join(root, 'vulkan/icd.d')).catch(() => [])));
  return manifests.some((names) => names.some((name) => name.endsWith('.json')));
}

function listOf(paths: string | undefined): string[] {
  return (paths ?? '').split(':').filter(Boolean);
}
