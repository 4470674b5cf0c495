/** Build of the demo: a static folder that any host serves, and a service worker that keeps it for the time without a network. */

import { defineConfig } from 'vite';
import { VitePWA } from 'vite-plugin-pwa';
import { HEADERS, POLICY } from './headers.mjs';

/** The policy as a meta tag too: a host that sends no headers of ours gets it all the same. */
const policyTag = {
  name: 'policy-tag',
  apply: 'build',
  transformIndexHtml: () => [
    { tag: 'meta', attrs: { 'http-equiv': 'Content-Security-Policy', content: POLICY }, injectTo: 'head-prepend' },
  ],
};

/** Tells the page which files belong to which engine, so that it keeps only those that this browser uses. */
const engineList = {
  name: 'engine-list',
  apply: 'build',
  generateBundle(_, bundle) {
    const engines = { wasm: [], jspi: [], asyncify: [] };
    for (const file of Object.keys(bundle)) {
      if (!/^assets\/ort[.-]/.test(file)) continue;
      const engine = /jspi/.test(file) ? 'jspi' : /asyncify|webgpu/.test(file) ? 'asyncify' : 'wasm';
      engines[engine].push(file);
    }
    for (const [engine, files] of Object.entries(engines)) {
      if (files.length !== 3) this.error(`Expected 3 files of engine ${engine}, got ${files.length}: ${files}.`);
    }
    this.emitFile({ type: 'asset', fileName: 'assets/engines.json', source: JSON.stringify(engines) });
  },
};

export default defineConfig({
  base: './',
  server: { headers: HEADERS },
  build: { target: 'es2022', chunkSizeWarningLimit: 200, assetsInlineLimit: 0, reportCompressedSize: false },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  plugins: [
    policyTag,
    engineList,
    VitePWA({
      strategies: 'generateSW',
      registerType: 'prompt',
      injectRegister: false,
      manifestFilename: 'manifest.webmanifest',
      includeAssets: [],
      manifest: {
        id: './',
        name: 'Imprint',
        short_name: 'Imprint',
        description: 'Show it a few examples, and it knows them. On this device, without a network.',
        start_url: './',
        scope: './',
        display: 'standalone',
        background_color: '#faf9f6',
        theme_color: '#faf9f6',
        categories: ['education', 'photo', 'utilities'],
        icons: [
          { src: 'icon.svg', sizes: 'any', type: 'image/svg+xml', purpose: 'any' },
          { src: 'icon-192.png', sizes: '192x192', type: 'image/png', purpose: 'any' },
          { src: 'icon-512.png', sizes: '512x512', type: 'image/png', purpose: 'any' },
          { src: 'icon-maskable-512.png', sizes: '512x512', type: 'image/png', purpose: 'maskable' },
        ],
        file_handlers: [{ action: './', accept: { 'application/octet-stream': ['.imprint'] } }],
      },
      workbox: {
        globPatterns: ['**/*.{html,js,css,svg,png,webmanifest,json,onnx}'],
        // Engines are kept as they are used: see state/offline.ts.
        globIgnores: ['**/assets/ort*'],
        maximumFileSizeToCacheInBytes: 16 * 2 ** 20,
        navigateFallback: 'index.html',
        cleanupOutdatedCaches: true,
        inlineWorkboxRuntime: true,
        sourcemap: false,
        runtimeCaching: [
          {
            urlPattern: ({ url, sameOrigin }) => sameOrigin && /\/assets\/ort[.-]/.test(url.pathname),
            handler: 'CacheFirst',
            options: { cacheName: 'engines', cacheableResponse: { statuses: [200] } },
          },
        ],
      },
    }),
  ],
});
