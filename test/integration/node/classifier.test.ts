/** The doors of @imprint/node on a real backbone and a real file system: create, open, save, update. */

import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readyEmbeddings } from '@imprint/core';
import { createClassifier, loadBackbone, openClassifier, saveClassifier, updateClassifier } from '@imprint/node';
import type { NodeBackbone } from '@imprint/node';
import { picture, TINY } from '../../e2e/cli/imprint-process.ts';

let folder: string;
let backbone: NodeBackbone;
let photos: Buffer[][];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imprint-classifier-'));
  backbone = await loadBackbone(TINY, { device: 'cpu' });
  photos = await Promise.all([0, 1, 2].map((kind) => Promise.all([0, 1, 2, 3, 4, 5].map((i) => picture(kind, i)))));
});
afterAll(async () => {
  await backbone.dispose();
  await rm(folder, { recursive: true, force: true });
});

/** A file with the classes `x` and `y`. */
async function saved(name: string): Promise<string> {
  const path = join(folder, name);
  await using classifier = await createClassifier({ backbone });
  await classifier.addClass('x', photos[0]);
  await classifier.addClass('y', photos[1]);
  await saveClassifier(classifier, path);
  return path;
}

describe('createClassifier', () => {
  it('learns and answers from paths, bytes and Blobs alike', async () => {
    await using classifier = await createClassifier({ backbone });
    const paths = await Promise.all(
      photos[0].map(async (bytes, i) => {
        const path = join(folder, `${i}.png`);
        await writeFile(path, bytes);
        return path;
      }),
    );
    await classifier.addClass('x', paths);
    const copies = [new Uint8Array(photos[0][0]), new Blob([new Uint8Array(photos[0][1])])];
    expect(await classifier.addExamples('x', copies)).toMatchObject({ added: 0, duplicates: 2 });
    await classifier.addClass('y', photos[1]);
    const fromPath = await classifier.classify(paths[0]);
    expect(await classifier.classify(photos[0][0])).toEqual(fromPath);
    expect(fromPath.nearest[0]).toMatchObject({ label: 'x', source: '0.png' });
    expect(fromPath.nearest[0].similarity).toBeCloseTo(1, 6);
  });

  it('serves several classifiers with one backbone, and leaves it to its owner', async () => {
    const [first, second] = await Promise.all([createClassifier({ backbone }), createClassifier({ backbone })]);
    await Promise.all([first.addClass('x', photos[0]), second.addClass('y', photos[1])]);
    await first.dispose();
    expect((await second.classify(photos[1][0])).ranking[0].label).toBe('y');
    await second.dispose();
    await using third = await createClassifier({ backbone });
    await third.addClass('z', photos[2]);
    expect(third.numExamples).toBe(6);
  });

  it('disposes the backbone that it loaded by itself', async () => {
    const classifier = await createClassifier({ backbone: TINY, device: 'cpu' });
    await classifier.addClass('x', photos[0].slice(0, 2));
    await classifier.dispose();
    const again = async (): Promise<void> => {
      for await (const _ of classifier.backbone.embed([photos[0][0]])) expect.unreachable();
    };
    await expect(again()).rejects.toMatchObject({ code: 'DISPOSED' });
  });

  it('refuses what it does not understand, and leaves no backbone behind', async () => {
    await expect(createClassifier({ backbone: TINY, head: 'no such head' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    await expect(createClassifier({ backbone: TINY, unknownBelow: 2 })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    await expect(createClassifier({ backbone: join(folder, 'nowhere') })).rejects.toMatchObject({
      code: 'BACKBONE_NOT_FOUND',
    });
  });

  it('leaves the event loop its turns while it solves', async () => {
    await using classifier = await createClassifier({ backbone });
    for (const [kind, own] of photos.entries()) await classifier.addClass(`c${kind}`, own);
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await classifier.classify(photos[0][0]);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(0);
  });
});

describe('openClassifier', () => {
  it('gives back what was saved: classes, options, hash and answers', async () => {
    const path = join(folder, 'options.imprint');
    await using classifier = await createClassifier({ backbone, head: 'nearest-class-mean', unknownBelow: 0.05 });
    await classifier.addClass('x', photos[0]);
    await classifier.addClass('y', photos[1]);
    await saveClassifier(classifier, path);
    await using opened = await openClassifier(path, { backbone: TINY, device: 'cpu' });
    expect(opened).toMatchObject({ head: 'nearest-class-mean', unknownBelow: 0.05, numExamples: 12 });
    expect(opened.hash()).toBe(classifier.hash());
    expect(await opened.classify(photos[2][0])).toEqual(await classifier.classify(photos[2][0]));
    await using overruled = await openClassifier(path, { backbone, unknownBelow: 0 });
    expect(overruled).toMatchObject({ head: 'nearest-class-mean', unknownBelow: 0 });
  });

  it('finds the embedded backbone by the name in the file', async () => {
    const path = join(folder, 'embedded.imprint');
    await using classifier = await createClassifier({ device: 'cpu' });
    await classifier.addClass('x', photos[0].slice(0, 2));
    await saveClassifier(classifier, path);
    await using opened = await openClassifier(path, { device: 'cpu' });
    expect(opened.backbone.identity).toEqual(classifier.backbone.identity);
  });

  it('refuses another backbone, and says so when the one in the file has no name here', async () => {
    const path = await saved('strict.imprint');
    await expect(openClassifier(path, { backbone: 'imprint-tiny' })).rejects.toMatchObject({
      code: 'BACKBONE_MISMATCH',
    });
    await expect(openClassifier(path)).rejects.toMatchObject({ code: 'BACKBONE_NOT_FOUND' });
  });

  it('opens a file without any backbone: classes can be changed, pictures cannot be asked', async () => {
    const path = await saved('without.imprint');
    await using classifier = await openClassifier(path, { backbone: null });
    classifier.renameClass('x', 'z');
    expect(classifier.classes.map(({ label }) => label)).toEqual(['y', 'z']);
    expect((await classifier.report()).reason).not.toBe('');
    await expect(classifier.classify(photos[0][0])).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    expect(classifier.hash()).not.toBe((await openClassifier(path, { backbone: null })).hash());
  });

  it('states that there is no file, or a folder', async () => {
    await expect(openClassifier(join(folder, 'none'), { backbone })).rejects.toMatchObject({ code: 'FILE_NOT_FOUND' });
    await expect(openClassifier(folder, { backbone })).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
  });
});

describe('updateClassifier', () => {
  it('waits for the other calls of its process, however many, and never for itself', async () => {
    const path = await saved('crowded.imprint');
    await using classifier = await openClassifier(path, { backbone });
    await Promise.all(Array.from({ length: 300 }, () => saveClassifier(classifier, path)));
    const nested = updateClassifier(path, { backbone }, () => saveClassifier(classifier, path));
    await expect(nested).rejects.toMatchObject({ code: 'FILE_BUSY', message: expect.stringContaining('inside one') });
    expect((await openClassifier(path, { backbone })).hash()).toBe(classifier.hash());
  });

  it('and the others take backbones of other inputs than pictures', async () => {
    const path = join(folder, 'vectors.imprint');
    const vectors = readyEmbeddings({ name: 'vectors', dim: 4 });
    const vector = (...values: number[]) => ({ embedding: Float32Array.from(values) });
    await using classifier = await createClassifier({ backbone: vectors });
    await classifier.addClass('up', [vector(1, 0, 0, 0), vector(2, 1, 0, 0)]);
    await saveClassifier(classifier, path);
    await updateClassifier(path, { backbone: vectors }, (opened) => opened.addClass('down', [vector(-1, 0, 0, 1)]));
    const opened = await openClassifier(path, { backbone: vectors });
    expect((await opened.classify(vector(-2, 0, 0, 2))).ranking[0].label).toBe('down');
  });

  it('loses no change of many at once', async () => {
    const path = await saved('many.imprint');
    const labels = Array.from({ length: 6 }, (_, i) => `added ${i}`);
    const update = (label: string, i: number): Promise<number> =>
      updateClassifier(path, { backbone }, async (classifier) => {
        await classifier.addClass(label, [photos[2][i]]);
        return classifier.classes.length;
      });
    const lengths = await Promise.all(labels.map(update));
    expect(lengths.sort()).toEqual([3, 4, 5, 6, 7, 8]);
    await using opened = await openClassifier(path, { backbone: null });
    expect(opened.classes.map(({ label }) => label)).toEqual([...labels, 'x', 'y']);
  });

  it('leaves the file as it was when the change throws, and frees the lock', async () => {
    const path = await saved('failing.imprint');
    const before = await readFile(path);
    const failing = updateClassifier(path, { backbone: null }, (classifier) => {
      classifier.removeClass('x');
      throw new Error('changed my mind');
    });
    await expect(failing).rejects.toThrow('changed my mind');
    expect(await readFile(path)).toEqual(before);
    await updateClassifier(path, { backbone: null }, (classifier) => classifier.removeClass('y'));
    expect((await readdir(folder)).filter((name) => name.startsWith('.'))).toEqual([]);
  });
});

it('refuses null for options', async () => {
  for (const open of [() => createClassifier(null as never), () => loadBackbone(undefined, null as never)]) {
    await expect(open()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  }
});
