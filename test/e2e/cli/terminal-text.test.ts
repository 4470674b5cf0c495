/** What a terminal gets to see: labels that tell themselves apart, nothing that it would obey, any number of lines. */

import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { EvaluationResult } from '@imprint/core';
import { widest } from '../../../packages/cli/src/display-text.ts';
import { evaluationLines } from '../../../packages/cli/src/evaluation-lines.ts';
import { imprint, jsonOf, TINY, writePictures } from './imprint-process.ts';

let folder: string;
let model: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imprint-text-'));
  await writePictures(join(folder, 'train', 'a'), 0, 2);
  model = join(folder, 'model.imprint');
  expect(await imprint(['learn', join(folder, 'train'), '--out', model, '--backbone', TINY])).toMatchObject({
    status: 0,
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it('writes JSON that means the same and holds nothing that a terminal obeys', async () => {
  const label = 'a\u009b31m\u007f\u2028\u202e\u2066é';
  const file = join(folder, 'json.imprint');
  await copyFile(model, file);
  expect(await imprint(['rename', file, 'a', label])).toMatchObject({ status: 0 });
  const finished = await imprint(['info', file, '--json']);
  expect(jsonOf(finished)['classes']).toEqual([{ label, count: 2 }]);
  expect(finished.stdout).toContain('"a\\u009b31m\\u007f\\u2028\\u202e\\u2066é"');
});

it.each([
  ['ca\u200bt', 'ca\\u{200b}t'],
  ['ca\u00adt\u200e', 'ca\\u{ad}t\\u{200e}'],
  ['cat\ufe0f 1\ufe0f', 'cat\\u{fe0f} 1\\u{fe0f}'],
  ['a\u200d👩', 'a\\u{200d}👩'],
  ['👩‍🔬 👩🏽‍🔬 🏳️‍🌈 ❤️ 1️⃣', '👩‍🔬 👩🏽‍🔬 🏳️‍🌈 ❤️ 1️⃣'],
])('shows what is invisible in a label, and emoji as they are: %j', async (label, shown) => {
  const file = join(folder, 'label.imprint');
  await copyFile(model, file);
  expect((await imprint(['rename', file, 'a', label])).stdout).toBe(`a is now ${shown}.\n`);
});

it('writes lines for more classes than a call takes arguments', () => {
  const labels = Array.from({ length: 200_000 }, (_, i) => `class ${i}`);
  expect(widest(labels)).toBe('class 199999'.length);
  const perClass = labels.map((label) => {
    return { label, examples: 1, correct: 1, recall: 1, predicted: 1, precision: 1, f1: 1, calledUnknown: 0 };
  });
  const measured = { accuracy: 1, balancedAccuracy: 1, correct: 200_000, examples: 200_000, knownRate: 1 };
  const rest = { expectedCalibrationError: 0, meanConfidence: 1, unknown: null, labels, confusion: [] };
  const result = { ...measured, ...rest, perClass } as unknown as EvaluationResult;
  expect(evaluationLines(result, (_tone, text) => text)).toHaveLength(200_006);
}, 60_000);
