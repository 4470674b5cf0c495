/** SwiftShader as the GPU of tests in Node: Debian's Chromium brings its driver, the package libvulkan1 Vulkan's loader. */

import { existsSync } from 'node:fs';

const DRIVER = '/usr/lib/chromium/vk_swiftshader_icd.json';

/**
 * Points Vulkan at SwiftShader in this process, before ONNX Runtime first asks for an adapter.
 * @returns whether its driver is there (or another was named), so that WebGPU is expected to open
 */
export function useSoftwareGpu(): boolean {
  if (process.env['VK_DRIVER_FILES'] === undefined && existsSync(DRIVER)) process.env['VK_DRIVER_FILES'] = DRIVER;
  return process.env['VK_DRIVER_FILES'] !== undefined;
}
