/** Core's own products in a page: WebAssembly under a strict policy, typed arrays where the policy forbids it. */

import path from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildPage, root, type BuiltPage } from './build-page.ts';
import { describeInBrowser, launchChromium } from './launch-chromium.ts';
import { openPage } from './open-page.ts';
import { serve, STRICT_CSP, type Site } from './serve.ts';

const SOURCE = `
import { Classifier, wasmGemm } from '@imprint/core';
import { choleskyFactor } from ${JSON.stringify(path.join(root, 'packages/core/dist/linalg/cholesky.js'))};
import { solveSymmetric } from ${JSON.stringify(path.join(root, 'packages/core/dist/linalg/cholesky-solve.js'))};
globalThis.products = async () => {
  const noise = Float64Array.from({ length: 300 * 300 }, (_, i) => ((i * 7919) % 1009) / 1009 - 0.5);
  const shape = { m: 300, n: 300, k: 300, transposeB: true };
  const matrix = await wasmGemm.f64(noise, noise, shape);
  for (let i = 0; i < 300; i++) matrix[i * 300 + i] += 1;
  const factor = await choleskyFactor(matrix, 300, { gemm: wasmGemm });
  const solved = await solveSymmetric(factor, noise.subarray(0, 600), 2, { gemm: wasmGemm });
  matrix[150 * 300 + 150] = -1;
  const error = await choleskyFactor(matrix, 300, { gemm: wasmGemm }).catch((reason) => reason.message);
  const codes = Float32Array.from(noise, (x) => Math.round(x * 254));
  const floats = await wasmGemm.f32(codes, codes, shape);
  return { name: wasmGemm.name, solved: [...solved], error, sum: floats.reduce((sum, x) => sum + x, 0), Classifier: typeof Classifier };
};
`;

interface Products {
  readonly name: string;
  readonly solved: number[];
  readonly error: string;
  readonly sum: number;
}

describeInBrowser('matrix products of core in a page', () => {
  let browser: Browser;
  let site: Site;
  let built: BuiltPage;

  beforeAll(async () => {
    browser = await launchChromium();
    built = await buildPage(SOURCE);
    site = await serve(built.routes);
  });

  afterAll(async () => {
    await browser?.close();
    await site?.close();
    built?.[Symbol.dispose]();
  });

  const products = async (headers: Record<string, string>): Promise<Products & { complaints: string[] }> => {
    site.headers = { ...headers };
    await using open = await openPage(browser, `${site.origin}/`);
    const result = await open.page.evaluate(() =>
      (globalThis as unknown as { products(): Promise<Products> }).products(),
    );
    return { ...result, complaints: open.complaints };
  };

  it("need 'wasm-unsafe-eval' of a policy and nothing else; without it typed arrays give the same", async () => {
    const strict = await products(STRICT_CSP);
    expect(strict.name).toBe('wasm relaxed simd');
    expect(strict.complaints).toEqual([]);
    expect(strict.error).toMatch(/pivot 150 = -/);

    const policy = STRICT_CSP['content-security-policy'].replace(" 'wasm-unsafe-eval'", '');
    const { complaints, ...forbidden } = await products({ 'content-security-policy': policy });
    expect(complaints.every((line) => line.includes('wasm-eval'))).toBe(true);
    expect(forbidden.name).toBe('typescript');
    expect(forbidden.sum).toBe(strict.sum);
    // The condition number is about 100; fused sums round differently.
    for (const [i, x] of forbidden.solved.entries()) expect(x).toBeCloseTo(strict.solved[i], 10);
    expect(forbidden.error).toMatch(/pivot 150 = -/);
  });
});
