/** One more class, or one more example, until the next answer is there, beside refits with scikit-learn. */

import { Classifier, readyEmbeddings, type Gemm, type ReadyEmbedding } from '@imprint/core';
import { createOrtGemm } from '@imprint/node';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BenchContext } from '../bench-context.ts';
import { compare, interleave, longestGapMs, peakResidentBytes, type Case, type Contender } from '../measure.ts';
import { SeededEmbeddings } from '../seeded-embeddings.ts';

const TABLE = 'add';
const DIM = 384;
const SHOTS = 10;
const CLASSES = 1000;
/** Sizes of which only additions are timed. */
const FEWER_CLASSES = [10, 100];
const ROUNDS = 5;
/** Where an addition takes milliseconds: enough for an engine to have compiled what it runs. */
const FEWER_ROUNDS = 25;

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
  const cases: Case[] = [];
  for (const classes of FEWER_CLASSES) cases.push(...(await addedTo(context, gemm, classes)).cases);
  const { cases: added, classifier, answer, firstMs, gapMs, both, pythonPeak } = await addedTo(context, gemm, CLASSES);
  const rename = async (): Promise<void> => {
    classifier.renameClass('class 3', 'third');
    await answer();
    classifier.renameClass('third', 'class 3');
  };
  const times = await interleave(new Map<string, Contender>([['rename', rename]]), ROUNDS);
  const size = sizeOf(CLASSES);
  const peer = 'scikit-learn, both refits';
  const like = (value: number): number[] => both.map(() => value);
  cases.push(
    ...added,
    compare(TABLE, `first classify at ${size}`, like(firstMs), peer, both, 'ms'),
    compare(TABLE, `rename a class of ${size}, next classify`, times.get('rename') as number[], peer, both, 'ms'),
    compare(TABLE, `longest event-loop gap of the first solve`, like(gapMs), peer, both, 'ms'),
    compare(
      TABLE,
      `peak memory of the process, ${size}`,
      [peakResidentBytes()],
      'scikit-learn',
      [pythonPeak],
      'MB',
      1e-6,
    ),
  );
  await gemm.dispose();
  return cases;
}

function sizeOf(classes: number): string {
  return `${classes} classes x ${SHOTS}, d = ${DIM}`;
}

/** A classifier of so many classes that is given one more class, or one more example, until the next answer is there. */
async function addedTo(context: BenchContext, gemm: Gemm, classes: number) {
  const embeddings = new SeededEmbeddings(DIM);
  const examplesOf = (classIndex: number, count = SHOTS): ReadyEmbedding[] =>
    Array.from({ length: count }, () => ({ embedding: embeddings.example(classIndex) }));
  const classifier = new Classifier<ReadyEmbedding>(readyEmbeddings({ name: 'seeded', dim: DIM }), {
    gemm,
    yieldToHost: () => nextTurn(),
  });
  const all = new Float32Array((classes + 1) * SHOTS * DIM);
  for (let c = 0; c <= classes; c++) {
    const examples = examplesOf(c);
    examples.forEach(({ embedding }, i) => all.set(embedding, (c * SHOTS + i) * DIM));
    if (c < classes) await classifier.addClass(`class ${c}`, examples);
  }
  const [query] = examplesOf(7, 1);
  const answer = async (): Promise<void> => {
    await classifier.classify(query);
  };
  const python = await context.python(SKLEARN);
  await python.set('codes', all, [(classes + 1) * SHOTS, DIM]);
  await python.run('prepare');

  const size = sizeOf(classes);
  context.progress(`first answer at ${size}`);
  const start = performance.now();
  let firstMs = 0;
  const gapMs = await longestGapMs(async () => {
    await answer();
    firstMs = performance.now() - start;
  });

  // What was added is taken away again, unasked, so that every round begins at the same size.
  const timed = async (change: () => Promise<unknown>, back: () => unknown): Promise<number> => {
    const began = performance.now();
    await change();
    await answer();
    const ms = performance.now() - began;
    back();
    return ms;
  };
  const addClass = (): Promise<number> => {
    const examples = examplesOf(classes);
    return timed(
      () => classifier.addClass('another', examples),
      () => classifier.removeClass('another'),
    );
  };
  const addExample = (): Promise<number> => {
    const one = examplesOf(3, 1).map((example) => ({ ...example, id: 'another' }));
    return timed(
      () => classifier.addExamples('class 3', one),
      () => classifier.removeExamples('class 3', ['another']),
    );
  };
  context.progress(`another class, another example at ${size}`);
  const times = await interleave(
    new Map<string, Contender>([
      ['class', addClass],
      ['example', addExample],
      ['ridge', python.contender('ridge')],
      ['discriminant', python.contender('discriminant')],
    ]),
    classes < CLASSES ? FEWER_ROUNDS : ROUNDS,
  );
  const of = (name: string): number[] => times.get(name) as number[];
  const both = of('ridge').map((ms, round) => ms + of('discriminant')[round]);
  const { peakBytes: pythonPeak } = await python.run('prepare');
  const oneClass = `add a class of ${SHOTS} to ${size}, next classify`;
  const cases = [
    compare(TABLE, oneClass, of('class'), 'scikit-learn RidgeClassifierCV refit', of('ridge'), 'ms'),
    compare(TABLE, oneClass, of('class'), 'scikit-learn LinearDiscriminantAnalysis refit', of('discriminant'), 'ms'),
    compare(TABLE, oneClass, of('class'), 'scikit-learn, both refits', both, 'ms'),
    compare(TABLE, `add an example to ${size}, next classify`, of('example'), 'scikit-learn, both refits', both, 'ms'),
  ];
  return { cases, classifier, answer, firstMs, gapMs, both, pythonPeak };
}
