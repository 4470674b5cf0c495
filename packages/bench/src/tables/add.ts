/** One more class of 10 on a classifier of many, until the next answer is there, beside refits with scikit-learn. */

import { Classifier, readyEmbeddings, type ReadyEmbedding } from '@imprint/core';
import { createOrtGemm } from '@imprint/node';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BenchContext } from '../bench-context.ts';
import { compare, interleave, longestGapMs, peakResidentBytes, type Case, type Contender } from '../measure.ts';
import { SeededEmbeddings } from '../seeded-embeddings.ts';

const TABLE = 'add';
const DIM = 384;
const SHOTS = 10;
const CLASSES = 1000;
const ROUNDS = 3;

/** Both as they come; examples of unit length, as a classifier sees them. */
const SKLEARN = `
from sklearn.linear_model import RidgeClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
def prepare():
    global rows, labels
    rows = (codes / np.linalg.norm(codes, axis=1, keepdims=True)).astype("float64")
    labels = np.repeat(np.arange(len(rows) // ${SHOTS}), ${SHOTS})
def ridge():
    RidgeClassifierCV().fit(rows, labels).predict(rows[:1])
def discriminant():
    LinearDiscriminantAnalysis().fit(rows, labels).predict(rows[:1])
`;

/** The table `add`. */
export async function add(context: BenchContext): Promise<Case[]> {
  const gemm = await createOrtGemm();
  const embeddings = new SeededEmbeddings(DIM);
  const examplesOf = (classIndex: number): ReadyEmbedding[] =>
    Array.from({ length: SHOTS }, () => ({ embedding: embeddings.example(classIndex) }));
  const classifier = new Classifier<ReadyEmbedding>(readyEmbeddings({ name: 'seeded', dim: DIM }), {
    gemm,
    yieldToHost: () => nextTurn(),
  });
  const all = new Float32Array((CLASSES + 1) * SHOTS * DIM);
  for (let c = 0; c <= CLASSES; c++) {
    const examples = examplesOf(c);
    examples.forEach(({ embedding }, i) => all.set(embedding, (c * SHOTS + i) * DIM));
    if (c < CLASSES) await classifier.addClass(`class ${c}`, examples);
  }
  const [query] = examplesOf(7);
  const answer = async (): Promise<void> => {
    await classifier.classify(query);
  };
  const python = await context.python(SKLEARN);
  await python.set('codes', all, [(CLASSES + 1) * SHOTS, DIM]);
  await python.run('prepare');

  const size = `${CLASSES} classes x ${SHOTS}, d = ${DIM}`;
  context.progress(`first answer at ${size}`);
  const start = performance.now();
  let firstMs = 0;
  const gap = await longestGapMs(async () => {
    await answer();
    firstMs = performance.now() - start;
  });

  let next = CLASSES;
  const addOne = async (): Promise<number> => {
    const examples = examplesOf(++next);
    const began = performance.now();
    await classifier.addClass(`class ${next}`, examples);
    await answer();
    return performance.now() - began;
  };
  const rename = async (): Promise<void> => {
    classifier.renameClass('class 3', 'third');
    await answer();
    classifier.renameClass('third', 'class 3');
  };
  context.progress(`another class at ${size}`);
  const times = await interleave(
    new Map<string, Contender>([
      ['add', addOne],
      ['rename', rename],
      ['ridge', python.contender('ridge')],
      ['discriminant', python.contender('discriminant')],
    ]),
    ROUNDS,
  );
  const of = (name: string): number[] => times.get(name) as number[];
  const both = of('ridge').map((ms, round) => ms + of('discriminant')[round]);
  const rounds = (value: number): number[] => both.map(() => value);
  const peers: readonly [string, number[]][] = [
    ['scikit-learn RidgeClassifierCV refit', of('ridge')],
    ['scikit-learn LinearDiscriminantAnalysis refit', of('discriminant')],
    ['scikit-learn, both refits', both],
  ];
  const { peakBytes } = await python.run('prepare');
  const ourPeak = peakResidentBytes();
  const cases = [
    ...peers.map(([peer, ms]) =>
      compare(TABLE, `add a class of ${SHOTS} to ${size}, next classify`, of('add'), peer, ms, 'ms'),
    ),
    ...peers.slice(2).map(([peer, ms]) => compare(TABLE, `first classify at ${size}`, rounds(firstMs), peer, ms, 'ms')),
    compare(TABLE, `rename a class of ${size}, next classify`, of('rename'), peers[2][0], both, 'ms'),
    compare(TABLE, `longest event-loop gap of the first solve`, rounds(gap), peers[2][0], both, 'ms'),
    compare(TABLE, `peak memory of the process, ${size}`, [ourPeak], 'scikit-learn', [peakBytes], 'MB', 1e-6),
  ];
  await gemm.dispose();
  return cases;
}
