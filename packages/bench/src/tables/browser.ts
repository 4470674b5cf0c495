/** What a page does, measured in the installed Chromium. */

import type { BenchContext } from '../bench-context.ts';
import type { Case } from '../measure.ts';
import { browserCholesky } from './browser-cholesky.ts';
import { browserClassify } from './browser-classify.ts';

const TABLE = 'browser';

/** The table `browser`: one part after the other, each in a page of its own. */
export async function browser(context: BenchContext): Promise<Case[]> {
  const cases: Case[] = [];
  for (const part of [browserCholesky, browserClassify]) {
    context.progress(part.name);
    cases.push(...(await part(TABLE, context)));
  }
  return cases;
}
