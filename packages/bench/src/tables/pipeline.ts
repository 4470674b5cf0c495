/** Pictures a second from JPEG files to predictions, beside the bare model on ready tensors and beside transformers.js. */

import { env, pipeline as transformersPipeline } from '@huggingface/transformers';
import { createClassifier, listImages } from '@imprint/node';
import * as ort from 'onnxruntime-node';
import { deitTinyFolders } from '../deit-tiny.ts';
import { compare, interleave, longestGapMs, type Case } from '../measure.ts';
import type { BenchContext } from '../bench-context.ts';

const TABLE = 'pipeline';
const PHOTOS = 64;
const ROUNDS = 7;
const SIDE = 224;

async function drain(results: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of results);
}

/** A loop of `session.run` over tensors that are there already: what the model alone costs. */
async function bareLoop(modelFile: string, batch: number): Promise<() => Promise<void>> {
  const session = await ort.InferenceSession.create(modelFile);
  const pixels = Float32Array.from({ length: batch * 3 * SIDE * SIDE }, (_, i) => Math.sin(i));
  const tensor = new ort.Tensor('float32', pixels, [batch, 3, SIDE, SIDE]);
  return async () => {
    for (let done = 0; done < PHOTOS; done += batch) await session.run({ pixel_values: tensor }, ['taps']);
  };
}

/** The table `pipeline`. */
export async function pipeline(context: BenchContext): Promise<Case[]> {
  const { modelFile, photos } = context.inputs();
  await using folders = await deitTinyFolders(modelFile);
  const files = (await listImages([photos])).paths.filter((file) => file.endsWith('.jpg')).slice(0, PHOTOS + 10);
  const [learned, asked] = [files.slice(0, 10), files.slice(10)];

  await using classifier = await createClassifier({ backbone: folders.imprint, device: 'cpu' });
  await classifier.addClass('first', learned.slice(0, 5));
  await classifier.addClass('second', learned.slice(5));
  env.allowRemoteModels = false;
  env.localModelPath = folders.transformers;
  const extract = await transformersPipeline('image-feature-extraction', 'deit-tiny', { dtype: 'fp32', device: 'cpu' });

  const ours = () => drain(classifier.classifyMany(asked));
  const theirs = async () => {
    for (const file of asked) await extract(file);
  };
  const candidates = new Map([
    ['imprint', ours],
    ['bare 1', await bareLoop(modelFile, 1)],
    ['bare 8', await bareLoop(modelFile, 8)],
    ['transformers.js', theirs],
  ]);
  const times = await interleave(candidates, ROUNDS);
  const of = (name: string): number[] => times.get(name) as number[];
  const against = (name: string, peer: string, key: string): Case =>
    compare(TABLE, name, of('imprint'), peer, of(key), 'ms a photo', 1 / PHOTOS);

  const gaps = { ours: [] as number[], theirs: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    gaps.ours.push(await longestGapMs(ours));
    gaps.theirs.push(await longestGapMs(theirs));
  }
  await extract.dispose();
  return [
    against('classifyMany on JPEG files, DeiT-Tiny', 'bare session.run on ready tensors, batch 1', 'bare 1'),
    against('classifyMany on JPEG files, DeiT-Tiny', 'bare session.run on ready tensors, batch 8', 'bare 8'),
    against('classifyMany on JPEG files, DeiT-Tiny', 'transformers.js image-feature-extraction', 'transformers.js'),
    compare(TABLE, `longest event-loop gap over ${PHOTOS} photos`, gaps.ours, 'transformers.js', gaps.theirs, 'ms'),
  ];
}
