/** Takes the first device that loads the model and answers its canary picture right, and says why not the others. */

import { ImprintError, type ReadyModel } from '@imprint/core';
import type { AssetUrls, EngineName } from '../protocol.ts';
import type { Device, DeviceReport } from '../web-classifier.ts';
import { BackboneSession } from './backbone-session.ts';
import { loadEngine, type Engine } from './engine.ts';

export interface DeviceAttempt {
  readonly device: Device;
  readonly reason: string;
}

export interface ChosenDevice {
  readonly session: BackboneSession;
  readonly report: DeviceReport;
}

const engines = new Map<EngineName, Promise<Engine>>();

/** One engine of each build in a worker: its WASM is loaded once. */
function engineNamed(name: EngineName, assets: AssetUrls, numThreads: number | undefined): Promise<Engine> {
  let engine = engines.get(name);
  if (engine === undefined) {
    engine = loadEngine(name, assets.engines[name], numThreads);
    engines.set(name, engine);
    engine.catch(() => engines.delete(name));
  }
  return engine;
}

/** `wasm, 2 threads (webgpu: no adapter)` */
export function deviceReport(session: BackboneSession, others: readonly DeviceAttempt[]): DeviceReport {
  const { device } = session;
  const { numThreads } = session.engine;
  const words = device === 'wasm' ? `wasm, ${numThreads} ${numThreads === 1 ? 'thread' : 'threads'}` : device;
  const why = others.map(({ device: other, reason }) => `${other}: ${reason}`).join('; ');
  return { device, numThreads, inWords: why === '' ? words : `${words} (${why})` };
}

/** Loads the model on one device; the engine comes while the model is on its way. @throws DEVICE_UNAVAILABLE, DEVICE_INACCURATE, BACKBONE_INVALID, BACKBONE_NOT_FOUND, UNSUPPORTED */
export async function openOn(
  device: Device,
  model: ReadyModel | Promise<ReadyModel>,
  assets: AssetUrls,
  numThreads: number | undefined,
): Promise<BackboneSession> {
  const name = device === 'wasm' ? 'wasm' : webgpuBuild();
  const [ready, engine] = await Promise.all([model, engineNamed(name, assets, numThreads)]);
  return BackboneSession.open(ready, device, engine);
}

/** The smaller build where the browser can suspend WASM itself. */
function webgpuBuild(): EngineName {
  return 'Suspending' in WebAssembly ? 'jspi' : 'asyncify';
}

/**
 * @param wanted `auto` tries webgpu, then wasm; a software adapter is slower than WASM and only taken by name
 * @throws what the only or last device throws
 */
export async function chooseDevice(
  wanted: Device | 'auto',
  model: Promise<ReadyModel>,
  assets: AssetUrls,
  numThreads: number | undefined,
): Promise<ChosenDevice> {
  const others: DeviceAttempt[] = [];
  if (wanted !== 'wasm') {
    const missing = await missingAdapter(wanted === 'auto');
    if (missing === undefined) {
      try {
        const session = await openOn('webgpu', model, assets, numThreads);
        return { session, report: deviceReport(session, others) };
      } catch (error) {
        if (wanted === 'webgpu') throw error;
        others.push({ device: 'webgpu', reason: shortReason(error) });
      }
    } else if (wanted === 'webgpu') {
      const message = `Expected webgpu to be available, got: ${missing}. Use device 'auto' or 'wasm'.`;
      throw new ImprintError('DEVICE_UNAVAILABLE', message);
    } else {
      others.push({ device: 'webgpu', reason: missing });
    }
  }
  const session = await openOn('wasm', model, assets, numThreads);
  return { session, report: deviceReport(session, others) };
}

/** What this module needs of WebGPU's types, which TypeScript's DOM library does not have yet. */
interface Gpu {
  requestAdapter(): Promise<{ readonly info?: { readonly isFallbackAdapter?: boolean } } | null>;
}

/** Why WebGPU cannot work here; undefined where there is an adapter. */
async function missingAdapter(hardwareOnly: boolean): Promise<string | undefined> {
  const { gpu } = navigator as Navigator & { readonly gpu?: Gpu };
  if (gpu === undefined) {
    return globalThis.isSecureContext ? 'this browser has none' : 'only on secure pages (https or localhost)';
  }
  try {
    const adapter = await gpu.requestAdapter();
    if (adapter === null) return 'no adapter';
    if (hardwareOnly && adapter.info?.isFallbackAdapter === true) return 'only a software adapter';
    return undefined;
  } catch (error) {
    return shortReason(error);
  }
}

export function shortReason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  if (/the GPU was lost|mapAsync|device (is|was) lost/i.test(message)) return 'the GPU was lost';
  if (/out of memory/i.test(message)) return 'out of memory';
  const reason = /got: (.*?)\. Use /s.exec(message)?.[1] ?? message;
  return reason.length > 120 ? `${reason.slice(0, 117)}...` : reason;
}
