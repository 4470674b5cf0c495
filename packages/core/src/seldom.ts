/** What a program may never ask for: other heads, thousands of examples, sums instead of them, judging, tidying up, models of others, more threads. */

export { exposeTaps } from './backbones/expose-taps.ts';
export { evaluateClassifier } from './evaluate-classifier.ts';
export { updateDual } from './heads/dual-update.ts';
export { headNamed } from './heads/head-named.ts';
export { rademacherRidge } from './heads/projected-ridge.ts';
export { helpWith } from './linalg/gemm-helper.ts';
export { shareGemm } from './linalg/shared-gemm.ts';
export { requirePossibleSums } from './possible-sums.ts';
export { reviewExamples, suggestInputs } from './review-examples.ts';
export { solveStatistics } from './solve-statistics.ts';
