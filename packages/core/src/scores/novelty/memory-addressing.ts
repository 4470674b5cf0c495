/**
 * MemAE's sparse memory addressing: which memory items rebuild a query. Gong et al. 2019 (Memorizing Normality to
 * Detect Anomaly), equations 3 to 7: softmax over cosines, hard shrinkage, L1 renormalisation. The paper's softmax has
 * temperature 1 (cosines times 1), which on frozen embeddings addresses every item alike; we multiply cosines by
 * `temperature`, at least 4. Where shrinkage removes every item (all alike, or only one) the nearest item alone is
 * addressed.
 */

/** Keeps the shrinkage's quotient defined where a weight equals the threshold. */
const EPSILON = 1e-12;

/**
 * Addressing weights of one query over `n` memory items.
 *
 *     w_k = softmax(temperature * similarity_k)                         (3)
 *     v_k = max(w_k - threshold, 0) * w_k / (|w_k - threshold| + e)     (7)
 *     weight_k = v_k / sum |v|
 *
 * @param similarities Float64Array, n: cosines; -Infinity takes an item out
 * @param threshold shrinkage, from 0 to 1; the paper uses 1/n to 3/n
 * @param weights Float64Array, n, overwritten: not negative, summing to 1
 * @returns how many weights are not zero
 */
export function addressInto(
  similarities: Float64Array,
  n: number,
  temperature: number,
  threshold: number,
  weights: Float64Array,
): number {
  let nearest = 0;
  for (let k = 1; k < n; k++) if (similarities[k] > similarities[nearest]) nearest = k;
  const highest = similarities[nearest];
  let total = 0;
  for (let k = 0; k < n; k++) {
    const w = Math.exp(temperature * (similarities[k] - highest));
    weights[k] = w;
    total += w;
  }
  let kept = 0;
  let active = 0;
  for (let k = 0; k < n; k++) {
    const w = weights[k] / total;
    const excess = w - threshold;
    // Rounding leaves equal weights a hair above their mean, 1/n: that is no evidence for any of them.
    const v = excess > EPSILON ? (excess * w) / (excess + EPSILON) : 0;
    weights[k] = v;
    kept += v;
    if (v > 0) active++;
  }
  if (active === 0) {
    weights[nearest] = 1;
    return 1;
  }
  for (let k = 0; k < n; k++) weights[k] /= kept;
  return active;
}
