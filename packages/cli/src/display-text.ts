/** Text for a terminal: how wide it is, padded to a width, and without anything that a terminal would obey. */

/** East Asian wide and full-width forms and emoji take two columns. */
const WIDE =
  /\p{Extended_Pictographic}|\p{Regional_Indicator}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u;
/** U+200D between two emoji, and U+FE0F that turns a character into one: 👩‍🔬, ❤️, 1️⃣. */
const JOINS = String.raw`(?<=\p{Extended_Pictographic}(?:\ufe0f|\p{Emoji_Modifier})?)\u200d(?=\p{Extended_Pictographic})`;
const STYLES = String.raw`(?<=\p{Extended_Pictographic})\ufe0f|(?<=[0-9#*])\ufe0f(?=\u20e3)`;
/** What shows as nothing, or is obeyed. */
const UNSEEN = new RegExp(
  String.raw`(?!${JOINS}|${STYLES})[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]`,
  'gu',
);
const GRAPHEMES = new Intl.Segmenter('en', { granularity: 'grapheme' });

/**
 * `text` on one line: control characters and line breaks, which a label or file name may hold, are written as escapes.
 * Direction overrides and invisible characters are too, or a name could show up as another one.
 */
export function displayText(text: string): string {
  return text.replace(UNSEEN, (character) => {
    return `\\u{${(character.codePointAt(0) as number).toString(16)}}`;
  });
}

/** Columns that `text` takes. */
export function displayWidth(text: string): number {
  // Finding graphemes is slow, and nearly every text needs none of it.
  if (/^[ -~]*$/.test(text)) return text.length;
  let width = 0;
  for (const { segment } of GRAPHEMES.segment(text)) {
    // Digits count as pictographic only with the sign that makes them keycaps.
    width += WIDE.test(segment) && !/^[\u00a9\u00ae#*0-9]$/u.test(segment) ? 2 : 1;
  }
  return width;
}

/** Columns of the widest of `texts`, as displayed. A loop: there may be more of them than a call takes arguments. */
export function widest(texts: Iterable<string>): number {
  let width = 0;
  for (const text of texts) width = Math.max(width, displayWidth(displayText(text)));
  return width;
}

/** `text` with spaces up to `width` columns, on its right or its left. */
export function pad(text: string, width: number, side: 'right' | 'left' = 'right'): string {
  const spaces = ' '.repeat(Math.max(0, width - displayWidth(text)));
  return side === 'right' ? text + spaces : spaces + text;
}

/** `text` cut to `width` columns, keeping its end (the file's name) where `keep` is `end`. */
export function shorten(text: string, width: number, keep: 'start' | 'end' = 'start'): string {
  if (displayWidth(text) <= width) return text;
  const segments = Array.from(GRAPHEMES.segment(text), ({ segment }) => segment);
  if (keep === 'end') segments.reverse();
  const kept: string[] = [];
  let columns = 1;
  for (const segment of segments) {
    columns += displayWidth(segment);
    if (columns > width) break;
    kept.push(segment);
  }
  return keep === 'end' ? `…${kept.reverse().join('')}` : `${kept.join('')}…`;
}

/** `0.9312` as ` 93.1 %`: always seven columns. */
export function percent(fraction: number): string {
  return `${(fraction * 100).toFixed(1)} %`.padStart(7);
}

/** `12345` as `12.3 kB`. */
export function fileSize(sizeBytes: number): string {
  if (sizeBytes < 1000) return `${sizeBytes} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length, Math.floor(Math.log10(sizeBytes) / 3));
  return `${(sizeBytes / 1000 ** power).toFixed(1)} ${units[power - 1]}`;
}

/** `1 image`, `2 images`, `3 classes`. */
export function counted(count: number, noun: string): string {
  const plural = noun.endsWith('s') ? `${noun}es` : `${noun}s`;
  return `${count} ${count === 1 ? noun : plural}`;
}
