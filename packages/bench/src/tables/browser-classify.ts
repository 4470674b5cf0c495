/** Learning and answering in a page: first answer, time a photo, and the page's longest standstill, beside transformers.js. */

import path from 'node:path';
import type { BrowserContext } from 'playwright-core';
import { listImages } from '@imprint/node';
import type { BenchContext } from '../bench-context.ts';
import { openChromiumPage, root } from '../chromium-page.ts';
import { deitTinyFolders } from '../deit-tiny.ts';
import { compare, type Case } from '../measure.ts';

/** Both take turns over the same photos, so many at a time: on a busy machine short turns meet the same load. */
const PHOTOS = 50;
const PHOTOS_A_ROUND = 5;
const STARTS = 3;

/** The page: both are given the same model, photos and number of threads. */
const PAGE = `
import { createClassifier } from '@imprint/web';

const threads = Number(new URLSearchParams(location.search).get('threads') ?? 1);

globalThis.openOurs = (backbone = '/deit/manifest.json') =>
  createClassifier({ device: 'wasm', numThreads: threads, ...(backbone && { backbone }) });

globalThis.openTheirs = async () => {
  const { env, pipeline } = await import('@huggingface/transformers');
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.localModelPath = '/transformers/';
  env.useBrowserCache = false;
  env.backends.onnx.wasm.wasmPaths = '/ort/';
  env.backends.onnx.wasm.numThreads = threads;
  return pipeline('image-feature-extraction', 'deit-tiny', { dtype: 'fp32', device: 'wasm' });
};

/**
 * The longest time in milliseconds that the page's thread did not turn while action ran, to within its 4 ms timer. One that asks
 * without a pause would take a core from whoever works beside the page.
 */
globalThis.longestGap = async (action) => {
  let [longest, last] = [0, performance.now()];
  const turn = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  };
  const timer = setInterval(turn, 1);
  try {
    await action();
  } finally {
    clearInterval(timer);
  }
  turn();
  return longest;
};

/** Milliseconds from nothing to the answer about a third photo, two having been learned. */
globalThis.firstAnswer = {
  ours: async ([one, two, asked], backbone) => {
    const start = performance.now();
    const classifier = await openOurs(backbone);
    await classifier.addClass('one', [one]);
    await classifier.addClass('two', [two]);
    await classifier.classify(asked);
    const elapsed = performance.now() - start;
    await classifier.dispose();
    return elapsed;
  },
  theirs: async (photos) => {
    const start = performance.now();
    const extract = await openTheirs();
    for (const photo of photos) await extract(photo);
    return performance.now() - start;
  },
};

/** Both in turn over the same photos: milliseconds a photo and the longest gap in milliseconds, by round. */
globalThis.manyPhotos = async (learned, asked, photosARound) => {
  const classifier = await openOurs();
  await classifier.addClass('one', learned.slice(0, 2));
  await classifier.addClass('two', learned.slice(2));
  const extract = await openTheirs();
  const work = {
    ours: async (photos) => {
      for await (const result of classifier.classifyMany(photos)) if (result.error) throw result.error;
    },
    theirs: async (photos) => {
      for (const photo of photos) await extract(photo);
    },
  };
  for (const who of ['ours', 'theirs']) await work[who](learned);
  const measured = { ours: [], theirs: [], oursGap: [], theirsGap: [] };
  for (let at = 0; at < asked.length; at += photosARound) {
    const photos = asked.slice(at, at + photosARound);
    // Who comes first finds the photos in no cache: they take turns in that, too.
    const order = (at / photosARound) % 2 === 0 ? ['ours', 'theirs'] : ['theirs', 'ours'];
    for (const who of order) {
      const start = performance.now();
      const gap = await longestGap(() => work[who](photos));
      measured[who].push((performance.now() - start) / photos.length);
      measured[who + 'Gap'].push(gap);
    }
  }
  return { ...measured, device: classifier.device.inWords };
};
`;

interface ManyPhotos {
  readonly ours: number[];
  readonly theirs: number[];
  readonly oursGap: number[];
  readonly theirsGap: number[];
  readonly device: string;
}

interface PageGlobals {
  readonly firstAnswer: Record<
    'ours' | 'theirs',
    (photos: readonly string[], backbone?: string | null) => Promise<number>
  >;
  manyPhotos(learned: readonly string[], asked: readonly string[], photosARound: number): Promise<ManyPhotos>;
}

/** transformers.js wants more than our strict policy; what is fetched may be kept, as from a real server. */
const HEADERS = {
  'content-security-policy': "default-src 'self' 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval' blob: data:",
  'cache-control': 'public, max-age=3600',
};

/** Eight rows: first answers cold and warm, photos on one and two threads, and gaps. */
export async function browserClassify(table: string, context: BenchContext): Promise<Case[]> {
  const { modelFile, photos } = context.inputs();
  await using model = await deitTinyFolders(modelFile);
  const { paths } = await listImages([photos]);
  const urls = paths
    .filter((file) => file.endsWith('.jpg'))
    .map((file) => `/photos/${path.relative(photos, file).split(path.sep).join('/')}`);
  await using opened = await openChromiumPage(PAGE, {
    headers: HEADERS,
    folders: {
      '/photos': photos,
      '/deit': model.imprint,
      '/transformers': model.transformers,
      '/ort': path.join(root, 'node_modules/onnxruntime-web/dist'),
    },
  });
  const browser = opened.page.context().browser();
  if (browser === null) throw new Error('Expected a browser behind the page, got none.');
  const first = urls.slice(0, 3);

  async function start(kept: BrowserContext, who: 'ours' | 'theirs', backbone?: string | null): Promise<number> {
    const page = await kept.newPage();
    await page.goto(`${opened.origin}/?threads=1`);
    const elapsed = await page.evaluate(
      ({ who, first, backbone }) => (globalThis as unknown as PageGlobals).firstAnswer[who](first, backbone),
      { who, first, backbone },
    );
    await page.close();
    return elapsed;
  }

  const cold = { ours: [] as number[], theirs: [] as number[], tiny: [] as number[] };
  const warm = { ours: [] as number[], theirs: [] as number[], tiny: [] as number[] };
  for (let round = 0; round < STARTS; round++) {
    for (const [key, who, backbone] of [
      ['ours', 'ours', undefined],
      ['theirs', 'theirs', undefined],
      ['tiny', 'ours', null],
    ] as const) {
      context.progress(`first answers ${round + 1} of ${STARTS}: ${key}`);
      // A context of its own has nothing in its cache; its second page finds everything there.
      const kept = await browser.newContext();
      cold[key].push(await start(kept, who, backbone));
      warm[key].push(await start(kept, who, backbone));
      await kept.close();
    }
  }

  const many: ManyPhotos[] = [];
  for (const threads of [1, 2]) {
    context.progress(`${PHOTOS} photos, ${threads} ${threads === 1 ? 'thread' : 'threads'}`);
    const page = await browser.newPage();
    await page.goto(`${opened.origin}/?threads=${threads}`);
    many.push(
      await page.evaluate(
        ({ learned, asked, size }) => (globalThis as unknown as PageGlobals).manyPhotos(learned, asked, size),
        { learned: urls.slice(0, 4), asked: urls.slice(4, 4 + PHOTOS), size: PHOTOS_A_ROUND },
      ),
    );
    const { device } = many[many.length - 1];
    const expected = `wasm, ${threads} thread${threads === 1 ? '' : 's'}`;
    if (device !== expected) throw new Error(`Expected ${expected}, got ${device}.`);
    await page.close();
  }
  const peer = 'transformers.js image-feature-extraction, the same page and model';
  const [one, two] = many;
  return [
    compare(table, 'first answer, cold: DeiT-Tiny, learn 2 photos, ask about 1', cold.ours, peer, cold.theirs, 'ms'),
    compare(table, 'first answer, warm (a second visit)', warm.ours, peer, warm.theirs, 'ms'),
    compare(
      table,
      'first answer, cold, with the embedded imprint-tiny',
      cold.tiny,
      `${peer.split(',')[0]}, DeiT-Tiny`,
      cold.theirs,
      'ms',
    ),
    compare(
      table,
      'first answer, warm, with the embedded imprint-tiny',
      warm.tiny,
      `${peer.split(',')[0]}, DeiT-Tiny`,
      warm.theirs,
      'ms',
    ),
    compare(table, `classifyMany over ${PHOTOS} photos, WASM, 1 thread`, one.ours, peer, one.theirs, 'ms a photo'),
    compare(table, `classifyMany over ${PHOTOS} photos, WASM, 2 threads`, two.ours, peer, two.theirs, 'ms a photo'),
    compare(
      table,
      `the page's longest standstill over ${PHOTOS} photos, 1 thread`,
      [Math.max(...one.oursGap)],
      peer,
      [Math.max(...one.theirsGap)],
      'ms',
    ),
    compare(
      table,
      `the page's longest standstill over ${PHOTOS} photos, 2 threads`,
      [Math.max(...two.oursGap)],
      peer,
      [Math.max(...two.theirsGap)],
      'ms',
    ),
  ];
}
