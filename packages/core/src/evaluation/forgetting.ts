/**
 * What continual learning kept: figures of the matrix of accuracies R[t, i] on task i after learning tasks 0 to t.
 * Lopez-Paz & Ranzato 2017 (Gradient Episodic Memory), equations 2 to 4; Chaudhry et al. 2018 (Riemannian Walk),
 * equation 3; average incremental accuracy as in Rebuffi et al. 2017 (iCaRL).
 */

import { expected } from '../errors.ts';

/** Rates are fractions; null where there are too few tasks to say. */
export interface ForgettingFigures {
  /** Mean of the last row: `1/T sum_i R[T-1, i]`; a task of few test rows counts as one of many. */
  readonly finalAccuracy: number | null;
  /** Mean over t of the mean accuracy on the tasks seen by then: `1/T sum_t 1/(t+1) sum_{i<=t} R[t, i]`. */
  readonly averageIncrementalAccuracy: number | null;
  /** `1/(T-1) sum_{i<T-1} R[T-1, i] - R[i, i]`: below 0 where later tasks harmed earlier ones. */
  readonly backwardTransfer: number | null;
  /** `1/(T-1) sum_{i>0} R[i-1, i] - chance_i`: above 0 where earlier tasks helped before the task was seen. */
  readonly forwardTransfer: number | null;
  /** `1/(T-1) sum_{i<T-1} max_{i<=t<T-1} R[t, i] - R[T-1, i]`. */
  readonly forgetting: number | null;
}

/**
 * @param accuracies Float64Array, numTasks x numTasks, row-major: R[t, i]; future tasks (i > t) count for forward
 *   transfer only
 * @param chance Float64Array, numTasks: accuracy on each task of an untrained model
 * @throws INVALID_ARGUMENT for arrays of other sizes
 */
export function forgettingFigures(accuracies: Float64Array, chance: Float64Array): ForgettingFigures {
  const tasks = chance.length;
  if (accuracies.length !== tasks * tasks) throw expected('accuracies', `${tasks} x ${tasks} entries`, accuracies);
  const at = (t: number, i: number): number => accuracies[t * tasks + i];
  const last = tasks - 1;
  let final = 0;
  let incremental = 0;
  let backward = 0;
  let forward = 0;
  let forgotten = 0;
  for (let t = 0; t < tasks; t++) {
    let seen = 0;
    for (let i = 0; i <= t; i++) seen += at(t, i);
    incremental += seen / (t + 1);
    final += at(last, t);
    if (t > 0) forward += at(t - 1, t) - chance[t];
    if (t === last) continue;
    backward += at(last, t) - at(t, t);
    let best = -Infinity;
    for (let s = t; s < last; s++) best = Math.max(best, at(s, t));
    forgotten += best - at(last, t);
  }
  const several = tasks > 1;
  return {
    finalAccuracy: tasks > 0 ? final / tasks : null,
    averageIncrementalAccuracy: tasks > 0 ? incremental / tasks : null,
    backwardTransfer: several ? backward / last : null,
    forwardTransfer: several ? forward / last : null,
    forgetting: several ? forgotten / last : null,
  };
}
