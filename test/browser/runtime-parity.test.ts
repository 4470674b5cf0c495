/** One classifier in two runtimes: what Node learned a page knows, and the other way round, photo for photo. */

import { readdirSync } from 'node:fs';
import path from 'node:path';
import { Classifier, decodeSnapshot } from '@imprint/core';
import { createClassifier, loadBackbone, type ImageInput } from '@imprint/node';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { photos, root, type BuiltPage } from './build-page.ts';
import { drawnPictures } from './drawn-pictures.ts';
import { HomePage } from './home-page.ts';
import { describeInBrowser, launchChromium } from './launch-chromium.ts';
import { openPage } from './open-page.ts';
import { buildRuntimePage } from './runtime-page.ts';
import { serve, type Site } from './serve.ts';

/** Codes of a snapshot's examples, by id. */
function codesById(snapshot: Uint8Array): Map<string, Int8Array> {
  const { content } = decodeSnapshot(snapshot);
  const { codes, ids, width } = (
    content as { view(): { codes: Int8Array; ids: readonly string[]; width: number } }
  ).view();
  return new Map(ids.map((id, row) => [id, codes.subarray(row * width, (row + 1) * width)]));
}

function cosine(a: Int8Array, b: Int8Array): number {
  let [product, left, right] = [0, 0, 0];
  a.forEach((value, i) => {
    product += value * b[i];
    left += value * value;
    right += b[i] * b[i];
  });
  return product / Math.sqrt(left * right);
}

describeInBrowser('one classifier in Node and on a page', () => {
  let browser: Browser;
  let site: Site;
  let home: HomePage;
  let built: BuiltPage;

  beforeAll(async () => {
    browser = await launchChromium();
    built = await buildRuntimePage();
    site = await serve(built.routes);
    home = await HomePage.open(browser, site);
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
    built?.[Symbol.dispose]();
  });

  it('opens a file from Node, gives the same bytes back, and Node opens what a page learned', async () => {
    const manifest = path.join(root, 'test/fixtures/tiny-backbone');
    await using backbone = await loadBackbone(manifest, { device: 'cpu' });
    const drawn = await drawnPictures();
    const bytes = (files: readonly { buffer: Buffer; name: string }[]): ImageInput[] =>
      files.map(({ buffer, name }) => ({ image: new Uint8Array(buffer), source: name }));
    await using node = await createClassifier({ backbone, unknownBelow: 0.05 });
    await node.addClass('disc', bytes(drawn.disc));
    await node.addClass('stripes', bytes(drawn.stripes));
    const file = node.snapshot();
    site.routes.set('/node.imprint', () => ({ body: file }));
    site.routes.set('/drawn', (_, url) => {
      const found = [...drawn.disc, ...drawn.stripes, drawn.another.disc].find(({ name }) =>
        url.pathname.endsWith(name),
      );
      return found && { body: found.buffer };
    });
    await using open = await openPage(browser, `${site.origin}/`, { home });
    const page = await open.page.evaluate(async () => {
      const backbone = '/fixtures/tiny-backbone/manifest.json';
      const opened = await openClassifier({ backbone, device: 'wasm' });
      await opened.import(await (await fetch('/node.imprint')).blob());
      const same = Array.from(new Uint8Array(await (await opened.export()).arrayBuffer()));
      const { classes, numExamples, unknownBelow } = opened;
      const fromFile = await opened.classify('/drawn/disc-4.png');
      const learned = await openClassifier({ backbone, device: 'wasm', unknownBelow: 0.05 });
      for (const label of ['disc', 'stripes']) {
        await learned.addClass(
          label,
          [0, 1, 2].map((i) => `/drawn/${label}-${i}.png`),
        );
      }
      const merged = await openClassifier({ backbone, device: 'wasm', unknownBelow: 0.05 });
      await merged.import(await learned.snapshot());
      await merged.import(await (await fetch('/node.imprint')).arrayBuffer(), { merge: true });
      return {
        same,
        classes,
        numExamples,
        unknownBelow,
        fromFile,
        learned: Array.from(await learned.snapshot()),
        merged: merged.numExamples,
      };
    });
    expect(new Uint8Array(page.same)).toEqual(new Uint8Array(file));
    expect(page).toMatchObject({ classes: node.classes, numExamples: 6, unknownBelow: 0.05, merged: 6 });
    const inNode = await node.classify(new Uint8Array(drawn.another.disc.buffer));
    expect({ ...page.fromFile, novelty: 0, confidence: 0, strangeness: 0, ranking: [] }).toMatchObject({
      label: inNode.label,
      known: inNode.known,
    });
    // The pixels are the same; only the engines' last digits may differ, which int8 codes seldom see.
    await using restored = Classifier.restore<ImageInput>(new Uint8Array(page.learned), backbone);
    expect(restored.classes).toEqual(node.classes);
    const [there, here] = [codesById(new Uint8Array(page.learned)), codesById(file)];
    expect([...there.keys()]).toEqual([...here.keys()]);
    for (const [id, codes] of there) expect(cosine(codes, here.get(id)!)).toBeGreaterThan(0.9999);
  });

  it('tells a stranger from one example, as Node does', async () => {
    const drawn = await drawnPictures();
    const pictures = [drawn.disc[0], drawn.another.disc, drawn.another.stripes];
    site.routes.set('/one', (_, url) => {
      const found = pictures.find(({ name }) => url.pathname.endsWith(name));
      return found && { body: found.buffer };
    });
    await using node = await createClassifier({ device: 'cpu', unknownBelow: 0.1 });
    await node.addClass('disc', [new Uint8Array(pictures[0].buffer)]);
    const inNode = [];
    for (const { buffer } of pictures) inNode.push(await node.classify(new Uint8Array(buffer)));
    await using open = await openPage(browser, `${site.origin}/`, { home });
    const onPage = await open.page.evaluate(
      async (names) => {
        const classifier = await openClassifier({ device: 'wasm', unknownBelow: 0.1 });
        await classifier.addClass('disc', [`/one/${names[0]}`]);
        const found = [];
        for (const name of names) found.push(await classifier.classify(`/one/${name}`));
        return found.map(({ known, novelty }) => ({ known, novelty }));
      },
      pictures.map(({ name }) => name),
    );
    expect(inNode.map(({ known }) => known)).toEqual([true, true, false]);
    for (const [i, { known, novelty }] of inNode.entries()) {
      expect(onPage[i].known).toBe(known);
      expect(onPage[i].novelty).toBeCloseTo(novelty, 3);
    }
  });

  describe.skipIf(photos === undefined)('with real photos', () => {
    it('learns 20 classes of photos as Node does, and answers alike on every photo', { timeout: 240_000 }, async () => {
      const folder = path.join(photos!, 'caltech101');
      const classes = readdirSync(folder).sort().slice(0, 20);
      const [shots, tests] = [5, 12];
      const files = (label: string) => readdirSync(path.join(folder, label)).sort();
      const train = classes.map((label) => ({ label, names: files(label).slice(0, shots) }));
      const test = classes.flatMap((label) =>
        files(label)
          .slice(shots, shots + tests)
          .map((name) => ({ label, name })),
      );
      await using node = await createClassifier({ device: 'cpu' });
      for (const { label, names } of train)
        await node.addClass(
          label,
          names.map((name) => path.join(folder, label, name)),
        );
      const inNode = [];
      for await (const result of node.classifyMany(test.map(({ label, name }) => path.join(folder, label, name)))) {
        if ('error' in result) throw result.error;
        inNode.push(result.prediction);
      }
      await using open = await openPage(browser, `${site.origin}/`, { home });
      const onPage = await open.page.evaluate(
        async ({ train, test }) => {
          const classifier = await openClassifier({ device: 'wasm' });
          const address = (label: string, name: string) => `/photos/caltech101/${label}/${name}`;
          for (const { label, names } of train)
            await classifier.addClass(
              label,
              names.map((name) => address(label, name)),
            );
          const predictions = [];
          for await (const result of classifier.classifyMany(test.map(({ label, name }) => address(label, name)))) {
            if ('error' in result) throw result.error;
            predictions.push(result.prediction);
          }
          return { predictions, snapshot: Array.from(await classifier.snapshot()) };
        },
        { train, test },
      );
      const accuracy = (predictions: readonly { ranking: readonly { label: string }[] }[]) =>
        predictions.filter(({ ranking }, i) => ranking[0].label === test[i].label).length / test.length;
      console.log(`accuracy on ${test.length} photos: Node ${accuracy(inNode)}, page ${accuracy(onPage.predictions)}`);
      expect(accuracy(inNode)).toBeGreaterThan(0.6);
      expect(Math.abs(accuracy(onPage.predictions) - accuracy(inNode))).toBeLessThanOrEqual(0.005);
      // Two engines' embeddings differ in a few codes of a hundred thousand, which turns a tie of the two best classes, and
      // nothing else.
      type Answer = (typeof inNode)[number];
      const alike = ({ label, known, ranking }: Answer) => [label, known, ranking[0].label];
      const isTie = ({ ranking: [first, second] }: Answer) => first.probability - second.probability < 1e-3;
      const turned = inNode.flatMap((answer, i) => {
        const other = onPage.predictions[i] as Answer;
        const same = JSON.stringify(alike(answer)) === JSON.stringify(alike(other));
        return same ? [] : [{ ...test[i], tie: isTie(answer) && isTie(other), answers: [alike(answer), alike(other)] }];
      });
      console.log(`answered differently: ${turned.length} of ${test.length}, all of them ties`);
      expect(turned.filter(({ tie }) => !tie)).toEqual([]);
      expect(turned.length).toBeLessThanOrEqual(2);
      const [there, here] = [codesById(new Uint8Array(onPage.snapshot)), codesById(node.snapshot())];
      expect([...there.keys()]).toEqual([...here.keys()]);
      const cosines = [...there].map(([id, codes]) => cosine(codes, here.get(id)!));
      console.log(`smallest cosine of ${cosines.length} embeddings: ${Math.min(...cosines)}`);
      expect(Math.min(...cosines)).toBeGreaterThan(0.999);
      expect(open.complaints).toEqual([]);
      expect(open.strangers()).toEqual([]);
    });
  });
});
