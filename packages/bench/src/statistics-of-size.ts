/** A classifier in statistics mode with as many classes and examples as wanted, made from sums and not one by one. */

import { Classifier, type Backbone, type Gemm, type ReadyEmbedding } from '@imprint/core';
import { coreFile } from './core-module.ts';

interface ExampleSums {
  readonly count: number;
  readonly sums: Float64Array;
  readonly gram: Float64Array;
}

interface Content {
  add(label: string, sums: ExampleSums): number;
}

/** What of core's inside this needs. */
interface Inside {
  readonly ClassStatistics: new (taps: number, dim: number) => Content;
  readonly codeGram: (
    codes: Int8Array,
    count: number,
    width: number,
    context: { readonly gemm: Gemm },
  ) => Promise<Float64Array>;
  readonly encodeSnapshot: (content: object) => Uint8Array;
}

async function inside(): Promise<Inside> {
  const files = ['memory/class-statistics.js', 'memory/gram.js', 'snapshot/snapshot.js'];
  const modules = (await Promise.all(files.map((file) => import(coreFile(file))))) as Partial<Inside>[];
  return Object.assign({}, ...modules) as Inside;
}

/** Examples whose codes are made at a time. */
const BLOCK = 8192;
/** Codes of an embedding have this length whatever it is: sqrt(dim) * 127 / 6. */
const codeLength = (dim: number): number => (Math.sqrt(dim) * 127) / 6;

/** Examples go to classes in turn: example i to class i % numClasses. */
export async function statisticsOfSize(
  numClasses: number,
  numExamples: number,
  backbone: Backbone<ReadyEmbedding>,
  gemm: Gemm,
): Promise<Classifier<ReadyEmbedding>> {
  const { ClassStatistics, codeGram, encodeSnapshot } = await inside();
  const { dim } = backbone.identity;
  const content = new ClassStatistics(1, dim);
  const empty = new Float64Array(0);
  const gram = new Float64Array(dim * dim);
  // Each class has its own direction, and each example noise of its own, from one run of seeded bytes.
  const noise = noiseOf(2 ** 20 + 3 * dim);
  const deviation = codeLength(dim) / Math.sqrt(dim) / 128;
  for (let first = 0; first < numExamples; first += BLOCK) {
    const count = Math.min(BLOCK, numExamples - first);
    const codes = new Int8Array(count * dim);
    for (let i = 0; i < count; i++) {
      const centre = (((first + i) % numClasses) * 7919) % 2 ** 20;
      const own = ((first + i) * 104_729 + 13) % 2 ** 20;
      for (let j = 0; j < dim; j++) codes[i * dim + j] = deviation * (noise[centre + j] + 0.8 * noise[own + j]);
    }
    const block = await codeGram(codes, count, dim, { gemm });
    for (let i = 0; i < gram.length; i++) gram[i] += block[i];
    for (let i = 0; i < count; i++) {
      const sums = Float64Array.from(codes.subarray(i * dim, (i + 1) * dim));
      content.add(`class ${(first + i) % numClasses}`, { count: 1, sums, gram: empty });
    }
  }
  content.add('class 0', { count: 1, sums: new Float64Array(dim), gram });
  const options = { head: 'auto', unknownBelow: 0.03 };
  return Classifier.restore(encodeSnapshot({ identity: backbone.identity, options, content }), backbone, { gemm });
}

/** Int16Array: sums of two bytes, from -256 to 254. */
function noiseOf(length: number): Int16Array {
  const noise = new Int16Array(length);
  let state = 1;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    noise[i] = (state >> 24) + ((state << 8) >> 24);
  }
  return noise;
}
