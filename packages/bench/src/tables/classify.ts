/** A single classify with the embedding at hand, beside tfjs's knn-classifier with the same examples; memory; the scan of a million codes. */

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { BenchContext } from '../bench-context.ts';
import { askImprint, askTfjs, examplesOf, type Examples } from '../classify-contenders.ts';
import { coreModule } from '../core-module.ts';
import { compare, interleave, type Case } from '../measure.ts';

const TABLE = 'classify';
const DIM = 384;
const ROUNDS = 9;

/**
 * tfjs's knn-classifier joins its classes one by one within one tidy, so its peak grows with the square of the classes: at 1,000
 * classes of 10 examples 7.7 GB, of 20 more than a machine of 16 GB has. These sizes it survives.
 */
const SIZES: readonly Omit<Examples, 'dim'>[] = [
  { numClasses: 10, shots: 10 },
  { numClasses: 100, shots: 10 },
  { numClasses: 100, shots: 100 },
];

const MILLION = 1_000_000;

const NUMPY_SCAN = `
rng = np.random.default_rng(1)
codes = rng.integers(-127, 128, (${MILLION}, ${DIM}), dtype="int8").astype("float32")
query = codes[17].copy()
lengths = np.sqrt((codes * codes).sum(axis=1))
def nearest():
    cosines = (codes @ query) / lengths
    best = np.argpartition(cosines, -3)[-3:]
    return [int(i) for i in best]
`;

/** The table `classify`. */
export async function classify(context: BenchContext): Promise<Case[]> {
  const cases: Case[] = [];
  const { readGBps } = await context.peaks();
  for (const size of SIZES) cases.push(...(await single({ ...size, dim: DIM }, readGBps, context)));
  for (const size of SIZES.slice(1)) {
    context.progress(`memory at ${named(size)}`);
    const ours = await peakBytes('imprint', size);
    const theirs = await peakBytes('tfjs', size);
    const name = `learn ${named(size)} and answer, peak memory of the process`;
    cases.push(compare(TABLE, name, [ours], 'tfjs knn-classifier', [theirs], 'MB', 1e-6));
  }
  cases.push(await millionCodes(readGBps, context));
  return cases;
}

function named({ numClasses, shots }: Omit<Examples, 'dim'>): string {
  return `${numClasses} classes x ${shots}`;
}

async function single(examples: Examples, readGBps: number, context: BenchContext): Promise<Case[]> {
  context.progress(`single queries at ${named(examples)}`);
  const queries = [...examplesOf({ ...examples, numClasses: 1, shots: 64 })][0][1];
  const numExamples = examples.numClasses * examples.shots;
  // Some fifty milliseconds of either a round.
  const few = numExamples > 2000 ? 4 : 32;
  const askers = new Map([
    ['auto', await askImprint(examples, 'auto')],
    ['nearest-class-mean', await askImprint(examples, 'nearest-class-mean')],
    ['nearest-class-mean, label alone', await askImprint(examples, 'nearest-class-mean', { nearest: 0 })],
    ['nearest-examples', await askImprint(examples, 'nearest-examples')],
  ]);
  const tfjs = await askTfjs(examples);
  const contenders = new Map([
    ...[...askers].map(([name, ask]) => [name, () => ask(queries, 64)] as const),
    ['tfjs', () => tfjs(queries, few)] as const,
  ]);
  const times = await interleave(contenders, ROUNDS, 3);
  const theirs = times.get('tfjs') as number[];
  const what = 'its codes read once';
  const limit = { what, value: (numExamples * DIM) / readGBps / 1e3 };
  return [...askers.keys()].map((name) => {
    const ours = times.get(name) as number[];
    const label = `single classify, ${named(examples)}, head ${name}`;
    return compare(TABLE, label, ours, 'tfjs knn-classifier, k = 10', theirs, 'µs', 1e3, limit);
  });
}

/** Peak resident memory of a process that learns and answers once, its runtime included. */
async function peakBytes(contender: string, { numClasses, shots }: Omit<Examples, 'dim'>): Promise<number> {
  const file = fileURLToPath(new URL('../classify-memory.js', import.meta.url));
  const sizes = [numClasses, shots, DIM].map(String);
  const child = fork(file, [contender, ...sizes], { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  return new Promise((resolve, reject) => {
    child.once('message', (bytes) => resolve(bytes as number));
    child.once('exit', (code) => reject(new Error(`Expected the memory of ${contender}, got its end (${code}).`)));
  });
}

/** The exact search through a million codes, which decides whether an approximate index would pay. */
async function millionCodes(readGBps: number, context: BenchContext): Promise<Case> {
  context.progress('the three nearest of a million codes');
  const { codeSquares, nearestExamples } = await coreModule('scores/nearest.js');
  const codes = new Int8Array(MILLION * DIM);
  let state = 1;
  for (let i = 0; i < codes.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    codes[i] = (state >> 24) % 128;
  }
  const memory = { numExamples: MILLION, width: DIM, codes };
  const query = codes.slice(17 * DIM, 18 * DIM);
  const squares = codeSquares(memory);
  const python = await context.python(NUMPY_SCAN);
  const ours = (): void => {
    const [best] = nearestExamples(memory, query, 3, squares);
    if (best.row !== 17) throw new Error(`Expected row 17 to be nearest to itself, got ${best.row}.`);
  };
  const times = await interleave(
    new Map<string, () => Promise<number> | void>([
      ['imprint', ours],
      ['numpy', python.contender('nearest')],
    ]),
    ROUNDS,
  );
  const limit = { what: 'the codes read once', value: (MILLION * DIM) / readGBps / 1e6 };
  const peer = 'NumPy, float32 product and argpartition';
  const name = '3 nearest of 1,000,000 codes of 384, exact';
  return compare(TABLE, name, times.get('imprint') as number[], peer, times.get('numpy') as number[], 'ms', 1, limit);
}
