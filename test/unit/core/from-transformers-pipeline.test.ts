/** The adapter for transformers.js, on a real transformer behind a function of the pipelines' shape. */

import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Embedded } from '../../../packages/core/src/backbone.ts';
import { fromTransformersPipeline } from '../../../packages/core/src/from-transformers-pipeline.ts';
import type { FeatureExtractor } from '../../../packages/core/src/from-transformers-pipeline.ts';
import { tinyVit } from '../node/models/tiny-vit.ts';

let session: InferenceSession;
beforeAll(async () => {
  session = await InferenceSession.create(tinyVit());
});
afterAll(() => session.release());

/** What `pipeline('image-feature-extraction')` is: a function with its model, answering with a tensor. */
const pipeline = Object.assign(
  async (pixels: Float32Array) =>
    (await session.run({ pixel_values: new Tensor('float32', pixels, [1, 3, 32, 32]) }))[
      'last_hidden_state'
    ] as Tensor & { data: Float32Array },
  { model: { config: { hidden_size: 16 } } },
);
const picture = (seed: number): Float32Array =>
  Float32Array.from({ length: 3 * 32 * 32 }, (_, i) => Math.sin(i * seed));

async function all(stream: AsyncIterable<Embedded>): Promise<Embedded[]> {
  const results: Embedded[] = [];
  for await (const result of stream) results.push(result);
  return results;
}

describe('fromTransformersPipeline', () => {
  it("pools class token and patch mean of the pipeline's own tensor, and names the input by its content", async () => {
    const backbone = fromTransformersPipeline(pipeline, { name: 'tiny', taps: ['cls', 'mean'], prefixTokens: 1 });
    expect(backbone.identity).toMatchObject({ name: 'tiny', dim: 16, taps: ['cls', 'mean'] });
    const results = await all(backbone.embed([picture(1), picture(2), picture(1)]));
    const tokens = (await pipeline(picture(1))).data;
    const [first, second, again] = results as Extract<Embedded, { embedding: Float32Array }>[];
    expect(first.embedding.subarray(0, 16)).toEqual(tokens.subarray(0, 16));
    for (let d = 0; d < 16; d++) {
      let sum = 0;
      for (let token = 1; token < 17; token++) sum += tokens[token * 16 + d];
      expect(first.embedding[16 + d]).toBeCloseTo(sum / 16, 5);
    }
    expect(again.embedding).toEqual(first.embedding);
    expect([first.id, again.id, second.id]).toEqual([first.id, first.id, expect.not.stringMatching(first.id)]);
    expect(first.id).toMatch(/^[0-9a-f]{16}$/);
  });

  it('takes pooled vectors, models that answer with named outputs, and 64-bit integers', async () => {
    const pooled: FeatureExtractor<string> = async (text) => ({
      data: BigInt64Array.of(BigInt(text.length), 2n),
      dims: [1, 2],
    });
    const [one] = await all(fromTransformersPipeline(pooled, { name: 'a', dim: 2 }).embed(['four']));
    expect(one).toMatchObject({ index: 0, embedding: Float32Array.of(4, 2) });
    const model: FeatureExtractor<string> = async () => ({
      logits: 'x',
      image_embeds: { data: Float32Array.of(3, 4), dims: [1, 2] },
    });
    const [two] = await all(
      fromTransformersPipeline(model, { name: 'b', dim: 2, sourceOf: (text) => text }).embed(['s']),
    );
    expect(two).toMatchObject({ source: 's', embedding: Float32Array.of(3, 4) });
  });

  it('yields the error of an input that the pipeline refuses, and goes on', async () => {
    const picky: FeatureExtractor<unknown> = async (input) => {
      if (input === 'bad') throw new Error('no such picture');
      return { data: Float32Array.of(1), dims: [1, 1] };
    };
    const results = await all(
      fromTransformersPipeline(picky, { name: 'a', dim: 1 }).embed([
        'bad',
        { x: 1 },
        'good',
        { data: Uint8Array.of(1, 2), width: 2 },
      ]),
    );
    expect(results.map((result) => ('error' in result ? result.error.code : result.id.length))).toEqual([
      'FILE_UNREADABLE',
      'INVALID_ARGUMENT',
      16,
      16,
    ]);
    const named = fromTransformersPipeline(picky, { name: 'a', dim: 1, idOf: () => 'mine' });
    expect(await all(named.embed([{ x: 1 }]))).toMatchObject([{ id: 'mine' }]);
  });

  it('says what does not fit: dim, shape, taps, name', async () => {
    const bare = async (): Promise<unknown> => 7;
    expect(() => fromTransformersPipeline(bare as FeatureExtractor<string>, { name: 'a' })).toThrow(
      "Expected a positive integer for dim, got undefined. The pipeline's model does not tell it: pass { dim }.",
    );
    expect(() => fromTransformersPipeline(pipeline, { name: '' })).toThrow("Expected the model's name for name");
    expect(() => fromTransformersPipeline(pipeline, { name: 'a', taps: [] })).toThrow(
      "Expected 'cls', 'mean' or both for taps",
    );
    await expect(all(fromTransformersPipeline(pipeline, { name: 'a', dim: 8 }).embed([picture(1)]))).rejects.toThrow(
      'Expected 1 x tokens x 8 or 1 x 8 from the pipeline, got 1 x 17 x 16',
    );
    await expect(
      all(fromTransformersPipeline(bare as FeatureExtractor<string>, { name: 'a', dim: 8 }).embed(['x'])),
    ).rejects.toThrow('Expected a tensor with data and dims from the pipeline, got 7');
  });

  it('stops for the signal and after dispose', async () => {
    const backbone = fromTransformersPipeline(pipeline, { name: 'a' });
    await expect(all(backbone.embed([picture(1)], { signal: AbortSignal.abort(new Error('enough')) }))).rejects.toThrow(
      'enough',
    );
    await backbone.dispose();
    await backbone.dispose();
    await expect(all(backbone.embed([picture(1)]))).rejects.toMatchObject({ code: 'DISPOSED' });
  });
});
