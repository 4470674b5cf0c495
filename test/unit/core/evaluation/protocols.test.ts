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

  it('gives the final scores in order of class index, however rows are ordered', async () => {
    // The memory orders classes by their first row: here from the last class to the first. Class 2 is never learned.
    const rows = [...train.classIndices.keys()]
      .filter((row) => train.classIndices[row] !== 2)
      .sort((a, b) => train.classIndices[b] - train.classIndices[a]);
    const reversed: LabelledCodes = {
      ...train,
      codes: Int8Array.from(rows.flatMap((row) => [...train.codes.subarray(row * dim, (row + 1) * dim)])),
      classIndices: Int32Array.from(rows, (row) => train.classIndices[row]),
    };
    const protocol = classIncremental(reversed.classIndices, test.classIndices, [0, 1, 2, 3, 4, 5], 6);
    const result = await runProtocol(protocol, reversed, test, nearestClassMean(), { gemm });
    expect(result.classIndices).toEqual([0, 1, 3, 4, 5]);
    const right = test.classIndices.filter((truth, i) => {
      const row = result.finalScores.subarray(i * 5, (i + 1) * 5);
      return result.classIndices[row.indexOf(Math.max(...row))] === truth;
    });
    expect(result.finalAccuracy).toBeGreaterThan(0.5);
    expect(right.length / test.classIndices.length).toBe(result.finalAccuracy);

    const order = [0, 1, 2, 3, 4, 5].toReversed();
    const other = classIncremental(reversed.classIndices, test.classIndices, order, 2);
    const results = [result, await runProtocol(other, reversed, test, nearestClassMean(), { gemm })];
    expect(orderSpread(results, test)).toEqual({ runs: 2, largestScoreDifference: 0, accuracySpread: 0 });
    const poor = runProtocol(
      protocol,
      { ...reversed, codes: test.codes.slice(0, 30 * dim) },
      test,
      nearestClassMean(),
      {
        gemm,
      },
    );
    expect(orderSpread([result, await poor], test).accuracySpread).toBeCloseTo(
      Math.abs((result.finalAccuracy ?? 0) - ((await poor).finalAccuracy ?? 0)),
      12,
    );
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

it('the online stream ends with the accuracy of its final model, though its last batches show no new class', async () => {
  const wide = labelled(12, 0, 3);
  const hard = labelled(20, 1000, 3);
  const online = onlineStream(wide.classIndices, hard.classIndices, [...wide.classIndices.keys()], 6);
  expect(online.tasks.map(({ test: asked }) => asked.length)).toEqual([120, ...Array<number>(11).fill(0)]);
  const stream = await runProtocol(online, wide, hard, nearestClassMean(), { gemm });
  const atOnce = classIncremental(wide.classIndices, hard.classIndices, [0, 1, 2, 3, 4, 5], 6);
  const whole = await runProtocol(atOnce, wide, hard, nearestClassMean(), { gemm });
  expect(stream.finalAccuracy).toBe(whole.finalAccuracy);

  // Two classes, then two more, each followed by a batch without a new one, that is asked about before the next.
  const some = onlineStream(wide.classIndices, hard.classIndices, [0, 1, 6, 7, 2, 3, 8, 9, 12, 13], 2);
  const { tasks, accuracies } = await runProtocol(some, wide, hard, nearestClassMean(), { gemm });
  expect(tasks).toEqual(['batch 0', 'batch 2']);
  const upTo = async (rows: number): Promise<number[]> => {
    const before = onlineStream(
      wide.classIndices,
      hard.classIndices,
      [0, 1, 6, 7, 2, 3, 8, 9, 12, 13].slice(0, rows),
      rows,
    );
    const asked = some.tasks.map((task, t) => ({
      ...before.tasks[0],
      test: task.test,
      train: t > 0 ? [] : before.tasks[0].train,
    }));
    const state = await runProtocol({ ...before, tasks: asked }, wide, hard, nearestClassMean(), { gemm });
    return [...(state.accuracies.at(-1) ?? [])];
  };
  expect(accuracies).toEqual([await upTo(4), await upTo(10)]);
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
