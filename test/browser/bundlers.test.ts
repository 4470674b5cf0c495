/** The packed package in apps: built by each bundler as its users run it, then learning and answering in Chromium. */

import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import * as esbuild from 'esbuild';
import type { Browser } from 'playwright-core';
import { createServer, type InlineConfig } from 'vite';
import webpack from 'webpack';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { root } from './build-page.ts';
import { describeInBrowser, launchChromium } from './launch-chromium.ts';
import { openPage } from './open-page.ts';
import { fixtures, packApps, runTool, type PackedApps } from './packed-app.ts';
import { ISOLATED, serve, STRICT_CSP } from './serve.ts';

interface Answer {
  readonly ranked: readonly string[];
  readonly accuracy: number;
  readonly backbone: string;
  readonly numExamples: number;
  readonly device: string;
}

const RIGHT: Answer = {
  ranked: ['disc', 'stripes'],
  accuracy: 1,
  backbone: 'imprint-tiny',
  numExamples: 6,
  device: 'wasm',
};

const bun = findOnPath('bun');

// A build that takes seconds takes a minute on a machine that is busy.
describeInBrowser('an app with the packed package', { timeout: 180_000 }, () => {
  let browser: Browser;
  let apps: PackedApps;

  beforeAll(async () => {
    browser = await launchChromium();
    apps = packApps();
  }, 120_000);

  afterAll(async () => {
    await browser?.close();
    apps?.[Symbol.dispose]();
  });

  /** Opens an app and lets it learn and answer; it must complain of nothing and ask no stranger. */
  async function expectToAnswer(url: string, options: object = {}): Promise<void> {
    await using open = await openPage(browser, url);
    await open.page.waitForFunction(() => 'learnAndClassify' in globalThis);
    const run = (options: object) =>
      (globalThis as unknown as { learnAndClassify(options: object): Promise<Answer> }).learnAndClassify(options);
    expect(await open.page.evaluate(run, { device: 'wasm', ...options })).toEqual(RIGHT);
    expect(open.complaints).toEqual([]);
    expect(open.strangers()).toEqual([]);
  }

  it('works with Vite, built without configuration, isolated and under a strict policy', async () => {
    const app = apps.app('vite');
    await runTool(app, 'vite', ['build', '--logLevel', 'error']);
    await using site = await serve({ '/': path.join(app, 'dist') }, { headers: { ...ISOLATED, ...STRICT_CSP } });
    await expectToAnswer(`${site.origin}/`);
  });

  it('works with Vite’s development server without configuration', async () => {
    const app = apps.app('vite-dev');
    const server = await createServer({ root: app, configFile: false, logLevel: 'error' });
    try {
      await server.listen();
      await expectToAnswer(server.resolvedUrls!.local[0]);
    } finally {
      await server.close();
    }
  });

  it('works with Vite’s development server in a workspace, once the error’s advice is taken', async () => {
    const home = apps.app('workspace');
    const app = path.join(home, 'apps/one');
    mkdirSync(app, { recursive: true });
    for (const name of ['main.js', 'index.html', 'learn-and-classify.js', 'package.json']) {
      renameSync(path.join(home, name), path.join(app, name));
    }
    writeFileSync(path.join(home, 'package.json'), JSON.stringify({ private: true, workspaces: ['apps/*'] }));
    const start = async (config: InlineConfig) => {
      const server = await createServer({ root: app, configFile: false, logLevel: 'error', ...config });
      await server.listen();
      return server;
    };
    const bare = await start({});
    await expect(expectToAnswer(bare.resolvedUrls!.local[0])).rejects.toThrow(
      "set `optimizeDeps: { exclude: ['@imprint/web'] }`",
    );
    await bare.close();
    const advised = await start({ optimizeDeps: { exclude: ['@imprint/web'] } });
    try {
      await expectToAnswer(advised.resolvedUrls!.local[0]);
    } finally {
      await advised.close();
    }
  });

  it('works with webpack without configuration', async () => {
    const app = apps.app('webpack');
    const stats = await new Promise<webpack.Stats | undefined>((resolve, reject) => {
      const compiler = webpack({
        context: app,
        mode: 'production',
        entry: './main.js',
        output: { path: path.join(app, 'dist') },
      });
      compiler?.run((error, stats) => (error ? reject(error) : compiler.close(() => resolve(stats))));
    });
    expect(stats?.toJson({ all: false, errors: true }).errors).toEqual([]);
    cpSync(path.join(app, 'index.html'), path.join(app, 'dist/index.html'));
    await using site = await serve({ '/': path.join(app, 'dist') }, { headers: { ...STRICT_CSP } });
    await expectToAnswer(`${site.origin}/`);
  });

  it('works with esbuild once imprint-web-assets has copied its files beside the bundle', async () => {
    const app = apps.app('esbuild');
    await esbuild.build({
      absWorkingDir: app,
      entryPoints: ['main.js'],
      bundle: true,
      format: 'esm',
      outdir: 'dist',
      logLevel: 'silent',
    });
    copyAssets(app, 'dist/assets');
    cpSync(path.join(app, 'index.html'), path.join(app, 'dist/index.html'));
    await using site = await serve({ '/': path.join(app, 'dist') }, { headers: { ...STRICT_CSP } });
    await expectToAnswer(`${site.origin}/`);
  });

  it('works as a classic script once `assets` says where imprint-web-assets put its files', async () => {
    const app = apps.app('classic');
    await esbuild.build({
      absWorkingDir: app,
      entryPoints: ['main.js'],
      bundle: true,
      format: 'iife',
      outdir: 'dist',
      // Its warning: import.meta is empty in this format, which is what `assets` is for.
      logLevel: 'silent',
    });
    copyAssets(app, 'dist/imprint', '--no-webgpu');
    await using site = await serve({
      '/': path.join(app, 'dist'),
      '/page': () => ({ body: '<!doctype html><link rel="icon" href="data:,"><script src="/main.js"></script>' }),
    });
    await expectToAnswer(`${site.origin}/page`, { assets: '/imprint' });
  });

  it.skipIf(bun === undefined)('works with Bun (skipped where there is no bun on the machine)', async () => {
    const app = apps.app('bun');
    execFileSync(bun!, ['build', './main.js', '--outdir', 'dist'], { cwd: app, stdio: 'pipe' });
    copyAssets(app, 'dist/assets');
    cpSync(path.join(app, 'index.html'), path.join(app, 'dist/index.html'));
    await using site = await serve({ '/': path.join(app, 'dist') });
    await expectToAnswer(`${site.origin}/`);
  });

  it('works with Next.js, which renders a page that imports it on the server', async () => {
    const app = apps.app('next');
    cpSync(path.join(fixtures, 'learn-and-classify.js'), path.join(app, 'app/learn-and-classify.js'));
    await runTool(app, 'next', ['build']);
    const server = spawn(process.execPath, [path.join(root, 'node_modules/next/dist/bin/next'), 'start', '-p', '0'], {
      cwd: app,
      env: { ...process.env, NODE_ENV: 'production', NEXT_TELEMETRY_DISABLED: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    try {
      const origin = await localUrl(server);
      const html = await (await fetch(origin)).text();
      expect(html).toContain('rendered by a server with');
      expect(html).toMatch(/<p id="status">loading<\/p>/);
      await using open = await openPage(browser, origin);
      await open.page.waitForFunction(() => document.querySelector('#status')?.textContent !== 'loading');
      expect(await open.page.textContent('#status')).toBe('ready');
      expect(open.complaints).toEqual([]);
      await expectToAnswer(origin);
      expect(await (await fetch(new URL('/api/who', origin))).json()).toEqual({ label: 'red' });
    } finally {
      server.kill();
      await once(server, 'exit');
    }
  });

  function copyAssets(app: string, ...args: readonly string[]): void {
    const bin = path.join(app, 'node_modules/@imprint/web/bin/imprint-web-assets.mjs');
    expect(execFileSync(process.execPath, [bin, ...args], { cwd: app, encoding: 'utf8' })).toMatch(/^\d+ files, /);
  }
});

/** The address that a server started as a program prints. */
async function localUrl(server: ChildProcess): Promise<string> {
  let printed = '';
  return new Promise((resolve, reject) => {
    const read = (chunk: Buffer) => {
      printed += chunk.toString();
      const found = /http:\/\/localhost:(\d+)/.exec(printed);
      if (found !== null) resolve(`http://localhost:${found[1]}/`);
    };
    server.stdout?.on('data', read);
    server.stderr?.on('data', read);
    server.once('exit', (code) => reject(new Error(`The server ended with ${code} before it listened:\n${printed}`)));
  });
}

function findOnPath(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter);
  return folders
    .filter((folder) => {
      try {
        return readdirSync(folder).includes(name);
      } catch {
        return false;
      }
    })
    .map((folder) => path.join(folder, name))[0];
}
