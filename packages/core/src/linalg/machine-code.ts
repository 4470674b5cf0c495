/** WebAssembly as core uses it: machine code written as hex digits, and memory that grows. */

/** What ES2023's library does not declare. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports?: object) => { readonly exports: unknown };
  Memory: new (size: { initial: number }) => WasmMemory;
};

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

const PAGE_BYTES = 65_536;

/**
 * Compiles machine code. Hex digits repeat where the code does, so gzip makes less of them than of base64.
 * @throws where the engine has no WebAssembly SIMD, or a page's policy forbids compiling
 */
export function compiled(hex: string): object {
  return new WebAssembly.Module(Uint8Array.from(hex.match(/../g)!, (byte) => Number.parseInt(byte, 16)));
}

/** The exports of an instance; the caller knows what they are. */
export function instantiated(module: object, memory?: WasmMemory): unknown {
  return new WebAssembly.Instance(module, { env: { memory } }).exports;
}

/** At least that many zeros. @throws where the engine has no more */
export function zeroedMemory(sizeBytes: number): WasmMemory {
  return new WebAssembly.Memory({ initial: Math.ceil(sizeBytes / PAGE_BYTES) });
}

/** Makes a memory at least that large; views of it are made after this. @throws where the engine has no more */
export function growTo(memory: WasmMemory, sizeBytes: number): void {
  const missing = sizeBytes - memory.buffer.byteLength;
  if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
}
