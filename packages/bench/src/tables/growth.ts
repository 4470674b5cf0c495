/** How time, memory and files grow with classes (10 to 100,000) and with examples (100 to 1,000,000), beside what the mathematics demands. */

import { readyEmbeddings, type Classifier, type ReadyEmbedding } from '@imprint/core';
import { createOrtGemm } from '@imprint/node';
import type { BenchContext } from '../bench-context.ts';
import { median, type Case } from '../measure.ts';
import type { MachinePeaks } from '../machine-peaks.ts';
import { SeededEmbeddings } from '../seeded-embeddings.ts';
import { statisticsOfSize } from '../statistics-of-size.ts';

const TABLE = 'growth';
const DIM = 384;
/** Examples a class where classes grow, and classes where examples grow. */
const SHOTS = 2;
const CLASSES = 100;
/** Examples of the class that is added. */
const ADDED = 10;
const ROUNDS = 5;
/** A size that would not end within this is left out, and named; classes may take twice as long. */
const BUDGET_MS = 100_000;

type Quantity = 'add a class of 10' | 'solve' | 'classify' | 'memory' | 'file';
const UNITS: Readonly<Record<Quantity, string>> = {
  'add a class of 10': 'ms',
  solve: 'ms',
  classify: 'ms',
  memory: 'MB',
  file: 'MB',
};
type Figures = Record<Quantity, number>;

/** The table `growth`. */
export async function growth(context: BenchContext): Promise<Case[]> {
  const peaks = await context.peaks();
  const byClasses = [10, 100, 1_000, 10_000, 100_000].map((n) => ({ numClasses: n, numExamples: n * SHOTS }));
  const byExamples = [100, 1_000, 10_000, 100_000, 1_000_000].map((n) => ({ numClasses: CLASSES, numExamples: n }));
  return [
    ...(await along('classes', byClasses, peaks, performance.now() + 2 * BUDGET_MS, context)),
    ...(await along('examples', byExamples, peaks, performance.now() + BUDGET_MS, context)),
    ...(await learning(peaks, context)),
  ];
}

interface Size {
  readonly numClasses: number;
  readonly numExamples: number;
}

async function along(
  axis: 'classes' | 'examples',
  sizes: readonly Size[],
  peaks: MachinePeaks,
  deadline: number,
  context: BenchContext,
): Promise<Case[]> {
  const measured: { readonly n: number; readonly ours: Figures; readonly least: Figures }[] = [];
  let lastMs = 0;
  for (const size of sizes) {
    const n = axis === 'classes' ? size.numClasses : size.numExamples;
    // Ten times the size takes ten times as long where it is large; where it is small, fixed costs prevail.
    const factor = n > 10_000 ? 10 : 3;
    if (performance.now() + factor * lastMs > deadline) {
      context.progress(`left out for time: ${n.toLocaleString('en')} ${axis}`);
      continue;
    }
    context.progress(`${n.toLocaleString('en')} ${axis}`);
    const start = performance.now();
    measured.push({ n, ours: await figuresOf(size), least: leastOf(size, peaks) });
    lastMs = performance.now() - start;
  }
  if (measured.length < 2) throw new Error(`Expected two sizes along ${axis} within the time, got ${measured.length}.`);
  const cases: Case[] = [];
  for (const quantity of Object.keys(UNITS) as Quantity[]) {
    for (const { n, ours, least } of measured) {
      cases.push({
        table: TABLE,
        case: `${quantity}, ${n.toLocaleString('en')} ${axis}`,
        ours: ours[quantity],
        peer: 'the arithmetic or the bytes at the peaks',
        peerValue: least[quantity],
        unit: UNITS[quantity],
        ratio: ours[quantity] / least[quantity],
      });
    }
    const slope = slopeOf(measured.map(({ n, ours }) => [n, ours[quantity]]));
    const theory = slopeOf(measured.map(({ n, least }) => [n, least[quantity]]));
    const span = measured[measured.length - 1].n / measured[0].n;
    cases.push({
      table: TABLE,
      case: `${quantity} along ${axis}, ${measured[0].n.toLocaleString('en')} to ${measured[measured.length - 1].n.toLocaleString('en')}`,
      ours: slope,
      peer: 'the mathematics',
      peerValue: theory,
      unit: 'log-log slope',
      ratio: span ** (slope - theory),
    });
  }
  return cases;
}

/** Slope of the least-squares line through the logarithms. */
function slopeOf(points: readonly (readonly [number, number])[]): number {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const meanX = logs.reduce((sum, [x]) => sum + x, 0) / logs.length;
  const meanY = logs.reduce((sum, [, y]) => sum + y, 0) / logs.length;
  const above = logs.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return above / logs.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}

/**
 * What the mathematics needs: a class's Gram matrix to add (d^2 a example); one factor of d^3 / 3 and two triangular solves of d^2 a
 * class, and the scatter between classes, to solve; a weight vector and a mean of 32 bits a class, read, to classify; one vector of sums a class and one
 * matrix to keep, of which the file has half.
 */
function leastOf({ numClasses }: Size, { gemmF32, gemmF64, numpyF64, readGBps }: MachinePeaks): Figures {
  const flopsF64 = Math.max(gemmF64, numpyF64) * 1e6;
  const sums = numClasses * DIM * 8;
  const bytes = sums + DIM * DIM * 8;
  return {
    'add a class of 10': (2 * ADDED * DIM * DIM) / (gemmF32 * 1e6) + (DIM * DIM * 8) / (readGBps * 1e6),
    solve: (DIM ** 3 / 3 + 6 * DIM * DIM * numClasses) / flopsF64,
    classify: (sums + DIM * DIM * 8) / (readGBps * 1e6),
    memory: bytes / 1e6,
    file: (sums + (DIM * (DIM + 1) * 8) / 2) / 1e6,
  };
}

async function figuresOf({ numClasses, numExamples }: Size): Promise<Figures> {
  const backbone = readyEmbeddings({ name: 'seeded', dim: DIM });
  const before = await residentBytes();
  const classifier = await statisticsOfSize(numClasses, numExamples, backbone, await createOrtGemm());
  const embeddings = new SeededEmbeddings(DIM, 5);
  const of = (count: number, mark: string): ReadyEmbedding[] =>
    Array.from({ length: count }, (_, i) => ({ embedding: embeddings.example(0), id: `${mark} ${i}` }));
  const [query] = of(1, 'query');
  const isLarge = numClasses * DIM > 2 ** 21;
  const rounds = isLarge ? 1 : ROUNDS;
  const times = { add: [] as number[], solve: [] as number[], classify: [] as number[] };
  for (let round = isLarge ? 0 : -1; round < rounds; round++) {
    const examples = of(ADDED, `round ${round}`);
    const add = await timed(() => classifier.addClass(`added ${round}`, examples));
    const solve = await timed(() => classifier.report());
    // The first answer after a solve prepares its weights.
    await classifier.classify(query);
    const asked = Math.max(3, Math.min(100, Math.round(2e6 / (numClasses * DIM))));
    const classify = await timed(async () => {
      for (let q = 0; q < asked; q++) await classifier.classify(query);
    });
    if (round < 0) continue;
    times.add.push(add);
    times.solve.push(solve);
    times.classify.push(classify / asked);
  }
  const memory = (await residentBytes()) - before;
  const file = classifier.snapshot().length;
  await release(classifier);
  return {
    'add a class of 10': median(times.add),
    solve: median(times.solve),
    classify: median(times.classify),
    memory: Math.max(memory, 1) / 1e6,
    file: file / 1e6,
  };
}

async function timed(action: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await action();
  return performance.now() - start;
}

/** Resident bytes once garbage is collected. */
async function residentBytes(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return process.memoryUsage().rss;
}

async function release(classifier: Classifier<ReadyEmbedding>): Promise<void> {
  await classifier.dispose();
  await residentBytes();
}

/** Learning through the door: examples one after the other into 10 classes. */
async function learning(peaks: MachinePeaks, context: BenchContext): Promise<Case[]> {
  const cases: Case[] = [];
  const points: (readonly [number, number])[] = [];
  for (const numExamples of [1_000, 10_000, 100_000]) {
    context.progress(`learning ${numExamples.toLocaleString('en')} examples`);
    const { Classifier: Class } = await import('@imprint/core');
    const backbone = readyEmbeddings({ name: 'seeded', dim: DIM });
    const classifier = new Class(backbone, { memory: 'statistics', gemm: await createOrtGemm() });
    const embeddings = new SeededEmbeddings(DIM, 7);
    const ready = Array.from({ length: 1_000 }, (_, i) => embeddings.example(i % 10));
    const start = performance.now();
    for (let c = 0; c < 10; c++) {
      const examples = Array.from({ length: numExamples / 10 }, (_, i) => ({
        embedding: ready[(10 * i + c) % ready.length],
        id: `${c} ${i}`,
      }));
      await classifier.addClass(`class ${c}`, examples);
    }
    const ours = performance.now() - start;
    const least = (2 * numExamples * DIM * DIM) / (peaks.gemmF32 * 1e6);
    points.push([numExamples, ours]);
    cases.push({
      table: TABLE,
      case: `learn ${numExamples.toLocaleString('en')} ready embeddings, statistics mode`,
      ours,
      peer: 'the Gram matrix at the peak of the Gemm',
      peerValue: least,
      unit: 'ms',
      ratio: ours / least,
    });
    await release(classifier);
  }
  const slope = slopeOf(points);
  cases.push({
    table: TABLE,
    case: 'learn along examples, 1,000 to 100,000',
    ours: slope,
    peer: 'the mathematics',
    peerValue: 1,
    unit: 'log-log slope',
    ratio: 100 ** (slope - 1),
  });
  return cases;
}
