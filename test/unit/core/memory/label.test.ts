import { describe, expect, it } from 'vitest';
import { canonicalLabel } from '../../../../packages/core/src/memory/label.ts';

describe('canonicalLabel', () => {
  it.each(['cat', '__proto__', 'constructor', 'toString', '🦔', ' spaced ', 'x'.repeat(1000)])(
    'takes %j as it is',
    (label) => {
      expect(canonicalLabel(label)).toBe(label);
    },
  );

  it('makes one label of composed and decomposed accents', () => {
    expect(canonicalLabel('cafe\u0301')).toBe(canonicalLabel('caf\u00e9'));
  });

  it.each([
    ['nothing', ''],
    ['blanks', ' \t\n'],
    ['10,000 characters', 'x'.repeat(10_000)],
    ['half of a surrogate pair', 'a\ud83e'],
    ['characters that are not seen', '\u200b\u00ad\u2800\ufe0f\u202e\0'],
    ['a number', 7],
    ['undefined', undefined],
  ])('refuses %s', (_name, label) => {
    expect(() => canonicalLabel(label)).toThrow(expect.objectContaining({ code: 'INVALID_LABEL' }));
  });
});
