/** Exact leave-one-out over 30 values of lambda in the dual, beside one eigendecomposition of the same kernel matrix in NumPy. */

import { createOrtGemm } from '@imprint/node';
import type { BenchContext } from '../bench-context.ts';
import { coreModule } from '../core-module.ts';
import { compare, interleave, type Case, type Contender } from '../measure.ts';
import { SeededEmbeddings } from '../seeded-embeddings.ts';

const TABLE = 'dual';
const DIM = 384;
const CLASSES = 100;
const SHOTS = 20;
const ROUNDS = 2;
const LAMBDAS = Array.from({ length: 30 }, (_, i) => 10 ** (-4 + (6 * i) / 29));

/** One decomposition serves every lambda: `a = V (d + l)^-1 V' Y`, `D_ii = sum_k V_ik^2 / (d_k + l)`, `e = a / D`. */
const NUMPY = `
def eigh_route(lambdas):
    values, vectors = np.linalg.eigh(kernel)
    rotated = vectors.T @ targets
    squares = vectors * vectors
    best = (np.inf, 0.0)
    for l in lambdas:
        inverse = 1 / (np.maximum(values, 0) + l)
        errors = (vectors @ (rotated * inverse[:, None])) / (squares @ inverse)[:, None]
        best = min(best, (float((errors * errors).sum()), l))
    return best[1]
def cholesky_route(lambdas):
    from scipy.linalg import lapack
    best = (np.inf, 0.0)
    for l in lambdas:
        factor, _ = lapack.dpotrf(kernel + l * np.eye(len(kernel)), lower=1, overwrite_a=1)
        inverse, _ = lapack.dpotri(factor, lower=1, overwrite_c=1)
        full = np.tril(inverse) + np.tril(inverse, -1).T
        errors = (full @ targets) / np.diag(full)[:, None]
        best = min(best, (float((errors * errors).sum()), l))
    return best[1]
`;

/** The table `dual`. */
export async function dual(context: BenchContext): Promise<Case[]> {
  const numExamples = CLASSES * SHOTS;
  const { gemmF64 } = await context.peaks();
  const { dualRidge } = await coreModule('heads/dual-ridge.js');
  // As `kernelRidge` asks for it.
  const { bestOfList } = await coreModule('heads/dual-list.js');
  const gemm = await createOrtGemm();
  const kernel = await arcCosineKernelMatrix(numExamples);
  const classIndices = Int32Array.from({ length: numExamples }, (_, i) => Math.floor(i / SHOTS));
  const targets = new Float64Array(numExamples * CLASSES);
  classIndices.forEach((own, i) => (targets[i * CLASSES + own] = 1));
  const diagonal = Float64Array.from({ length: numExamples }, (_, i) => kernel[i * numExamples + i]);
  // Lambda is relative to its mean.
  const unit = diagonal.reduce((sum, value) => sum + value / numExamples, 0);
  const absolute = LAMBDAS.map((lambda) => lambda * unit);

  const python = await context.python(NUMPY);
  await python.set('kernel', kernel, [numExamples, numExamples]);
  await python.set('targets', targets, [numExamples, CLASSES]);
  // The kernel is at hand, so that nothing is read from the codes.
  const memory = {
    taps: 1,
    dim: DIM,
    width: DIM,
    codes: new Int8Array(0),
    sums: new Float64Array(0),
    classIndices,
    counts: new Int32Array(CLASSES).fill(SHOTS),
    numExamples,
    numClasses: CLASSES,
  };
  let lambda = 0;
  const ours = async (): Promise<void> => {
    const between = (): Promise<Float64Array> => Promise.resolve(kernel.slice());
    ({ lambda } = await dualRidge({ diagonal, between }, memory, { gemm }, undefined, { choose: bestOfList(LAMBDAS) }));
  };
  context.progress(`${LAMBDAS.length} values of lambda at ${numExamples} examples`);
  const times = await interleave(
    new Map<string, Contender>([
      ['imprint', ours],
      ['eigh', python.contender('eigh_route', absolute)],
      ['cholesky', python.contender('cholesky_route', absolute)],
    ]),
    ROUNDS,
  );
  const theirs = (await python.run<number>('eigh_route', absolute)).value / unit;
  if (Math.abs(Math.log(lambda / theirs)) > 1e-9) {
    throw new Error(`Expected the lambda of NumPy's eigendecomposition, ${theirs}, got ${lambda}.`);
  }
  // A factor, the diagonal of its inverse, and the coefficients of every class, once a lambda and once for the answer.
  const operations = (LAMBDAS.length + 1) * ((2 / 3) * numExamples ** 3 + 2 * CLASSES * numExamples ** 2);
  const limit = { what: 'its products at the peak of Gemm f64', value: operations / gemmF64 / 1e6 };
  const name = `dual fit, exact leave-one-out over ${LAMBDAS.length} lambdas, n = ${numExamples}, ${CLASSES} classes`;
  const case_ = (peer: string, key: string): Case =>
    compare(TABLE, name, times.get('imprint') as number[], peer, times.get(key) as number[], 'ms', 1, limit);
  const cases = [
    case_('NumPy, one eigh and 30 times its vectors', 'eigh'),
    case_('LAPACK through SciPy, dpotrf and dpotri for every lambda', 'cholesky'),
  ];
  await gemm.dispose();
  return cases;
}

/** The kernel matrix of seeded embeddings of unit length. */
async function arcCosineKernelMatrix(numExamples: number): Promise<Float64Array> {
  const { arcCosineKernel } = await coreModule('heads/arc-cosine-kernel.js');
  const embeddings = new SeededEmbeddings(DIM);
  const rows = Array.from({ length: numExamples }, (_, i) => {
    const row = embeddings.example(Math.floor(i / SHOTS));
    const length = Math.hypot(...row);
    return row.map((x) => x / length);
  });
  const products = new Float64Array(numExamples * numExamples);
  for (let i = 0; i < numExamples; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let p = 0; p < DIM; p++) sum += rows[i][p] * rows[j][p];
      products[i * numExamples + j] = products[j * numExamples + i] = sum;
    }
  }
  const squares = Float64Array.from(rows, (_, i) => products[i * numExamples + i]);
  arcCosineKernel.applyInto(products, numExamples, numExamples, squares, 0, squares);
  return products;
}
