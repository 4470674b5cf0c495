/** What a page learns outlives the page, the worker and a full disk, in a real Chromium. */

import type { Browser, Page } from 'playwright-core';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { root, type BuiltPage } from './build-page.ts';
import { HomePage } from './home-page.ts';
import { describeInBrowser, launchChromium } from './launch-chromium.ts';
import { openPage } from './open-page.ts';
import { buildRuntimePage } from './runtime-page.ts';
import { serve, type Site } from './serve.ts';

const TINY = '/fixtures/tiny-backbone/manifest.json';

/** Opens the classifier that lies in `store`, and says what it knows. */
function open(page: Page, store = 'pets', options: object = {}) {
  return page.evaluate(
    async (options) => {
      const { notices } = globalThis;
      notices.length = 0;
      const classifier = await openClassifier(options);
      const storage = await classifier.storage();
      return { hash: await classifier.hash(), classes: classifier.classes, storage, notices };
    },
    { backbone: TINY, device: 'wasm' as const, store, ...options },
  );
}

function learn(page: Page, label: string, hue: number, count = 3) {
  return page.evaluate(
    async ([label, hue, count]) => {
      await globalThis.classifier.addClass(label, pictures(hue, count));
      return globalThis.classifier.hash();
    },
    [label, hue, count] as const,
  );
}

/** The files of the store, as the origin private file system has them: generation (0 where cut off) by name. */
function files(page: Page): Promise<Record<string, number>> {
  return page.evaluate(async () => {
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('imprint');
    const found: Record<string, number> = {};
    for await (const [name, handle] of folder.entries()) {
      const head = await (await (handle as FileSystemFileHandle).getFile()).slice(0, 16).arrayBuffer();
      found[name] = head.byteLength < 16 ? 0 : new DataView(head).getFloat64(8, true);
    }
    return found;
  });
}

/** Changes the newest file of the store, with a checksum that fits where `honest`. */
function spoil(page: Page, from: string, to: string, honest: boolean): Promise<void> {
  return page.evaluate(
    async ([from, to, honest]) => {
      const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('imprint');
      const read = async (name: string) => {
        const handle = await folder.getFileHandle(name);
        return { handle, bytes: new Uint8Array(await (await handle.getFile()).arrayBuffer()) };
      };
      const both = await Promise.all(['pets.0', 'pets.1'].map((name) => read(name).catch(() => undefined)));
      const [{ handle, bytes }] = both
        .flatMap((slot) => slot ?? [])
        .sort(
          (a, b) => new DataView(b.bytes.buffer).getFloat64(8, true) - new DataView(a.bytes.buffer).getFloat64(8, true),
        );
      const text = new TextDecoder('latin1').decode(bytes);
      const at = text.indexOf(from);
      if (at < 0) throw new Error(`no ${from} in the file`);
      bytes.set(new TextEncoder().encode(to), at);
      if (honest) {
        const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes.subarray(128)));
        const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
        bytes.set(new TextEncoder().encode(hex), 24);
      }
      const writable = await handle.createWritable();
      await writable.write(bytes);
      await writable.close();
    },
    [from, to, honest] as const,
  );
}

describeInBrowser('what a page learns', () => {
  let browser: Browser;
  let site: Site;
  let built: BuiltPage;
  let home: HomePage;

  beforeAll(async () => {
    browser = await launchChromium();
    built = await buildRuntimePage();
    site = await serve({ ...built.routes, '/engine': path.join(root, 'packages/web/dist/assets') });
    // Browsers that lack something, as a worker sees them.
    const without = (what: string) => () => ({
      body: `${what}; import('/engine/worker.js');`,
      headers: { 'content-type': 'text/javascript' },
    });
    site.routes.set('/no-opfs.js', without('delete StorageManager.prototype.getDirectory'));
    const refuses = `StorageManager.prototype.getDirectory = () => Promise.reject(new DOMException('Private', 'SecurityError'))`;
    site.routes.set(
      '/private.js',
      without(`${refuses}; for (let o = globalThis; o; o = Object.getPrototypeOf(o)) delete o.indexedDB`),
    );
    const fails = `StorageManager.prototype.getDirectory = () => Promise.reject(new DOMException('Disk', 'UnknownError'))`;
    site.routes.set('/failing.js', without(fails));
    site.routes.set('/no-locks.js', without('delete WorkerNavigator.prototype.locks'));
    home = await HomePage.open(browser, site);
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
    built?.[Symbol.dispose]();
  });

  it.each([
    ['opfs', {}],
    ['indexeddb', { workerUrl: '/no-opfs.js' }],
  ])('is known after a reload, from %s, whatever changed it', async (kind, options) => {
    await using tab = await openPage(browser, `${site.origin}/`, { home });
    expect((await open(tab.page, 'pets', options)).classes).toEqual([]);
    await learn(tab.page, 'discs', 0);
    const hash = await tab.page.evaluate(async () => {
      const { classifier } = globalThis;
      await classifier.addClass('stripes', pictures(1, 3));
      await classifier.addExample('one by one', pictures(3, 1)[0]);
      await classifier.renameClass('discs', 'Scheiben');
      await classifier.forgetExamples('stripes', pictures(1, 1));
      await classifier.addClass('short-lived', pictures(2, 2));
      await classifier.removeClass('short-lived');
      return classifier.hash();
    });
    await tab.page.reload();
    const known = await open(tab.page, 'pets', options);
    expect(known).toMatchObject({ hash, storage: { kind, isSaved: true }, notices: [] });
    expect(known.storage.quotaBytes).toBeGreaterThan(0);
    // Another name is another store; and what lies in IndexedDB stays there when the browser learns the other.
    expect((await open(tab.page, 'others', options)).classes).toEqual([]);
    expect(await open(tab.page)).toMatchObject({ hash, storage: { kind } });
    expect(tab.complaints).toEqual([]);
  });

  it('stays in memory, and says so, where the browser gives no storage', async () => {
    await using tab = await openPage(browser, `${site.origin}/`, { home });
    const { storage, notices } = await open(tab.page, 'pets', { workerUrl: '/private.js' });
    expect(storage).toMatchObject({ kind: 'memory', isSaved: false });
    expect(notices).toEqual([
      { kind: 'storage', message: expect.stringMatching(/gone with this page.*SecurityError.*export\(\)/) },
    ]);
    await learn(tab.page, 'discs', 0);
    expect(await tab.page.evaluate(() => failure(globalThis.classifier.flush()))).toMatch(/^UNSUPPORTED: .*export\(\)/);
    await tab.page.reload();
    expect((await open(tab.page)).classes).toEqual([]);
  });

  it('says where tabs cannot wait for each other', async () => {
    await using tab = await openPage(browser, `${site.origin}/`, { home });
    const { notices } = await open(tab.page, 'pets', { workerUrl: '/no-locks.js' });
    expect(notices).toEqual([{ kind: 'storage', message: expect.stringMatching(/one tab at a time/) }]);
    const hash = await learn(tab.page, 'discs', 0);
    await tab.page.reload();
    expect((await open(tab.page)).hash).toBe(hash);
  });

  it('says so where the files of the browser fail, and finds them again when they open', async () => {
    await using tab = await openPage(browser, `${site.origin}/`, { home });
    await open(tab.page);
    const hash = await learn(tab.page, 'discs', 0);
    const { storage, classes, notices } = await open(tab.page, 'pets', { workerUrl: '/failing.js' });
    expect({ kind: storage.kind, classes }).toEqual({ kind: 'indexeddb', classes: [] });
    expect(notices).toEqual([
      { kind: 'storage', message: expect.stringMatching(/did not open \(UnknownError: Disk\)/) },
    ]);
    expect((await open(tab.page)).hash).toBe(hash);
  });

  it('is refused to another backbone, and left as it is', async () => {
    await using tab = await openPage(browser, `${site.origin}/`, { home });
    await open(tab.page);
    const hash = await learn(tab.page, 'discs', 0);
    const failed = await tab.page.evaluate(() => failure(openClassifier({ device: 'wasm', store: 'pets' })));
    expect(failed).toMatch(/^BACKBONE_MISMATCH: /);
    expect(await open(tab.page)).toMatchObject({ hash, notices: [] });
  });

  it('stays in its memory mode, and says so where another was asked for', async () => {
    await using tab = await openPage(browser, `${site.origin}/`, { home });
    await open(tab.page);
    const hash = await learn(tab.page, 'discs', 0);
    expect(await open(tab.page, 'pets', { memory: 'statistics' })).toMatchObject({
      hash,
      notices: [
        { kind: 'storage', message: expect.stringMatching(/"statistics", but the store "pets" .* "examples"/) },
      ],
    });
    expect((await open(tab.page, 'pets', { memory: 'examples' })).notices).toEqual([]);
    expect((await open(tab.page, 'sums', { memory: 'statistics' })).notices).toEqual([]);
  });

  it('refuses a name that is none', async () => {
    await using tab = await openPage(browser, `${site.origin}/`, { home });
    for (const store of ['', 'x'.repeat(300)]) {
      const failed = await tab.page.evaluate((options) => failure(openClassifier(options)), {
        backbone: TINY,
        device: 'wasm' as const,
        store,
      });
      expect(failed).toMatch(/^INVALID_ARGUMENT: Expected a name of 1 to 60 characters for store/);
    }
  });

  it('costs fewer writes than changes when they come fast, and none is left out', async () => {
    await using tab = await openPage(browser, `${site.origin}/`, { home });
    await open(tab.page);
    await learn(tab.page, 'c0', 0, 1);
    const before = Math.max(...Object.values(await files(tab.page)));
    const hash = await tab.page.evaluate(async () => {
      const { classifier } = globalThis;
      await Promise.all(Array.from({ length: 100 }, (_, i) => classifier.renameClass(`c${i}`, `c${i + 1}`)));
      return classifier.hash();
    });
    const writes = Math.max(...Object.values(await files(tab.page))) - before;
    expect(writes).toBeLessThan(50);
    await tab.page.reload();
    expect(await open(tab.page)).toMatchObject({ hash, classes: [{ label: 'c100', count: 1 }] });
  });

  it('has everything that was answered, whenever its worker or its page is ended, also in the middle of a write', async () => {
    const { context } = home;
    const answered: string[] = [];
    for (let round = 0; round < 3; round++) {
      await using tab = await openPage(browser, `${site.origin}/`, { home, context });
      await tab.page.exposeFunction('answered', (label: string) => answered.push(label));
      const known = (await open(tab.page)).classes.map(({ label }) => label);
      expect(known).toEqual(expect.arrayContaining(answered));
      const learning = tab.page
        .evaluate(async (round) => {
          const { classifier } = globalThis;
          for (let i = 0; ; i++) {
            const label = `${round}-${i}`;
            const examples = Array.from({ length: 8 }, (_, j) => ({
              image: pictures(i % 3, 1)[0],
              id: `${label}-${j}`,
            }));
            await classifier.addClass(label, examples).then(
              () => (globalThis as unknown as { answered(label: string): Promise<void> }).answered(label),
              () => undefined,
            );
          }
        }, round)
        .catch(() => undefined);
      for (let crashes = 0; crashes < 2; crashes++) {
        const target = answered.length + 2;
        await expect.poll(() => answered.length, { interval: 5, timeout: 20_000 }).toBeGreaterThanOrEqual(target);
        await tab.page.waitForTimeout(3 * (2 * round + crashes));
        await Promise.all(tab.page.workers().map((worker) => worker.evaluate(() => close()).catch(() => undefined)));
      }
      const target = answered.length + 1;
      await expect.poll(() => answered.length, { interval: 5, timeout: 20_000 }).toBeGreaterThanOrEqual(target);
      await tab.page.close();
      await learning;
    }
    await using tab = await openPage(browser, `${site.origin}/`, { home, context });
    const { classes, notices } = await open(tab.page);
    expect(answered.length).toBeGreaterThanOrEqual(3 * 5);
    expect(classes.map(({ label }) => label)).toEqual(expect.arrayContaining(answered));
    expect(classes.every(({ count }) => count === 8)).toBe(true);
    expect(notices).toEqual([]);
    await home.clear();
  });

  it('is the old content or the new one, at whatever byte a write was cut off', async () => {
    await using tab = await openPage(browser, `${site.origin}/`, { home });
    await open(tab.page);
    await learn(tab.page, 'discs', 0);
    const old = await learn(tab.page, 'stripes', 1);
    const [[other]] = Object.entries(await files(tab.page)).sort(([, a], [, b]) => a - b);
    // What a worker leaves in the other file when it is ended: nothing, or a part of the content without its header.
    for (const sizeBytes of [0, 1, 100, 128, 129, 3000]) {
      await tab.page.evaluate(
        async ([other, sizeBytes]) => {
          const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('imprint');
          const writable = await (await folder.getFileHandle(other)).createWritable();
          await writable.write(new Uint8Array(sizeBytes).fill(7, 128));
          await writable.close();
        },
        [other, sizeBytes] as const,
      );
      await tab.page.reload();
      expect(await open(tab.page)).toMatchObject({ hash: old, notices: [] });
    }
  });

  it('is written again where the storage was cleared under an open page', async () => {
    await using tab = await openPage(browser, `${site.origin}/`, { home });
    await open(tab.page);
    await learn(tab.page, 'discs', 0);
    await tab.page.evaluate(async () =>
      (await navigator.storage.getDirectory()).removeEntry('imprint', { recursive: true }),
    );
    const hash = await learn(tab.page, 'stripes', 1);
    const notices = await tab.page.evaluate(() => globalThis.notices);
    expect(notices).toEqual([{ kind: 'storage', message: expect.stringMatching(/cleared while it was open/) }]);
    await tab.page.reload();
    expect((await open(tab.page)).hash).toBe(hash);
  });

  it('is set aside where it was damaged, and what was stored before comes back', async () => {
    await using tab = await openPage(browser, `${site.origin}/`, { home });
    await open(tab.page);
    const before = await learn(tab.page, 'discs', 0);
    await learn(tab.page, 'stripes', 1);
    await spoil(tab.page, '"labels"', '"labelz"', false);
    await tab.page.reload();
    const { hash, notices } = await open(tab.page);
    expect(hash).toBe(before);
    expect(notices).toEqual([
      {
        kind: 'storage',
        message: expect.stringMatching(/damaged data: its checksum.*moved aside, to the store "pets\.backup-\d+T\d+Z"/),
      },
    ]);
    expect(Object.keys(await files(tab.page)).sort()[1]).toMatch(/^pets\.backup-\d+T\d+Z\.0$/);
    await tab.page.reload();
    expect((await open(tab.page)).notices).toEqual([]);
  });

  it('is never written over where a newer release wrote it', async () => {
    await using tab = await openPage(browser, `${site.origin}/`, { home });
    await open(tab.page);
    await learn(tab.page, 'discs', 0);
    await spoil(tab.page, '"format_version":"', '"format_version":"9', true);
    await tab.page.reload();
    const { classes, notices } = await open(tab.page);
    expect(classes).toEqual([]);
    expect(notices[0].message).toMatch(
      /format version 1 or older, got version 9.*moved aside, to the store "pets\.backup-/,
    );
    await learn(tab.page, 'stripes', 1);
    const aside = Object.keys(await files(tab.page)).find((name) => name.includes('backup'))!;
    const text = await tab.page.evaluate(async (aside) => {
      const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('imprint');
      return (await (await folder.getFileHandle(aside)).getFile()).text();
    }, aside);
    expect(text).toContain('discs');
  });

  it('stays usable where the storage is full, the stored file stays whole, and flush() stores it once there is room', async () => {
    await using tab = await openPage(browser, `${site.origin}/`, { home });
    await open(tab.page);
    const stored = await learn(tab.page, 'discs', 0);
    const devtools = await tab.context.newCDPSession(tab.page);
    const quota = (quotaSize?: number) =>
      devtools.send('Storage.overrideQuotaForOrigin', { origin: site.origin, ...(quotaSize && { quotaSize }) });
    await quota(1000);
    const hash = await learn(tab.page, 'stripes', 1, 20);
    await learn(tab.page, 'discs again', 2);
    const full = await tab.page.evaluate(async () => ({
      notices: globalThis.notices,
      isSaved: (await globalThis.classifier.storage()).isSaved,
      label: (await globalThis.classifier.classify(pictures(1, 1, 5)[0])).ranking[0].label,
      failed: await failure(globalThis.classifier.flush()),
    }));
    const sizes = /Expected room for \d+ kB in opfs:pets, got storage that is full, with \d+ kB in use/;
    expect(full.notices).toEqual([{ kind: 'storage', message: expect.stringMatching(sizes) }]);
    expect(full).toMatchObject({ isSaved: false, label: 'stripes' });
    expect(full.failed).toMatch(/^FILE_UNWRITABLE: .*unchanged.*export\(\) to a file; then call flush\(\)/);
    await using other = await openPage(browser, `${site.origin}/`, { context: tab.context });
    expect((await open(other.page)).hash).toBe(stored);
    // A crash does not lose what only memory has.
    await Promise.all(tab.page.workers().map((worker) => worker.evaluate(() => close())));
    const after = await tab.page.evaluate(async () => {
      // A question is asked again where the crash met it, a change is not.
      await globalThis.classifier.hash();
      await globalThis.classifier.removeClass('discs again');
      return globalThis.classifier.hash();
    });
    expect(after).toBe(hash);
    await quota();
    await tab.page.evaluate(() => globalThis.classifier.flush());
    await tab.page.reload();
    expect(await open(tab.page)).toMatchObject({ hash, storage: { isSaved: true } });
  });

  it('asks the browser to keep the storage once there is something in it, never before', async () => {
    await using tab = await openPage(browser, `${site.origin}/`, { home });
    await tab.page.evaluate(() => {
      const { persist } = StorageManager.prototype;
      Object.assign(globalThis, { asked: 0 });
      StorageManager.prototype.persist = function () {
        (globalThis as unknown as { asked: number }).asked++;
        return persist.call(this);
      };
    });
    const asked = () => tab.page.evaluate(() => (globalThis as unknown as { asked: number }).asked);
    await open(tab.page);
    expect(await asked()).toBe(0);
    await learn(tab.page, 'discs', 0);
    await learn(tab.page, 'stripes', 1);
    expect(await asked()).toBe(1);
  });

  it('goes out as a file and comes in again, byte for byte; a file that is refused changes nothing', async () => {
    await using tab = await openPage(browser, `${site.origin}/`, { home });
    await open(tab.page);
    await learn(tab.page, 'discs', 0);
    await learn(tab.page, 'stripes', 1);
    const told = await tab.page.evaluate(
      async (options) => {
        const file = await globalThis.classifier.export();
        const other = await imprint.createClassifier({ ...options, store: 'other' });
        await other.addClass('waves', pictures(2, 2));
        await other.import(file, { merge: true });
        const merged = other.classes.map(({ label }) => label);
        const whole = await other.hash();
        const refused = await failure(other.import(new Blob(['{}'])));
        const half = await failure(other.import(file.slice(0, 900), { merge: true }));
        const unchanged = (await other.hash()) === whole;
        await other.import(file);
        const bytes = async (blob: Blob) => Array.from(new Uint8Array(await blob.arrayBuffer()));
        return {
          merged,
          refused,
          half,
          unchanged,
          before: await bytes(file),
          after: await bytes(await other.export()),
        };
      },
      { backbone: TINY, device: 'wasm' as const },
    );
    expect(told.merged).toEqual(['discs', 'stripes', 'waves']);
    expect(told.refused).toMatch(/^SNAPSHOT_INVALID: /);
    expect(told.half).toMatch(/^SNAPSHOT_INVALID: /);
    expect(told.unchanged).toBe(true);
    expect(told.after).toEqual(told.before);
    await tab.page.reload();
    expect((await open(tab.page, 'other')).classes.map(({ label }) => label)).toEqual(['discs', 'stripes']);
  });
});
