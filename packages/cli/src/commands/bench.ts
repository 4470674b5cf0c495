/** `imprint bench heads`: every head on the same few-shot splits of ready embeddings. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { BENCH_HEADS, benchHeads } from '@imprint/core';
import { createOrtGemm } from '@imprint/node';
import { UsageError, type Command } from '../command.ts';
import { pad } from '../display-text.ts';
import { paintFor } from '../paint.ts';
import { readFeatures, readSplits } from '../read-features.ts';

export const bench: Command = {
  name: 'bench',
  summary: 'compare the heads on ready embeddings',
  usage: ['bench heads --features F.json --splits S.json [--heads NAME,...] [--json]'],
  details: [
    'F.json holds "shape" ([n, dim] or [n, taps, dim]) and "labels"; beside it F.f32.bin the embeddings, row-major float32.',
    'S.json is an array of {shots, seed, train: [row...], test: [row...]}. "auto" is what a classifier uses by default.',
    'With --json one object a split, as it is done: {shots, seed, heads: {NAME: accuracy from 0 to 1}}.',
  ],
  options: {
    features: { value: 'F.json', help: 'the embeddings (needed)' },
    splits: { value: 'S.json', help: 'what to learn and to test on (needed)' },
    heads: { value: 'NAME,...', help: `out of ${BENCH_HEADS.slice(0, 6).join(', ')}, ...; default all but the extras` },
    json: { help: 'print one JSON object a split' },
  },
  examples: [
    ['imprint bench heads --features f.json --splits s.json', 'a table, one row a split, and the means'],
    ['imprint bench heads --features f.json --splits s.json --heads auto,ncm --json', 'two heads, as JSON lines'],
  ],
  async run(args, { output, signal }) {
    const [subject] = args.exactly('heads');
    if (subject !== 'heads') throw new UsageError(`Expected heads after bench, got ${JSON.stringify(subject)}.`);
    const [featurePath, splitPath] = [args.text('features'), args.text('splits')];
    if (featurePath === undefined || splitPath === undefined) {
      throw new UsageError('Expected --features F.json and --splits S.json, got not both.');
    }
    const heads = args.text('heads')?.split(',');
    const wrong = heads?.find((name) => !BENCH_HEADS.includes(name));
    if (wrong !== undefined)
      throw new UsageError(
        `Expected names out of ${BENCH_HEADS.join(', ')} for --heads, got ${JSON.stringify(wrong)}.`,
      );

    const [features, splits] = [await readFeatures(featurePath), await readSplits(splitPath)];
    const gemm = await createOrtGemm();
    const paint = paintFor(output);
    const sums = new Map<string, { sum: number; count: number }>();
    let columns: string[] | undefined;
    try {
      const options = { gemm, yieldToHost: () => nextTurn(), signal, ...(heads === undefined ? {} : { heads }) };
      for await (const result of benchHeads(features, splits, options)) {
        if (args.has('json')) await output.json(result);
        else {
          columns ??= heads ?? Object.keys(result.heads);
          if (sums.size === 0)
            await output.line(
              paint(
                'dim',
                row('shots', 'seed', columns, (name) => name),
              ),
            );
          await output.line(
            row(String(result.shots), String(result.seed), columns, (name) => shown(result.heads[name])),
          );
        }
        for (const [name, accuracy] of Object.entries(result.heads)) {
          const { sum, count } = sums.get(name) ?? { sum: 0, count: 0 };
          sums.set(name, { sum: sum + accuracy, count: count + 1 });
        }
        if (output.closed) break;
      }
    } finally {
      await gemm.dispose();
    }
    if (columns !== undefined) {
      const mean = (name: string): number | undefined => {
        const entry = sums.get(name);
        return entry === undefined ? undefined : entry.sum / entry.count;
      };
      await output.line(
        paint(
          'bold',
          row('mean', '', columns, (name) => shown(mean(name))),
        ),
      );
    }
    return 0;
  },
};

function row(shots: string, seed: string, columns: readonly string[], cell: (name: string) => string): string {
  const cells = columns.map((name) => pad(cell(name), Math.max(6, name.length), 'left'));
  return `${pad(shots, 5, 'left')}  ${pad(seed, 4, 'left')}  ${cells.join('  ')}`;
}

/** Percent without the sign, or a dash for a head that the split cannot carry. */
function shown(accuracy: number | undefined): string {
  return accuracy === undefined ? '-' : (accuracy * 100).toFixed(2);
}
