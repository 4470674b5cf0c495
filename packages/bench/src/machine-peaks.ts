/** What this machine can do at most, measured on the spot: matrix products and memory, so that a figure has its limit beside it. */

import { createOrtGemm } from '@imprint/node';
import { median } from './measure.ts';
import { PythonPeer } from './python-peer.ts';

export interface MachinePeaks {
  /** ONNX Runtime's Gemm, 1,024 cubed (f32: 2,048), GFLOP/s. */
  readonly gemmF32: number;
  readonly gemmF64: number;
  /** NumPy's product (OpenBLAS), the same sizes; 0 where there is no NumPy. */
  readonly numpyF32: number;
  readonly numpyF64: number;
  /** GB/s of one thread reading 256 MiB (NumPy's `max` of 64-bit integers); 0 where there is no NumPy. */
  readonly readGBps: number;
  /** GB/s of one thread copying 256 MiB, bytes read and bytes written both counted. */
  readonly copyGBps: number;
}

// No powers of two: ONNX Runtime's products of such are a fourth slower.
const ORDER_F32 = 1920;
const ORDER_F64 = 1200;
const MEMORY_BYTES = 2 ** 28;
const ROUNDS = 5;

const SOURCE = `
a32 = np.sin(np.arange(${ORDER_F32} ** 2, dtype="float32")).reshape(${ORDER_F32}, -1)
a64 = np.sin(np.arange(${ORDER_F64} ** 2, dtype="float64")).reshape(${ORDER_F64}, -1)
memory = np.arange(${MEMORY_BYTES / 8}, dtype="int64")
def f32(): a32 @ a32
def f64(): a64 @ a64
def read(): memory.max()
`;

/** Runs each once to warm up, then takes medians; some five seconds and 1 GB. */
export async function measurePeaks(): Promise<MachinePeaks> {
  const gemm = await createOrtGemm();
  const a32 = Float32Array.from({ length: ORDER_F32 ** 2 }, (_, i) => Math.sin(i));
  const a64 = Float64Array.from({ length: ORDER_F64 ** 2 }, (_, i) => Math.sin(i));
  const from = new Uint8Array(MEMORY_BYTES).fill(1);
  const to = new Uint8Array(MEMORY_BYTES);
  const timed = async (action: () => unknown): Promise<number> => {
    const start = performance.now();
    await action();
    return performance.now() - start;
  };
  const python = await PythonPeer.start(SOURCE).catch(() => undefined);
  const times = { gemmF32: [], gemmF64: [], copy: [], f32: [], f64: [], read: [] } as Record<string, number[]>;
  for (let round = -1; round < ROUNDS; round++) {
    const of = {
      gemmF32: await timed(() => gemm.f32(a32, a32, { m: ORDER_F32, n: ORDER_F32, k: ORDER_F32 })),
      gemmF64: await timed(() => gemm.f64(a64, a64, { m: ORDER_F64, n: ORDER_F64, k: ORDER_F64 })),
      copy: await timed(() => to.set(from)),
      f32: (await python?.run('f32'))?.milliseconds ?? Infinity,
      f64: (await python?.run('f64'))?.milliseconds ?? Infinity,
      read: (await python?.run('read'))?.milliseconds ?? Infinity,
    };
    if (round >= 0) for (const [name, value] of Object.entries(of)) times[name].push(value);
  }
  await gemm.dispose();
  await python?.close();
  const gflops = (name: string, order: number): number => (2 * order ** 3) / median(times[name]) / 1e6;
  return {
    gemmF32: gflops('gemmF32', ORDER_F32),
    gemmF64: gflops('gemmF64', ORDER_F64),
    numpyF32: gflops('f32', ORDER_F32),
    numpyF64: gflops('f64', ORDER_F64),
    readGBps: MEMORY_BYTES / median(times.read) / 1e6,
    copyGBps: (2 * MEMORY_BYTES) / median(times.copy) / 1e6,
  };
}
