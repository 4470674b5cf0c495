/** The heads of kernel ridge regression, by their kernel; see `ridge-on-kernel.ts`. */

import { expected } from '../errors.ts';
import type { DrawnExamples, FitContext, Head, Memory, StatisticsMemory } from '../head.ts';
import { arcCosineKernel } from './arc-cosine-kernel.ts';
import { bestOfList } from './dual-list.ts';
import { updateDual } from './dual-update.ts';
import { linearKernel, rbfKernel, type Kernel } from './kernels.ts';
import { linearRidgeFromStatistics } from './linear-ridge-from-statistics.ts';
import { fitRidgeOnKernel, type RidgeOnKernelOptions } from './ridge-on-kernel.ts';
import type { TapGroup } from './tap-weights.ts';

export interface KernelRidgeOptions extends Omit<RidgeOnKernelOptions, 'lambda'> {
  /** Default `arc-cosine`. */
  readonly kernel?: 'arc-cosine' | 'linear' | 'rbf';
  /**
   * Relative to the mean diagonal of the balanced kernel matrix: a value above 0, or values of which the one with the least
   * leave-one-out squared error is taken, each exactly. Default: a search from 0.1 within 10^-4 to 10^2.
   */
  readonly lambda?: number | readonly number[];
}

/** The kernel ridge head: `kernel-ridge`, or with another kernel `kernel-ridge-linear`, `kernel-ridge-rbf`. */
export function kernelRidge(options: KernelRidgeOptions = {}): Head {
  const { kernel = 'arc-cosine' } = options;
  const name = kernel === 'arc-cosine' ? 'kernel-ridge' : `kernel-ridge-${kernel}`;
  return {
    name,
    async fit(memory, context) {
      const { lambda, ...others } = options;
      if (typeof lambda !== 'object') {
        return fitRidgeOnKernel(
          KERNELS[kernel],
          memory,
          { ...others, ...(lambda !== undefined && { lambda }) },
          context,
          METHODS,
        );
      }
      if (lambda.length === 0 || !lambda.every((one) => one > 0)) {
        throw expected('lambda', 'a number above 0 or a list of them', lambda);
      }
      const methods = { ...METHODS, choose: bestOfList(lambda) };
      return fitRidgeOnKernel(KERNELS[kernel], memory, others, context, methods);
    },
    ...(kernel === 'linear' && {
      fitFromStatistics: (statistics: StatisticsMemory, context: FitContext, drawn?: DrawnExamples) =>
        linearRidgeFromStatistics(name, statistics, options.taps ?? 'all', context, options.lambda, drawn),
    }),
  };
}

const METHODS = { update: () => Promise.resolve(updateDual) };

const KERNELS = { 'arc-cosine': () => arcCosineKernel, linear: () => linearKernel, rbf: scaledRbfKernel };

/** RBF takes the mean squared distance of two examples as its scale: gamma is its inverse. */
function scaledRbfKernel(
  squares: Float64Array,
  { sums, numClasses, width }: Memory,
  groups: readonly TapGroup[],
): Kernel {
  const n = squares.length;
  const meanSquare = squares.reduce((sum, x) => sum + x, 0) / n;
  // The mean of all products is the square of the mean.
  let meanProduct = 0;
  for (const group of groups) {
    for (let j = group.start; j < group.start + group.width; j++) {
      let sum = 0;
      for (let c = 0; c < numClasses; c++) sum += sums[c * width + j];
      meanProduct += group.weight * (sum / n) ** 2;
    }
  }
  const distance = 2 * (meanSquare - meanProduct);
  return rbfKernel(distance > 1e-12 ? 1 / distance : 1);
}
