import { it } from 'vitest';
import { expectCommitted } from '../machine-code-source.ts';

it('the committed machine code of the resize kernel is what its source compiles to', () => {
  expectCommitted('resample.as.ts', 'image/resample-simd.ts');
});
