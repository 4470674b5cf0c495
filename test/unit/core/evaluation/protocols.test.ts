/** Continual-learning protocols over small clusters: what arrives when, and that the order leaves no trace. */

import { describe, expect, it } from 'vitest';
import { forgettingFigures } from '../../../../packages/core/src/evaluation/forgetting.ts';
import {
  classIncremental,
  domainIncremental,
  onlineStream,
  taskIncremental,
} from '../../../../packages/core/src/evaluation/protocols.ts';
import { orderSpread, runProtocol, type LabelledCodes } from '../../../../packages/core/src/evaluation/run-protocol.ts';
import { headNamed } from '../../../../packages/core/src/heads/head-named.ts';
import { nearestClassMean } from '../../../../packages/core/src/heads/nearest-class-mean.ts';
import { typedArrayGemm as gemm } from '../../../../packages/core/src/linalg/typed-array-gemm.ts';
import { encodeCodes } from '../../../../packages/core/src/memory/codes.ts';
import { clusterEmbedding, seededRandom } from '../../../embeddings.ts';

const dim = 16;
const numClasses = 6;

/** `perClass` examples of each of six clusters, classes interleaved; examples differ by `from`. */
function labelled(perClass: number, from: number, spread = 1): LabelledCodes {
  const classIndices = Int32Array.from({ length: perClass * numClasses }, (_, i) => i % numClasses);
  const codes = new Int8Array(classIndices.length * dim);
  classIndices.forEach((k, i) =>
    codes.set(encodeCodes(clusterEmbedding(k, from + i, dim, spread), 1, 1, dim), i * dim),
  );
  return { taps: 1, dim, codes, classIndices };
}

const train = labelled(6, 0);
const test = labelled(10, 1000);
const shuffled = (length: number, seed: number): number[] => {
  const random = seededRandom(seed);
  const keys = Array.from({ length }, () => random());
  return [...keys.keys()].sort((a, b) => keys[a] - keys[b]);
};
const orders = [1, 2, 3, 4, 5].map((seed) => shuffled(numClasses, seed));

describe('class-incremental learning', () => {
  it('knows a task after it arrived and not before', async () => {
    const protocol = classIncremental(train.classIndices, test.classIndices, [4, 0, 5, 2, 1, 3], 2);
    const result = await runProtocol(protocol, train, test, nearestClassMean(), { gemm });
    expect(result.tasks).toEqual(['classes 4, 0', 'classes 5, 2', 'classes 1, 3']);
    result.accuracies.forEach((row, t) =>
      row.forEach((accuracy, i) => (i <= t ? expect(accuracy).toBeGreaterThan(0.5) : expect(accuracy).toBe(0))),
    );
    expect(result.forgetting).toBeLessThan(0.3);
  });

  it.each([
    ['auto', headNamed('auto')],
    ['nearest class mean', nearestClassMean()],
  ])('ends in the same model whatever the order of classes: %s', async (_name, head) => {
    const results = [];
    for (const order of orders) {
      const protocol = classIncremental(train.classIndices, test.classIndices, order, 1 + (order[0] % 3));
      results.push(await runProtocol(protocol, train, test, head, { gemm }));
    }
    const stream = onlineStream(train.classIndices, test.classIndices, shuffled(train.classIndices.length, 9), 5);
    results.push(await runProtocol(stream, train, test, head, { gemm }));
    expect(orderSpread(results, test)).toEqual({ runs: 6, largestScoreDifference: 0, accuracySpread: 0 });
  });

  it('sees a spread where the final models do differ', async () => {
    const protocol = classIncremental(train.classIndices, test.classIndices, orders[0], 3);
    const one = await runProtocol(protocol, train, test, nearestClassMean(), { gemm });
    const other = await runProtocol(protocol, labelled(6, 50), test, nearestClassMean(), { gemm });
    expect(orderSpread([one, other], test).largestScoreDifference).toBeGreaterThan(0);
  });
});

it('task-incremental learning asks among the task alone, so it is at least as accurate', async () => {
  const order = orders[1];
  const told = await runProtocol(
    taskIncremental(train.classIndices, test.classIndices, order, 2),
    train,
    test,
    nearestClassMean(),
    { gemm },
  );
  const untold = await runProtocol(
    classIncremental(train.classIndices, test.classIndices, order, 2),
    train,
    test,
    nearestClassMean(),
    { gemm },
  );
  expect(told.finalAccuracy ?? 0).toBeGreaterThanOrEqual(untold.finalAccuracy ?? 1);
  expect(told.backwardTransfer).toBe(0);
});

it('domain-incremental learning keeps all classes and grows more accurate', async () => {
  const domains = Int32Array.from(train.classIndices, (_, i) => Math.floor(i / 12));
  const testDomains = Int32Array.from(test.classIndices, (_, i) => Math.floor(i / 20));
  const protocol = domainIncremental(domains, testDomains, [2, 0, 1]);
  expect(protocol.tasks.map((task) => [task.train.length, task.test.length])).toEqual([
    [12, 20],
    [12, 20],
    [12, 20],
  ]);
  const result = await runProtocol(protocol, train, test, nearestClassMean(), { gemm });
  expect(result.forwardTransfer).toBeGreaterThan(0.2);
});

it('the online stream asks about a class from the batch that first shows it', () => {
  const protocol = onlineStream(Int32Array.of(0, 1, 0, 2), Int32Array.of(0, 0, 1, 2), [0, 2, 1, 3], 2);
  expect(protocol.tasks.map(({ train: rows, test: asked }) => [rows, asked])).toEqual([
    [
      [0, 2],
      [0, 1],
    ],
    [
      [1, 3],
      [2, 3],
    ],
  ]);
});

it('protocols name an order that leaves a class out or repeats one, and a batch of nothing', async () => {
  expect(() => classIncremental(train.classIndices, test.classIndices, [0, 1], 1)).toThrow(
    /every class of the training rows/,
  );
  expect(() => classIncremental(train.classIndices, test.classIndices, [0, 1, 2, 3, 4, 5, 5], 1)).toThrow(
    /each class once/,
  );
  expect(() => onlineStream(train.classIndices, test.classIndices, [0], 0)).toThrow(
    /positive integer for batchSize, got 0/,
  );
  const empty = onlineStream(train.classIndices, test.classIndices, [], 1);
  await expect(runProtocol(empty, train, test, nearestClassMean(), { gemm })).rejects.toThrow(/got none/);
});

it('figures of one task have no transfer, and a matrix of another size is named', () => {
  expect(forgettingFigures(Float64Array.of(0.5), Float64Array.of(0.1))).toEqual({
    finalAccuracy: 0.5,
    averageIncrementalAccuracy: 0.5,
    backwardTransfer: null,
    forwardTransfer: null,
    forgetting: null,
  });
  expect(() => forgettingFigures(new Float64Array(3), new Float64Array(2))).toThrow(/2 x 2 entries/);
});
