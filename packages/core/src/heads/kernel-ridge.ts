/** The heads of kernel ridge regression, by their kernel; see `ridge-on-kernel.ts`. */

import type { FitContext, Head, StatisticsMemory } from '../head.ts';
import { arcCosineKernel } from './arc-cosine-kernel.ts';
import { bandSolver } from './band-solver.ts';
import { linearKernel, rbfKernel, type Kernel } from './kernels.ts';
import { linearRidgeFromStatistics } from './linear-ridge-from-statistics.ts';
import { fitRidgeOnKernel, type RidgeOnKernelOptions } from './ridge-on-kernel.ts';

export interface KernelRidgeOptions extends RidgeOnKernelOptions {
  /** Default `arc-cosine`. */
  readonly kernel?: 'arc-cosine' | 'linear' | 'rbf';
}

/** The kernel ridge head: `kernel-ridge`, or with another kernel `kernel-ridge-linear`, `kernel-ridge-rbf`. */
export function kernelRidge(options: KernelRidgeOptions = {}): Head {
  const { kernel = 'arc-cosine' } = options;
  const name = kernel === 'arc-cosine' ? 'kernel-ridge' : `kernel-ridge-${kernel}`;
  return {
    name,
    fit: (memory, context) => fitRidgeOnKernel(KERNELS[kernel], memory, options, context, bandSolver),
    ...(kernel === 'linear' && {
      fitFromStatistics: (statistics: StatisticsMemory, context: FitContext) =>
        linearRidgeFromStatistics(name, statistics, options.taps ?? 'all', context, options.lambda),
    }),
  };
}

const KERNELS = { 'arc-cosine': () => arcCosineKernel, linear: () => linearKernel, rbf: scaledRbfKernel };

/** RBF takes the mean squared distance of two examples as its scale: gamma is its inverse. */
function scaledRbfKernel(products: Float64Array, squares: Float64Array): Kernel {
  const n = squares.length;
  const meanSquare = squares.reduce((sum, x) => sum + x, 0) / n;
  const meanProduct = products.reduce((sum, x) => sum + x, 0) / (n * n);
  const distance = 2 * (meanSquare - meanProduct);
  return rbfKernel(distance > 1e-12 ? 1 / distance : 1);
}
