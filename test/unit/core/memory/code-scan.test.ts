/** Scans of codes: machine code and typed arrays give the naive integers, and the machine code is what its source compiles to. */

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { newScan, SCAN_ROWS } from '../../../../packages/core/src/memory/code-scan.ts';
import { expectCommitted } from '../machine-code-source.ts';

const cases = fc.integer({ min: 1, max: 70 }).chain((width) =>
  fc.record({
    width: fc.constant(width),
    rows: fc.integer({ min: 1, max: 30 }),
    start: fc.integer({ min: 0, max: width - 1 }),
    largest: fc.constantFrom(127, 2032, 32_767),
    ofCodes: fc.boolean(),
    seed: fc.integer(),
  }),
);

/** Whole numbers from -largest to largest, both ends among them. */
function wholeNumbers(seed: number, largest: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    const share = state / 2 ** 31;
    return share < -0.9 ? -largest : share > 0.9 ? largest : Math.round(share * largest);
  };
}

for (const [name, smallest] of [
  ['machine code', 0],
  ['typed arrays', Infinity],
] as const) {
  it(`${name}: products of any columns with any rows are the naive integers`, () => {
    fc.assert(
      fc.property(cases, ({ width, rows, start, largest, ofCodes, seed }) => {
        const next = wholeNumbers(seed, 127);
        const codes = Int8Array.from({ length: rows * width }, next);
        const query = ofCodes
          ? Int8Array.from({ length: width + 3 }, wholeNumbers(seed + 1, 127))
          : Int32Array.from({ length: width + 3 }, wholeNumbers(seed + 1, largest));
        const columns = Math.max(1, (width - start) >> 1);
        const scan = newScan(codes, rows, width, smallest);
        // A longer query before it leaves nothing behind.
        scan.setQuery(query, 0, 0, width);
        scan.setQuery(query, 3, start, columns);
        const first = rows >> 1;
        scan.scanRows(first, rows - first);
        for (let i = first; i < rows; i++) {
          let sum = 0;
          for (let j = 0; j < columns; j++) sum += query[3 + j] * codes[i * width + start + j];
          expect(scan.products[i - first]).toBe(sum);
        }
        // The same query again, of other rows and of the same.
        const found = scan.products.slice(0, rows - first);
        for (const from of [0, first, first]) {
          scan.setQuery(query, 3, start, columns);
          scan.scanRows(from, rows - first);
        }
        expect(scan.products.slice(0, rows - first)).toEqual(found);
      }),
    );
  });
}

it('takes as many rows at once as it says, beyond 64 KiB', () => {
  const width = 24;
  const codes = Int8Array.from({ length: SCAN_ROWS * width }, wholeNumbers(1, 127));
  const query = Int8Array.from({ length: width }, wholeNumbers(2, 127));
  const [fast, plain] = [newScan(codes, SCAN_ROWS, width), newScan(codes, SCAN_ROWS, width, Infinity)];
  for (const scan of [fast, plain]) {
    scan.setQuery(query, 0, 0, width);
    scan.scanRows(0, SCAN_ROWS);
  }
  expect(fast.constructor).not.toBe(plain.constructor);
  expect(fast.products).toEqual(plain.products);
});

it('the committed machine code of the scan is what its source compiles to', () => {
  expectCommitted('row-products.as.ts', 'linalg/row-products-module.ts', '--importMemory');
});
