/** A manifest's `sameClass`: shares, and for each number of examples the cosines below which they lie. */

import type { SameClassCosines } from '../backbone.ts';
import { FieldReader } from './field-reader.ts';

/** Numbers of which each is larger than the one before it. */
function ascends(values: unknown, least: number, most: number): values is readonly number[] {
  return (
    Array.isArray(values) &&
    values.every((v, i) => typeof v === 'number' && v >= least && v <= most && (i === 0 || v > values[i - 1]))
  );
}

/** @throws BACKBONE_INVALID naming the first field that does not fit */
export function parseSameClass(fields: FieldReader): SameClassCosines {
  const shares = fields.check<readonly number[]>(
    'shares',
    'two or more ascending numbers between 0 and 1',
    (v) => ascends(v, Number.MIN_VALUE, 1 - Number.EPSILON) && v.length > 1,
  );
  const entries = fields.list('byExamples', 'a list that begins with one example');
  const byExamples = entries.map((entry, i) => {
    const reader = new FieldReader(entry, `${fields.path}.byExamples[${i}]`, fields.where);
    const before = i === 0 ? 0 : (entries[i - 1] as { readonly examples: number }).examples;
    const isNext = (v: unknown): boolean => Number.isSafeInteger(v) && (i === 0 ? v === 1 : (v as number) > before);
    return {
      examples: reader.check<number>('examples', i === 0 ? '1' : `an integer above ${before}`, isNext),
      cosines: reader.check<readonly number[]>(
        'cosines',
        `${shares.length} ascending numbers from -1 to 1, one for each share`,
        (v) => ascends(v, -1, 1) && v.length === shares.length,
      ),
    };
  });
  return { shares, byExamples };
}
