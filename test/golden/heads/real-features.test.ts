import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { benchHeads, type BenchResult, type FewShotSplit } from '../../../packages/core/src/evaluation/bench-heads.ts';

const SHARED = process.env.IMPRINT_SHARED ?? new URL('../../../../shared', import.meta.url).pathname;
const path = (set: string, ending: string): string => `${SHARED}/features/deit_tiny.${set}.${ending}`;
const missing = !existsSync(path('pacs.taps', 'json'));

interface Reference {
  readonly shots: number;
  readonly seed: number;
  /** In percent. */
  readonly heads: Readonly<Record<string, number>>;
}

/** Runs heads on all splits of a set up to `maxShots`, beside what NumPy reached on the same splits. */
async function compare(
  set: string,
  maxShots: number,
  heads: string[],
): Promise<{ own: BenchResult[]; numpy: Reference[] }> {
  const { shape, labels } = JSON.parse(readFileSync(path(set, 'json'), 'utf8')) as {
    shape: number[];
    labels: number[];
  };
  const bytes = readFileSync(path(set, 'f32.bin'));
  const data = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const splits = (JSON.parse(readFileSync(path(set, 'splits.json'), 'utf8')) as FewShotSplit[]).filter(
    ({ shots }) => shots <= maxShots,
  );
  const references = readFileSync(path(set, 'reference.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Reference);
  const own: BenchResult[] = [];
  for await (const result of benchHeads({ shape, labels, data }, splits, { heads })) own.push(result);
  const numpy = splits.map(
    ({ shots, seed }) => references.find((r) => r.shots === shots && r.seed === seed) as Reference,
  );
  return { own, numpy };
}

const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;

describe.skipIf(missing)('heads on real features (skipped where ../shared/features is missing)', () => {
  it.each(['pacs.taps', 'clothing_small.taps'])(
    'auto keeps within 0.3 points of the best single reference head: %s up to 20 shots',
    { timeout: 120_000 },
    async (set) => {
      const { own, numpy } = await compare(set, 20, ['auto']);
      for (const name of new Set(numpy.flatMap(({ heads }) => Object.keys(heads)))) {
        // Some references start at two shots: compared on the splits that they have.
        const rows = Array.from(numpy.keys()).filter((i) => name in numpy[i].heads);
        const reference = mean(rows.map((i) => numpy[i].heads[name]));
        expect(mean(rows.map((i) => own[i].heads.auto)) * 100, name).toBeGreaterThanOrEqual(reference - 0.3);
      }
    },
  );

  it('every head reaches what NumPy reaches: PACS up to 5 shots', { timeout: 120_000 }, async () => {
    const names = ['ncm', 'knn5', 'lda-oas', 'lda-ks', 'krr-inf', 'deep-ncm', 'deep-lda-ks', 'deep-krr-inf'];
    const { own, numpy } = await compare('pacs.taps', 5, names);
    for (const name of names) {
      const rows = Array.from(numpy.keys()).filter((i) => name in numpy[i].heads);
      // Nine splits of 210 test photos: int8 codes and another rule for lambda move a photo or two a split.
      const difference = mean(rows.map((i) => own[i].heads[name] * 100 - numpy[i].heads[name]));
      expect(Math.abs(difference), name).toBeLessThan(0.7);
    }
  });
});
